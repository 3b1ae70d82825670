// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_FORWARD_FORWARDED_CONNECTION_H_
#define VCD_CLIENT_FORWARD_FORWARDED_CONNECTION_H_

#include <atomic>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "client/daemon/bidi_stream.h"
#include "client/posix/event_fd.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {

// A connection to this host and one to a port in a pod, as one: bytes go both ways, each at the pace of who takes them,
// and so does the end of each. Two threads of its own; all calls come from one thread. Cut off when it goes.
class ForwardedConnection {
 public:
  // `socket` blocks. SIGPIPE must be ignored.
  ForwardedConnection(std::unique_ptr<PortForwardStream> stream, const v1::PortForwardRequest::Start& start,
                      UniqueFd socket);
  ~ForwardedConnection();

  // Readable once it has ended.
  int done_fd() const { return done_.fd(); }
  // Waits for its end. An error is the pod's side's: what breaks on this side is nobody's failure but its user's.
  absl::Status Result();

 private:
  void Run(const v1::PortForwardRequest& first);
  // What the pod says, to its end; false when nobody here takes it any more.
  bool Download();
  // What is said here, to its end.
  void Upload();
  void GiveUp();

  const std::unique_ptr<PortForwardStream> stream_;
  const UniqueFd socket_;
  EventFd stop_;
  EventFd done_;
  std::atomic<bool> given_up_{false};
  absl::Status result_;
  std::thread thread_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_FORWARD_FORWARDED_CONNECTION_H_
