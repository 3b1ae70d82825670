// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/dial_command.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "core/link/link_limits.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Command;

constexpr int kConnectTimeMs = 10'000;
constexpr char kLoopback4[] = "127.0.0.1";
constexpr char kLoopback6[] = "::1";

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

// errno, or 0.
int ConnectWithin(int socket, const SocketAddress& address, int time_ms) {
  const socklen_t size = address.any.sa_family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
  if (::connect(socket, &address.any, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd ready{socket, POLLOUT, 0};
  const int count = ::poll(&ready, 1, time_ms);
  if (count <= 0) return count == 0 ? ETIMEDOUT : errno;
  int error = 0;
  socklen_t length = sizeof(error);
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

OutcomeOr<UniqueFd> ConnectTo(const std::string& text, uint32_t port) {
  SocketAddress address;
  if (!Parse(text, port, &address)) return Invalid("\"" + text + "\" is no address");
  UniqueFd socket(::socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int error = socket.valid() ? ConnectWithin(socket.get(), address, kConnectTimeMs) : errno;
  if (error != 0) {
    const std::string step = "connect to " + text + " port " + std::to_string(port);
    return Outcome(CodeOf(error), SystemFailure(step, error).message());
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return socket;
}

void Say(const std::string& words) { (void)!::write(STDERR_FILENO, words.data(), words.size()); }

// Bytes on their way from one descriptor to another.
struct Flow {
  int from;
  int to;
  size_t begin = 0;
  size_t end = 0;
  uint64_t moved = 0;
  bool from_ended = false;
  bool to_ended = false;  // Everything was written, and the end of it told.
  char buffer[kOutputChunk] = {};

  bool empty() const { return begin == end; }
  bool wants_to_read() const { return empty() && !from_ended; }
  bool is_done() const { return empty() && from_ended; }

  // Each moves what there is. errno, or 0.
  int Read() {
    const ssize_t got = ::read(from, buffer, sizeof(buffer));
    if (got < 0) return errno == EAGAIN || errno == EINTR ? 0 : errno;
    begin = 0;
    end = static_cast<size_t>(got);
    from_ended = got == 0;
    return 0;
  }
  int Write() {
    const ssize_t put = ::write(to, buffer + begin, end - begin);
    if (put < 0) return errno == EAGAIN || errno == EINTR ? 0 : errno;
    begin += static_cast<size_t>(put);
    moved += static_cast<uint64_t>(put);
    return 0;
  }
};

// One connection: `up` goes to the peer, `down` comes from it.
class Connection {
 public:
  explicit Connection(int socket) : socket_(socket), up_{STDIN_FILENO, socket}, down_{socket, STDOUT_FILENO} {}

  // errno, or 0: both ways were gone to their ends.
  int Run() {
    while (!(up_.to_ended && down_.to_ended)) {
      if (const int error = Turn(); error != 0) return error;
      if (const int error = TellEnds(); error != 0) return error;
    }
    return up_error_;
  }

 private:
  int Turn() {
    constexpr short kBroken = POLLERR | POLLHUP;
    pollfd ready[] = {
        {up_.wants_to_read() ? STDIN_FILENO : -1, POLLIN, 0},
        {down_.empty() ? -1 : STDOUT_FILENO, POLLOUT, 0},
        {socket_, static_cast<short>((down_.wants_to_read() ? POLLIN : 0) | (up_.empty() ? 0 : POLLOUT)), 0},
    };
    // One that is asked for nothing still tells that it has broken, which nobody else would notice. But not while
    // something of it is to be delivered, for it does not stop telling.
    if (ready[2].events == 0 && !down_.to_ended) ready[2].fd = -1;
    if (::poll(ready, 3, -1) < 0) return errno == EINTR ? 0 : errno;
    const short socket = ready[2].revents;
    if (ready[0].revents != 0) {
      if (const int error = up_.Read(); error != 0) return error;
    }
    if (ready[1].revents != 0) {
      if (const int error = down_.Write(); error != 0) return error;
    }
    if (!up_.empty() && (socket & (POLLOUT | kBroken)) != 0) StopUp(up_.Write());
    if ((socket & (POLLIN | kBroken)) == 0) return 0;
    if (down_.wants_to_read()) return down_.Read();
    return down_.to_ended && (socket & kBroken) != 0 ? ECONNRESET : 0;
  }

  // What the peer has said before it went is delivered all the same.
  void StopUp(int error) {
    if (error == 0) return;
    up_error_ = error;
    up_.begin = up_.end;
    up_.from_ended = true;
    up_.to_ended = true;
  }

  int TellEnds() {
    if (up_.is_done() && !up_.to_ended) {
      up_.to_ended = true;
      if (::shutdown(socket_, SHUT_WR) != 0 && errno != ENOTCONN) return errno;
    }
    if (down_.is_done() && !down_.to_ended) {
      down_.to_ended = true;
      Say(kDialPeerEnded + std::to_string(down_.moved) + "\n");
      ::close(STDOUT_FILENO);
    }
    return 0;
  }

  const int socket_;
  Flow up_;
  Flow down_;
  int up_error_ = 0;  // Why no more goes up.
};

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

OutcomeOr<UniqueFd> Connect(const Command::Dial& dial) {
  if (!dial.address().empty()) return ConnectTo(dial.address(), dial.port());
  OutcomeOr<UniqueFd> first = ConnectTo(kLoopback4, dial.port());
  if (first.ok()) return first;
  OutcomeOr<UniqueFd> second = ConnectTo(kLoopback6, dial.port());
  return second.ok() ? std::move(second) : std::move(first);
}

void RunConnection(const UniqueFd& connection) {
  ::signal(SIGPIPE, SIG_IGN);
  // These ends of the pipes are nobody else's.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  const int error = Connection(connection.get()).Run();
  if (error != 0) Say(SystemFailure("the connection broke", error).message());
  ::_exit(error == 0 ? 0 : kDialBroken);
}

}  // namespace vcd::guest
