// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POSIX_UNIQUE_FD_H_
#define VCD_CLIENT_POSIX_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace vcd::client {

// Owns one file descriptor and closes it. The client has its own because it sees nothing of `core`.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_POSIX_UNIQUE_FD_H_
