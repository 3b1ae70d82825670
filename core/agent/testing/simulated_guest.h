// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_TESTING_SIMULATED_GUEST_H_
#define VCD_CORE_AGENT_TESTING_SIMULATED_GUEST_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/agent/agent.h"
#include "core/agent/guest_error.h"
#include "core/os/mutex.h"

namespace vcd {

// What the inside of a guest does, without a guest: containers with processes that are held, run, write, read and end.
// The tests' fake agent shows it through GuestSession, the scripted peer through frames. Thread-safe; calls do not
// block.
//
// A process does what its program says, the base name of args[0]:
//   cat              writes what it reads, ends with 0 when its input ends
//   print OUT ERR    writes its arguments to the two streams, ends with 0
//   flood N          writes N bytes (offset modulo 251) to stdout, ends with 0
//   exit CODE        ends
//   missing, locked  cannot be created: COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
//   any other        runs until Exit or a signal ends it
// An interactive process takes all input at once; the others have none.
// SIGTERM, SIGKILL, SIGINT, SIGHUP and SIGQUIT end a process with 128 + n; other signals do nothing. The end of a
// container's first process ends its others with SIGKILL. The user `nobody-such` is unknown.
class SimulatedGuest {
 public:
  struct Output {
    ProcessKey process;
    StdStream stream;
    uint64_t offset;
    std::string data;
  };
  struct Exited {
    ProcessKey process;
    v1::ExitStatus status;
    uint64_t stdout_end;
    uint64_t stderr_end;
  };
  struct InputTaken {
    ProcessKey process;
    uint64_t offset;
  };
  using Event = std::variant<Output, Exited, InputTaken>;
  // Called in order under the guest's lock: must not call back into it.
  using Listener = std::function<void(Event)>;

  // A process with what only the link tells.
  struct Process {
    GuestProcess process;
    uint64_t stdout_end = 0;
    uint64_t stderr_end = 0;
    uint64_t stdin_received = 0;
  };

  // Why a request was refused, in the guest's words.
  struct Refusal {
    GuestError error;
    std::string words;
  };
  // The pid, or 0 where there is none.
  using Answer = std::variant<int32_t, Refusal>;

  // `output_window` is how many bytes of a stream it tells beyond what was acknowledged; `max_output` how many at once.
  explicit SimulatedGuest(uint64_t output_window = 256 << 10, uint64_t max_output = 16 << 10)
      : output_window_(output_window), max_output_(max_output) {}

  // Tells the listener from now on, beginning with what was not acknowledged and all exits, in place of any listener
  // before; null tells nobody. Returns a number for Detach.
  uint64_t Attach(Listener listener) ABSL_LOCKS_EXCLUDED(mu_);
  // Tells nobody, unless another has attached since.
  void Detach(uint64_t attachment) ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<Process> Processes() const ABSL_LOCKS_EXCLUDED(mu_);

  Answer Create(const std::string& container_id, const v1::Cmd& cmd) ABSL_LOCKS_EXCLUDED(mu_);
  Answer Start(const std::string& container_id) ABSL_LOCKS_EXCLUDED(mu_);
  Answer RemoveContainer(const std::string& container_id) ABSL_LOCKS_EXCLUDED(mu_);
  Answer Exec(const ProcessKey& key, const v1::Cmd& cmd) ABSL_LOCKS_EXCLUDED(mu_);
  Answer Signal(const ProcessKey& key, int signal, bool all) ABSL_LOCKS_EXCLUDED(mu_);
  Answer RemoveProcess(const ProcessKey& key) ABSL_LOCKS_EXCLUDED(mu_);
  // kWrongState when input is closed.
  Answer Input(const ProcessKey& key, const std::string& data, bool close) ABSL_LOCKS_EXCLUDED(mu_);
  void Acknowledge(const ProcessKey& key, StdStream stream, uint64_t offset) ABSL_LOCKS_EXCLUDED(mu_);

  // What a process does by itself. False when there is none, it is held (but for Exit) or has ended.
  bool Exit(const ProcessKey& key, int code) ABSL_LOCKS_EXCLUDED(mu_);
  bool Print(const ProcessKey& key, StdStream stream, const std::string& bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // From now on these signals do not end the guest's processes; SIGKILL always does.
  void IgnoreSignals(std::set<int> signals) ABSL_LOCKS_EXCLUDED(mu_);

  // What the process has read so far.
  std::string InputOf(const ProcessKey& key) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct StreamState {
    std::string kept;  // From `acked` on.
    uint64_t acked = 0;
    uint64_t told = 0;  // To this listener.
    uint64_t end() const { return acked + kept.size(); }
  };
  struct State {
    GuestProcess process;
    v1::Cmd cmd;
    std::array<StreamState, 2> streams;
    std::string input;
    bool input_closed = false;
    bool exit_told = false;
  };

  State* Find(const ProcessKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer Add(const ProcessKey& key, const v1::Cmd& cmd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run(const ProcessKey& key, State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(const ProcessKey& key, State& state, int code, int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Write(State& state, StdStream stream, const std::string& bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(const ProcessKey& key, State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const uint64_t output_window_;
  const uint64_t max_output_;
  mutable Mutex mu_;
  Listener listener_ ABSL_GUARDED_BY(mu_);
  uint64_t attachment_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<ProcessKey, State> processes_ ABSL_GUARDED_BY(mu_);
  std::set<int> ignored_signals_ ABSL_GUARDED_BY(mu_);
  int32_t next_pid_ ABSL_GUARDED_BY(mu_) = 101;
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_TESTING_SIMULATED_GUEST_H_
