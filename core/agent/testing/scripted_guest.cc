// SPDX-License-Identifier: Apache-2.0
#include "core/agent/testing/scripted_guest.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "core/link/link_limits.h"
#include "core/model/container_limits.h"
#include "core/status/error_detail.h"

namespace vcd {

namespace {

constexpr int kPatienceMs = 120'000;

v1::TerminalSize SizeOf(const agent::v1::TerminalSize& size) {
  v1::TerminalSize result;
  result.set_columns(size.columns());
  result.set_rows(size.rows());
  return result;
}

v1::Cmd CmdOf(const agent::v1::Command& command) {
  v1::Cmd cmd;
  *cmd.mutable_args() = command.args();
  cmd.set_user(command.user());
  cmd.set_interactive(command.interactive());
  cmd.set_detach(command.discard_output());
  cmd.set_terminal(command.terminal());
  if (command.has_terminal_size()) *cmd.mutable_terminal_size() = SizeOf(command.terminal_size());
  return cmd;
}

agent::v1::ErrorCode CodeOf(GuestError error) {
  switch (error) {
    case GuestError::kInvalid:
      return agent::v1::ERROR_CODE_INVALID;
    case GuestError::kNotFound:
    case GuestError::kPathNotFound:
      return agent::v1::ERROR_CODE_NOT_FOUND;
    case GuestError::kExists:
      return agent::v1::ERROR_CODE_EXISTS;
    case GuestError::kWrongState:
      return agent::v1::ERROR_CODE_WRONG_STATE;
    case GuestError::kCommandNotFound:
      return agent::v1::ERROR_CODE_COMMAND_NOT_FOUND;
    case GuestError::kCommandNotExecutable:
      return agent::v1::ERROR_CODE_COMMAND_NOT_EXECUTABLE;
    case GuestError::kUserNotFound:
      return agent::v1::ERROR_CODE_USER_NOT_FOUND;
    case GuestError::kConnectionRefused:
      return agent::v1::ERROR_CODE_CONNECTION_REFUSED;
    case GuestError::kHookFailed:
      return agent::v1::ERROR_CODE_HOOK_FAILED;
    case GuestError::kExhausted:
      return agent::v1::ERROR_CODE_EXHAUSTED;
    case GuestError::kUnreachable:
      return agent::v1::ERROR_CODE_UNREACHABLE;
    case GuestError::kSystem:
      break;
  }
  return agent::v1::ERROR_CODE_SYSTEM;
}

agent::v1::Reply ReplyOf(const SimulatedGuest::Answer& answer) {
  agent::v1::Reply reply;
  if (const auto* refusal = std::get_if<SimulatedGuest::Refusal>(&answer)) {
    reply.set_code(CodeOf(refusal->error));
    reply.set_message(refusal->words);
  } else {
    reply.set_pid(std::get<int32_t>(answer));
  }
  return reply;
}

agent::v1::ExitInfo ExitOf(const v1::ExitStatus& status, uint64_t stdout_end, uint64_t stderr_end) {
  agent::v1::ExitInfo exit;
  exit.set_code(status.code());
  exit.set_signal(status.signal());
  exit.set_oom_killed(status.oom_killed());
  exit.set_stdout_end(stdout_end);
  exit.set_stderr_end(stderr_end);
  return exit;
}

std::vector<CgroupFile> LimitsOf(const agent::v1::Resources& resources) {
  std::vector<CgroupFile> limits;
  for (const agent::v1::Resources::File& file : resources.files()) {
    limits.push_back({file.name(), file.value(), file.optional()});
  }
  return limits;
}

agent::v1::Reply RefusalOf(const SimulatedGuest::Refusal& refusal) { return ReplyOf(SimulatedGuest::Answer(refusal)); }

agent::v1::Reply ListReply(const std::variant<std::vector<v1::ProcessInfo>, SimulatedGuest::Refusal>& answer) {
  if (const auto* refusal = std::get_if<SimulatedGuest::Refusal>(&answer)) return RefusalOf(*refusal);
  agent::v1::Reply reply;
  for (const v1::ProcessInfo& info : std::get<std::vector<v1::ProcessInfo>>(answer)) {
    agent::v1::ProcessList::Entry& entry = *reply.mutable_process_list()->add_processes();
    entry.set_pid(info.pid());
    entry.set_parent_pid(info.parent_pid());
    entry.set_container_pid(info.container_pid());
    entry.set_user(info.user());
    entry.set_state(info.state());
    entry.set_threads(info.threads());
    entry.set_cpu_time_us(info.cpu_time_us());
    entry.set_rss_bytes(info.rss_bytes());
    entry.set_virtual_bytes(info.virtual_bytes());
    *entry.mutable_args() = info.args();
    entry.set_process_id(info.process_id());
  }
  return reply;
}

agent::v1::Reply StatsReply(const std::variant<GuestUsage, SimulatedGuest::Refusal>& answer) {
  if (const auto* refusal = std::get_if<SimulatedGuest::Refusal>(&answer)) return RefusalOf(*refusal);
  const GuestUsage& usage = std::get<GuestUsage>(answer);
  agent::v1::Reply reply;
  for (const v1::ContainerStats& stats : usage.containers) {
    agent::v1::Stats::Container& container = *reply.mutable_stats()->add_containers();
    container.set_container_id(stats.container_id());
    auto& figures = *container.mutable_figures();
    figures["cpu.usage_usec"] = stats.cpu_usage_us();
    figures["cpu.user_usec"] = stats.cpu_user_us();
    figures["memory.current"] = stats.memory_usage_bytes();
    figures["memory.anon"] = stats.memory_anonymous_bytes();
    figures["memory.max"] = stats.memory_limit_bytes();
    figures["memory.oom_kill"] = stats.oom_kills();
    figures["pids.current"] = stats.pids();
    figures["pids.max"] = stats.pids_limit();
  }
  (*reply.mutable_stats()->mutable_guest())["MemTotal"] = usage.guest.memory_total_bytes();
  (*reply.mutable_stats()->mutable_guest())["MemAvailable"] = usage.guest.memory_available_bytes();
  return reply;
}

agent::v1::Process ProcessOf(const SimulatedGuest::Process& process) {
  agent::v1::Process result;
  result.set_container_id(process.process.key.container_id);
  result.set_process_id(process.process.key.process_id);
  result.set_pid(process.process.pid);
  result.set_started(process.process.started);
  result.set_terminal(process.process.terminal);
  if (process.process.exit.has_value()) {
    *result.mutable_exit() = ExitOf(*process.process.exit, process.stdout_end, process.stderr_end);
  }
  result.set_stdout_acked(process.process.stdout_offset);
  result.set_stderr_acked(process.process.stderr_offset);
  result.set_stdin_received(process.stdin_received);
  result.set_stdin_closed(process.stdin_closed);
  return result;
}

agent::v1::GuestMessage MessageOf(const SimulatedGuest::Event& event) {
  agent::v1::GuestMessage message;
  if (const auto* output = std::get_if<SimulatedGuest::Output>(&event)) {
    agent::v1::Output& told = *message.mutable_output();
    told.set_container_id(output->process.container_id);
    told.set_process_id(output->process.process_id);
    told.set_stream(output->stream == StdStream::kStdout ? agent::v1::STREAM_STDOUT : agent::v1::STREAM_STDERR);
    told.set_offset(output->offset);
    told.set_data(output->data);
  } else if (const auto* exited = std::get_if<SimulatedGuest::Exited>(&event)) {
    agent::v1::Exit& told = *message.mutable_exit();
    told.set_container_id(exited->process.container_id);
    told.set_process_id(exited->process.process_id);
    *told.mutable_exit() = ExitOf(exited->status, exited->stdout_end, exited->stderr_end);
  } else if (const auto* taken = std::get_if<SimulatedGuest::InputTaken>(&event)) {
    agent::v1::InputAck& told = *message.mutable_input_ack();
    told.set_container_id(taken->process.container_id);
    told.set_process_id(taken->process.process_id);
    told.set_offset(taken->offset);
  } else if (const auto* oom = std::get_if<SimulatedGuest::OutOfMemory>(&event)) {
    message.mutable_event()->mutable_oom()->set_container_id(oom->container_id);
    message.mutable_event()->mutable_oom()->set_kills(oom->kills);
  }
  return message;
}

}  // namespace

std::optional<agent::v1::HostMessage> GuestPeer::Receive() {
  while (true) {
    if (std::optional<std::string> body = decoder_.Next()) {
      agent::v1::HostMessage message;
      if (message.ParseFromString(*body)) return message;
      continue;
    }
    pollfd readable{stream_.get(), POLLIN, 0};
    if (poll(&readable, 1, kPatienceMs) <= 0) return std::nullopt;
    char buffer[64 << 10];
    const ssize_t size = recv(stream_.get(), buffer, sizeof(buffer), 0);
    if (size <= 0) return std::nullopt;
    decoder_.Feed(std::string_view(buffer, static_cast<size_t>(size)));
  }
}

bool GuestPeer::Send(const agent::v1::GuestMessage& message) {
  return SendBytes(EncodeFrame(message.SerializeAsString()));
}

bool GuestPeer::SendBytes(const std::string& bytes) {
  MutexLock lock(&sending_);
  const size_t piece = piece_.load() == 0 ? bytes.size() : piece_.load();
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t size = send(stream_.get(), bytes.data() + at, std::min(piece, bytes.size() - at), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    at += static_cast<size_t>(size);
  }
  return true;
}

std::optional<agent::v1::Hello> GuestPeer::AnswerHello(const std::vector<agent::v1::Process>& processes) {
  while (std::optional<agent::v1::HostMessage> message = Receive()) {
    if (!message->has_hello()) continue;
    SendBytes(std::string(1, kFrameDelimiter));
    Send(HelloAnswer(message->hello(), processes));
    return message->hello();
  }
  return std::nullopt;
}

std::optional<agent::v1::HostMessage> GuestPeer::AnswerRequest(agent::v1::ErrorCode code, const std::string& words) {
  while (std::optional<agent::v1::HostMessage> message = Receive()) {
    if (message->request_id() == 0) continue;
    agent::v1::GuestMessage answer;
    answer.set_request_id(message->request_id());
    answer.mutable_reply()->set_code(code);
    answer.mutable_reply()->set_message(words);
    answer.mutable_reply()->set_pid(code == agent::v1::ERROR_CODE_OK ? 101 : 0);
    Send(answer);
    return message;
  }
  return std::nullopt;
}

void GuestPeer::Hangup() { shutdown(stream_.get(), SHUT_RDWR); }

agent::v1::GuestMessage HelloAnswer(const agent::v1::Hello& hello, const std::vector<agent::v1::Process>& processes) {
  agent::v1::GuestMessage message;
  agent::v1::HelloAck& ack = *message.mutable_hello_ack();
  ack.set_nonce(hello.nonce());
  ack.set_protocol_version(kProtocolVersion);
  ack.set_agent_version("scripted");
  ack.set_kernel_release("6.1.0-scripted");
  for (const agent::v1::Process& process : processes) *ack.add_processes() = process;
  return message;
}

absl::StatusOr<std::pair<UniqueFd, UniqueFd>> SocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return PosixError(errno, "socketpair");
  return std::make_pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

ScriptedGuest::ScriptedGuest(UniqueFd stream, SimulatedGuest& guest, size_t piece)
    : peer_(std::move(stream)), guest_(guest) {
  peer_.set_piece(piece);
  thread_ = std::thread([this] { Serve(); });
}

ScriptedGuest::~ScriptedGuest() {
  peer_.Hangup();
  thread_.join();
}

void ScriptedGuest::Serve() {
  while (std::optional<agent::v1::HostMessage> message = peer_.Receive()) {
    if (message->has_hello()) {
      Hello(message->hello());
      continue;
    }
    {
      MutexLock lock(&mu_);
      holding_ = true;
    }
    agent::v1::GuestMessage answer;
    answer.set_request_id(message->request_id());
    *answer.mutable_reply() = Do(*message);
    MutexLock lock(&mu_);
    if (message->request_id() != 0) peer_.Send(answer);
    holding_ = false;
    for (const agent::v1::GuestMessage& held : held_) peer_.Send(held);
    held_.clear();
    if (powered_off()) break;
  }
  guest_.Detach(attachment_);
  peer_.Hangup();
}

void ScriptedGuest::Hello(const agent::v1::Hello& hello) {
  guest_.Detach(attachment_);
  std::vector<agent::v1::Process> processes;
  for (const SimulatedGuest::Process& process : guest_.Processes()) processes.push_back(ProcessOf(process));
  peer_.SendBytes(std::string(1, kFrameDelimiter));
  peer_.Send(HelloAnswer(hello, processes));
  attachment_ = guest_.Attach([this](const SimulatedGuest::Event& event) { Tell(event); });
}

agent::v1::Reply ScriptedGuest::Do(const agent::v1::HostMessage& message) {
  switch (message.body_case()) {
    case agent::v1::HostMessage::kCreateContainer:
      return ReplyOf(guest_.Create(message.create_container().container_id(),
                                   CmdOf(message.create_container().command()),
                                   LimitsOf(message.create_container().resources())));
    case agent::v1::HostMessage::kStartContainer:
      return ReplyOf(guest_.Start(message.start_container().container_id()));
    case agent::v1::HostMessage::kRemoveContainer:
      return ReplyOf(guest_.RemoveContainer(message.remove_container().container_id()));
    case agent::v1::HostMessage::kExec:
      return ReplyOf(
          guest_.Exec({message.exec().container_id(), message.exec().process_id()}, CmdOf(message.exec().command())));
    case agent::v1::HostMessage::kSignal:
      return ReplyOf(guest_.Signal({message.signal().container_id(), message.signal().process_id()},
                                   message.signal().signal(), message.signal().all()));
    case agent::v1::HostMessage::kResizeTerminal:
      return ReplyOf(guest_.Resize({message.resize_terminal().container_id(), message.resize_terminal().process_id()},
                                   SizeOf(message.resize_terminal().size())));
    case agent::v1::HostMessage::kRemoveProcess:
      return ReplyOf(
          guest_.RemoveProcess({message.remove_process().container_id(), message.remove_process().process_id()}));
    case agent::v1::HostMessage::kInput:
      return ReplyOf(guest_.Input({message.input().container_id(), message.input().process_id()},
                                  message.input().data(), message.input().close()));
    case agent::v1::HostMessage::kOutputAck:
      guest_.Acknowledge(
          {message.output_ack().container_id(), message.output_ack().process_id()},
          message.output_ack().stream() == agent::v1::STREAM_STDOUT ? StdStream::kStdout : StdStream::kStderr,
          message.output_ack().offset());
      return {};
    case agent::v1::HostMessage::kListProcesses:
      return ListReply(guest_.ListProcesses(message.list_processes().container_id()));
    case agent::v1::HostMessage::kGetStats:
      return StatsReply(guest_.Usage(message.get_stats().container_id()));
    case agent::v1::HostMessage::kUpdateResources:
      return ReplyOf(guest_.UpdateLimits(message.update_resources().container_id(),
                                         LimitsOf(message.update_resources().resources())));
    case agent::v1::HostMessage::kSetCpus:
      return ReplyOf(0);
    case agent::v1::HostMessage::kShutdown:
      powered_off_.store(true);
      return {};
    default:
      return {};
  }
}

void ScriptedGuest::Tell(const SimulatedGuest::Event& event) {
  MutexLock lock(&mu_);
  if (holding_) {
    held_.push_back(MessageOf(event));
  } else {
    peer_.Send(MessageOf(event));
  }
}

}  // namespace vcd
