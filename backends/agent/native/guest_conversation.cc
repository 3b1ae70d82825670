// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/guest_conversation.h"

#include <google/protobuf/stubs/logging.h>
#include <sys/random.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/agent/native/agent_messages.h"
#include "backends/agent/native/agent_usage.h"
#include "backends/agent/native/guest_message_size.h"
#include "core/agent/guest_error.h"
#include "core/link/link_limits.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

constexpr size_t kNonceBytes = 16;
constexpr size_t kEntropyBytes = 64;
constexpr int kMaxHellos = 2;
// Requests without an answer, those included that nobody waits for any longer.
constexpr size_t kMaxRequests = 1024;
// What may wait for Observe, before the guest is held up.
constexpr size_t kMaxHeldBytes = size_t{1} << 20;
constexpr size_t kHeldOverhead = 256;
constexpr size_t kMaxNameBytes = 256;
// Output is confirmed in steps of this, well before the guest has to wait.
constexpr uint64_t kReceivedStep = kOutputInFlight / 4;

bool Parse(const std::string& body, agent::v1::GuestMessage* message) {
  // The library would tell the daemon's standard error of each text that is no UTF-8, as often as the guest likes.
  const google::protobuf::LogSilencer silence;
  return message->ParseFromString(body);
}

// Connections are of no container.
size_t InputWindow(const ProcessKey& process) { return process.container_id.empty() ? kDialWindow : kInputWindow; }

absl::StatusOr<std::string> RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  // Never short nor interrupted up to 256 bytes (getrandom(2)).
  if (getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size)) return PosixError(errno, "getrandom");
  return bytes;
}

}  // namespace

void GuestConversation::Begin(std::shared_ptr<AgentLink> link, Completion<GuestInfo> ready) {
  io_.Post([self = shared_from_this(), link = std::move(link), ready] {
    self->link_ = link;
    self->ready_ = ready;
    link->Start(*self);
    self->SayHello();
  });
}

void GuestConversation::Observe() {
  io_.Post([self = shared_from_this()] {
    self->observed_ = true;
    while (!self->held_.empty()) {
      Held held = std::move(self->held_.front());
      self->held_.pop_front();
      self->Tell(std::move(held));
    }
    self->held_bytes_ = 0;
    if (self->lost_.ok()) {
      self->link_->SetReading(true);
    } else {
      self->gate_->Call([&](GuestObserver& observer) { observer.OnGuestLost(self->lost_); });
    }
  });
}

void GuestConversation::Send(Request request) {
  io_.Post([self = shared_from_this(), request = std::move(request)]() mutable { self->SendNow(std::move(request)); });
}

void GuestConversation::WriteInput(const ProcessKey& key, std::string data, bool close, InputStream::Done done) {
  io_.Post([self = shared_from_this(), key, data = std::move(data), close, done = std::move(done)]() mutable {
    if (!self->lost_.ok()) return done(self->lost_);
    const auto found = self->processes_.find(key);
    if (found == self->processes_.end()) {
      return done(GuestErrorStatus(GuestError::kNotFound, key, "write input", "there is no such process"));
    }
    if (!found->second.in.Add(std::move(data), close, done)) {
      return done(GuestErrorStatus(GuestError::kWrongState, key, "write input", "its standard input is closed"));
    }
    self->inputs_due_.insert(key);
    self->Pump();
  });
}

void GuestConversation::AcknowledgeOutput(const ProcessKey& key, StdStream stream, uint64_t offset) {
  io_.Post([self = shared_from_this(), key, stream, offset] {
    const auto found = self->processes_.find(key);
    if (!self->lost_.ok() || found == self->processes_.end()) return;
    if (!found->second.output(stream).Acknowledge(offset)) return;
    self->acks_due_.emplace(key, stream);
    self->Pump();
  });
}

void GuestConversation::Ping() {
  io_.Post([self = shared_from_this()] {
    if (self->ping_id_ != 0) return;
    Request request;
    request.message.mutable_ping();
    const uint64_t id = self->next_request_id_;
    self->SendNow(std::move(request));
    if (self->requests_.count(id) != 0) self->ping_id_ = id;
  });
}

void GuestConversation::Close() {
  io_.Post([self = shared_from_this()] { self->Lose(GuestGoneStatus(self->spec_.pod_id, "the session was closed")); });
}

void GuestConversation::SayHello() {
  absl::StatusOr<std::string> nonce = RandomBytes(kNonceBytes);
  absl::StatusOr<std::string> entropy = RandomBytes(kEntropyBytes);
  if (!nonce.ok()) return Lose(nonce.status());
  if (!entropy.ok()) return Lose(entropy.status());
  nonce_ = *std::move(nonce);
  hello_time_ = absl::Now();
  ++hellos_;
  agent::v1::HostMessage message;
  agent::v1::Hello& hello = *message.mutable_hello();
  hello.set_nonce(nonce_);
  hello.set_protocol_version(kProtocolVersion);
  hello.set_unix_time_ns(static_cast<uint64_t>(absl::ToUnixNanos(hello_time_)));
  hello.set_hostname(spec_.hostname);
  hello.set_entropy(*std::move(entropy));
  hello.set_output_window(kOutputInFlight);
  link_->Send(message.SerializeAsString(), /*resynchronize=*/true);
}

void GuestConversation::OnFrame(const std::string& body) {
  // Not meant for a connection before this one either.
  if (const absl::Status modest = CheckGuestMessageSize(body); !modest.ok()) return Break(modest.message());
  agent::v1::GuestMessage message;
  const bool parsed = Parse(body, &message);
  if (ready_.has_value()) {
    // Whatever else comes was meant for a connection before this one.
    if (parsed && message.has_hello_ack() && message.hello_ack().nonce() == nonce_) OnHelloAnswer(message.hello_ack());
    return;
  }
  frames_.fetch_add(1, std::memory_order_relaxed);
  const absl::Status status = parsed ? OnMessage(message) : absl::InvalidArgumentError("a message that is none");
  if (!status.ok()) return Break(status.message());
  Pump();
}

void GuestConversation::OnDamage() {
  if (!ready_.has_value()) Break("a damaged frame");
}

void GuestConversation::Break(absl::string_view with) {
  Lose(GuestGoneStatus(spec_.pod_id, absl::StrCat("it broke the agent protocol with ", with)));
}

void GuestConversation::OnDrained() { Pump(); }

void GuestConversation::OnClosed(const absl::Status& why) { Lose(GuestGoneStatus(spec_.pod_id, why.message())); }

void GuestConversation::OnHelloAnswer(const agent::v1::HelloAck& ack) {
  if (hellos_ < kMaxHellos && absl::Now() - hello_time_ > hello_freshness_) return SayHello();
  absl::StatusOr<GuestInfo> info = Meet(ack);
  if (!info.ok()) return Lose(GuestGoneStatus(spec_.pod_id, info.status().message()));
  for (auto& [key, process] : processes_) TellExitWhenComplete(key, process);
  ready_->Set(*std::move(info));
  ready_.reset();
}

absl::StatusOr<GuestInfo> GuestConversation::Meet(const agent::v1::HelloAck& ack) {
  if (ack.protocol_version() != kProtocolVersion) {
    return absl::FailedPreconditionError(absl::StrCat("its agent speaks protocol version ", ack.protocol_version(),
                                                      ", vcd speaks ", kProtocolVersion,
                                                      ": use the guest image that belongs to this vcd"));
  }
  if (ack.processes_size() > kMaxGuestProcesses) {
    return absl::InvalidArgumentError(absl::StrCat("its agent tells of ", ack.processes_size(), " processes"));
  }
  GuestInfo info;
  info.kernel_release = CleanGuestText(ack.kernel_release(), kMaxNameBytes);
  info.agent_version = CleanGuestText(ack.agent_version(), kMaxNameBytes);
  for (const agent::v1::Process& each : ack.processes()) {
    VCD_ASSIGN_OR_RETURN(GuestProcess process, FromAgentProcess(each));
    const ProcessKey key = process.key;
    Process state{OutputStream(process.stdout_offset), OutputStream(process.stderr_offset),
                  InputStream(each.stdin_received(), each.stdin_received() + each.stdin_waiting(),
                              !process.exit.has_value() && !each.stdin_closed(), InputWindow(key)),
                  std::nullopt};
    if (!processes_.emplace(key, std::move(state)).second) {
      return absl::InvalidArgumentError("its agent tells of a process twice");
    }
    if (process.exit.has_value()) VCD_RETURN_IF_ERROR(OnExit(key, each.exit()));
    info.processes.push_back(std::move(process));
  }
  return info;
}

absl::Status GuestConversation::OnMessage(agent::v1::GuestMessage& message) {
  switch (message.body_case()) {
    case agent::v1::GuestMessage::kReply:
      return OnReply(message.request_id(), message.reply());
    case agent::v1::GuestMessage::kOutput:
      return OnOutput(*message.mutable_output());
    case agent::v1::GuestMessage::kExit:
      return OnExit({message.exit().container_id(), message.exit().process_id()}, message.exit().exit());
    case agent::v1::GuestMessage::kInputAck:
      return OnInputAck(message.input_ack());
    case agent::v1::GuestMessage::kEvent:
      return OnEvent(message.event());
    case agent::v1::GuestMessage::kHelloAck:
      return absl::InvalidArgumentError("an answer to no HELLO");
    case agent::v1::GuestMessage::BODY_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a message of an unknown kind");
}

absl::Status GuestConversation::OnReply(uint64_t request_id, const agent::v1::Reply& reply) {
  const auto found = requests_.find(request_id);
  if (found == requests_.end()) return absl::InvalidArgumentError("an answer to no request");
  PendingRequest request = std::move(found->second);
  requests_.erase(found);
  if (request_id == ping_id_) ping_id_ = 0;
  // Also when nobody waits any longer: the guest has done it.
  if (reply.code() == agent::v1::ERROR_CODE_OK) {
    switch (request.effect) {
      case Effect::kNone:
        break;
      case Effect::kAddProcess:
        Remove(request.process);
        processes_.emplace(request.process,
                           Process{OutputStream(), OutputStream(),
                                   InputStream(0, 0, request.interactive, InputWindow(request.process)), std::nullopt});
        break;
      case Effect::kRemoveProcess:
        Remove(request.process);
        break;
      case Effect::kRemoveContainer: {
        std::vector<ProcessKey> keys;
        for (const auto& [key, process] : processes_) {
          if (key.container_id == request.process.container_id) keys.push_back(key);
        }
        for (const ProcessKey& key : keys) Remove(key);
        break;
      }
    }
  }
  request.reply.Set(reply);
  return absl::OkStatus();
}

absl::Status GuestConversation::OnOutput(agent::v1::Output& output) {
  output_received_ += output.data().size();
  const ProcessKey key{output.container_id(), output.process_id()};
  if (output.stream() != agent::v1::STREAM_STDOUT && output.stream() != agent::v1::STREAM_STDERR) {
    return absl::InvalidArgumentError("output of an unknown stream");
  }
  const auto found = processes_.find(key);
  // One that was just removed: what it wrote may cross the request.
  if (found == processes_.end()) return absl::OkStatus();
  const StdStream stream = output.stream() == agent::v1::STREAM_STDOUT ? StdStream::kStdout : StdStream::kStderr;
  VCD_ASSIGN_OR_RETURN(const size_t skip, found->second.output(stream).Receive(output.offset(), output.data().size()));
  if (skip < output.data().size()) {
    output.mutable_data()->erase(0, skip);
    Tell({key, std::nullopt, stream, output.offset() + skip, std::move(*output.mutable_data())});
  }
  TellExitWhenComplete(key, found->second);
  return absl::OkStatus();
}

absl::Status GuestConversation::OnExit(const ProcessKey& key, const agent::v1::ExitInfo& exit) {
  const auto found = processes_.find(key);
  if (found == processes_.end() || found->second.exit.has_value()) return absl::OkStatus();
  Process& process = found->second;
  VCD_ASSIGN_OR_RETURN(v1::ExitStatus status, FromAgentExit(exit));
  VCD_RETURN_IF_ERROR(process.out.SetEnd(exit.stdout_end()));
  VCD_RETURN_IF_ERROR(process.err.SetEnd(exit.stderr_end()));
  process.exit = std::move(status);
  AbandonWrites(process, GuestErrorStatus(GuestError::kWrongState, key, "write input", "it has ended"));
  inputs_due_.erase(key);
  // Before the guest has answered HELLO in full, that waits for the others of its table.
  if (!ready_.has_value()) TellExitWhenComplete(key, process);
  return absl::OkStatus();
}

absl::Status GuestConversation::OnInputAck(const agent::v1::InputAck& ack) {
  const ProcessKey key{ack.container_id(), ack.process_id()};
  const auto found = processes_.find(key);
  if (found == processes_.end()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(found->second.in.Acknowledge(ack.offset()));
  FinishWrites(found->second);
  inputs_due_.insert(key);
  return absl::OkStatus();
}

absl::Status GuestConversation::OnEvent(const agent::v1::GuestEvent& event) {
  VCD_RETURN_IF_ERROR(CheckAgentEvent(event));
  // What happens before anybody observes is told by figures and exits later.
  if (!observed_) return absl::OkStatus();
  gate_->Call([&](GuestObserver& observer) {
    if (event.has_oom()) observer.OnOutOfMemory(event.oom().container_id(), event.oom().kills());
    if (event.has_memory_pressure()) observer.OnMemoryPressure(event.memory_pressure().some_percent());
  });
  return absl::OkStatus();
}

void GuestConversation::SendNow(Request request) {
  if (!lost_.ok()) return request.reply.Set(lost_);
  if (requests_.size() >= kMaxRequests) {
    return request.reply.Set(absl::ResourceExhaustedError(
        absl::StrCat("guest of pod ", spec_.pod_id, ": it has not answered ", requests_.size(), " requests")));
  }
  const uint64_t id = next_request_id_++;
  request.message.set_request_id(id);
  const std::string body = request.message.SerializeAsString();
  if (body.size() > kMaxFrameBytes) {
    return request.reply.Set(absl::InvalidArgumentError(
        absl::StrCat(DescribeProcess(request.process), ": its configuration takes ", body.size(), " of at most ",
                     kMaxFrameBytes, " bytes: shorten `args` and `envs`")));
  }
  if (!link_->Send(body)) {
    return request.reply.Set(
        absl::ResourceExhaustedError(absl::StrCat("guest of pod ", spec_.pod_id, ": it does not take its requests")));
  }
  requests_.emplace(id, PendingRequest{std::move(request.process), request.effect, request.interactive,
                                       request.ends_the_guest, request.reply});
}

// Sends what is due once the link has nothing else to send, so that requests never wait behind more than one chunk.
void GuestConversation::Pump() {
  if (!lost_.ok() || link_->busy()) return;
  SendReceived();
  SendAcks();
  if (!link_->busy()) SendInput();
}

void GuestConversation::SendReceived() {
  if (output_received_ - received_told_ < kReceivedStep) return;
  received_told_ = output_received_;
  agent::v1::HostMessage message;
  message.mutable_output_received()->set_bytes(output_received_);
  link_->Send(message.SerializeAsString());
}

void GuestConversation::SendAcks() {
  for (const auto& [key, stream] : acks_due_) {
    const auto found = processes_.find(key);
    if (found == processes_.end()) continue;
    agent::v1::HostMessage message;
    agent::v1::OutputAck& ack = *message.mutable_output_ack();
    ack.set_container_id(key.container_id);
    ack.set_process_id(key.process_id);
    ack.set_stream(stream == StdStream::kStdout ? agent::v1::STREAM_STDOUT : agent::v1::STREAM_STDERR);
    ack.set_offset(found->second.output(stream).acked());
    link_->Send(message.SerializeAsString());
  }
  acks_due_.clear();
}

// One chunk of one process; the processes take turns.
void GuestConversation::SendInput() {
  while (!inputs_due_.empty()) {
    auto turn = inputs_due_.upper_bound(last_input_);
    if (turn == inputs_due_.end()) turn = inputs_due_.begin();
    const ProcessKey key = *turn;
    last_input_ = key;
    const auto found = processes_.find(key);
    std::optional<InputStream::Chunk> chunk;
    if (found != processes_.end()) chunk = found->second.in.Next();
    if (!chunk.has_value()) {
      inputs_due_.erase(turn);
      if (found != processes_.end()) FinishWrites(found->second);
      continue;
    }
    agent::v1::HostMessage message;
    agent::v1::Input& input = *message.mutable_input();
    input.set_container_id(key.container_id);
    input.set_process_id(key.process_id);
    input.set_offset(chunk->offset);
    input.set_data(std::move(chunk->data));
    input.set_close(chunk->close);
    link_->Send(message.SerializeAsString());
    return FinishWrites(found->second);
  }
}

void GuestConversation::FinishWrites(Process& process) {
  for (const InputStream::Done& done : process.in.TakeFinished()) done(absl::OkStatus());
}

void GuestConversation::AbandonWrites(Process& process, const absl::Status& why) {
  for (const InputStream::Done& done : process.in.Abandon()) done(why);
}

void GuestConversation::Remove(const ProcessKey& key) {
  const auto found = processes_.find(key);
  if (found == processes_.end()) return;
  AbandonWrites(found->second, GuestErrorStatus(GuestError::kNotFound, key, "write input", "it was removed"));
  processes_.erase(found);
  inputs_due_.erase(key);
  acks_due_.erase({key, StdStream::kStdout});
  acks_due_.erase({key, StdStream::kStderr});
}

void GuestConversation::Tell(Held held) {
  if (observed_) {
    gate_->Call([&](GuestObserver& observer) {
      if (held.exit.has_value()) {
        observer.OnProcessExit(held.process, *held.exit);
      } else {
        observer.OnOutput(held.process, held.stream, held.offset, std::move(held.data));
      }
    });
    return;
  }
  held_bytes_ += held.data.size() + kHeldOverhead;
  held_.push_back(std::move(held));
  if (held_bytes_ > kMaxHeldBytes) link_->SetReading(false);
}

void GuestConversation::TellExitWhenComplete(const ProcessKey& key, Process& process) {
  if (!process.exit.has_value() || process.exit_told || !process.out.complete() || !process.err.complete()) return;
  process.exit_told = true;
  Tell({key, process.exit, StdStream::kStdout, 0, ""});
}

void GuestConversation::Lose(const absl::Status& why) {
  if (!lost_.ok()) return;
  lost_ = why;
  if (link_ != nullptr) link_->Close();
  std::map<uint64_t, PendingRequest> requests = std::exchange(requests_, {});
  for (const auto& [id, request] : requests) {
    if (request.ends_the_guest) {
      request.reply.Set(agent::v1::Reply());
    } else {
      request.reply.Set(why);
    }
  }
  for (auto& [key, process] : processes_) AbandonWrites(process, why);
  processes_.clear();
  acks_due_.clear();
  inputs_due_.clear();
  if (ready_.has_value()) {
    ready_->Set(why);
    ready_.reset();
  } else if (observed_) {
    gate_->Call([&](GuestObserver& observer) { observer.OnGuestLost(why); });
  }
}

}  // namespace vcd
