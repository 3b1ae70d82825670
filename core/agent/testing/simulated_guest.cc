// SPDX-License-Identifier: Apache-2.0
#include "core/agent/testing/simulated_guest.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace vcd {

namespace {

std::string ProgramOf(const v1::Cmd& cmd) {
  if (cmd.args().empty()) return "";
  const std::string& path = cmd.args(0);
  return path.substr(path.rfind('/') + 1);
}

std::string ArgumentOf(const v1::Cmd& cmd, int index) { return index < cmd.args_size() ? cmd.args(index) : ""; }

int NumberOf(const std::string& text) {
  int number = 0;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

bool Ends(int signal) {
  return signal == SIGTERM || signal == SIGKILL || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

std::string FloodBytes(int count) {
  std::string bytes(static_cast<size_t>(count), '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

}  // namespace

uint64_t SimulatedGuest::Attach(Listener listener) {
  MutexLock lock(&mu_);
  listener_ = std::move(listener);
  for (auto& [key, state] : processes_) {
    for (StreamState& stream : state.streams) stream.told = stream.acked;
    state.exit_told = false;
    Tell(key, state);
  }
  return ++attachment_;
}

void SimulatedGuest::Detach(uint64_t attachment) {
  MutexLock lock(&mu_);
  if (attachment == attachment_) listener_ = nullptr;
}

std::vector<SimulatedGuest::Process> SimulatedGuest::Processes() const {
  MutexLock lock(&mu_);
  std::vector<Process> result;
  for (const auto& [key, state] : processes_) {
    Process process{state.process, state.streams[0].end(), state.streams[1].end(), state.input.size()};
    process.process.stdout_offset = state.streams[0].acked;
    process.process.stderr_offset = state.streams[1].acked;
    result.push_back(std::move(process));
  }
  return result;
}

SimulatedGuest::Answer SimulatedGuest::Create(const std::string& container_id, const v1::Cmd& cmd) {
  MutexLock lock(&mu_);
  return Add({container_id, ""}, cmd);
}

SimulatedGuest::Answer SimulatedGuest::Start(const std::string& container_id) {
  MutexLock lock(&mu_);
  const ProcessKey key{container_id, ""};
  State* state = Find(key);
  if (state == nullptr) return Refusal{GuestError::kNotFound, "no such container"};
  if (state->process.started || state->process.exit.has_value()) {
    return Refusal{GuestError::kWrongState, "its process is not held"};
  }
  Run(key, *state);
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::RemoveContainer(const std::string& container_id) {
  MutexLock lock(&mu_);
  for (auto it = processes_.begin(); it != processes_.end();) {
    it = it->first.container_id == container_id ? processes_.erase(it) : std::next(it);
  }
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::Exec(const ProcessKey& key, const v1::Cmd& cmd) {
  MutexLock lock(&mu_);
  State* first = Find({key.container_id, ""});
  if (first == nullptr) return Refusal{GuestError::kNotFound, "no such container"};
  if (!first->process.started || first->process.exit.has_value()) {
    return Refusal{GuestError::kWrongState, "the container does not run"};
  }
  Answer answer = Add(key, cmd);
  if (std::holds_alternative<int32_t>(answer)) Run(key, *Find(key));
  return answer;
}

SimulatedGuest::Answer SimulatedGuest::Signal(const ProcessKey& key, int signal, bool all) {
  MutexLock lock(&mu_);
  if (Find(key) == nullptr) return Refusal{GuestError::kNotFound, "no such process"};
  if (!Ends(signal) || (signal != SIGKILL && ignored_signals_.count(signal) != 0)) return 0;
  for (auto& [each, state] : processes_) {
    if (each == key || (all && each.container_id == key.container_id)) End(each, state, 128 + signal, signal);
  }
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::RemoveProcess(const ProcessKey& key) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr) return 0;
  if (!state->process.exit.has_value()) return Refusal{GuestError::kWrongState, "it still runs"};
  processes_.erase(key);
  return 0;
}

SimulatedGuest::Answer SimulatedGuest::Input(const ProcessKey& key, const std::string& data, bool close) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr) return Refusal{GuestError::kNotFound, "no such process"};
  if (state->input_closed || state->process.exit.has_value()) {
    return Refusal{GuestError::kWrongState, "its standard input is closed"};
  }
  state->input += data;
  state->input_closed = close;
  if (listener_) listener_(InputTaken{key, state->input.size()});
  if (state->process.started && ProgramOf(state->cmd) == "cat") {
    Write(*state, StdStream::kStdout, data);
    if (close) End(key, *state, 0, 0);
    Tell(key, *state);
  }
  return 0;
}

void SimulatedGuest::Acknowledge(const ProcessKey& key, StdStream stream, uint64_t offset) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr) return;
  StreamState& acked = state->streams[stream == StdStream::kStdout ? 0 : 1];
  if (offset <= acked.acked || offset > acked.told) return;
  acked.kept.erase(0, offset - acked.acked);
  acked.acked = offset;
  Tell(key, *state);
}

bool SimulatedGuest::Exit(const ProcessKey& key, int code) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr || state->process.exit.has_value()) return false;
  End(key, *state, code, 0);
  return true;
}

bool SimulatedGuest::Print(const ProcessKey& key, StdStream stream, const std::string& bytes) {
  MutexLock lock(&mu_);
  State* state = Find(key);
  if (state == nullptr || !state->process.started || state->process.exit.has_value()) return false;
  Write(*state, stream, bytes);
  Tell(key, *state);
  return true;
}

void SimulatedGuest::IgnoreSignals(std::set<int> signals) {
  MutexLock lock(&mu_);
  ignored_signals_ = std::move(signals);
}

std::string SimulatedGuest::InputOf(const ProcessKey& key) const {
  MutexLock lock(&mu_);
  const auto found = processes_.find(key);
  return found == processes_.end() ? "" : found->second.input;
}

SimulatedGuest::State* SimulatedGuest::Find(const ProcessKey& key) {
  const auto found = processes_.find(key);
  return found == processes_.end() ? nullptr : &found->second;
}

SimulatedGuest::Answer SimulatedGuest::Add(const ProcessKey& key, const v1::Cmd& cmd) {
  if (Find(key) != nullptr) return Refusal{GuestError::kExists, "the id is taken"};
  if (cmd.user() == "nobody-such") return Refusal{GuestError::kUserNotFound, "nobody-such: no such user"};
  const std::string program = ProgramOf(cmd);
  if (program == "missing") return Refusal{GuestError::kCommandNotFound, "missing: No such file or directory"};
  if (program == "locked") return Refusal{GuestError::kCommandNotExecutable, "locked: Permission denied"};
  State& state = processes_[key];
  state.process.key = key;
  state.process.pid = next_pid_++;
  state.cmd = cmd;
  state.input_closed = !cmd.interactive();
  return state.process.pid;
}

void SimulatedGuest::Run(const ProcessKey& key, State& state) {
  state.process.started = true;
  const std::string program = ProgramOf(state.cmd);
  if (program == "cat") {
    Write(state, StdStream::kStdout, state.input);
    if (state.input_closed) End(key, state, 0, 0);
  } else if (program == "print") {
    Write(state, StdStream::kStdout, ArgumentOf(state.cmd, 1));
    Write(state, StdStream::kStderr, ArgumentOf(state.cmd, 2));
    End(key, state, 0, 0);
  } else if (program == "flood") {
    Write(state, StdStream::kStdout, FloodBytes(NumberOf(ArgumentOf(state.cmd, 1))));
    End(key, state, 0, 0);
  } else if (program == "exit") {
    End(key, state, NumberOf(ArgumentOf(state.cmd, 1)), 0);
  }
  Tell(key, state);
}

void SimulatedGuest::End(const ProcessKey& key, State& state, int code, int signal) {
  if (state.process.exit.has_value()) return;
  state.process.exit.emplace();
  state.process.exit->set_code(code);
  state.process.exit->set_signal(signal);
  Tell(key, state);
  if (!key.process_id.empty()) return;
  for (auto& [other, other_state] : processes_) {
    if (other.container_id == key.container_id && !other.process_id.empty()) {
      End(other, other_state, 128 + SIGKILL, SIGKILL);
    }
  }
}

void SimulatedGuest::Write(State& state, StdStream stream, const std::string& bytes) {
  if (!state.cmd.detach()) state.streams[stream == StdStream::kStdout ? 0 : 1].kept += bytes;
}

void SimulatedGuest::Tell(const ProcessKey& key, State& state) {
  if (!listener_) return;
  bool all = true;
  for (const StdStream which : {StdStream::kStdout, StdStream::kStderr}) {
    StreamState& stream = state.streams[which == StdStream::kStdout ? 0 : 1];
    const uint64_t limit = std::min(stream.end(), stream.acked + output_window_);
    while (stream.told < limit) {
      const uint64_t size = std::min(max_output_, limit - stream.told);
      listener_(Output{key, which, stream.told, stream.kept.substr(stream.told - stream.acked, size)});
      stream.told += size;
    }
    all = all && stream.told == stream.end();
  }
  if (!all || !state.process.exit.has_value() || state.exit_told) return;
  state.exit_told = true;
  listener_(Exited{key, *state.process.exit, state.streams[0].end(), state.streams[1].end()});
}

}  // namespace vcd
