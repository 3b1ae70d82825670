// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SHARES_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SHARES_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/os/cancellation.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"
#include "core/os/supervised_process.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// The host directories that one running QEMU shows to its guest: a virtiofsd and a vhost-user-fs device on a root port
// each. The port's number names everything that belongs to a directory (`share-<port>`). Thread-safe; calls block. `io`
// and `qmp` outlive it. Destroying it leaves everything running.
class QemuShares {
 public:
  struct Options {
    std::string virtiofsd_path;
    std::string run_dir;
    bool shared_memory = false;  // Whether the machine was made for it.
  };
  QemuShares(IoThread& io, QmpClient& qmp, Options options) : io_(io), qmp_(qmp), options_(std::move(options)) {}

  // Takes over what an earlier daemon shared, and removes what it had not finished.
  absl::Status Adopt(const state::v1::VirtualMachine& record, const CallContext& context);

  // As VirtualMachine::ShareDirectory and UnshareDirectory.
  absl::Status Share(const std::string& tag, const std::string& host_path, const CallContext& context);
  absl::Status Unshare(const std::string& tag, const CallContext& context);

  // After the machine's end: waits for its virtiofsds to follow it, or ends them.
  absl::Status EndProcesses();

  // Writes the directories into the record.
  void WriteTo(state::v1::VirtualMachine* record) const;

 private:
  struct Directory {
    std::string tag;
    std::string host_path;
    std::shared_ptr<SupervisedProcess> process;  // Null when it is not known, or gone.
    bool busy = false;
    bool shared = false;
  };

  absl::StatusOr<int> Reserve(const std::string& tag, const std::string& host_path);
  absl::Status Plug(int port, const std::string& tag, const std::string& host_path, const CallContext& context);
  // Undoes Plug, however far it came. OK when there is nothing.
  absl::Status Unplug(int port, const CallContext& context);
  // The tag of the device on that port; empty when there is none.
  absl::StatusOr<std::string> TagOf(int port, const CallContext& context);
  std::shared_ptr<SupervisedProcess> ProcessOf(int port) const;

  IoThread& io_;
  QmpClient& qmp_;
  const Options options_;
  mutable Mutex mu_;
  std::map<int, Directory> directories_ ABSL_GUARDED_BY(mu_);  // By root port, from 1.
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SHARES_H_
