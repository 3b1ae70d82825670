// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_FILE_SERVER_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_FILE_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qemu_confinement.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/os/cancellation.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// Under which the guest finds the one virtiofs of its machine.
inline constexpr char kFileServerTag[] = "vcd";

// The one virtiofsd of a running QEMU and the vhost-user-fs device by which the guest reaches it: started when the
// first file is shared, and there until the machine ends. One that ends before cannot be replaced: the guest's mounts
// would be of the one before. Thread-safe; calls block. `io` and `qmp` outlive it. Destroying it leaves everything
// running.
class FileServer {
 public:
  struct Options {
    std::string virtiofsd_path;
    std::string run_dir;
    std::string machine_type;
    uint32_t first_uid = 0;  // The host's user that is user 0 of the server; 0: no user namespace.
    std::shared_ptr<QemuConfinement> confinement;  // Null: none.
  };
  FileServer(IoThread& io, QmpClient& qmp, Options options) : io_(io), qmp_(qmp), options_(std::move(options)) {}

  // Takes over what an earlier daemon started, and removes one that it had not finished.
  absl::Status Adopt(const state::v1::VirtualMachine& record, const CallContext& context);

  // The user namespace that it has, or shall be started in; no descriptor when it has none of its own.
  absl::StatusOr<UniqueFd> UserNamespace() const;

  // Starts it when that has not been done. Nothing stays behind on failure. A pidfd of it, which serves.
  absl::StatusOr<UniqueFd> Ensure(int user_namespace, const CallContext& context);
  // A pidfd of it; kNotFound when it was never started or has ended.
  absl::StatusOr<UniqueFd> Pidfd() const;

  // What to tell of it when it has ended too early.
  absl::Status EndedError() const;

  // After the machine's end: waits for it to follow, or ends it, with all others of the run directory.
  absl::Status End();

  // Writes it into the record.
  void WriteTo(state::v1::VirtualMachine* record) const;

 private:
  enum class State { kAbsent, kStarting, kStarted, kNotUndone };

  absl::Status Start(int user_namespace, const CallContext& context);
  // Undoes Start, however far it came. OK when there is nothing.
  absl::Status Undo(const CallContext& context);
  ProcessIdentity identity() const;
  std::shared_ptr<SupervisedProcess> process() const;

  IoThread& io_;
  QmpClient& qmp_;
  const Options options_;
  mutable Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kAbsent;
  ProcessIdentity identity_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<SupervisedProcess> process_ ABSL_GUARDED_BY(mu_);  // Null also when an adopted one was gone.
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_FILE_SERVER_H_
