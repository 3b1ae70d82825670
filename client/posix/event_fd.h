// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POSIX_EVENT_FD_H_
#define VCD_CLIENT_POSIX_EVENT_FD_H_

#include <initializer_list>

#include "client/posix/unique_fd.h"

namespace vcd::client {

// A flag that poll(2) can wait for; set from any thread. What was written before Set() is seen after Take().
class EventFd {
 public:
  EventFd();

  // Readable while the flag is set.
  int fd() const { return fd_.get(); }
  void Set();
  // Clears the flag; false when it was not set. Does not block.
  bool Take();

 private:
  UniqueFd fd_;
};

// Waits until one of the descriptors is readable or has an error and returns its place in the list, the first of
// several. Negative descriptors are passed over. Blocks without limit.
int WaitReadable(std::initializer_list<int> fds);

}  // namespace vcd::client

#endif  // VCD_CLIENT_POSIX_EVENT_FD_H_
