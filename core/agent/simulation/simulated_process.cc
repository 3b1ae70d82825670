// SPDX-License-Identifier: Apache-2.0
#include "core/agent/simulation/simulated_process.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

std::string TextOf(const SimulatedStep& step, uint64_t round) {
  return step.kind == SimulatedStep::Kind::kCount ? absl::StrCat(step.text, round, "\n") : step.text;
}

v1::ExitStatus ExitCode(int code) {
  v1::ExitStatus status;
  status.set_code(code);
  return status;
}

void StoreStream(const SimulatedProcess::Stream& stream, state::v1::SimulatedStream* stored) {
  stored->set_acknowledged(stream.acked);
  stored->set_kept(stream.kept);
}

SimulatedProcess::Stream RestoreStream(const state::v1::SimulatedStream& stored) {
  return {stored.kept(), stored.acknowledged(), stored.acknowledged()};
}

}  // namespace

SimulatedProcess::SimulatedProcess(const v1::Cmd& cmd, SimulatedProgram program, int32_t pid, uint64_t window)
    : cmd_(cmd), program_(std::move(program)), pid_(pid), window_(window), input_closed_(!cmd.interactive()) {}

SimulatedProcess::SimulatedProcess(const state::v1::SimulatedProcess& stored, SimulatedProgram program, uint64_t window)
    : cmd_(stored.cmd()),
      program_(std::move(program)),
      pid_(stored.pid()),
      window_(window),
      started_(stored.started()),
      streams_{RestoreStream(stored.standard_output()), RestoreStream(stored.standard_error())},
      input_(stored.unread_input()),
      input_received_(stored.input_received()),
      input_closed_(stored.input_closed()),
      step_(stored.step()),
      step_done_(stored.step_done()),
      round_(stored.round()),
      time_(absl::FromUnixNanos(stored.time_ns())),
      started_at_(absl::FromUnixNanos(stored.started_ns())) {
  if (stored.has_exit_status()) exit_ = stored.exit_status();
}

void SimulatedProcess::Store(state::v1::SimulatedProcess* stored) const {
  stored->set_pid(pid_);
  *stored->mutable_cmd() = cmd_;
  stored->set_started(started_);
  if (exit_.has_value()) *stored->mutable_exit_status() = *exit_;
  StoreStream(streams_[0], stored->mutable_standard_output());
  StoreStream(streams_[1], stored->mutable_standard_error());
  stored->set_unread_input(input_);
  stored->set_input_received(input_received_);
  stored->set_input_closed(input_closed_);
  stored->set_step(step_);
  stored->set_step_done(step_done_);
  stored->set_round(round_);
  stored->set_time_ns(absl::ToUnixNanos(time_));
  stored->set_started_ns(absl::ToUnixNanos(started_at_));
}

void SimulatedProcess::Start(absl::Time now) {
  started_ = true;
  time_ = now;
  started_at_ = now;
}

bool SimulatedProcess::Run(absl::Time now) {
  changed_ = false;
  while (started_ && !exit_.has_value()) {
    if (step_ >= program_.steps.size()) {
      End(ExitCode(0));
      break;
    }
    const Step& step = program_.steps[step_];
    if (!RunStep(step, now)) break;
    changed_ = true;
    step_done_ = 0;
    if (step.kind == Step::Kind::kAgain) {
      step_ = 0;
      ++round_;
    } else {
      ++step_;
    }
  }
  return changed_;
}

bool SimulatedProcess::RunStep(const Step& step, absl::Time now) {
  switch (step.kind) {
    case Step::Kind::kPrint:
    case Step::Kind::kError:
    case Step::Kind::kCount:
    case Step::Kind::kFlood:
      if (WriteStep(step)) return true;
      // It waits for a reader, and goes on when there is one.
      time_ = now;
      return false;
    case Step::Kind::kCopy:
      time_ = now;
      return CopyInput();
    case Step::Kind::kSizes:
      time_ = now;
      return WriteSizes();
    case Step::Kind::kSleep:
      if (time_ + step.duration > now) return false;
      time_ += step.duration;
      return true;
    case Step::Kind::kExit:
      End(ExitCode(static_cast<int>(step.number)));
      return false;
    case Step::Kind::kHog: {
      v1::ExitStatus killed = ExitCode(128 + SIGKILL);
      killed.set_signal(SIGKILL);
      killed.set_oom_killed(true);
      End(killed);
      return false;
    }
    case Step::Kind::kAgain:
      return true;
  }
  return true;
}

bool SimulatedProcess::WriteStep(const Step& step) {
  const StdStream which = Merged(step.kind == Step::Kind::kError ? StdStream::kStderr : StdStream::kStdout);
  const std::string text = TextOf(step, round_);
  const uint64_t total = step.kind == Step::Kind::kFlood ? step.number : text.size();
  if (cmd_.detach()) return true;
  const uint64_t count = std::min<uint64_t>(Room(which), total - step_done_);
  std::string bytes;
  if (step.kind == Step::Kind::kFlood) {
    bytes.resize(count);
    for (uint64_t i = 0; i < count; ++i) bytes[i] = static_cast<char>((step_done_ + i) % 251);
  } else {
    bytes = text.substr(step_done_, count);
  }
  stream(which).kept += bytes;
  step_done_ += count;
  changed_ |= count > 0;
  return step_done_ == total;
}

bool SimulatedProcess::CopyInput() {
  const size_t count = cmd_.detach() ? input_.size() : std::min(Room(StdStream::kStdout), input_.size());
  if (count > 0) {
    if (!cmd_.detach()) stream(StdStream::kStdout).kept.append(input_, 0, count);
    input_.erase(0, count);
    changed_ = true;
  }
  return input_closed_ && input_.empty();
}

bool SimulatedProcess::WriteSizes() {
  if (step_done_ == 0) {
    Write(StdStream::kStdout, SizeLine());
    step_done_ = 1;
    changed_ = true;
  }
  input_.clear();
  return input_closed_;
}

std::string SimulatedProcess::SizeLine() const {
  const v1::TerminalSize& size = cmd_.terminal_size();
  if (!cmd_.terminal()) return "no terminal\n";
  return cmd_.has_terminal_size() ? absl::StrCat(size.rows(), " ", size.columns(), "\n") : "24 80\n";
}

bool SimulatedProcess::Resize(const v1::TerminalSize& size) {
  if (!cmd_.terminal()) return false;
  *cmd_.mutable_terminal_size() = size;
  const bool shows = started_ && step_ < program_.steps.size() && program_.steps[step_].kind == Step::Kind::kSizes;
  if (shows && step_done_ != 0) Write(StdStream::kStdout, SizeLine());
  return true;
}

size_t SimulatedProcess::Room(StdStream which) const {
  const size_t kept = stream(which).kept.size();
  return kept >= window_ ? 0 : window_ - kept;
}

absl::Time SimulatedProcess::NextWake() const {
  if (!started_ || exit_.has_value() || step_ >= program_.steps.size()) return absl::InfiniteFuture();
  const Step& step = program_.steps[step_];
  return step.kind == Step::Kind::kSleep ? time_ + step.duration : absl::InfiniteFuture();
}

void SimulatedProcess::Give(const std::string& data, bool close) {
  input_ += data;
  input_received_ += data.size();
  input_closed_ = close;
}

void SimulatedProcess::Write(StdStream which, const std::string& bytes) {
  if (!cmd_.detach()) stream(Merged(which)).kept += bytes;
}

void SimulatedProcess::End(const v1::ExitStatus& status) {
  exit_ = status;
  input_.clear();
  input_closed_ = true;
  changed_ = true;
}

bool SimulatedProcess::Acknowledge(StdStream which, uint64_t offset) {
  Stream& acked = stream(which);
  if (offset <= acked.acked || offset > acked.told) return false;
  acked.kept.erase(0, offset - acked.acked);
  acked.acked = offset;
  return true;
}

}  // namespace vcd
