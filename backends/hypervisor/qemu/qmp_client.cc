// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qmp_client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/os/mutex.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

absl::Status QmpError(const std::string& command, const QmpReply& reply) {
  absl::StatusCode code = absl::StatusCode::kFailedPrecondition;
  if (reply.error_class == "DeviceNotFound") code = absl::StatusCode::kNotFound;
  if (reply.error_class == "CommandNotFound") code = absl::StatusCode::kUnimplemented;
  return absl::Status(code, absl::StrCat("qemu refuses ", command, ": ", reply.error_text, " (", reply.error_class, ")"));
}

}  // namespace

// Shared with the handlers on the I/O thread, which may outlive the client.
class QmpClient::Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(IoThread& io, UniqueFd socket, std::string name, Handlers handlers)
      : io_(io), name_(std::move(name)), socket_(io.context(), socket.Release()), handlers_(std::move(handlers)) {}

  void Start() {
    io_.Post([self = shared_from_this()] { self->WaitReadable(); });
  }

  const Completion<std::string>& greeting() const { return greeting_; }

  absl::StatusOr<json> Execute(const std::string& command, const json& arguments, UniqueFd fd,
                               const CallContext& context) {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("qmp ", command)));
    Completion<json> done;
    uint64_t id = 0;
    {
      MutexLock lock(&mu_);
      if (!closed_.ok()) return closed_;
      id = next_id_++;
      pending_.emplace(id, Pending{command, done});
    }
    auto message = std::make_shared<Outgoing>(Outgoing{EncodeQmpCommand(id, command, arguments), std::move(fd), 0});
    io_.Post([self = shared_from_this(), message = std::move(message)] {
      self->outgoing_.push_back(std::move(*message));
      if (self->outgoing_.size() == 1) self->Send();
    });
    absl::StatusOr<json> result = done.Wait(context, absl::StrCat("qmp ", command));
    MutexLock lock(&mu_);
    pending_.erase(id);
    return result;
  }

  uint64_t AddExpectation(std::string event, std::string key, std::string value, const Completion<json>& done) {
    MutexLock lock(&mu_);
    if (!closed_.ok()) done.Set(closed_);
    const uint64_t id = next_id_++;
    expected_.emplace(id, Expected{std::move(event), std::move(key), std::move(value), done});
    return id;
  }

  void RemoveExpectation(uint64_t id) {
    MutexLock lock(&mu_);
    expected_.erase(id);
  }

  // The client goes: no handler runs or follows after this.
  void Abandon() {
    Handlers dropped;
    {
      MutexLock lock(&handlers_mu_);
      std::swap(dropped, handlers_);
    }
    if (!io_.OnThread()) MutexLock wait(&running_mu_);
    io_.Post([self = shared_from_this()] { self->Close(absl::CancelledError("closed by vcd")); });
  }

 private:
  struct Pending {
    std::string command;
    Completion<json> done;
  };
  struct Expected {
    std::string event;
    std::string key;
    std::string value;
    Completion<json> done;
  };
  struct Outgoing {
    std::string bytes;
    UniqueFd fd;  // Goes with the first byte.
    size_t sent;
  };

  void WaitReadable() {
    if (!socket_.is_open()) return;
    socket_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](const asio::error_code& e) {
      if (!e) self->Receive();
    });
  }

  void Receive() {
    char buffer[16384];
    for (;;) {
      if (!socket_.is_open()) return;  // A handler may have ended the conversation.
      const ssize_t got = recv(socket_.native_handle(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return WaitReadable();
      if (got < 0) return Close(absl::UnavailableError(absl::StrCat("read: ", strerror(errno))));
      if (got == 0) return Close(absl::UnavailableError("qemu has closed the socket"));
      absl::Status status = splitter_.Append(buffer, static_cast<size_t>(got));
      while (status.ok()) {
        const std::optional<std::string> line = splitter_.Next();
        if (!line.has_value()) break;
        absl::StatusOr<QmpMessage> message = ParseQmpMessage(*line);
        status = message.status();
        if (status.ok()) Dispatch(*std::move(message));
      }
      if (!status.ok()) return Close(status);
    }
  }

  void Dispatch(QmpMessage message) {
    if (auto* greeting = std::get_if<QmpGreeting>(&message)) {
      greeting_.Set(std::move(greeting->version));
    } else if (auto* reply = std::get_if<QmpReply>(&message)) {
      DispatchReply(std::move(*reply));
    } else {
      DispatchEvent(std::get<QmpEvent>(message));
    }
  }

  void DispatchReply(QmpReply reply) {
    MutexLock lock(&mu_);
    auto found = pending_.find(reply.id);
    if (found == pending_.end()) return;  // Its caller has given up.
    if (reply.error_class.empty()) {
      found->second.done.Set(std::move(reply.result));
    } else {
      found->second.done.Set(QmpError(found->second.command, reply));
    }
    pending_.erase(found);
  }

  void DispatchEvent(const QmpEvent& event) {
    {
      MutexLock lock(&mu_);
      for (const auto& [id, expected] : expected_) {
        if (expected.event == event.name && StringField(event.data, expected.key.c_str()) == expected.value) {
          expected.done.Set(event.data);
        }
      }
    }
    MutexLock running(&running_mu_);
    std::function<void(const QmpEvent&)> handler;
    {
      MutexLock lock(&handlers_mu_);
      handler = handlers_.on_event;
    }
    if (handler != nullptr) handler(event);
  }

  void Send() {
    while (!outgoing_.empty() && socket_.is_open()) {
      Outgoing& message = outgoing_.front();
      const ssize_t sent = SendSome(message);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        socket_.async_wait(asio::posix::stream_descriptor::wait_write,
                           [self = shared_from_this()](const asio::error_code& error) {
                             if (!error) self->Send();
                           });
        return;
      }
      if (sent < 0) return Close(absl::UnavailableError(absl::StrCat("write: ", strerror(errno))));
      message.fd.Reset();
      message.sent += static_cast<size_t>(sent);
      if (message.sent == message.bytes.size()) outgoing_.pop_front();
    }
  }

  ssize_t SendSome(Outgoing& message) {
    iovec bytes{&message.bytes[message.sent], message.bytes.size() - message.sent};
    msghdr header = {};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (message.fd.valid()) {
      header.msg_control = control;
      header.msg_controllen = sizeof(control);
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      const int fd = message.fd.get();
      memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
    }
    return sendmsg(socket_.native_handle(), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  void Close(const absl::Status& why) {
    if (!socket_.is_open()) return;
    asio::error_code ignored;
    socket_.close(ignored);
    outgoing_.clear();
    const absl::Status closed = Annotate(
        why.code() == absl::StatusCode::kCancelled ? absl::UnavailableError(why.message()) : why,
        absl::StrCat("qmp socket ", name_));
    greeting_.Set(closed);
    {
      MutexLock lock(&mu_);
      closed_ = closed;
      for (const auto& [id, pending] : pending_) pending.done.Set(closed);
      for (const auto& [id, expected] : expected_) expected.done.Set(closed);
      pending_.clear();
    }
    MutexLock running(&running_mu_);
    Handlers handlers;
    {
      MutexLock lock(&handlers_mu_);
      std::swap(handlers, handlers_);
    }
    if (handlers.on_closed != nullptr) handlers.on_closed(closed);
  }

  IoThread& io_;
  const std::string name_;
  const Completion<std::string> greeting_;

  // On the I/O thread only.
  asio::posix::stream_descriptor socket_;
  QmpLineSplitter splitter_;
  std::deque<Outgoing> outgoing_;

  // Held while a handler runs, so that Abandon waits for it. Taken before handlers_mu_.
  Mutex running_mu_;
  Mutex handlers_mu_;
  Handlers handlers_ ABSL_GUARDED_BY(handlers_mu_);

  Mutex mu_;
  absl::Status closed_ ABSL_GUARDED_BY(mu_);  // OK while the conversation lasts.
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Pending> pending_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, Expected> expected_ ABSL_GUARDED_BY(mu_);
};

class QmpClient::Expectation::Registration {
 public:
  Registration(std::shared_ptr<Conversation> conversation, const std::string& event, const std::string& key,
               const std::string& value)
      : conversation_(std::move(conversation)), what_(absl::StrCat("wait for ", event, " of ", value)) {
    id_ = conversation_->AddExpectation(event, key, value, done_);
  }
  ~Registration() { conversation_->RemoveExpectation(id_); }

  absl::StatusOr<json> Wait(const CallContext& context) const { return done_.Wait(context, what_); }

 private:
  const std::shared_ptr<Conversation> conversation_;
  const std::string what_;
  const Completion<json> done_;
  uint64_t id_ = 0;
};

QmpClient::Expectation::Expectation(std::unique_ptr<Registration> registration)
    : registration_(std::move(registration)) {}
QmpClient::Expectation::~Expectation() = default;

absl::StatusOr<json> QmpClient::Expectation::Wait(const CallContext& context) const {
  return registration_->Wait(context);
}

QmpClient::QmpClient(std::shared_ptr<Conversation> conversation) : conversation_(std::move(conversation)) {}

QmpClient::~QmpClient() { conversation_->Abandon(); }

absl::StatusOr<std::unique_ptr<QmpClient>> QmpClient::Connect(IoThread& io, UniqueFd socket, const std::string& name,
                                                              Handlers handlers, const CallContext& context) {
  auto conversation = std::make_shared<Conversation>(io, std::move(socket), name, std::move(handlers));
  conversation->Start();
  std::unique_ptr<QmpClient> client(new QmpClient(conversation));
  VCD_RETURN_IF_ERROR(conversation->greeting().Wait(context, absl::StrCat("greeting of qmp socket ", name)).status());
  VCD_RETURN_IF_ERROR(client->Execute("qmp_capabilities", nullptr, context).status());
  return client;
}

absl::StatusOr<json> QmpClient::Execute(const std::string& command, const json& arguments, const CallContext& context) {
  return conversation_->Execute(command, arguments, UniqueFd(), context);
}

absl::StatusOr<json> QmpClient::ExecuteWithFd(const std::string& command, const json& arguments, int fd,
                                              const CallContext& context) {
  UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) return PosixError(errno, absl::StrCat("copy of a descriptor for qmp ", command));
  return conversation_->Execute(command, arguments, std::move(copy), context);
}

QmpClient::Expectation QmpClient::Expect(const std::string& event, const std::string& key, const std::string& value) {
  return Expectation(std::make_unique<Expectation::Registration>(conversation_, event, key, value));
}

}  // namespace vcd
