// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/stream_owner.h"

namespace vcd::guest {

void StreamOwner::MakeStreams(UniqueFd stdin_fd, UniqueFd stdout_fd, UniqueFd stderr_fd, size_t window) {
  stdout_.emplace(loop_, std::move(stdout_fd), window, [this] { OnOutput(); });
  stderr_.emplace(loop_, std::move(stderr_fd), window, [this] { OnOutput(); });
  stdin_.emplace(loop_, std::move(stdin_fd), [this] { OnInputTaken(); });
}

void StreamOwner::Rewind() {
  stdout_->buffer().Rewind();
  stderr_->buffer().Rewind();
  exit_told_ = false;
}

::vcd::agent::v1::Process StreamOwner::Describe() const {
  ::vcd::agent::v1::Process described;
  described.set_container_id(name_.container_id);
  described.set_process_id(name_.process_id);
  described.set_pid(pid_);
  described.set_started(true);
  if (const auto exit = this->exit()) *described.mutable_exit() = *exit;
  described.set_stdout_acked(stdout_->buffer().acked());
  described.set_stderr_acked(stderr_->buffer().acked());
  described.set_stdin_received(stdin_->taken());
  described.set_stdin_waiting(stdin_->waiting());
  described.set_stdin_closed(stdin_->closed());
  return described;
}

::vcd::agent::v1::ExitInfo StreamOwner::WithEnds(::vcd::agent::v1::ExitInfo exit) const {
  exit.set_stdout_end(stdout_->buffer().end());
  exit.set_stderr_end(stderr_->buffer().end());
  return exit;
}

}  // namespace vcd::guest
