// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_SIMULATION_SIMULATED_PROCESS_H_
#define VCD_CORE_AGENT_SIMULATION_SIMULATED_PROCESS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/agent/agent.h"
#include "core/agent/simulation/simulated_program.h"
#include "proto/vcd/state/v1/simulated_guest.pb.h"

namespace vcd {

// One process of a SimulatedGuest: a program, how far it has come, and its streams. It runs only while it has room to
// write into, as a process at a full pipe does; so what is kept of a stream is bounded. Not thread-safe.
class SimulatedProcess {
 public:
  struct Stream {
    std::string kept;  // From `acked` on.
    uint64_t acked = 0;
    uint64_t told = 0;  // To the guest's listener.
    uint64_t end() const { return acked + kept.size(); }
  };

  // Held. `window` is how much of a stream it keeps at most.
  SimulatedProcess(const v1::Cmd& cmd, SimulatedProgram program, int32_t pid, uint64_t window);
  // As it was stored.
  SimulatedProcess(const state::v1::SimulatedProcess& stored, SimulatedProgram program, uint64_t window);
  void Store(state::v1::SimulatedProcess* stored) const;

  int32_t pid() const { return pid_; }
  bool started() const { return started_; }
  const v1::Cmd& cmd() const { return cmd_; }
  // When it was let go.
  absl::Time started_at() const { return started_at_; }
  bool stubborn() const { return program_.stubborn; }
  const std::optional<v1::ExitStatus>& exit() const { return exit_; }
  Stream& stream(StdStream which) { return streams_[which == StdStream::kStdout ? 0 : 1]; }
  const Stream& stream(StdStream which) const { return streams_[which == StdStream::kStdout ? 0 : 1]; }
  uint64_t input_received() const { return input_received_; }
  size_t unread_input() const { return input_.size(); }
  bool input_closed() const { return input_closed_; }

  // Lets it go at `now`.
  void Start(absl::Time now);
  // Does all that it can by `now`. True when anything has changed.
  bool Run(absl::Time now);
  // When Run has something to do next, unless it is given room or input before; InfiniteFuture for never.
  absl::Time NextWake() const;
  // The guest stood still for that long.
  void Shift(absl::Duration pause) { time_ += pause; }

  void Give(const std::string& data, bool close);
  bool terminal() const { return cmd_.terminal(); }
  // False when it has no terminal.
  bool Resize(const v1::TerminalSize& size);
  // By itself, beside its program; not when it is detached.
  void Write(StdStream stream, const std::string& bytes);
  void End(const v1::ExitStatus& status);
  // Forgets output. False when that was not told, or is forgotten already.
  bool Acknowledge(StdStream stream, uint64_t offset);

 private:
  using Step = SimulatedStep;

  // True when the step is done.
  bool RunStep(const Step& step, absl::Time now);
  bool WriteStep(const Step& step);
  bool CopyInput();
  bool WriteSizes();
  // Where it writes: a terminal is one stream.
  StdStream Merged(StdStream stream) const { return cmd_.terminal() ? StdStream::kStdout : stream; }
  std::string SizeLine() const;
  size_t Room(StdStream stream) const;

  v1::Cmd cmd_;
  const SimulatedProgram program_;
  const int32_t pid_;
  const uint64_t window_;
  bool started_ = false;
  std::optional<v1::ExitStatus> exit_;
  std::array<Stream, 2> streams_;
  std::string input_;
  uint64_t input_received_ = 0;
  bool input_closed_;
  uint32_t step_ = 0;
  uint64_t step_done_ = 0;  // Bytes of what the step writes.
  uint64_t round_ = 1;
  // When the last step was done: sleeps count from here, so that a process that nobody ran meanwhile catches up.
  absl::Time time_;
  absl::Time started_at_;
  bool changed_ = false;
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_SIMULATION_SIMULATED_PROCESS_H_
