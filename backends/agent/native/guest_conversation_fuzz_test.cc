// SPDX-License-Identifier: Apache-2.0
// The daemon's end of the link, fed with what a guest may say once it has answered HELLO.
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

#include "backends/agent/native/agent_link.h"
#include "backends/agent/native/guest_conversation.h"
#include "core/agent/testing/scripted_guest.h"
#include "core/link/link_limits.h"
#include "core/os/completion.h"
#include "core/os/io_thread.h"
#include "test/fuzz/fuzz_target.h"

namespace {

using vcd::agent::v1::GuestMessage;

void Check(bool good) {
  if (!good) std::abort();
}

// Acknowledges some of what it hears, and checks that streams have no holes.
class Listener : public vcd::GuestObserver {
 public:
  void OnOutput(const vcd::ProcessKey& process, vcd::StdStream stream, uint64_t offset, std::string data) override {
    uint64_t& end = ends_[{process, stream}];
    Check(offset == end && !data.empty());
    end += data.size();
    if (end % 2 == 0) conversation->AcknowledgeOutput(process, stream, end);
    Check(++words_ < 100'000);
  }
  void OnProcessExit(const vcd::ProcessKey&, const vcd::v1::ExitStatus& status) override {
    Check(status.code() >= 0 && status.code() <= 255);
  }
  void OnOutOfMemory(const std::string& container_id, uint64_t) override { Check(container_id.size() < 4096); }
  void OnMemoryPressure(double some_percent) override { Check(some_percent >= 0 && some_percent <= 100); }
  void OnGuestLost(const absl::Status& why) override {
    Check(!why.ok() && why.message().size() < 4096);
    lost.Set(0);
  }

  std::shared_ptr<vcd::GuestConversation> conversation;
  const vcd::Completion<int> lost;

 private:
  std::map<std::pair<vcd::ProcessKey, vcd::StdStream>, uint64_t> ends_;
  int words_ = 0;
};

vcd::agent::v1::Process Running(const std::string& container) {
  vcd::agent::v1::Process process;
  process.set_container_id(container);
  process.set_started(true);
  return process;
}

GuestMessage Output(uint64_t offset, const std::string& data, const std::string& process = "") {
  GuestMessage message;
  message.mutable_output()->set_container_id("c1");
  message.mutable_output()->set_process_id(process);
  message.mutable_output()->set_stream(vcd::agent::v1::STREAM_STDOUT);
  message.mutable_output()->set_offset(offset);
  message.mutable_output()->set_data(data);
  return message;
}

GuestMessage Exit(uint64_t end) {
  GuestMessage message;
  message.mutable_exit()->set_container_id("c1");
  message.mutable_exit()->mutable_exit()->set_code(3);
  message.mutable_exit()->mutable_exit()->set_stdout_end(end);
  return message;
}

GuestMessage InputAck(uint64_t offset) {
  GuestMessage message;
  message.mutable_input_ack()->set_container_id("c1");
  message.mutable_input_ack()->set_offset(offset);
  return message;
}

GuestMessage Reply(uint64_t id) {
  GuestMessage message;
  message.set_request_id(id);
  message.mutable_reply()->set_pid(5);
  return message;
}

std::string Script(const std::vector<GuestMessage>& messages) {
  std::string script;
  for (const GuestMessage& message : messages) vcd::AddFrameStep(message.SerializeAsString(), &script);
  return script;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  GuestMessage list = Reply(1);
  list.mutable_reply()->mutable_process_list()->add_processes()->add_args("sh");
  GuestMessage stats = Reply(2);
  (*stats.mutable_reply()->mutable_stats()->add_containers()->mutable_figures())["memory.current"] = 5;
  GuestMessage refused = Reply(1);
  refused.mutable_reply()->set_code(vcd::agent::v1::ERROR_CODE_SYSTEM);
  refused.mutable_reply()->set_message("no \x1b such thing");
  GuestMessage event;
  event.mutable_event()->mutable_oom()->set_container_id("c1");
  std::string cut;
  vcd::AddRawStep(vcd::EncodeFrame(Exit(0).SerializeAsString()).substr(0, 5), &cut);
  vcd::AddRawStep(std::string(2, '\0'), &cut);
  return {Script({Output(0, "hello "), Output(6, "world"), Output(0, "hello"), Exit(11)}),
          Script({Exit(3), Output(0, "abc")}),
          Script({Reply(1), Output(0, "of the exec", "p1"), Reply(2), Reply(3)}),
          Script({InputAck(10), InputAck(1000), InputAck(5)}),
          Script({list, stats}),
          Script({refused, event}),
          Script({Output(4, "a gap")}),
          Script({Exit(0)}) + cut};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const io = new vcd::IoThread();
  auto ends = vcd::SocketPair();
  Check(ends.ok());
  auto link = vcd::AgentLink::Open(*io, std::move(ends->first), std::make_shared<vcd::LinkBudget>());
  Check(link.ok());
  vcd::GuestPeer peer(std::move(ends->second));
  Listener listener;
  auto gate = std::make_shared<vcd::ObserverGate>(*io, listener);
  auto conversation =
      std::make_shared<vcd::GuestConversation>(*io, vcd::GuestSpec{"pod-1", "host-1"}, absl::InfiniteDuration(), gate);
  listener.conversation = conversation;
  const vcd::Completion<vcd::GuestInfo> ready;
  conversation->Begin(*std::move(link), ready);
  Check(peer.AnswerHello({Running("c1")}).has_value());
  const vcd::CallContext patience{absl::Now() + absl::Seconds(20)};
  Check(ready.Wait(patience, "HELLO").ok());
  conversation->Observe();

  // Requests that answers can be for, and input that can be taken.
  vcd::GuestConversation::Request exec;
  exec.process = {"c1", "p1"};
  exec.effect = vcd::GuestConversation::Effect::kAddProcess;
  exec.interactive = true;
  exec.message.mutable_exec()->set_process_id("p1");
  conversation->Send(exec);
  vcd::GuestConversation::Request remove;
  remove.process = {"c1", "p1"};
  remove.effect = vcd::GuestConversation::Effect::kRemoveProcess;
  remove.message.mutable_remove_process()->set_process_id("p1");
  conversation->Send(remove);
  vcd::GuestConversation::Request remove_container;
  remove_container.process = {"c1", ""};
  remove_container.effect = vcd::GuestConversation::Effect::kRemoveContainer;
  remove_container.message.mutable_remove_container();
  conversation->Send(remove_container);
  conversation->WriteInput({"c1", ""}, std::string(1000, 'i'), false, [](absl::Status) {});
  // They are on their way before the guest speaks.
  const vcd::Completion<int> sent;
  io->Post([sent] { sent.Set(0); });
  Check(sent.Wait(patience, "send").ok());

  for (const std::string& bytes : vcd::WireOf(std::string_view(reinterpret_cast<const char*>(data), size))) {
    peer.SendBytes(bytes);
  }
  peer.Hangup();
  Check(listener.lost.Wait(patience, "the end").ok());
  gate->Close();
  conversation->Close();
  const vcd::Completion<int> closed;
  io->Post([closed] { closed.Set(0); });
  Check(closed.Wait(patience, "close").ok());
  return 0;
}
