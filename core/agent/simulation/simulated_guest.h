// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_SIMULATION_SIMULATED_GUEST_H_
#define VCD_CORE_AGENT_SIMULATION_SIMULATED_GUEST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/agent/agent.h"
#include "core/agent/guest_error.h"
#include "core/agent/simulation/simulated_process.h"
#include "core/agent/simulation/simulated_program.h"
#include "core/model/container_limits.h"
#include "core/os/mutex.h"
#include "proto/vcd/state/v1/simulated_guest.pb.h"
#include "proto/vcd/v1/stats.pb.h"

namespace vcd {

// What the inside of a guest does, without a guest: containers with processes that are held, run, write, read and end,
// as their programs say (simulated_program.h). The mock agent and the tests' fake agent show it through GuestSession,
// the tests' scripted peer through frames. Thread-safe; calls do not block, but for `save`.
//
// SIGTERM, SIGKILL, SIGINT, SIGHUP and SIGQUIT end a process with 128 + n; other signals do nothing. The end of a
// container's first process ends its others with SIGKILL.
class SimulatedGuest {
 public:
  struct Options {
    // How many bytes of a stream it keeps, and so tells, beyond what was acknowledged.
    uint64_t output_window = 256 << 10;
    // How many it tells at once.
    uint64_t max_output = 16 << 10;
    std::function<absl::Time()> now = absl::Now;
    // Called under the guest's lock with all there is after each change, before anybody hears of it. When it fails no
    // process is made; what else happened stands, and is saved with the next change.
    std::function<absl::Status(const state::v1::SimulatedGuest&)> save = nullptr;
    // Called under the guest's lock when Advance is to be called: at that time, or never for InfiniteFuture.
    std::function<void(absl::Time)> wake = nullptr;
    // For the log.
    std::string pod_id;
  };

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
  // There is room for more input.
  struct InputTaken {
    ProcessKey process;
    uint64_t offset;
  };
  // Processes of the container were ended for want of memory, so many so far.
  struct OutOfMemory {
    std::string container_id;
    uint64_t kills;
  };
  using Event = std::variant<Output, Exited, InputTaken, OutOfMemory>;
  // Called in order under the guest's lock: must not call back into it.
  using Listener = std::function<void(Event)>;

  // A process with what only the link tells.
  struct Process {
    GuestProcess process;
    uint64_t stdout_end = 0;
    uint64_t stderr_end = 0;
    uint64_t stdin_received = 0;
    bool stdin_closed = false;
  };

  using Refusal = SimulatedRefusal;
  // The pid, or 0 where there is none.
  using Answer = std::variant<int32_t, Refusal>;

  SimulatedGuest() : SimulatedGuest(Options()) {}
  // `machine` is kept with it.
  explicit SimulatedGuest(Options options, std::string machine = "");
  // As it was saved; what is due since is done by the first Advance. It runs, also when it was saved paused.
  SimulatedGuest(const state::v1::SimulatedGuest& saved, Options options);

  // Tells the listener from now on, beginning with what was not acknowledged and all exits, in place of any listener
  // before; null tells nobody. Returns a number for Detach.
  uint64_t Attach(Listener listener) ABSL_LOCKS_EXCLUDED(mu_);
  // Tells nobody, unless another has attached since.
  void Detach(uint64_t attachment) ABSL_LOCKS_EXCLUDED(mu_);
  // Holds back what is to be told, or tells it at last.
  void SetMuted(bool muted) ABSL_LOCKS_EXCLUDED(mu_);
  // Stops the time of its processes, or lets it go on.
  void SetPaused(bool paused) ABSL_LOCKS_EXCLUDED(mu_);
  // Does what is due, and wakes as Options::wake says.
  void Advance() ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<Process> Processes() const ABSL_LOCKS_EXCLUDED(mu_);

  Answer Create(const std::string& container_id, const v1::Cmd& cmd, const std::vector<CgroupFile>& limits = {})
      ABSL_LOCKS_EXCLUDED(mu_);
  Answer Start(const std::string& container_id) ABSL_LOCKS_EXCLUDED(mu_);
  Answer RemoveContainer(const std::string& container_id) ABSL_LOCKS_EXCLUDED(mu_);
  Answer Exec(const ProcessKey& key, const v1::Cmd& cmd) ABSL_LOCKS_EXCLUDED(mu_);
  // A connection to a port where somebody says what was said to him.
  Answer Dial(const ProcessKey& key) ABSL_LOCKS_EXCLUDED(mu_);
  Answer Signal(const ProcessKey& key, int signal, bool all) ABSL_LOCKS_EXCLUDED(mu_);
  Answer Resize(const ProcessKey& key, const v1::TerminalSize& size) ABSL_LOCKS_EXCLUDED(mu_);
  Answer RemoveProcess(const ProcessKey& key) ABSL_LOCKS_EXCLUDED(mu_);
  // kWrongState when input is closed. `room` tells whether there is room for more, else InputTaken will.
  Answer Input(const ProcessKey& key, const std::string& data, bool close, bool* room = nullptr)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Acknowledge(const ProcessKey& key, StdStream stream, uint64_t offset) ABSL_LOCKS_EXCLUDED(mu_);

  // Its control groups have cpu, cpuset, io, memory and pids; a limit of anything else is refused, with all beside it.
  Answer UpdateLimits(const std::string& container_id, const std::vector<CgroupFile>& limits) ABSL_LOCKS_EXCLUDED(mu_);
  // What runs uses: each process the same of everything, and a guest of 256 MiB.
  std::variant<GuestUsage, Refusal> Usage(const std::string& container_id) const ABSL_LOCKS_EXCLUDED(mu_);
  std::variant<std::vector<v1::ProcessInfo>, Refusal> ListProcesses(const std::string& container_id) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // What a process does by itself. False when there is none, it is held (but for Exit) or has ended.
  bool Exit(const ProcessKey& key, int code, int signal = 0) ABSL_LOCKS_EXCLUDED(mu_);
  bool Print(const ProcessKey& key, StdStream stream, const std::string& bytes) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // What the link has told of a process.
  struct State {
    SimulatedProcess process;
    bool oom_counted = false;
    bool exit_told = false;
    bool input_waits = false;  // InputTaken is owed.
  };

  struct Container {
    std::map<std::string, std::string> limits;  // By file.
    uint64_t oom_kills = 0;
    uint64_t oom_kills_told = 0;
  };

  static Answer CheckLimits(const std::vector<CgroupFile>& limits);
  v1::ContainerStats UsageOf(const std::string& container_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  State* Find(const ProcessKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer Add(const ProcessKey& key, const v1::Cmd& cmd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(const ProcessKey& key, State& state, int code, int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndOthers(const ProcessKey& first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Lets every process do what it can, saves if anything has changed, tells, and asks to be woken.
  absl::Status Settle(bool changed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Save() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(const ProcessKey& key, State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Time Now() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  const std::string machine_;
  mutable Mutex mu_;
  Listener listener_ ABSL_GUARDED_BY(mu_);
  bool muted_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t attachment_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<ProcessKey, State> processes_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Container> containers_ ABSL_GUARDED_BY(mu_);
  int32_t next_pid_ ABSL_GUARDED_BY(mu_) = 101;
  // InfinitePast while it runs.
  absl::Time paused_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time wake_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_SIMULATION_SIMULATED_GUEST_H_
