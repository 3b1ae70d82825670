// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "core/link/link_limits.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::ExitInfo;

constexpr std::chrono::seconds kConnectTime{10};
constexpr char kLoopback4[] = "127.0.0.1";
constexpr char kLoopback6[] = "::1";

// What one may hold: each way as much as the window. What the sockets hold beside is bounded by the kernel, for all of
// the machine together.
constexpr uint64_t kBytesOfOne = 2 * kDialWindow;
constexpr uint64_t kShareOfMemory = 4;
constexpr uint64_t kFewest = 16;
constexpr uint64_t kMost = 256;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// False when `text` is no address.
bool Parse(const std::string& text, uint32_t port, SocketAddress* address) {
  *address = SocketAddress{};
  if (::inet_pton(AF_INET, text.c_str(), &address->v4.sin_addr) == 1) {
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(static_cast<uint16_t>(port));
    return true;
  }
  if (::inet_pton(AF_INET6, text.c_str(), &address->v6.sin6_addr) != 1) return false;
  address->v6.sin6_family = AF_INET6;
  address->v6.sin6_port = htons(static_cast<uint16_t>(port));
  return true;
}

ErrorCode CodeOf(int error) {
  switch (error) {
    case ECONNREFUSED:
      return ErrorCode::ERROR_CODE_CONNECTION_REFUSED;
    case ETIMEDOUT:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
      return ErrorCode::ERROR_CODE_UNREACHABLE;
    default:
      return ErrorCode::ERROR_CODE_SYSTEM;
  }
}

// What the socket has to say of itself: errno, or 0.
int ErrorOf(const UniqueFd& socket) {
  int error = 0;
  socklen_t length = sizeof(error);
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

// Otherwise a peer that says much is given megabytes of the kernel's, and those that come later wait for all of it.
void BoundWhatIsUnread(const UniqueFd& socket) {
  const int bytes = kDialWindow;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

UniqueFd Copy(const UniqueFd& fd) { return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

}  // namespace

Outcome CheckDialCommand(const Command& command) {
  const Command::Dial& dial = command.dial();
  SocketAddress address;
  if (!command.args().empty() || command.has_archive()) return Invalid("a connection is no program");
  if (command.terminal()) return Invalid("a connection does not go over a terminal");
  if (dial.port() < 1 || dial.port() > 65535) return Invalid("there is no port " + std::to_string(dial.port()));
  if (!dial.address().empty() && !Parse(dial.address(), dial.port(), &address)) {
    return Invalid("\"" + dial.address() + "\" is no address");
  }
  return Outcome();
}

size_t MostConnections(uint64_t memory_bytes) {
  return static_cast<size_t>(std::clamp<uint64_t>(memory_bytes / kShareOfMemory / kBytesOfOne, kFewest, kMost));
}

Connection::Connection(EventLoop* loop, ProcessName name, const Command::Dial& dial, Listener listener,
                       DialListener dial_changed)
    : StreamOwner(loop, std::move(name), ::getpid(), std::move(listener)),
      dial_changed_(std::move(dial_changed)),
      port_(dial.port()) {
  if (dial.address().empty()) {
    addresses_ = {kLoopback6, kLoopback4};
  } else {
    addresses_ = {dial.address()};
  }
  TryNextAddress();
}

Connection::~Connection() { StopTrying(); }

void Connection::StopTrying() {
  loop_->Unwatch(std::exchange(watch_, 0));
  loop_->Cancel(std::exchange(deadline_, 0));
}

void Connection::TryNextAddress() {
  while (!addresses_.empty()) {
    address_ = std::move(addresses_.back());
    addresses_.pop_back();
    SocketAddress address;
    (void)Parse(address_, port_, &address);
    const bool is_v4 = address.any.sa_family == AF_INET;
    socket_.Reset(::socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket_.valid()) BoundWhatIsUnread(socket_);
    if (socket_.valid() &&
        (::connect(socket_.get(), &address.any, is_v4 ? sizeof(address.v4) : sizeof(address.v6)) == 0 ||
         errno == EINPROGRESS)) {
      watch_ = loop_->Watch(socket_.get(), EPOLLOUT, [this](uint32_t) { OnTried(ErrorOf(socket_)); });
      deadline_ = loop_->After(kConnectTime, [this] { OnTried(ETIMEDOUT); });
      if (watch_ != 0) return;
    }
    NoteFailure(errno);
  }
  failed_ = true;
}

void Connection::OnTried(int error) {
  StopTrying();
  if (error == 0) error = Begin();
  if (error != 0) {
    NoteFailure(error);
    TryNextAddress();
  }
  if (connected() || failed_) dial_changed_(this);
}

// The first is told: of two addresses of the machine's own that is the one that is meant.
void Connection::NoteFailure(int error) {
  StopTrying();
  socket_.Reset();
  if (!failure_.ok()) return;
  const std::string step = "connect to " + address_ + " port " + std::to_string(port_);
  failure_ = Outcome(CodeOf(error), SystemFailure(step, error).message());
}

// errno, or 0.
int Connection::Begin() {
  UniqueFd input = Copy(socket_);
  UniqueFd output = Copy(socket_);
  if (!input.valid() || !output.valid()) return errno;
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  MakeStreams(std::move(input), std::move(output), UniqueFd(), kDialWindow);
  return 0;
}

Outcome Connection::Signal(int signal) {
  if (ended()) return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "the connection has ended");
  End(128 + signal, signal);
  return Outcome();
}

Outcome Connection::ResizeTerminal(const ::vcd::agent::v1::TerminalSize&) {
  return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "a connection has no terminal");
}

void Connection::OnOutput() {
  Settle();
  StreamOwner::OnOutput();
}

void Connection::OnInputTaken() {
  StreamOwner::OnInputTaken();
  Settle();
}

void Connection::Settle() {
  if (ended()) return;
  if (stdout_->error() != 0) return Break(stdout_->error());
  if (stdout_->finished() && !std::exchange(peer_ended_, true)) {
    stderr_->buffer().Append(kDialPeerEnded + std::to_string(stdout_->buffer().end()) + "\n");
    // Asked for nothing it still tells that it has broken, which nobody else would notice now.
    watch_ = loop_->Watch(socket_.get(), 0, [this](uint32_t) {
      const int error = ErrorOf(socket_);
      Break(error != 0 ? error : ECONNRESET);
    });
  }
  // What the peer has said before it went is delivered also when no more goes up to it.
  if (!stdin_->finished() || !stdout_->finished()) return;
  if (stdin_->error() != 0) return Break(stdin_->error());
  End(0, 0);
}

void Connection::Break(int error) {
  stderr_->buffer().Append(SystemFailure("the connection broke", error).message());
  End(kDialBroken, 0);
}

void Connection::End(int code, int signal) {
  StopTrying();
  stdin_->ReaderEnded();
  stdout_->Finish();
  socket_.Reset();
  ExitInfo exit;
  exit.set_code(code);
  exit.set_signal(signal);
  exit_ = WithEnds(std::move(exit));
  StreamOwner::OnOutput();
}

}  // namespace vcd::guest
