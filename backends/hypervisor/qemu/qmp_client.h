// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QMP_CLIENT_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QMP_CLIENT_H_

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qmp_codec.h"
#include "core/os/cancellation.h"
#include "core/os/completion.h"
#include "core/os/io_thread.h"
#include "core/os/unique_fd.h"

namespace vcd {

// One QMP conversation over a connected stream socket. Commands may be in flight at once; QEMU answers them in order.
// Thread-safe; calls block, so none may be made on the I/O thread. `io` outlives it.
class QmpClient {
 public:
  // All run on the I/O thread, in the order in which things came, and must not block. Either may be null.
  struct Handlers {
    std::function<void(const QmpEvent& event)> on_event;
    // Once, when the peer has gone or spoke no QMP; every later command fails. Not when this object is destroyed.
    std::function<void(const absl::Status& why)> on_closed;
  };

  // Takes the socket, waits for the greeting and negotiates. `name` stands in error messages: "ctl". kUnavailable when
  // the peer closes, kDataLoss when it speaks something else.
  static absl::StatusOr<std::unique_ptr<QmpClient>> Connect(IoThread& io, UniqueFd socket, const std::string& name,
                                                            Handlers handlers, const CallContext& context);

  // Closes the socket; waits for a handler that runs, unless on the I/O thread.
  ~QmpClient();
  QmpClient(const QmpClient&) = delete;
  QmpClient& operator=(const QmpClient&) = delete;

  // Runs a command and returns its result. QEMU's own class and text are in the error: kNotFound for DeviceNotFound,
  // kUnimplemented for CommandNotFound, kFailedPrecondition for the rest. kUnavailable when the socket closes. When the
  // context ends first, the command may still have its effect.
  absl::StatusOr<nlohmann::json> Execute(const std::string& command, const nlohmann::json& arguments,
                                         const CallContext& context);

  // The same with a descriptor that goes along (getfd, add-fd); not consumed.
  absl::StatusOr<nlohmann::json> ExecuteWithFd(const std::string& command, const nlohmann::json& arguments, int fd,
                                               const CallContext& context);

  // Catches the first event of that name whose string member `key` is `value`. Make it before the command that causes
  // the event.
  class Expectation {
   public:
    ~Expectation();
    Expectation(Expectation&&) = default;
    // Returns the event's data. kUnavailable when the socket closes first.
    absl::StatusOr<nlohmann::json> Wait(const CallContext& context) const;

   private:
    friend class QmpClient;
    class Registration;
    explicit Expectation(std::unique_ptr<Registration> registration);
    std::unique_ptr<Registration> registration_;
  };
  Expectation Expect(const std::string& event, const std::string& key, const std::string& value);

 private:
  class Conversation;
  explicit QmpClient(std::shared_ptr<Conversation> conversation);
  std::shared_ptr<Conversation> conversation_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QMP_CLIENT_H_
