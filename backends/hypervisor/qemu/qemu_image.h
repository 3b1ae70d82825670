// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/mutex.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A machine on disk: a directory with
//
//   state          what QEMU wrote of its devices (its migration stream, without the guest's memory)
//   memory         the guest's memory, with holes where it is zero
//   manifest.json  sizes and digests of both; written last, so that an image with one is whole
class QemuImage {
 public:
  // Copies an image into memory that nobody can change any more. kDataLoss when it is incomplete or not what its
  // manifest says; the errors of reading otherwise.
  static absl::StatusOr<std::shared_ptr<const QemuImage>> Load(const std::string& directory);

  // Size of the guest's memory.
  uint64_t memory_bytes() const { return memory_bytes_; }

  // The memory, sealed: to be mapped privately.
  absl::StatusOr<UniqueFd> OpenMemory() const;
  // A copy of the memory, to be mapped as one likes.
  absl::StatusOr<UniqueFd> CopyMemory() const;
  // The devices' state, read from the beginning.
  absl::StatusOr<UniqueFd> OpenState() const;

 private:
  QemuImage(UniqueFd memory, UniqueFd state, uint64_t memory_bytes)
      : memory_(std::move(memory)), state_(std::move(state)), memory_bytes_(memory_bytes) {}

  const UniqueFd memory_;
  const UniqueFd state_;
  const uint64_t memory_bytes_;
};

// The file that the devices' state goes into, in a directory that has none.
absl::StatusOr<UniqueFd> CreateImageState(const std::string& directory);

// Completes an image whose state has been written: copies the memory, syncs all, and writes the manifest.
absl::Status CompleteImage(const std::string& directory, int memory_fd);

// A memory of that many bytes for a machine, empty, that other processes may map too.
absl::StatusOr<UniqueFd> MakeGuestMemory(uint64_t bytes);

// Images that machines go on from again and again, kept in memory. Thread-safe.
class QemuImages {
 public:
  // Loads it unless it is here already; `keep` leaves it here until Forget.
  absl::StatusOr<std::shared_ptr<const QemuImage>> Get(const std::string& directory, bool keep)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(const std::string& directory) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Held while one is loaded: whoever wants the same waits rather than loads it as well.
  Mutex mu_;
  std::map<std::string, std::shared_ptr<const QemuImage>> images_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_H_
