// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_FAILING_LOG_DISK_H_
#define VCD_CORE_POD_TESTING_FAILING_LOG_DISK_H_

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

#include "core/pod/log_disk.h"
#include "core/status/error_detail.h"

namespace vcd {

// A real disk that fills up, or from which the daemon disappears: from then on nothing changes it. One thread.
class FailingLogDisk : public LogDisk {
 public:
  // Only `room` more bytes fit, and no new file.
  void FillUp(uint64_t room) { room_ = room; }
  void MakeRoom() { room_.reset(); }

  // The daemon dies at the `operation`-th change from now, counted from 1. An append counts twice: it may be half done.
  void DieAt(int operation) { left_ = operation; }
  void Revive() { left_.reset(); }
  bool dead() const { return left_.has_value() && *left_ <= 0; }

  absl::StatusOr<UniqueFd> OpenToAppend(const std::string& path) override {
    if (Dies()) return Killed();
    if (room_.has_value() && !OpenLogToRead(path).ok()) return PosixError(ENOSPC, path);
    return LogDisk::OpenToAppend(path);
  }
  absl::Status Append(int fd, absl::string_view bytes, const std::string& path) override {
    if (Dies()) return Killed();
    if (Dies()) {
      (void)LogDisk::Append(fd, bytes.substr(0, bytes.size() / 2), path);
      return Killed();
    }
    if (!room_.has_value()) return LogDisk::Append(fd, bytes, path);
    const absl::string_view fits = bytes.substr(0, *room_);
    *room_ -= fits.size();
    (void)LogDisk::Append(fd, fits, path);
    return fits.size() == bytes.size() ? absl::OkStatus() : PosixError(ENOSPC, path);
  }
  absl::Status Truncate(int fd, uint64_t size, const std::string& path) override {
    return Dies() ? Killed() : LogDisk::Truncate(fd, size, path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Dies() ? Killed() : LogDisk::Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override { return Dies() ? Killed() : LogDisk::Remove(path); }
  // Takes no room, as on real disks.
  absl::Status PutNote(const std::string& path, const std::string& text) override {
    return Dies() ? Killed() : LogDisk::PutNote(path, text);
  }

 private:
  bool Dies() { return left_.has_value() && --*left_ <= 0; }
  static absl::Status Killed() { return absl::AbortedError("the daemon is dead"); }

  std::optional<uint64_t> room_;
  std::optional<int> left_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_TESTING_FAILING_LOG_DISK_H_
