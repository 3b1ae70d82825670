// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONNECTION_H_
#define VCD_GUEST_AGENT_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/outcome.h"
#include "guest/agent/stream_owner.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// What can be said of a command that connects to a port: ERROR_CODE_INVALID, or nothing.
Outcome CheckDialCommand(const ::vcd::agent::v1::Command& command);

// How many connections a machine with so much memory may have at a time: all that wait in them for peers that do not
// read, and for a host that does not, is a quarter of it.
size_t MostConnections(uint64_t memory_bytes);

// A connection to a TCP port of this machine that the host has as a process (Command.dial). What the peer says is the
// standard output; the standard input goes to the peer; each way has an end of its own. How it ends, and what it says
// on standard error, is in core/link/link_limits.h.
class Connection : public StreamOwner {
 public:
  // connected() or failed() has become true. As with StreamOwner::Listener.
  using DialListener = std::function<void(Connection*)>;

  // Begins to connect, which may have failed already. `dial` has passed CheckDialCommand.
  Connection(EventLoop* loop, ProcessName name, const ::vcd::agent::v1::Command::Dial& dial, Listener listener,
             DialListener dial_changed);
  ~Connection() override;

  // It stands, or stood. Its streams are there from then on.
  bool connected() const { return stdin_.has_value(); }

  // It will never stand. Why: ERROR_CODE_CONNECTION_REFUSED, ERROR_CODE_UNREACHABLE, ERROR_CODE_SYSTEM.
  bool failed() const { return failed_; }
  const Outcome& failure() const { return failure_; }

  // Any signal is its end.
  Outcome Signal(int signal) override;
  Outcome ResizeTerminal(const ::vcd::agent::v1::TerminalSize& size) override;
  bool ended() const override { return exit_.has_value(); }
  std::optional<::vcd::agent::v1::ExitInfo> exit() const override { return exit_; }

 private:
  void TryNextAddress();
  void OnTried(int error);
  void StopTrying();
  void NoteFailure(int error);
  int Begin();

  void OnOutput() override;
  void OnInputTaken() override;
  // After each change: whether the peer has said all, and whether everything has ended.
  void Settle();
  void Break(int error);
  void End(int code, int signal);

  const DialListener dial_changed_;
  const uint32_t port_;
  std::vector<std::string> addresses_;  // Still to be tried, from the last to the first.
  std::string address_;                 // That is tried now.
  Outcome failure_;                     // Of the first that was tried.
  bool failed_ = false;
  UniqueFd socket_;               // The streams have descriptors of their own.
  EventLoop::WatchId watch_ = 0;  // Until it stands; then, once the peer has said all, for its breaking.
  EventLoop::TimerId deadline_ = 0;
  bool peer_ended_ = false;
  std::optional<::vcd::agent::v1::ExitInfo> exit_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONNECTION_H_
