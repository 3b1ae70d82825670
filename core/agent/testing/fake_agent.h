// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_TESTING_FAKE_AGENT_H_
#define VCD_CORE_AGENT_TESTING_FAKE_AGENT_H_

#include <memory>
#include <string>
#include <vector>

#include "core/agent/agent.h"
#include "core/agent/simulation/simulated_guest.h"
#include "core/os/io_thread.h"

namespace vcd {

// An agent in memory for tests of what stands on top of one: it keeps the contract, does all at once, and fails or
// hangs where it is told to. Its guests (SimulatedGuest) live in this object, so that a test of a daemon's restart
// keeps it while it makes everything else anew: another Connect for the same pod and the same machine
// (VirtualMachine::Record's process) finds the guest as it was, for another machine a fresh one. Of the machine it asks
// for nothing else. Thread-safe. `io` must outlive it and every session.
//
// A step is named as the method is: "Connect", "CreateContainer", "StartContainer", "RemoveContainer", "Exec",
// "ExecDial", "Signal", "ResizeTerminal", "RemoveProcess", "WriteInput", "ListProcesses", "GetUsage",
// "UpdateResources", "SetClock", "SetCpus", "SetInterface", "RemoveInterface", "Shutdown".
class FakeAgent : public Agent {
 public:
  explicit FakeAgent(IoThread& io);
  ~FakeAgent() override;

  // The n-th call of the step from now on (1 is the next) fails with `error` and does nothing.
  void FailNth(const std::string& step, int n, absl::Status error);
  // The n-th call of the step from now on does nothing and blocks until its context ends or the guest is lost.
  // WriteInput never blocks: its `done` waits for the guest's end.
  void HangNth(const std::string& step, int n);
  // Forgets the failures and hangs that have not happened.
  void ForgetFaults();
  // Blocks until some call hangs in the step; false when there is none after ten seconds.
  bool WaitUntilHanging(const std::string& step);

  // What was called, in order: "Connect pod-1", "CreateContainer pod-1 c1", "Exec pod-1 c1/p1", "Signal pod-1 c1 15",
  // "Signal pod-1 c1/p1 9 all", "WriteInput pod-1 c1". Calls that failed count too.
  std::vector<std::string> calls() const;
  // The last container that it made, as it was asked for.
  GuestContainerSpec last_spec() const;
  // How many sessions exist: what a test that cleans up leaves at none.
  int live_sessions() const;

  // The pod's guest, made when there is none. The guest of an earlier machine stays usable, to no effect.
  std::shared_ptr<SimulatedGuest> Guest(const std::string& pod_id);

  // The next machine of the pod has this guest, as one that goes on from an image has.
  void GiveGuest(const std::string& pod_id, std::shared_ptr<SimulatedGuest> guest);

  // As those of SimulatedGuest.
  bool Exit(const std::string& pod_id, const ProcessKey& key, int code) { return Guest(pod_id)->Exit(key, code); }
  bool Print(const std::string& pod_id, const ProcessKey& key, StdStream stream, const std::string& bytes) {
    return Guest(pod_id)->Print(key, stream, bytes);
  }
  // Ids of the containers in the guest, sorted.
  std::vector<std::string> containers(const std::string& pod_id);
  // What was set up in the guest and not taken away, in order of hardware address.
  std::vector<v1::PodInterface> interfaces(const std::string& pod_id);
  // Whether the pod's guest answers pings; it does at first. All else it goes on doing.
  void SetAnswersPings(const std::string& pod_id, bool answers);
  // Tells that the guest is short of memory.
  void TellMemoryPressure(const std::string& pod_id, double some_percent);
  // Ends the pod's session as a broken link would: its calls fail with `why`, and its observer hears of it. The guest
  // stays as it is.
  void Lose(const std::string& pod_id, absl::Status why);

  void set_capabilities(const AgentCapabilities& capabilities);

  AgentCapabilities capabilities() const override;
  absl::StatusOr<std::unique_ptr<GuestSession>> Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                        GuestObserver& observer, const CallContext& context) override;

 private:
  class World;
  class Session;
  class Conversation;
  // Shared with the sessions.
  std::shared_ptr<World> world_;
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_TESTING_FAKE_AGENT_H_
