// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/saved_nic.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A machine on disk: a directory with
//
//   state          what QEMU wrote: its migration stream, of the devices and of memory that was not shared
//   memory         the guest's memory, with holes where it is zero; only when it was shared
//   manifest.json  what the machine was, sizes and digests of the files; written last, so that an image with one is
//                  whole
class QemuImage {
 public:
  // What the machine was that an image is made of, as far as its configuration does not say.
  struct Machine {
    uint64_t memory_bytes = 0;
    bool shares_memory = false;
    bool file_server_port = false;  // QemuMachineDescription.
    std::vector<SavedNic> nics;
  };

  // Copies an image into memory that nobody can change any more; a state with memory in it is checked where it is.
  // kDataLoss when it is incomplete or not what its manifest says; the errors of reading otherwise. Blocks on the disk
  // for as long as the context allows, here and below.
  static absl::StatusOr<std::shared_ptr<const QemuImage>> Load(const std::string& directory,
                                                               const CallContext& context);

  // Of which machine an image is, that has all its files and each of its size; errors as of Load.
  static absl::StatusOr<Machine> Look(const std::string& directory);

  const Machine& machine() const { return machine_; }

  // The memory that was shared, sealed: to be mapped privately.
  absl::StatusOr<UniqueFd> OpenMemory() const;
  // A copy of the memory, to be mapped as one likes.
  absl::StatusOr<UniqueFd> CopyMemory(const CallContext& context) const;
  // The state, read from the beginning.
  absl::StatusOr<UniqueFd> OpenState() const;

 private:
  QemuImage(UniqueFd memory, UniqueFd state, const Machine& machine)
      : memory_(std::move(memory)), state_(std::move(state)), machine_(machine) {}

  const UniqueFd memory_;  // Invalid when it is in the state.
  const UniqueFd state_;
  const Machine machine_;
};

// The file that the state goes into, in a directory that has none.
absl::StatusOr<UniqueFd> CreateImageState(const std::string& directory);

// Completes an image whose state has been written: copies the memory, unless it is in the state, syncs all, and writes
// the manifest. `memory_fd` is of a machine that shares its memory.
absl::Status CompleteImage(const std::string& directory, const QemuImage::Machine& machine, int memory_fd,
                           const CallContext& context);

// A memory of that many bytes for a machine, empty, that other processes may map too.
absl::StatusOr<UniqueFd> MakeGuestMemory(uint64_t bytes);

// Images that machines go on from again and again, kept in memory. Thread-safe.
class QemuImages {
 public:
  // Loads it unless it is here already; `keep` leaves it here until Forget.
  absl::StatusOr<std::shared_ptr<const QemuImage>> Get(const std::string& directory, bool keep,
                                                       const CallContext& context) ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(const std::string& directory) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Held while one is loaded that is kept: whoever wants the same waits rather than loads it as well.
  Mutex mu_;
  std::map<std::string, std::shared_ptr<const QemuImage>> images_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_H_
