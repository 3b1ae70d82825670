// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/agent.h"

#include <signal.h>
#include <sys/utsname.h>
#include <time.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <utility>

#include "core/link/link_limits.h"
#include "guest/agent/agent_version.h"
#include "guest/agent/device_rules.h"
#include "guest/agent/host_names.h"
#include "guest/agent/launch.h"
#include "guest/agent/namespace_members.h"

// This file: what the host asks for. agent_processes.cc: what processes do. agent_output.cc: what the host is told.
// agent_resources.cc: limits, figures, and memory that runs out. agent_network.cc: interfaces and connections.
namespace vcd::guest {
namespace {

using ::vcd::agent::v1::CreateContainer;
using ::vcd::agent::v1::GuestMessage;
using ::vcd::agent::v1::HostMessage;

// How long a container waits for its disk or share. Hot-plugging takes tens of milliseconds; the rest is for emulated
// machines under load.
constexpr std::chrono::seconds kDeviceDeadline{20};

constexpr size_t kMaxHostName = 64;  // The kernel's (__NEW_UTS_LEN).

// More than any sane pod has, and few enough that a mad host cannot exhaust the guest by asking.
constexpr size_t kMaxContainers = 1024;
constexpr size_t kMaxExecsPerContainer = 4096;

uint64_t BootTimeNs() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Agent::Agent(EventLoop* loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      shares_({options_.rootfs.state_dir, options_.rootfs.load_modules}),
      rootfs_(options_.rootfs, shares_),
      sources_(options_.rootfs, rootfs_, shares_),
      cpus_(loop, options_.cpu_root),
      shared_pids_(options_.rootfs.state_dir + "/pause"),
      interfaces_(loop, options_.rootfs.load_modules),
      started_boot_ns_(BootTimeNs()) {}

Agent::~Agent() = default;

void Agent::OnMessage(const HostMessage& message) {
  if (message.has_hello()) {
    OnHello(message);
    return;
  }
  if (!greeted_) return;  // The rest of a connection that broke; its replies would find nobody.
  if (message.has_input()) {
    TakeInput(message.input());
  } else if (message.has_output_ack()) {
    TakeOutputAck(message.output_ack());
  } else if (message.has_output_received()) {
    TakeOutputReceived(message.output_received());
  } else {
    OnRequest({connection_, message.request_id()}, message);
  }
}

void Agent::OnHello(const HostMessage& message) {
  ++connection_;
  greeted_ = true;
  output_window_ = message.hello().output_window();
  output_sent_ = 0;
  output_received_ = 0;
  link_->Restart();
  AbandonUnannounced();
  options_.greet_machine(message.hello());
  FollowHostName(message.hello().hostname());

  GuestMessage reply;
  reply.set_request_id(message.request_id());
  auto* ack = reply.mutable_hello_ack();
  ack->set_nonce(message.hello().nonce());
  ack->set_protocol_version(kProtocolVersion);
  ack->set_agent_version(kAgentVersion);
  utsname machine{};
  ::uname(&machine);
  ack->set_kernel_release(machine.release);
  for (StreamOwner* process : AnnouncedProcesses()) {
    process->Rewind();
    *ack->add_processes() = process->Describe();
  }
  ack->set_started_boot_ns(started_boot_ns_);
  ack->set_answered_boot_ns(BootTimeNs());
  Send(reply);
  PumpOutput();
}

void Agent::FollowHostName(const std::string& hostname) {
  if (hostname.empty() || hostname == hostname_) return;
  std::vector<int> pidfds;
  for (const auto& [id, container] : containers_) {
    if (!container.init.process->ended()) pidfds.push_back(container.init.process->pidfd());
  }
  if (options_.isolate) RenameHosts(pidfds, hostname_, hostname.substr(0, kMaxHostName));
  hostname_ = hostname.substr(0, kMaxHostName);
}

void Agent::OnDisconnected() { greeted_ = false; }

void Agent::OnRequest(const Ticket& ticket, const HostMessage& message) {
  if (shutting_down_ && !message.has_shutdown()) {
    Answer(ticket, Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "the guest is shutting down"));
    return;
  }
  switch (message.body_case()) {
    case HostMessage::kCreateContainer:
      return Create(ticket, message.create_container());
    case HostMessage::kStartContainer:
      return Start(ticket, message.start_container());
    case HostMessage::kRemoveContainer:
      return Remove(ticket, message.remove_container());
    case HostMessage::kExec:
      return Exec(ticket, message.exec());
    case HostMessage::kSignal:
      return Answer(ticket, Signal(message.signal()));
    case HostMessage::kResizeTerminal:
      return Answer(ticket, ResizeTerminal(message.resize_terminal()));
    case HostMessage::kRemoveProcess:
      return Answer(ticket, RemoveProcess(message.remove_process()));
    case HostMessage::kShutdown:
      return Shutdown(ticket);
    case HostMessage::kPing:
      if (message.ping().unix_time_ns() != 0) options_.set_clock(message.ping().unix_time_ns());
      return Answer(ticket, Outcome());
    case HostMessage::kUpdateResources:
      return Answer(ticket, UpdateResources(message.update_resources()));
    case HostMessage::kSetCpus:
      return cpus_.Set(message.set_cpus().count(), [this, ticket](const Outcome& outcome) { Answer(ticket, outcome); });
    case HostMessage::kSetInterface:
      return SetInterface(ticket, message.set_interface());
    case HostMessage::kRemoveInterface:
      return Answer(ticket, RemoveInterface(message.remove_interface()));
    case HostMessage::kGetStats:
      return GetStats(ticket, message.get_stats());
    case HostMessage::kListProcesses:
      return ListProcesses(ticket, message.list_processes());
    default:
      return Answer(ticket, Invalid("this agent does not know the request: is it older than the daemon?"));
  }
}

// Ids become file names, so they are letters, digits, '.', '_' and '-', beginning with a letter or digit.
Outcome Agent::CheckId(const std::string& what, const std::string& id) {
  bool good = !id.empty() && id.size() <= 128 && std::isalnum(static_cast<unsigned char>(id[0])) != 0;
  for (const char c : id) {
    good = good && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-');
  }
  return good ? Outcome() : Invalid(what + " id \"" + id + "\" is not valid");
}

bool Agent::IsTaken(const std::string& container_id) const {
  for (const WaitingCreate& waiting : waiting_) {
    if (waiting.request.container_id() == container_id) return true;
  }
  return containers_.count(container_id) != 0;
}

void Agent::Create(const Ticket& ticket, const CreateContainer& request) {
  const std::string& id = request.container_id();
  Outcome checked = CheckId("container", id);
  if (checked.ok()) checked = CheckCommand(request.command());
  if (checked.ok() && request.command().args().empty()) checked = Invalid("a container begins with a program");
  if (checked.ok() && request.hostname().size() > kMaxHostName)
    checked = Invalid("the host name is longer than 64 bytes");
  if (checked.ok() && IsTaken(id)) {
    checked = Outcome(ErrorCode::ERROR_CODE_EXISTS, "the guest has a container \"" + id + "\" already");
  }
  if (checked.ok() && containers_.size() + waiting_.size() + dying_.size() >= kMaxContainers) {
    checked = Outcome(ErrorCode::ERROR_CODE_EXHAUSTED,
                      "the guest has " + std::to_string(kMaxContainers) + " containers, as many as there may be");
  }
  if (!checked.ok()) return Answer(ticket, checked);
  std::string missing;
  if (TryCreate(ticket, request, &missing)) return;
  waiting_.push_back({ticket, std::move(missing), request, 0});
  waiting_.back().deadline = loop_->After(kDeviceDeadline, [this, id] { GiveUpWaiting(id); });
}

bool Agent::TryCreate(const Ticket& ticket, const CreateContainer& request, std::string* missing) {
  auto sources = sources_.Find(request, missing);
  if (sources.ok() && !sources->has_value()) return false;
  const Outcome launched = sources.ok() ? LaunchFirst(ticket, request, *std::move(*sources)) : sources.outcome();
  if (!launched.ok()) Answer(ticket, launched);
  return true;
}

void Agent::OnDevicesChanged() {
  cpus_.OnDevicesChanged();
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    if (TryCreate(waiting->ticket, waiting->request, &waiting->missing)) {
      loop_->Cancel(waiting->deadline);
      waiting = waiting_.erase(waiting);
    } else {
      ++waiting;
    }
  }
}

void Agent::GiveUpWaiting(const std::string& container_id) {
  for (auto waiting = waiting_.begin(); waiting != waiting_.end(); ++waiting) {
    if (waiting->request.container_id() != container_id) continue;
    Answer(waiting->ticket,
           Outcome(ErrorCode::ERROR_CODE_SYSTEM,
                   "the " + waiting->missing + " of container \"" + container_id + "\" did not appear within " +
                       std::to_string(kDeviceDeadline.count()) + " s; was it attached to the machine?"));
    waiting_.erase(waiting);
    return;
  }
}

Outcome Agent::LaunchFirst(const Ticket& ticket, const CreateContainer& request, ContainerSources sources) {
  RunningContainer container;
  container.rootfs = std::move(sources.rootfs);
  container.shares = std::move(sources.shares);
  auto restrictions = ContainerRestrictions(request.command(), request.linux().seccomp_filter());
  if (!restrictions.ok()) return restrictions.outcome();
  container.restrictions = *std::move(restrictions);
  const bool shares_pids = options_.isolate && request.linux().share_process_namespace();
  OutcomeOr<int> pid_namespace = shares_pids ? shared_pids_.Enter() : OutcomeOr<int>(-1);
  if (!pid_namespace.ok()) return pid_namespace.outcome();
  auto cgroup = MakeCgroup(request);
  if (!cgroup.ok()) return cgroup.outcome();
  container.cgroup = std::move(*cgroup);
  WatchMemory(request.container_id(), &container);
  if (container.cgroup.valid()) {
    auto rules = LoadDeviceRules(sources.settings);
    if (!rules.ok()) return rules.outcome();
    container.device_rules = std::move(*rules);
  }
  auto launched = Launch({.command = request.command(),
                          .restrictions = container.restrictions,
                          .settings = sources.settings,
                          .root = container.rootfs.plan,
                          .hostname = request.hostname(),
                          .shared_pid_namespace = *pid_namespace,
                          .cgroup_fd = container.cgroup.fd(),
                          .isolate = options_.isolate});
  if (!launched.ok()) return launched.outcome();
  if (shares_pids) container.mount_namespace = MountNamespaceOf(launched->pid);
  container.init.create_ticket = ticket;
  container.init.process = MakeProcess({request.container_id(), ""}, std::move(*launched));
  containers_.emplace(request.container_id(), std::move(container));
  return Outcome();
}

void Agent::Start(const Ticket& ticket, const ::vcd::agent::v1::StartContainer& request) {
  RunningContainer* const container = FindContainer(request.container_id());
  if (container == nullptr) return Answer(ticket, NotFound("container \"" + request.container_id() + "\""));
  if (container->init.process->ended() || !container->init.announced || !container->init.process->Go()) {
    return Answer(ticket, Outcome(ErrorCode::ERROR_CODE_WRONG_STATE,
                                  "container \"" + request.container_id() + "\" is not waiting to be started"));
  }
  container->init.start_ticket = ticket;
}

void Agent::Remove(const Ticket& ticket, const ::vcd::agent::v1::RemoveContainer& request) {
  for (auto waiting = waiting_.begin(); waiting != waiting_.end(); ++waiting) {
    if (waiting->request.container_id() != request.container_id()) continue;
    loop_->Cancel(waiting->deadline);
    Answer(waiting->ticket, Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "the container was removed meanwhile"));
    waiting_.erase(waiting);
    return Answer(ticket, Outcome());
  }
  if (FindContainer(request.container_id()) == nullptr) {
    return Answer(ticket, NotFound("container \"" + request.container_id() + "\""));
  }
  BeginRemoval(request.container_id(), ticket);
}

void Agent::Exec(const Ticket& ticket, const ::vcd::agent::v1::Exec& request) {
  if (request.container_id().empty()) return Dial(ticket, request);
  RunningContainer* const container = FindContainer(request.container_id());
  if (container == nullptr) return Answer(ticket, NotFound("container \"" + request.container_id() + "\""));
  Outcome checked = CheckId("process", request.process_id());
  if (checked.ok()) checked = CheckCommand(request.command());
  if (checked.ok() && container->execs.count(request.process_id()) != 0) {
    checked = Outcome(ErrorCode::ERROR_CODE_EXISTS, "container \"" + request.container_id() + "\" has a process \"" +
                                                        request.process_id() + "\" already");
  }
  if (checked.ok() && (container->init.process->ended() || !container->init.announced)) {
    checked = DoesNotRun(request.container_id());
  }
  if (checked.ok() && container->execs.size() >= kMaxExecsPerContainer) {
    checked = Outcome(ErrorCode::ERROR_CODE_EXHAUSTED, "the container has " + std::to_string(kMaxExecsPerContainer) +
                                                           " processes that were not removed, as many as there may be");
  }
  if (!checked.ok()) return Answer(ticket, checked);

  auto restrictions = ExecRestrictions(container->restrictions, request.command());
  if (!restrictions.ok()) return Answer(ticket, restrictions.outcome());
  auto launched = Launch({.command = request.command(),
                          .restrictions = *restrictions,
                          .settings = ::vcd::agent::v1::LinuxSettings::default_instance(),
                          .join_pidfd = container->init.process->pidfd(),
                          .cgroup_fd = container->cgroup.fd(),
                          .isolate = options_.isolate});
  if (!launched.ok()) {
    return Answer(ticket, IsEnding(*container) ? DoesNotRun(request.container_id()) : launched.outcome());
  }
  Entry& entry = container->execs[request.process_id()];
  entry.create_ticket = ticket;
  entry.process = MakeProcess({request.container_id(), request.process_id()}, std::move(*launched));
  entry.process->Go();
}

Outcome Agent::Signal(const ::vcd::agent::v1::SignalProcess& request) {
  if (request.signal() < 1 || request.signal() > SIGRTMAX) {
    return Invalid("signal " + std::to_string(request.signal()) + " does not exist");
  }
  if (!request.all()) {
    StreamOwner* const process = FindProcess(request.container_id(), request.process_id());
    if (process != nullptr) return process->Signal(request.signal());
    if (request.container_id().empty()) CancelDial(request.process_id());
    return ProcessNotFound(request.container_id(), request.process_id());
  }
  RunningContainer* const container = FindContainer(request.container_id());
  if (container == nullptr) return NotFound("container \"" + request.container_id() + "\"");
  if (container->init.process->ended()) {
    return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "container \"" + request.container_id() + "\" has ended");
  }
  if (request.signal() == SIGKILL) {
    container->init.process->MarkToldToDie();
    for (auto& [id, entry] : container->execs) entry.process->MarkToldToDie();
  }
  if (container->cgroup.valid()) return container->cgroup.Signal(request.signal());
  for (const pid_t pid : ProcessesInMountNamespace(container->mount_namespace)) ::kill(pid, request.signal());
  if (!container->mount_namespace.empty()) return Outcome();
  // Without control groups only the processes that the host asked for are known.
  for (auto& [id, entry] : container->execs) (void)entry.process->Signal(request.signal());
  return container->init.process->Signal(request.signal());
}

Outcome Agent::ResizeTerminal(const ::vcd::agent::v1::ResizeTerminal& request) {
  StreamOwner* const process = FindProcess(request.container_id(), request.process_id());
  if (process == nullptr) return ProcessNotFound(request.container_id(), request.process_id());
  return process->ResizeTerminal(request.size());
}

Outcome Agent::RemoveProcess(const ::vcd::agent::v1::RemoveProcess& request) {
  if (request.process_id().empty()) return Invalid("the first process of a container goes with the container");
  StreamOwner* const process = FindProcess(request.container_id(), request.process_id());
  if (process == nullptr) return ProcessNotFound(request.container_id(), request.process_id());
  if (!process->ended()) {
    return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "process \"" + request.process_id() + "\" has not ended");
  }
  if (request.container_id().empty()) {
    dials_.erase(request.process_id());
  } else {
    FindContainer(request.container_id())->execs.erase(request.process_id());
  }
  return Outcome();
}

void Agent::TakeInput(const ::vcd::agent::v1::Input& input) {
  StreamOwner* const process = FindProcess(input.container_id(), input.process_id());
  if (process != nullptr) process->stdin_pipe().Add(input.offset(), input.data(), input.close());
}

void Agent::TakeOutputAck(const ::vcd::agent::v1::OutputAck& ack) {
  StreamOwner* const process = FindProcess(ack.container_id(), ack.process_id());
  if (process == nullptr) return;
  if (ack.stream() == ::vcd::agent::v1::STREAM_STDOUT) process->stdout_pipe().Acknowledge(ack.offset());
  if (ack.stream() == ::vcd::agent::v1::STREAM_STDERR) process->stderr_pipe().Acknowledge(ack.offset());
}

void Agent::TakeOutputReceived(const ::vcd::agent::v1::OutputReceived& received) {
  // What was not sent cannot have come.
  output_received_ = std::min(std::max(output_received_, received.bytes()), output_sent_);
  PumpOutput();
}

Outcome Agent::DoesNotRun(const std::string& container_id) {
  return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "container \"" + container_id + "\" does not run");
}

Outcome Agent::NotFound(const std::string& what) {
  return Outcome(ErrorCode::ERROR_CODE_NOT_FOUND, "the guest has no " + what);
}

Outcome Agent::ProcessNotFound(const std::string& container_id, const std::string& process_id) {
  const std::string process = "process \"" + process_id + "\"";
  return NotFound(container_id.empty() ? process : process + " in container \"" + container_id + "\"");
}

Agent::RunningContainer* Agent::FindContainer(const std::string& container_id) {
  const auto found = containers_.find(container_id);
  return found == containers_.end() ? nullptr : &found->second;
}

// Only processes that the host was told of.
StreamOwner* Agent::FindProcess(const std::string& container_id, const std::string& process_id) {
  if (container_id.empty()) {
    const auto found = dials_.find(process_id);
    return found != dials_.end() && found->second.announced ? found->second.connection.get() : nullptr;
  }
  Entry* const entry = FindEntry(container_id, process_id);
  return entry != nullptr && entry->announced ? entry->process.get() : nullptr;
}

Agent::Entry* Agent::FindEntry(const std::string& container_id, const std::string& process_id) {
  RunningContainer* const container = FindContainer(container_id);
  if (container == nullptr || process_id.empty()) return container == nullptr ? nullptr : &container->init;
  const auto found = container->execs.find(process_id);
  return found == container->execs.end() ? nullptr : &found->second;
}

}  // namespace vcd::guest
