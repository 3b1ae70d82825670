// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_LOG_H_
#define VCD_CORE_POD_CONTAINER_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"
#include "core/pod/output_source.h"

namespace vcd {

// The output of a container's first process, in a file (cri_log_format.h). Bytes are acknowledged to the guest once
// they are written, so a daemon that is killed loses none: the next one counts what the file holds and goes on from
// there.
class ContainerLog : public OutputSource {
 public:
  // `acknowledge` lets the guest send beyond an offset; called on the I/O thread, must not block.
  using Acknowledge = std::function<void(StdStream, uint64_t)>;

  // Begins an empty log, in place of one that is there.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Create(const std::string& path, Acknowledge acknowledge);

  // Goes on with the log of a process that an earlier daemon started; begins one when it is missing.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Resume(const std::string& path, Acknowledge acknowledge);

  // Opens what is left of a process that is gone: it has ended.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> OpenEnded(const std::string& path);

  // A reader; without `follow` it ends where the file ends now.
  std::unique_ptr<OutputReader> NewReader(OutputStart start, bool follow) ABSL_LOCKS_EXCLUDED(mu_);

  // A reader that begins `lines` lines before the end.
  std::unique_ptr<OutputReader> NewTailReader(uint32_t lines, bool follow) ABSL_LOCKS_EXCLUDED(mu_);

 protected:
  void Store(StdStream stream, const std::string& data, uint64_t end_offset) override;
  Readiness Look(const Cursor& cursor) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<OutputChunk> Take(Cursor& cursor) override;

 private:
  struct Contents {
    uint64_t size = 0;  // Of all whole records.
    uint64_t stdout_bytes = 0, stderr_bytes = 0;
  };
  struct Position : Cursor {
    uint64_t at = 0;              // In the file.
    uint64_t until = UINT64_MAX;  // Where to end.
    std::string buffered;         // Read ahead from `at`.
  };

  ContainerLog(std::string path, UniqueFd file, const Contents& contents, Acknowledge acknowledge);
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Open(const std::string& path, int flags, bool ended,
                                                            Acknowledge acknowledge);
  // Calls `visit` with each whole record of the file from `at` on.
  static absl::Status Scan(int fd, uint64_t end,
                           const std::function<void(const struct CriRecord&, uint64_t at)>& visit);

  const std::string path_;
  const UniqueFd file_;
  const Acknowledge acknowledge_;
  uint64_t size_ ABSL_GUARDED_BY(mu_);
  bool write_failed_ = false;  // Only on the I/O thread.
};

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_LOG_H_
