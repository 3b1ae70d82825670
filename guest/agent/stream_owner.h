// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_STREAM_OWNER_H_
#define VCD_GUEST_AGENT_STREAM_OWNER_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/outcome.h"
#include "guest/agent/process_pipes.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// The names that host and agent know a process by.
struct ProcessName {
  std::string container_id;  // Empty: it is a connection.
  std::string process_id;    // Empty: the container's first process.
};

// What the host has as a process: a name, three streams and an end. It is one (Process), or a connection to a port
// (Connection).
class StreamOwner {
 public:
  // What the agent wants to be told. Run from the event loop; may destroy nothing of the owner right away.
  struct Listener {
    std::function<void(StreamOwner*)> output_changed;  // There is more to send, or exit() has become known.
    std::function<void(StreamOwner*)> input_taken;     // What its input has taken has grown.
  };

  virtual ~StreamOwner() = default;
  StreamOwner(const StreamOwner&) = delete;
  StreamOwner& operator=(const StreamOwner&) = delete;

  const ProcessName& name() const { return name_; }
  pid_t pid() const { return pid_; }

  // ERROR_CODE_WRONG_STATE once it has ended.
  virtual Outcome Signal(int signal) = 0;

  // ERROR_CODE_WRONG_STATE for one that has no terminal, or has ended.
  virtual Outcome ResizeTerminal(const ::vcd::agent::v1::TerminalSize& size) = 0;

  virtual bool ended() const = 0;

  // How it ended, once all its output was read.
  virtual std::optional<::vcd::agent::v1::ExitInfo> exit() const = 0;

  // Whether exit() was sent on this connection to the host.
  bool exit_told() const { return exit_told_; }
  void MarkExitTold() { exit_told_ = true; }

  OutputPipe& stdout_pipe() { return *stdout_; }
  OutputPipe& stderr_pipe() { return *stderr_; }
  InputPipe& stdin_pipe() { return *stdin_; }

  // The host connects anew: what was sent and not acknowledged is to be sent again.
  void Rewind();

  // Its line in HELLO_ACK.
  virtual ::vcd::agent::v1::Process Describe() const;

 protected:
  StreamOwner(EventLoop* loop, ProcessName name, pid_t pid, Listener listener)
      : loop_(loop), listener_(std::move(listener)), name_(std::move(name)), pid_(pid) {}

  // Makes the streams over what is given, or over nothing. At most `window` bytes of each output are held, while its
  // writer lives.
  void MakeStreams(UniqueFd stdin_fd, UniqueFd stdout_fd, UniqueFd stderr_fd, size_t window);

  // One of them, or exit(), is not what it was. From within the streams.
  virtual void OnOutput() { listener_.output_changed(this); }
  virtual void OnInputTaken() { listener_.input_taken(this); }

  // `exit`, with where the streams end.
  ::vcd::agent::v1::ExitInfo WithEnds(::vcd::agent::v1::ExitInfo exit) const;

  EventLoop* const loop_;
  const Listener listener_;
  // Always there, but for a connection that does not stand yet.
  std::optional<OutputPipe> stdout_;
  std::optional<OutputPipe> stderr_;
  std::optional<InputPipe> stdin_;

 private:
  const ProcessName name_;
  const pid_t pid_;
  bool exit_told_ = false;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_STREAM_OWNER_H_
