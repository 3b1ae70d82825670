// SPDX-License-Identifier: Apache-2.0
// What the host is told: answers, output, exits.
#include <chrono>
#include <utility>

#include "core/link/link_limits.h"
#include "guest/agent/agent.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::GuestMessage;
using ::vcd::agent::v1::Stream;

}  // namespace

void Agent::Send(const GuestMessage& message) { link_->Send(message); }

// Control never waits behind data: output goes to the link only when nothing waits there, so an answer stands behind
// one chunk of it at most, and only so much is under way as the host said.
bool Agent::LinkTakesOutput() const {
  return link_->queued() == 0 && (output_window_ == 0 || output_sent_ - output_received_ < output_window_);
}

void Agent::Answer(const Ticket& ticket, const Outcome& outcome, pid_t pid) {
  ::vcd::agent::v1::Reply reply;
  reply.set_code(outcome.code());
  reply.set_message(outcome.message());
  reply.set_pid(pid);
  Answer(ticket, std::move(reply));
}

void Agent::Answer(const Ticket& ticket, ::vcd::agent::v1::Reply reply) {
  if (!greeted_ || ticket.request_id == 0 || ticket.connection != connection_) return;
  GuestMessage message;
  message.set_request_id(ticket.request_id);
  *message.mutable_reply() = std::move(reply);
  Send(message);
}

void Agent::OnLinkWritable() {
  PumpOutput();
  if (shut_down_ && link_->queued() == 0 && !std::exchange(powering_off_, true)) {
    // From the loop, and not from inside the link's own handler.
    loop_->After(std::chrono::milliseconds(0), options_.power_off);
  }
}

std::vector<StreamOwner*> Agent::AnnouncedProcesses() {
  std::vector<StreamOwner*> processes;
  for (auto& [id, container] : containers_) {
    if (container.init.announced) processes.push_back(container.init.process.get());
    for (auto& [process_id, entry] : container.execs) {
      if (entry.announced) processes.push_back(entry.process.get());
    }
  }
  for (auto& [id, dial] : dials_) {
    if (dial.announced) processes.push_back(dial.connection.get());
  }
  return processes;
}

// Tells the ends that can be told, and sends what output there is, a chunk of each stream in turn, so that no stream
// waits for the end of another.
void Agent::PumpOutput() {
  if (!greeted_ || pumping_) return;
  pumping_ = true;  // Sending makes the link say that it is writable, which leads back here.
  const std::vector<StreamOwner*> processes = AnnouncedProcesses();
  for (StreamOwner* process : processes) PumpExit(process);
  const size_t streams = 2 * processes.size();
  for (size_t idle = 0; idle < streams && LinkTakesOutput();) {
    const size_t turn = next_to_pump_++ % streams;
    const bool sent = PumpStream(processes[turn / 2], turn % 2 == 0 ? Stream::STREAM_STDOUT : Stream::STREAM_STDERR);
    idle = sent ? 0 : idle + 1;
  }
  pumping_ = false;
}

bool Agent::PumpStream(StreamOwner* process, Stream stream) {
  OutputBuffer& buffer =
      stream == Stream::STREAM_STDOUT ? process->stdout_pipe().buffer() : process->stderr_pipe().buffer();
  const std::string_view data = buffer.Unsent(kOutputChunk, process->exit_told());
  if (data.empty()) return false;
  GuestMessage message;
  auto* output = message.mutable_output();
  output->set_container_id(process->name().container_id);
  output->set_process_id(process->name().process_id);
  output->set_stream(stream);
  output->set_offset(buffer.sent());
  output->set_data(data.data(), data.size());
  output_sent_ += data.size();
  buffer.MarkSent(data.size());
  Send(message);
  return true;
}

void Agent::PumpExit(StreamOwner* process) {
  if (process->exit_told()) return;
  // What is left of its output may come after: a host that is slow to take it must still hear of the exit.
  const auto exit = process->exit();
  if (!exit) return;
  GuestMessage message;
  auto* told = message.mutable_exit();
  told->set_container_id(process->name().container_id);
  told->set_process_id(process->name().process_id);
  *told->mutable_exit() = *exit;
  process->MarkExitTold();
  Send(message);
}

}  // namespace vcd::guest
