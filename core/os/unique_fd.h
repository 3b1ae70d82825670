// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_UNIQUE_FD_H_
#define VCD_CORE_OS_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace vcd {

// Owns a file descriptor and closes it. Move-only; -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  // Gives the descriptor away.
  int Release() { return std::exchange(fd_, -1); }

  // Closes what is held and holds `fd`. close(2) is not repeated on EINTR: Linux has closed it by then.
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) ::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_UNIQUE_FD_H_
