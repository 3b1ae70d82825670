// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_DAEMON_BIDI_STREAM_H_
#define VCD_CLIENT_DAEMON_BIDI_STREAM_H_

#include "absl/status/status.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {

// A stream in both directions. One thread reads and, at the same time, one other may write; Cancel is for any thread at
// any time. Order: Open, then Read and Write, then Finish when neither is under way.
template <typename Request, typename Response>
class BidiStream {
 public:
  virtual ~BidiStream() = default;

  // Opens the stream and sends the first request. Blocks until it is sent. Finish must follow.
  virtual void Open(const Request& first) = 0;
  // Blocks until a message comes; false when there are no more.
  virtual bool Read(Response* response) = 0;
  // Blocks while the daemon takes no more; false when the stream has ended.
  virtual bool Write(const Request& request) = 0;
  // Ends the stream at once; Read and Write then answer false.
  virtual void Cancel() = 0;
  // How the stream ended. Only after Read answered false or Cancel was called.
  virtual absl::Status Finish() = 0;
};

// To one process, and to a port of a pod.
using AttachStream = BidiStream<v1::AttachRequest, v1::AttachResponse>;
using PortForwardStream = BidiStream<v1::PortForwardRequest, v1::PortForwardResponse>;

}  // namespace vcd::client

#endif  // VCD_CLIENT_DAEMON_BIDI_STREAM_H_
