// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_ATTACH_SESSION_H_
#define VCD_CLIENT_PROCESS_ATTACH_SESSION_H_

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "client/daemon/bidi_stream.h"
#include "client/environment.h"
#include "client/posix/event_fd.h"
#include "client/process/detach_keys.h"
#include "proto/vcd/v1/process.pb.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {

// Carries a process's output to vc's own, the two streams apart, and vc's input to the process. Two threads: one reads
// the stream and writes to the descriptors, one reads standard input; both are joined by Finish. All methods are for
// one thread. Output is written before the next message is read, so nothing is lost and a slow reader slows the
// process.
class AttachSession {
 public:
  // How it ended. One of the three is set.
  struct Outcome {
    std::optional<v1::ExitStatus> exit_status;
    absl::Status error;    // Of the daemon or the connection.
    int output_errno = 0;  // Of writing, EPIPE when nobody reads any more.
  };

  // Opens the stream at once. `streams` must stay open until Finish.
  AttachSession(std::unique_ptr<AttachStream> stream, v1::AttachRequest::Start start, Streams streams);
  ~AttachSession();

  // Readable after attached(), detached(), hung_up() or ended() has changed; ClearChanged makes it wait for the next
  // change.
  int changed_fd() const { return changed_.fd(); }
  void ClearChanged() { changed_.Take(); }
  bool attached() const { return attached_; }
  bool ended() const { return ended_; }

  // What the end of standard input is.
  enum class InputEnd {
    kClosesStdin,  // The process's has it too.
    kIsHangUp,     // A terminal of which each key is a byte for the process ends only when it is lost.
  };

  // Starts to send standard input. Once, when attached. `keys` end the sending, and then detached() is true; a hang-up
  // does, of which the process hears nothing, and then hung_up() is.
  void SendInput(DetachKeys keys, InputEnd end);
  bool detached() const { return detached_; }
  bool hung_up() const { return hung_up_; }
  // Ends the session at once, also while nobody takes its output.
  void Cancel();
  // Waits for the end.
  Outcome Finish();

 private:
  void ReadStream(const v1::AttachRequest& first);
  // False when the session is over.
  bool Take(const v1::AttachResponse& response);
  void ReadInput(DetachKeys keys, InputEnd end);

  const std::unique_ptr<AttachStream> stream_;
  const Streams streams_;
  EventFd changed_;
  EventFd stop_output_;
  EventFd stop_input_;
  std::atomic<bool> attached_{false};
  std::atomic<bool> ended_{false};
  std::atomic<bool> detached_{false};
  std::atomic<bool> hung_up_{false};
  Outcome outcome_;  // The reader's until ended_.
  bool finished_ = false;
  std::thread input_;
  std::thread reader_;  // Last: it uses the others.
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_ATTACH_SESSION_H_
