// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/testing/agent_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <stdexcept>

#include "core/link/link_limits.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::ExitInfo;
using ::vcd::agent::v1::GuestMessage;
using ::vcd::agent::v1::HostMessage;

constexpr int kPatienceMs = 120'000;

}  // namespace

AgentPeer::AgentPeer(const std::string& program, const std::vector<std::string>& arguments) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("socketpair");
  ::fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  socket_.Reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  std::vector<std::string> words = {program, "--fd", std::to_string(theirs.get())};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
}

AgentPeer::~AgentPeer() {
  socket_.Reset();
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

int AgentPeer::WaitForAgent() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void AgentPeer::Reconnect(UniqueFd socket) {
  socket_ = std::move(socket);
  decoder_ = FrameDecoder();
}

::vcd::agent::v1::HelloAck AgentPeer::Hello(const ::vcd::agent::v1::Hello& hello) {
  HostMessage message;
  *message.mutable_hello() = hello;
  message.set_request_id(++last_id_);
  message.mutable_hello()->set_nonce("nonce " + std::to_string(last_id_) + std::string(10, 'x'));
  message.mutable_hello()->set_protocol_version(kProtocolVersion);
  PostRaw(std::string(1, kFrameDelimiter));
  Post(message);
  while (true) {
    const GuestMessage answer = Receive();
    if (!answer.has_hello_ack() || answer.hello_ack().nonce() != message.hello().nonce()) continue;
    for (auto& [key, state] : processes_) {
      state.out.data.resize(state.out.acked);
      state.err.data.resize(state.err.acked);
      state.exit.reset();
    }
    return answer.hello_ack();
  }
}

::vcd::agent::v1::Reply AgentPeer::Call(HostMessage request, const std::function<void()>& sent) {
  request.set_request_id(++last_id_);
  Post(request);
  if (sent != nullptr) sent();
  while (true) {
    const GuestMessage message = Receive();
    if (message.has_reply() && message.request_id() == request.request_id()) return message.reply();
    Note(message);
  }
}

void AgentPeer::Post(const HostMessage& message) { PostRaw(EncodeFrame(message.SerializeAsString())); }

void AgentPeer::PostRaw(const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t put = ::send(socket_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (put < 0) throw std::runtime_error("the agent hung up");
    at += static_cast<size_t>(put);
  }
}

ExitInfo AgentPeer::WaitForExit(const std::string& container, const std::string& process) {
  State& state = processes_[{container, process}];
  const auto complete = [&state] {
    return state.exit && state.out.data.size() >= state.exit->stdout_end() &&
           state.err.data.size() >= state.exit->stderr_end();
  };
  while (!complete()) Note(Receive());
  return *state.exit;
}

void AgentPeer::WaitForStdout(size_t bytes, const std::string& container, const std::string& process) {
  while (processes_[{container, process}].out.data.size() < bytes) Note(Receive());
}

void AgentPeer::WaitForInputAck(uint64_t offset, const std::string& container, const std::string& process) {
  while (processes_[{container, process}].input_taken < offset) Note(Receive());
}

const std::string& AgentPeer::Stdout(const std::string& container, const std::string& process) {
  return processes_[{container, process}].out.data;
}

const std::string& AgentPeer::Stderr(const std::string& container, const std::string& process) {
  return processes_[{container, process}].err.data;
}

void AgentPeer::AckStdout(uint64_t offset, const std::string& container, const std::string& process) {
  HostMessage message;
  auto* ack = message.mutable_output_ack();
  ack->set_container_id(container);
  ack->set_process_id(process);
  ack->set_stream(::vcd::agent::v1::STREAM_STDOUT);
  ack->set_offset(offset);
  processes_[{container, process}].out.acked = offset;
  Post(message);
}

void AgentPeer::Forget(const std::string& container) {
  for (auto next = processes_.begin(); next != processes_.end();) {
    next = next->first.first == container ? processes_.erase(next) : std::next(next);
  }
}

bool AgentPeer::ReadOne(int timeout_ms) {
  auto message = TryReceive(timeout_ms);
  // That this machine is short of memory is told at any time, and no answer to anything.
  while (message && message->has_event()) message = TryReceive(timeout_ms);
  if (message) Note(*message);
  return message.has_value();
}

GuestMessage AgentPeer::Receive() {
  auto message = TryReceive(kPatienceMs);
  if (!message) throw std::runtime_error("the agent says nothing");
  return *std::move(message);
}

std::optional<GuestMessage> AgentPeer::TryReceive(int timeout_ms) {
  while (true) {
    if (const auto body = decoder_.Next()) {
      GuestMessage message;
      if (!message.ParseFromString(*body)) throw std::runtime_error("the agent sent a message that is none");
      return message;
    }
    pollfd poll{socket_.get(), POLLIN, 0};
    if (::poll(&poll, 1, timeout_ms) <= 0) return std::nullopt;
    char chunk[65536];
    const ssize_t got = ::read(socket_.get(), chunk, sizeof(chunk));
    if (got <= 0) throw std::runtime_error("the agent hung up");
    decoder_.Feed(std::string_view(chunk, static_cast<size_t>(got)));
  }
}

void AgentPeer::Note(const GuestMessage& message) {
  if (message.has_output()) NoteOutput(message.output());
  if (message.has_exit()) {
    processes_[{message.exit().container_id(), message.exit().process_id()}].exit = message.exit().exit();
  }
  if (message.has_input_ack()) {
    processes_[{message.input_ack().container_id(), message.input_ack().process_id()}].input_taken =
        message.input_ack().offset();
  }
}

void AgentPeer::NoteOutput(const ::vcd::agent::v1::Output& output) {
  State& state = processes_[{output.container_id(), output.process_id()}];
  Stream& stream = output.stream() == ::vcd::agent::v1::STREAM_STDOUT ? state.out : state.err;
  if (output.offset() != stream.data.size()) {
    throw std::runtime_error("output at " + std::to_string(output.offset()) + " where " +
                             std::to_string(stream.data.size()) + " comes next");
  }
  stream.data += output.data();
  if (!auto_ack_) return;
  HostMessage message;
  auto* ack = message.mutable_output_ack();
  ack->set_container_id(output.container_id());
  ack->set_process_id(output.process_id());
  ack->set_stream(output.stream());
  ack->set_offset(stream.data.size());
  stream.acked = stream.data.size();
  Post(message);
}

}  // namespace vcd::guest
