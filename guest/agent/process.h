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
#include "guest/agent/stream_owner.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// A process of a container, from its launch until the host wants to hear no more of it. Its end and the last of its
// output are two things: ended() is true when the process is gone, exit() is known when its output is complete too.
class Process : public StreamOwner {
 public:
  // As StreamOwner's, for what only a process has.
  using LaunchListener = std::function<void(Process*)>;  // launch() has a new stage.

  Process(EventLoop* loop, ProcessName name, LaunchedProcess launched, Listener listener,
          LaunchListener launch_changed);
  ~Process() override;

  int pidfd() const { return pidfd_.get(); }
  const LaunchStatus& launch() const { return launch_; }

  // Lets the held program run. False if it was told to before.
  bool Go();
  bool told_to_go() const { return told_to_go_; }

  // Sends `signal` to this process alone.
  Outcome Signal(int signal) override;

  // SIGKILL was sent, to it alone or among others: its end by that has no other cause.
  void MarkToldToDie() { told_to_die_ = true; }
  bool told_to_die() const { return told_to_die_; }

  // The reaper has it: `wait_status` is waitpid's. `oom_killed`: the kernel ended it for want of memory.
  void OnReaped(int wait_status, bool oom_killed = false);
  bool ended() const override { return wait_status_.has_value(); }

  std::optional<::vcd::agent::v1::ExitInfo> exit() const override;

  Outcome ResizeTerminal(const ::vcd::agent::v1::TerminalSize& size) override;
  ::vcd::agent::v1::Process Describe() const override;

 private:
  void ReadLaunchStatus();
  void UseTerminal(UniqueFd master);

  const LaunchListener launch_changed_;
  const UniqueFd pidfd_;
  UniqueFd status_;
  UniqueFd go_;
  EventLoop::WatchId status_watch_ = 0;
  LaunchStatus launch_;
  bool told_to_go_ = false;
  bool told_to_die_ = false;
  bool oom_killed_ = false;
  std::optional<int> wait_status_;
  const bool interactive_;
  // While the process lives. The streams have descriptors of their own. The slave is open here too, so that a process
  // that closes it may open it again: the terminal ends with the process.
  UniqueFd terminal_;
  bool has_terminal_ = false;  // Or had one.
  UniqueFd slave_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_PROCESS_H_
