// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/metrics_endpoint.h"

#include <sys/socket.h>

#include <array>
#include <asio.hpp>
#include <cerrno>
#include <filesystem>
#include <list>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/completion.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/metrics/http_request.h"
#include "daemon/metrics/metrics_listener.h"

namespace vcd {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";

// After the answer: a socket that is closed while bytes of the client wait in it resets the connection, and the client
// may lose the answer. So those are read and dropped, within bounds.
constexpr absl::Duration kDrainTime = absl::Seconds(1);
constexpr size_t kDrainBytes = 1 << 20;

// How long to let go of accepting when the system has no descriptors.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

}  // namespace

// Accepts connections and knows them. Everything here and in Connection happens on the I/O thread; handlers hold what
// they need, and find it closed when they come too late.
class MetricsEndpoint::Server : public std::enable_shared_from_this<Server> {
 public:
  Server(asio::io_context& context, std::string content_type, std::function<std::string()> render,
         const MetricsEndpointLimits& limits)
      : context_(context),
        listener_(context),
        pause_(context),
        content_type_(std::move(content_type)),
        render_(std::move(render)),
        limits_(limits) {}

  // Before anything else.
  absl::Status Take(UniqueFd socket) {
    std::error_code error;
    listener_.assign(socket.get(), error);
    if (!error) {
      (void)socket.Release();
      listener_.native_non_blocking(true, error);
    }
    return error ? PosixError(error.value(), "watch the socket for metrics") : absl::OkStatus();
  }

  void AwaitConnections();
  void Close();
  void Forget(const Connection* connection);

  std::string Answer(const HttpRequest& request) const {
    if (request.error != 0) return Problem(request.error, "vcd cannot read this request\n");
    if (request.path != "/metrics") return Problem(404, "vcd serves /metrics and nothing else\n");
    if (request.method != "GET" && request.method != "HEAD") return Problem(405, "metrics can only be read\n");
    return MakeHttpResponse(200, content_type_, render_(), request.method == "HEAD");
  }

  static std::string Problem(int code, const std::string& text) { return MakeHttpResponse(code, kPlainText, text); }

  asio::io_context& context() { return context_; }
  const MetricsEndpointLimits& limits() const { return limits_; }

 private:
  void AcceptAll();
  void MakeRoom();

  asio::io_context& context_;
  asio::posix::stream_descriptor listener_;
  asio::steady_timer pause_;
  const std::string content_type_;
  const std::function<std::string()> render_;
  const MetricsEndpointLimits limits_;
  std::list<std::shared_ptr<Connection>> connections_;  // Oldest first.
  bool closed_ = false;
};

// One request and its answer: reads the head, writes the answer, drains, closes.
class MetricsEndpoint::Connection : public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(std::shared_ptr<Server> server)
      : server_(std::move(server)), socket_(server_->context()), timer_(server_->context()) {}

  // False when the socket is no good.
  bool Take(UniqueFd socket, int family) {
    std::error_code error;
    socket_.assign(asio::generic::stream_protocol(family, 0), socket.get(), error);
    if (error) return false;
    (void)socket.Release();
    return true;
  }

  void Start() {
    Limit(server_->limits().request_time);
    ReadHead();
  }

  // Still to ask.
  bool waits() const { return !answered_; }

  void Close() {
    if (std::exchange(closed_, true)) return;
    std::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    server_->Forget(this);
  }

 private:
  // Closes the connection unless it comes to its next step in that time.
  void Limit(absl::Duration time) {
    timer_.expires_after(absl::ToChronoNanoseconds(time));
    timer_.async_wait([self = shared_from_this()](const std::error_code& error) {
      // One that had run out just when it was set anew.
      if (!error && self->timer_.expiry() <= asio::steady_timer::clock_type::now()) self->Close();
    });
  }

  void ReadHead() {
    socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](const std::error_code& error, size_t n) {
      if (self->closed_) return;
      if (error) return self->Close();
      self->head_.append(self->chunk_.data(), n);
      self->OnHead();
    });
  }

  void OnHead() {
    const size_t length = HttpHeadLength(head_);
    const size_t most = server_->limits().max_request_bytes;
    if (length > most || (length == 0 && head_.size() >= most)) {
      return Answer(Server::Problem(431, absl::StrCat("vcd reads requests of up to ", most, " bytes\n")));
    }
    if (length == 0) return ReadHead();
    Answer(server_->Answer(ParseHttpHead(absl::string_view(head_.data(), length))));
  }

  void Answer(std::string response) {
    answered_ = true;
    response_ = std::move(response);
    Limit(server_->limits().response_time);
    asio::async_write(socket_, asio::buffer(response_),
                      [self = shared_from_this()](const std::error_code& error, size_t) {
                        if (self->closed_) return;
                        if (error) return self->Close();
                        std::error_code ignored;
                        self->socket_.shutdown(asio::socket_base::shutdown_send, ignored);
                        self->Limit(kDrainTime);
                        self->Drain();
                      });
  }

  void Drain() {
    socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](const std::error_code& error, size_t n) {
      if (self->closed_) return;
      self->drained_ += n;
      if (error || self->drained_ > kDrainBytes) return self->Close();
      self->Drain();
    });
  }

  const std::shared_ptr<Server> server_;
  asio::generic::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  std::array<char, 4096> chunk_;
  std::string head_;
  std::string response_;
  size_t drained_ = 0;
  bool answered_ = false;
  bool closed_ = false;
};

void MetricsEndpoint::Server::AwaitConnections() {
  if (closed_) return;
  listener_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const std::error_code& error) {
                         if (!error && !self->closed_) self->AcceptAll();
                       });
}

void MetricsEndpoint::Server::AcceptAll() {
  while (true) {
    sockaddr_storage peer = {};
    socklen_t length = sizeof(peer);
    UniqueFd socket(accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
    if (!socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return AwaitConnections();
      // No descriptors, most likely: the connection stays in the queue, and looking at once would look for ever.
      LogWarning("", absl::StrCat("metrics: ", PosixError(errno, "accept a connection").message()));
      pause_.expires_after(absl::ToChronoNanoseconds(kAcceptPause));
      pause_.async_wait([self = shared_from_this()](const std::error_code& error) {
        if (!error) self->AwaitConnections();
      });
      return;
    }
    MakeRoom();
    auto connection = std::make_shared<Connection>(shared_from_this());
    if (!connection->Take(std::move(socket), peer.ss_family)) continue;
    connections_.push_back(connection);
    connection->Start();
  }
}

void MetricsEndpoint::Server::MakeRoom() {
  while (connections_.size() >= limits_.max_connections) {
    auto oldest = connections_.begin();
    while (oldest != connections_.end() && !(*oldest)->waits()) ++oldest;
    const std::shared_ptr<Connection> leaving = oldest != connections_.end() ? *oldest : connections_.front();
    leaving->Close();
  }
}

void MetricsEndpoint::Server::Forget(const Connection* connection) {
  connections_.remove_if([connection](const auto& known) { return known.get() == connection; });
}

void MetricsEndpoint::Server::Close() {
  closed_ = true;
  std::error_code ignored;
  listener_.close(ignored);
  pause_.cancel();
  while (!connections_.empty()) {
    const std::shared_ptr<Connection> leaving = connections_.front();
    leaving->Close();
  }
}

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const MetricsAddress& address,
                                                                        std::string content_type,
                                                                        std::function<std::string()> render,
                                                                        const MetricsEndpointLimits& limits) {
  MetricsAddress chosen = address;
  VCD_ASSIGN_OR_RETURN(UniqueFd socket, ListenForMetrics(chosen));
  std::unique_ptr<MetricsEndpoint> endpoint(new MetricsEndpoint(chosen));
  auto server = std::make_shared<Server>(endpoint->io_.context(), std::move(content_type), std::move(render), limits);
  endpoint->server_ = server;
  VCD_RETURN_IF_ERROR(server->Take(std::move(socket)));
  endpoint->io_.Post([server] { server->AwaitConnections(); });
  return endpoint;
}

MetricsEndpoint::~MetricsEndpoint() {
  Completion<bool> closed;
  io_.Post([server = std::move(server_), closed] {
    server->Close();
    closed.Set(true);
  });
  (void)closed.Wait({absl::InfiniteFuture(), nullptr}, "the end of the metrics' connections");
  if (!address_.is_unix()) return;
  std::error_code ignored;
  std::filesystem::remove(address_.path, ignored);
}

}  // namespace vcd
