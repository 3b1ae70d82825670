// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_TESTING_AGENT_PEER_H_
#define VCD_GUEST_AGENT_TESTING_AGENT_PEER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/link/frame_codec.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// The host's side of an agent, one that runs as a process of the test or one in a virtual machine: speaks to it, and
// collects what it tells.
// Every wait ends after half a minute with a throw of std::runtime_error, so that a test fails and does not hang.
class AgentPeer {
 public:
  using ProcessKey = std::pair<std::string, std::string>;  // Container, process.

  // Starts `program` with `arguments` and an end of a socket pair as --fd.
  explicit AgentPeer(const std::string& program, const std::vector<std::string>& arguments = {});

  // Speaks over `socket` to an agent that somebody else started.
  explicit AgentPeer(UniqueFd socket) : socket_(std::move(socket)) {}

  // Hangs up, and goes on over `socket`, as a host that was started again. Say Hello next.
  void Reconnect(UniqueFd socket);

  // Hangs up and waits for the end of an agent that was started here.
  ~AgentPeer();

  AgentPeer(const AgentPeer&) = delete;
  AgentPeer& operator=(const AgentPeer&) = delete;

  // Says HELLO with a new nonce and waits for its answer, throwing away what comes before. What was not acknowledged so
  // far is forgotten here, as by a host that has started anew.
  ::vcd::agent::v1::HelloAck Hello(const ::vcd::agent::v1::Hello& hello = {});

  // Sends a request and waits for its reply. `sent` runs in between.
  ::vcd::agent::v1::Reply Call(::vcd::agent::v1::HostMessage request, const std::function<void()>& sent = nullptr);

  // Sends a message without waiting.
  void Post(const ::vcd::agent::v1::HostMessage& message);
  void PostRaw(const std::string& bytes);

  // Waits until the process's exit and all its output are told.
  ::vcd::agent::v1::ExitInfo WaitForExit(const std::string& container, const std::string& process = "");

  // Waits until at least `bytes` of standard output are here.
  void WaitForStdout(size_t bytes, const std::string& container, const std::string& process = "");

  // Waits until the agent took input up to `offset`.
  void WaitForInputAck(uint64_t offset, const std::string& container, const std::string& process = "");

  // Waits for the agent's end; its exit code.
  int WaitForAgent();

  // What was written so far, by all connections.
  const std::string& Stdout(const std::string& container, const std::string& process = "");
  const std::string& Stderr(const std::string& container, const std::string& process = "");

  // Whether output is acknowledged as it comes, as at first, or when AckStdout says so.
  void set_auto_ack(bool on) { auto_ack_ = on; }
  void AckStdout(uint64_t offset, const std::string& container, const std::string& process = "");

  // Forgets what it knows of a container, whose name may come again.
  void Forget(const std::string& container);

  // Reads one message and takes note of it; false if none comes within `timeout_ms`.
  bool ReadOne(int timeout_ms);

  pid_t pid() const { return pid_; }

 private:
  struct Stream {
    std::string data;
    uint64_t acked = 0;
  };
  struct State {
    Stream out;
    Stream err;
    std::optional<::vcd::agent::v1::ExitInfo> exit;
    uint64_t input_taken = 0;
  };

  ::vcd::agent::v1::GuestMessage Receive();
  std::optional<::vcd::agent::v1::GuestMessage> TryReceive(int timeout_ms);
  void Note(const ::vcd::agent::v1::GuestMessage& message);
  void NoteOutput(const ::vcd::agent::v1::Output& output);

  UniqueFd socket_;
  pid_t pid_ = -1;
  FrameDecoder decoder_;
  uint64_t last_id_ = 0;
  bool auto_ack_ = true;
  std::map<ProcessKey, State> processes_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_TESTING_AGENT_PEER_H_
