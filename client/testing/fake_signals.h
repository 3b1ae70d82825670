// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_SIGNALS_H_
#define VCD_CLIENT_TESTING_FAKE_SIGNALS_H_

#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "client/posix/signals.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {

// Signals that a test sends. Outlives the sources it hands out; Send is for any thread.
class FakeSignals {
 public:
  FakeSignals() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0) {
      read_ = UniqueFd(fds[0]);
      write_ = UniqueFd(fds[1]);
    }
  }

  void Send(int signal) {
    const char byte = static_cast<char>(signal);
    (void)!::write(write_.get(), &byte, 1);
  }

  std::unique_ptr<SignalSource> NewSource() { return std::make_unique<Source>(read_.get()); }

 private:
  class Source : public SignalSource {
   public:
    explicit Source(int fd) : fd_(fd) {}
    int fd() const override { return fd_; }
    int Take() override {
      char byte = 0;
      return ::read(fd_, &byte, 1) == 1 ? byte : 0;
    }

   private:
    const int fd_;
  };

  UniqueFd read_;
  UniqueFd write_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_SIGNALS_H_
