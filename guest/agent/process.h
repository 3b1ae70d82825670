// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_PROCESS_H_
#define VCD_GUEST_AGENT_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/launch.h"
#include "guest/agent/outcome.h"
#include "guest/agent/process_pipes.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// The names that host and agent know a process by.
struct ProcessName {
  std::string container_id;
  std::string process_id;  // Empty: the container's first process.
};

// A process of a container, from its launch until the host wants to hear no more of it. Its end and the last of its
// output are two things: ended() is true when the process is gone, exit() is known when its output is complete too.
class Process {
 public:
  // What the agent wants to be told. Run from the event loop; may destroy nothing of the process right away.
  struct Listener {
    std::function<void(Process*)> launch_changed;  // launch() has a new stage.
    std::function<void(Process*)> output_changed;  // There is more to send, or exit() has become known.
    std::function<void(Process*)> input_taken;     // input_taken() has grown.
  };

  Process(EventLoop* loop, ProcessName name, LaunchedProcess launched, Listener listener);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const ProcessName& name() const { return name_; }
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  const LaunchStatus& launch() const { return launch_; }

  // Lets the held program run. False if it was told to before.
  bool Go();
  bool told_to_go() const { return told_to_go_; }

  // Sends `signal` to this process alone. ERROR_CODE_WRONG_STATE once it has ended.
  Outcome Signal(int signal);

  // SIGKILL was sent, to it alone or among others: its end by that has no other cause.
  void MarkToldToDie() { told_to_die_ = true; }
  bool told_to_die() const { return told_to_die_; }

  // The reaper has it: `wait_status` is waitpid's. `oom_killed`: the kernel ended it for want of memory.
  void OnReaped(int wait_status, bool oom_killed = false);
  bool ended() const { return wait_status_.has_value(); }

  // How it ended, once all its output was read.
  std::optional<::vcd::agent::v1::ExitInfo> exit() const;

  // Whether exit() was sent on this connection.
  bool exit_told() const { return exit_told_; }
  void MarkExitTold() { exit_told_ = true; }

  OutputPipe& stdout_pipe() { return *stdout_; }
  OutputPipe& stderr_pipe() { return *stderr_; }
  InputPipe& stdin_pipe() { return *stdin_; }

  // ERROR_CODE_WRONG_STATE for a process that has no terminal, or has ended.
  Outcome ResizeTerminal(const ::vcd::agent::v1::TerminalSize& size);

  // A new connection: what was sent and not acknowledged is to be sent again.
  void Rewind();

  // The process's line in HELLO_ACK.
  ::vcd::agent::v1::Process Describe() const;

 private:
  void ReadLaunchStatus();
  void MakeStreams(UniqueFd stdin_fd, UniqueFd stdout_fd, UniqueFd stderr_fd);
  void UseTerminal(UniqueFd master);

  EventLoop* const loop_;
  const ProcessName name_;
  const Listener listener_;
  const pid_t pid_;
  const UniqueFd pidfd_;
  UniqueFd status_;
  UniqueFd go_;
  EventLoop::WatchId status_watch_ = 0;
  LaunchStatus launch_;
  bool told_to_go_ = false;
  bool exit_told_ = false;
  bool told_to_die_ = false;
  bool oom_killed_ = false;
  std::optional<int> wait_status_;
  const bool interactive_;
  // While the process lives. The streams have descriptors of their own. The slave is open here too, so that a process
  // that closes it may open it again: the terminal ends with the process.
  UniqueFd terminal_;
  bool has_terminal_ = false;  // Or had one.
  UniqueFd slave_;
  // Always there. Those of a terminal are made anew once it is known, before the host hears of the process.
  std::optional<OutputPipe> stdout_;
  std::optional<OutputPipe> stderr_;
  std::optional<InputPipe> stdin_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_PROCESS_H_
