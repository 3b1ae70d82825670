// SPDX-License-Identifier: Apache-2.0
#include "core/agent/simulation/simulated_guest.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/log/logger.h"

namespace vcd {
namespace {

// More than that unread, and a process gets no more input until it has read some.
constexpr size_t kInputRoom = size_t{256} << 10;

// What each process uses, and what its guest has.
constexpr uint64_t kProcessCpuUs = 10000;
constexpr uint64_t kProcessBytes = uint64_t{1} << 20;
constexpr uint64_t kGuestBytes = uint64_t{256} << 20;

bool Ends(int signal) {
  return signal == SIGTERM || signal == SIGKILL || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

SimulatedRefusal NoProcess() { return {GuestError::kNotFound, "no such process"}; }
SimulatedRefusal NoContainer() { return {GuestError::kNotFound, "no such container"}; }

}  // namespace

SimulatedGuest::SimulatedGuest(Options options, std::string machine)
    : options_(std::move(options)), machine_(std::move(machine)) {}

SimulatedGuest::SimulatedGuest(const state::v1::SimulatedGuest& saved, Options options)
    : options_(std::move(options)), machine_(saved.machine()) {
  MutexLock lock(&mu_);
  next_pid_ = saved.next_pid();
  const absl::Duration pause =
      saved.paused_at_ns() == 0 ? absl::ZeroDuration() : options_.now() - absl::FromUnixNanos(saved.paused_at_ns());
  for (const state::v1::SimulatedContainer& stored : saved.containers()) {
    Container& container = containers_[stored.container_id()];
    container.limits = {stored.limits().begin(), stored.limits().end()};
    container.oom_kills = container.oom_kills_told = stored.oom_kills();
  }
  for (const state::v1::SimulatedProcess& stored : saved.processes()) {
    auto program = ParseSimulatedProgram(stored.cmd());
    if (!std::holds_alternative<SimulatedProgram>(program)) continue;  // Of another version of this.
    State state{SimulatedProcess(stored, std::get<SimulatedProgram>(std::move(program)), options_.output_window)};
    state.process.Shift(pause);
    state.oom_counted = state.process.exit().has_value();
    processes_.emplace(ProcessKey{stored.container_id(), stored.process_id()}, std::move(state));
  }
}

SimulatedGuest::Answer SimulatedGuest::CheckLimits(const std::vector<CgroupFile>& limits) {
  for (const CgroupFile& file : limits) {
    const std::string controller = file.name.substr(0, file.name.find('.'));
    const bool known = controller == "cpu" || controller == "cpuset" || controller == "io" || controller == "memory" ||
                       controller == "pids";
    if (known || file.optional) continue;
    return Refusal{GuestError::kSystem, absl::StrCat("set ", file.name, " to \"", file.value,
                                                     "\": the guest's kernel has no such file; the controllers it has "
                                                     "are: cpu cpuset io memory pids")};
  }
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::UpdateLimits(const std::string& container_id,
                                                    const std::vector<CgroupFile>& limits) {
  MutexLock lock(&mu_);
  if (Find({container_id, ""}) == nullptr) return NoContainer();
  const Answer checked = CheckLimits(limits);
  if (std::holds_alternative<Refusal>(checked)) return checked;
  for (const CgroupFile& file : limits) containers_[container_id].limits[file.name] = file.value;
  (void)Settle(/*changed=*/true);
  return 0;
}

v1::ContainerStats SimulatedGuest::UsageOf(const std::string& container_id) const {
  uint64_t processes = 0;
  for (const auto& [key, state] : processes_) {
    if (key.container_id == container_id && !state.process.exit().has_value()) ++processes;
  }
  v1::ContainerStats stats;
  stats.set_container_id(container_id);
  const absl::Time now = options_.now();
  stats.mutable_time()->set_seconds(absl::ToUnixSeconds(now));
  stats.mutable_time()->set_nanos(static_cast<int32_t>(absl::ToUnixNanos(now) % 1000000000));
  stats.set_cpu_usage_us(processes * kProcessCpuUs);
  stats.set_cpu_user_us(processes * kProcessCpuUs);
  stats.set_memory_usage_bytes(processes * kProcessBytes);
  stats.set_memory_working_set_bytes(processes * kProcessBytes);
  stats.set_memory_anonymous_bytes(processes * kProcessBytes);
  stats.set_memory_peak_bytes(processes * kProcessBytes);
  stats.set_pids(processes);
  const auto container = containers_.find(container_id);
  if (container == containers_.end()) return stats;
  stats.set_oom_kills(container->second.oom_kills);
  // `max` is no number, and no limit.
  const auto limit = [&container](const char* file) {
    uint64_t value = 0;
    const auto found = container->second.limits.find(file);
    return found != container->second.limits.end() && absl::SimpleAtoi(found->second, &value) ? value : 0;
  };
  stats.set_memory_limit_bytes(limit("memory.max"));
  stats.set_pids_limit(limit("pids.max"));
  return stats;
}

std::variant<GuestUsage, SimulatedRefusal> SimulatedGuest::Usage(const std::string& container_id) const {
  MutexLock lock(&mu_);
  GuestUsage usage;
  uint64_t used = 0;
  bool found = container_id.empty();
  for (const auto& [key, state] : processes_) {
    if (!state.process.exit().has_value()) used += kProcessBytes;
    if (!key.process_id.empty() || (!container_id.empty() && key.container_id != container_id)) continue;
    found = true;
    usage.containers.push_back(UsageOf(key.container_id));
  }
  if (!found) return NoContainer();
  usage.guest.set_memory_total_bytes(kGuestBytes);
  usage.guest.set_memory_available_bytes(kGuestBytes - std::min(used, kGuestBytes));
  return usage;
}

std::variant<std::vector<v1::ProcessInfo>, SimulatedRefusal> SimulatedGuest::ListProcesses(
    const std::string& container_id) const {
  MutexLock lock(&mu_);
  if (processes_.count({container_id, ""}) == 0) return NoContainer();
  std::vector<v1::ProcessInfo> list;
  for (const auto& [key, state] : processes_) {
    if (key.container_id != container_id || state.process.exit().has_value()) continue;
    v1::ProcessInfo& info = list.emplace_back();
    info.set_pid(state.process.pid());
    info.set_parent_pid(1);
    info.set_container_pid(static_cast<int32_t>(list.size()));
    info.set_user(state.process.cmd().user().empty() ? "root" : state.process.cmd().user());
    info.set_state("S");
    info.set_threads(1);
    if (state.process.started()) {
      info.mutable_started_at()->set_seconds(absl::ToUnixSeconds(state.process.started_at()));
    }
    info.set_cpu_time_us(kProcessCpuUs);
    info.set_rss_bytes(kProcessBytes);
    info.set_virtual_bytes(2 * kProcessBytes);
    *info.mutable_args() = state.process.cmd().args();
    info.set_process_id(key.process_id);
  }
  return list;
}

uint64_t SimulatedGuest::Attach(Listener listener) {
  MutexLock lock(&mu_);
  listener_ = std::move(listener);
  for (auto& [key, state] : processes_) {
    for (const StdStream which : {StdStream::kStdout, StdStream::kStderr}) {
      state.process.stream(which).told = state.process.stream(which).acked;
    }
    state.exit_told = false;
  }
  TellAll();
  return ++attachment_;
}

void SimulatedGuest::Detach(uint64_t attachment) {
  MutexLock lock(&mu_);
  if (attachment == attachment_) listener_ = nullptr;
}

void SimulatedGuest::SetMuted(bool muted) {
  MutexLock lock(&mu_);
  muted_ = muted;
  TellAll();
}

void SimulatedGuest::SetPaused(bool paused) {
  MutexLock lock(&mu_);
  const bool is_paused = paused_at_ != absl::InfinitePast();
  if (paused == is_paused) return;
  if (paused) {
    paused_at_ = options_.now();
  } else {
    const absl::Duration pause = options_.now() - paused_at_;
    for (auto& [key, state] : processes_) state.process.Shift(pause);
    paused_at_ = absl::InfinitePast();
  }
  (void)Settle(/*changed=*/true);
}

void SimulatedGuest::Advance() {
  MutexLock lock(&mu_);
  wake_ = absl::InfiniteFuture();
  (void)Settle(/*changed=*/false);
}

std::vector<SimulatedGuest::Process> SimulatedGuest::Processes() const {
  MutexLock lock(&mu_);
  std::vector<Process> result;
  for (const auto& [key, state] : processes_) {
    Process process;
    process.process.key = key;
    process.process.pid = state.process.pid();
    process.process.started = state.process.started();
    process.process.terminal = state.process.terminal();
    process.process.exit = state.process.exit();
    process.process.stdout_offset = state.process.stream(StdStream::kStdout).acked;
    process.process.stderr_offset = state.process.stream(StdStream::kStderr).acked;
    process.stdout_end = state.process.stream(StdStream::kStdout).end();
    process.stderr_end = state.process.stream(StdStream::kStderr).end();
    process.stdin_received = state.process.input_received();
    process.stdin_closed = state.process.input_closed();
    result.push_back(std::move(process));
  }
  return result;
}

SimulatedGuest::Answer SimulatedGuest::Create(const std::string& container_id, const v1::Cmd& cmd,
                                              const std::vector<CgroupFile>& limits) {
  MutexLock lock(&mu_);
  if (Find({container_id, ""}) != nullptr) return Refusal{GuestError::kExists, "the id is taken"};
  const Answer checked = CheckLimits(limits);
  if (std::holds_alternative<Refusal>(checked)) return checked;
  for (const CgroupFile& file : limits) containers_[container_id].limits[file.name] = file.value;
  Answer added = Add({container_id, ""}, cmd);
  if (std::holds_alternative<Refusal>(added)) containers_.erase(container_id);
  return added;
}

SimulatedGuest::Answer SimulatedGuest::Start(const std::string& container_id) {
  MutexLock lock(&mu_);
  State* state = Find({container_id, ""});
  if (state == nullptr) return NoContainer();
  if (state->process.started() || state->process.exit().has_value()) {
    return Refusal{GuestError::kWrongState, "its process is not held"};
  }
  state->process.Start(Now());
  (void)Settle(/*changed=*/true);
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::RemoveContainer(const std::string& container_id) {
  MutexLock lock(&mu_);
  for (auto it = processes_.begin(); it != processes_.end();) {
    it = it->first.container_id == container_id ? processes_.erase(it) : std::next(it);
  }
  containers_.erase(container_id);
  (void)Settle(/*changed=*/true);
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::Exec(const ProcessKey& key, const v1::Cmd& cmd) {
  MutexLock lock(&mu_);
  State* first = Find({key.container_id, ""});
  if (first == nullptr) return NoContainer();
  if (!first->process.started() || first->process.exit().has_value()) {
    return Refusal{GuestError::kWrongState, "the container does not run"};
  }
  Answer answer = Add(key, cmd);
  if (!std::holds_alternative<int32_t>(answer)) return answer;
  Find(key)->process.Start(Now());
  (void)Settle(/*changed=*/true);
  return answer;
}

SimulatedGuest::Answer SimulatedGuest::Dial(const ProcessKey& key) {
  v1::Cmd echo;
  echo.add_args("cat");
  echo.set_interactive(true);
  MutexLock lock(&mu_);
  Answer answer = Add(key, echo);
  if (!std::holds_alternative<int32_t>(answer)) return answer;
  Find(key)->process.Start(Now());
  (void)Settle(/*changed=*/true);
  return answer;
}

SimulatedGuest::Answer SimulatedGuest::Signal(const ProcessKey& key, int signal, bool all) {
  MutexLock lock(&mu_);
  if (Find(key) == nullptr) return NoProcess();
  if (!Ends(signal)) return 0;
  for (auto& [each, state] : processes_) {
    const bool meant = each == key || (all && each.container_id == key.container_id);
    if (meant && (signal == SIGKILL || !state.process.stubborn())) End(each, state, 128 + signal, signal);
  }
  (void)Settle(/*changed=*/true);
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::Resize(const ProcessKey& key, const v1::TerminalSize& size) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr) return NoProcess();
  if (state->process.exit().has_value()) return Refusal{GuestError::kWrongState, "it has ended"};
  if (!state->process.Resize(size)) return Refusal{GuestError::kWrongState, "it has no terminal"};
  (void)Settle(/*changed=*/true);
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::RemoveProcess(const ProcessKey& key) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr) return 0;
  if (!state->process.exit().has_value()) return Refusal{GuestError::kWrongState, "it still runs"};
  processes_.erase(key);
  (void)Settle(/*changed=*/true);
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::Input(const ProcessKey& key, const std::string& data, bool close, bool* room) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr) return NoProcess();
  if (state->process.input_closed() || state->process.exit().has_value()) {
    return Refusal{GuestError::kWrongState, "its standard input is closed"};
  }
  state->process.Give(data, close);
  state->input_waits = true;
  (void)Settle(/*changed=*/true);
  if (room != nullptr) *room = state->process.unread_input() <= kInputRoom;
  return 0;
}

void SimulatedGuest::Acknowledge(const ProcessKey& key, StdStream stream, uint64_t offset) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  // Not saved by itself: a guest that repeats what was acknowledged does no harm.
  if (state != nullptr && state->process.Acknowledge(stream, offset)) (void)Settle(/*changed=*/false);
}

bool SimulatedGuest::Exit(const ProcessKey& key, int code, int signal) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr || state->process.exit().has_value()) return false;
  End(key, *state, code, signal);
  (void)Settle(/*changed=*/true);
  return true;
}

bool SimulatedGuest::Print(const ProcessKey& key, StdStream stream, const std::string& bytes) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr || !state->process.started() || state->process.exit().has_value()) return false;
  state->process.Write(stream, bytes);
  (void)Settle(/*changed=*/true);
  return true;
}

SimulatedGuest::State* SimulatedGuest::Find(const ProcessKey& key) {
  const auto found = processes_.find(key);
  return found == processes_.end() ? nullptr : &found->second;
}

SimulatedGuest::Answer SimulatedGuest::Add(const ProcessKey& key, const v1::Cmd& cmd) {
  if (Find(key) != nullptr) return Refusal{GuestError::kExists, "the id is taken"};
  auto program = ParseSimulatedProgram(cmd);
  if (auto* refusal = std::get_if<Refusal>(&program)) return *refusal;
  const int32_t pid = next_pid_++;
  processes_.emplace(
      key, State{SimulatedProcess(cmd, std::get<SimulatedProgram>(std::move(program)), pid, options_.output_window)});
  const absl::Status saved = Save();
  if (saved.ok()) return pid;
  processes_.erase(key);
  return Refusal{GuestError::kSystem, std::string(saved.message())};
}

void SimulatedGuest::End(const ProcessKey& key, State& state, int code, int signal) {
  if (state.process.exit().has_value()) return;
  v1::ExitStatus status;
  status.set_code(code);
  status.set_signal(signal);
  state.process.End(status);
  if (key.process_id.empty()) EndOthers(key);
}

void SimulatedGuest::EndOthers(const ProcessKey& first) {
  for (auto& [key, state] : processes_) {
    if (key.container_id == first.container_id && !key.process_id.empty()) End(key, state, 128 + SIGKILL, SIGKILL);
  }
}

absl::Time SimulatedGuest::Now() const { return paused_at_ == absl::InfinitePast() ? options_.now() : paused_at_; }

absl::Status SimulatedGuest::Settle(bool changed) {
  if (paused_at_ == absl::InfinitePast()) {
    const absl::Time now = options_.now();
    for (auto& [key, state] : processes_) {
      changed |= state.process.Run(now);
      if (key.process_id.empty() && state.process.exit().has_value()) EndOthers(key);
      if (!state.process.exit().has_value() || std::exchange(state.oom_counted, true)) continue;
      if (state.process.exit()->oom_killed()) ++containers_[key.container_id].oom_kills;
    }
  }
  absl::Status saved;
  if (changed) saved = Save();
  if (!saved.ok()) LogError(options_.pod_id, absl::StrCat("simulated guest not saved: ", saved.message()));
  TellAll();
  Wake();
  return saved;
}

absl::Status SimulatedGuest::Save() {
  if (options_.save == nullptr) return absl::OkStatus();
  state::v1::SimulatedGuest saved;
  saved.set_machine(machine_);
  saved.set_next_pid(next_pid_);
  if (paused_at_ != absl::InfinitePast()) saved.set_paused_at_ns(absl::ToUnixNanos(paused_at_));
  for (const auto& [key, state] : processes_) {
    state::v1::SimulatedProcess* stored = saved.add_processes();
    stored->set_container_id(key.container_id);
    stored->set_process_id(key.process_id);
    state.process.Store(stored);
  }
  for (const auto& [id, container] : containers_) {
    state::v1::SimulatedContainer* stored = saved.add_containers();
    stored->set_container_id(id);
    stored->mutable_limits()->insert(container.limits.begin(), container.limits.end());
    stored->set_oom_kills(container.oom_kills);
  }
  return options_.save(saved);
}

void SimulatedGuest::Wake() {
  absl::Time next = absl::InfiniteFuture();
  if (paused_at_ == absl::InfinitePast()) {
    for (const auto& [key, state] : processes_) next = std::min(next, state.process.NextWake());
  }
  if (next == wake_) return;
  wake_ = next;
  if (options_.wake != nullptr) options_.wake(next);
}

void SimulatedGuest::TellAll() {
  if (listener_ == nullptr || muted_) return;
  for (auto& [id, container] : containers_) {
    if (container.oom_kills == container.oom_kills_told) continue;
    container.oom_kills_told = container.oom_kills;
    listener_(OutOfMemory{id, container.oom_kills});
  }
  for (auto& [key, state] : processes_) Tell(key, state);
}

void SimulatedGuest::Tell(const ProcessKey& key, State& state) {
  if (state.input_waits && state.process.unread_input() <= kInputRoom) {
    state.input_waits = false;
    listener_(InputTaken{key, state.process.input_received()});
  }
  bool all = true;
  for (const StdStream which : {StdStream::kStdout, StdStream::kStderr}) {
    SimulatedProcess::Stream& stream = state.process.stream(which);
    const uint64_t limit = std::min(stream.end(), stream.acked + options_.output_window);
    while (stream.told < limit) {
      const uint64_t size = std::min(options_.max_output, limit - stream.told);
      listener_(Output{key, which, stream.told, stream.kept.substr(stream.told - stream.acked, size)});
      stream.told += size;
    }
    all = all && stream.told == stream.end();
  }
  if (!all || !state.process.exit().has_value() || state.exit_told) return;
  state.exit_told = true;
  listener_(Exited{key, *state.process.exit(), state.process.stream(StdStream::kStdout).end(),
                   state.process.stream(StdStream::kStderr).end()});
}

}  // namespace vcd
