// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SHARES_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SHARES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/file_server.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/cancellation.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"
#include "core/os/process.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// The host's directories and files that one running QEMU shows to its guest, each a name below the root of its one
// FileServer. A name is never used twice: the guest's kernel may remember for a second what it meant. Thread-safe;
// calls block. `io` and `qmp` outlive it. Destroying it leaves everything running.
class QemuShares {
 public:
  struct Options {
    FileServer::Options server;
    bool shared_memory = false;  // Whether the machine was made for it.
    std::string machine_type = "q35";
  };
  QemuShares(IoThread& io, QmpClient& qmp, Options options)
      : io_(io), options_(std::move(options)), server_(io, qmp, options_.server) {}

  // Takes over what an earlier daemon shared, and removes what it had not finished.
  absl::Status Adopt(const state::v1::VirtualMachine& record, const CallContext& context);

  // As VirtualMachine::ShareDirectory and UnshareDirectory.
  absl::StatusOr<SharedPath> Share(const ShareSpec& share, const CallContext& context);
  absl::Status Unshare(const std::string& tag, const CallContext& context);

  // After the machine's end: waits for its virtiofsd to follow it, or ends it.
  absl::Status EndProcesses();

  // Writes the shares and their server into the record.
  void WriteTo(state::v1::VirtualMachine* record) const;

 private:
  struct Shared {
    std::string host_path;
    bool readonly = false;
    std::string name;
    // Of an earlier release, which had one for each directory: that machine gets no more shares.
    ProcessIdentity own_server;
    bool busy = false;
    bool shared = false;
  };

  absl::StatusOr<std::string> Reserve(const ShareSpec& share);
  absl::Status Place(const ShareSpec& share, const std::string& name, const CallContext& context);
  absl::Status Remove(const Shared& shared);
  // Takes names away that no record tells of, and goes on counting behind those that are there.
  absl::Status AdoptNames();

  IoThread& io_;
  const Options options_;
  FileServer server_;
  mutable Mutex mu_;
  std::map<std::string, Shared> shares_ ABSL_GUARDED_BY(mu_);  // By tag.
  uint64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SHARES_H_
