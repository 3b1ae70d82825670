// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/native_session.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/agent/native/agent_messages.h"
#include "backends/agent/native/agent_usage.h"
#include "backends/agent/native/interface_messages.h"
#include "core/agent/guest_error.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

using Effect = GuestConversation::Effect;

constexpr int kMaxClockAttempts = 3;
constexpr absl::Duration kClockFreshness = absl::Milliseconds(50);

// The statuses of a guest that is as asked already.
absl::Status OkIf(absl::StatusCode code, absl::Status status) {
  return status.code() == code ? absl::OkStatus() : status;
}

}  // namespace

NativeSession::~NativeSession() {
  gate_->Close();
  conversation_->Close();
}

absl::StatusOr<int32_t> NativeSession::CreateContainer(const GuestContainerSpec& spec, const CallContext& context) {
  GuestConversation::Request request;
  request.process = {spec.config.id(), ""};
  request.effect = Effect::kAddProcess;
  request.interactive = spec.config.cmd().interactive();
  VCD_ASSIGN_OR_RETURN(*request.message.mutable_create_container(), ToAgentContainer(spec));
  const ProcessKey key = request.process;
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "create", context));
  VCD_RETURN_IF_ERROR(ReplyStatus(reply, key, "create"));
  return reply.pid();
}

absl::Status NativeSession::StartContainer(const std::string& container_id, const CallContext& context) {
  GuestConversation::Request request;
  request.process = {container_id, ""};
  request.message.mutable_start_container()->set_container_id(container_id);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "start", context));
  return ReplyStatus(reply, {container_id, ""}, "start");
}

absl::Status NativeSession::RemoveContainer(const std::string& container_id, const CallContext& context) {
  GuestConversation::Request request;
  request.process = {container_id, ""};
  request.effect = Effect::kRemoveContainer;
  request.message.mutable_remove_container()->set_container_id(container_id);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "remove", context));
  return OkIf(absl::StatusCode::kNotFound, ReplyStatus(reply, {container_id, ""}, "remove"));
}

absl::StatusOr<int32_t> NativeSession::Exec(const ProcessKey& process, const v1::Cmd& cmd, const CallContext& context) {
  GuestConversation::Request request;
  request.process = process;
  request.effect = Effect::kAddProcess;
  request.interactive = cmd.interactive();
  agent::v1::Exec& exec = *request.message.mutable_exec();
  exec.set_container_id(process.container_id);
  exec.set_process_id(process.process_id);
  *exec.mutable_command() = ToAgentCommand(cmd);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "exec", context));
  VCD_RETURN_IF_ERROR(ReplyStatus(reply, process, "exec"));
  return reply.pid();
}

absl::StatusOr<int32_t> NativeSession::ExecArchive(const ProcessKey& process, const GuestArchive& archive,
                                                   const CallContext& context) {
  GuestConversation::Request request;
  request.process = process;
  request.effect = Effect::kAddProcess;
  request.interactive = archive.write;
  agent::v1::Exec& exec = *request.message.mutable_exec();
  exec.set_container_id(process.container_id);
  exec.set_process_id(process.process_id);
  exec.mutable_command()->set_interactive(archive.write);
  agent::v1::Command::Archive& message = *exec.mutable_command()->mutable_archive();
  message.set_write(archive.write);
  message.set_path(archive.path);
  message.set_follow_symlink(archive.follow_symlink);
  message.set_stat_only(archive.stat_only);
  message.set_keep_owner(archive.keep_owner);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "copy", context));
  VCD_RETURN_IF_ERROR(ReplyStatus(reply, process, "copy"));
  return reply.pid();
}

absl::StatusOr<int32_t> NativeSession::ExecDial(const ProcessKey& process, const GuestDial& dial,
                                                const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckDial(dial));
  GuestConversation::Request request;
  request.process = process;
  request.effect = Effect::kAddProcess;
  request.interactive = true;
  agent::v1::Exec& exec = *request.message.mutable_exec();
  exec.set_process_id(process.process_id);
  exec.mutable_command()->set_interactive(true);
  exec.mutable_command()->mutable_dial()->set_address(dial.address);
  exec.mutable_command()->mutable_dial()->set_port(dial.port);
  const std::string step = absl::StrCat("port ", dial.port);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), step, context));
  VCD_RETURN_IF_ERROR(ReplyStatus(reply, process, step));
  return reply.pid();
}

absl::Status NativeSession::SetInterface(const v1::PodInterface& interface, const CallContext& context) {
  GuestConversation::Request request;
  VCD_ASSIGN_OR_RETURN(*request.message.mutable_set_interface(), ToAgentInterface(interface));
  constexpr char kStep[] = "set the network up";
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), kStep, context));
  return ReplyStatus(reply, {}, kStep);
}

absl::Status NativeSession::RemoveInterface(const std::string& mac, const CallContext& context) {
  GuestConversation::Request request;
  VCD_ASSIGN_OR_RETURN(*request.message.mutable_remove_interface()->mutable_mac(), MacBytes("mac", mac));
  const std::string step = absl::StrCat("take the interface ", mac, " down");
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), step, context));
  return ReplyStatus(reply, {}, step);
}

absl::Status NativeSession::Signal(const ProcessKey& process, int signal, bool all, const CallContext& context) {
  GuestConversation::Request request;
  request.process = process;
  agent::v1::SignalProcess& message = *request.message.mutable_signal();
  message.set_container_id(process.container_id);
  message.set_process_id(process.process_id);
  message.set_signal(signal);
  message.set_all(all);
  const std::string step = absl::StrCat("send signal ", signal);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), step, context));
  return OkIf(absl::StatusCode::kFailedPrecondition, ReplyStatus(reply, process, step));
}

absl::Status NativeSession::ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size,
                                           const CallContext& context) {
  GuestConversation::Request request;
  request.process = process;
  agent::v1::ResizeTerminal& message = *request.message.mutable_resize_terminal();
  message.set_container_id(process.container_id);
  message.set_process_id(process.process_id);
  *message.mutable_size() = ToAgentTerminalSize(size);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "resize the terminal", context));
  return ReplyStatus(reply, process, "resize the terminal");
}

absl::StatusOr<std::vector<v1::ProcessInfo>> NativeSession::ListProcesses(const std::string& container_id,
                                                                          const CallContext& context) {
  GuestConversation::Request request;
  request.process = {container_id, ""};
  request.message.mutable_list_processes()->set_container_id(container_id);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "list processes", context));
  VCD_RETURN_IF_ERROR(ReplyStatus(reply, {container_id, ""}, "list processes"));
  return FromAgentProcessList(reply.process_list());
}

absl::StatusOr<GuestUsage> NativeSession::GetUsage(const std::string& container_id, const CallContext& context) {
  GuestConversation::Request request;
  request.process = {container_id, ""};
  request.message.mutable_get_stats()->set_container_id(container_id);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "read figures", context));
  VCD_RETURN_IF_ERROR(ReplyStatus(reply, {container_id, ""}, "read figures"));
  return FromAgentStats(reply.stats());
}

absl::Status NativeSession::UpdateResources(const std::string& container_id, const v1::ContainerResources& change,
                                            const v1::ContainerResources& all, const CallContext& context) {
  GuestConversation::Request request;
  request.process = {container_id, ""};
  request.message.mutable_update_resources()->set_container_id(container_id);
  *request.message.mutable_update_resources()->mutable_resources() = ToAgentResources(change, all);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "change limits", context));
  return ReplyStatus(reply, {container_id, ""}, "change limits");
}

absl::Status NativeSession::SetCpus(uint32_t count, const CallContext& context) {
  GuestConversation::Request request;
  request.message.mutable_set_cpus()->set_count(count);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "set the CPUs", context));
  return ReplyStatus(reply, {}, "set the CPUs");
}

absl::Status NativeSession::SetClock(const CallContext& context) {
  // A time that took long to arrive is wrong by as much, and is told once more; then it finds the guest awake.
  for (int attempt = 0; attempt < kMaxClockAttempts; ++attempt) {
    const absl::Time now = absl::Now();
    GuestConversation::Request request;
    request.message.mutable_ping()->set_unix_time_ns(static_cast<uint64_t>(absl::ToUnixNanos(now)));
    VCD_RETURN_IF_ERROR(Ask(std::move(request), "set the clock", context).status());
    if (absl::Now() - now <= kClockFreshness) break;
  }
  return absl::OkStatus();
}

absl::Status NativeSession::RemoveProcess(const ProcessKey& process, const CallContext& context) {
  GuestConversation::Request request;
  request.process = process;
  request.effect = Effect::kRemoveProcess;
  request.message.mutable_remove_process()->set_container_id(process.container_id);
  request.message.mutable_remove_process()->set_process_id(process.process_id);
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "remove", context));
  return OkIf(absl::StatusCode::kNotFound, ReplyStatus(reply, process, "remove"));
}

void NativeSession::WriteInput(const ProcessKey& process, std::string data, bool close,
                               std::function<void(absl::Status)> done) {
  conversation_->WriteInput(process, std::move(data), close, std::move(done));
}

void NativeSession::AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) {
  conversation_->AcknowledgeOutput(process, stream, offset);
}

absl::Status NativeSession::Shutdown(const CallContext& context) {
  GuestConversation::Request request;
  request.ends_the_guest = true;
  request.message.mutable_shutdown();
  VCD_ASSIGN_OR_RETURN(const agent::v1::Reply reply, Ask(std::move(request), "shut down", context));
  if (reply.code() == agent::v1::ERROR_CODE_OK) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("guest of pod ", pod_id_, ": shut down: ", CleanGuestText(reply.message())));
}

absl::StatusOr<agent::v1::Reply> NativeSession::Ask(GuestConversation::Request request, absl::string_view step,
                                                    const CallContext& context) {
  const Completion<agent::v1::Reply> reply = request.reply;
  const std::string what = request.process.container_id.empty()
                               ? absl::StrCat("guest of pod ", pod_id_, ": ", step)
                               : absl::StrCat(DescribeProcess(request.process), ": ", step);
  VCD_RETURN_IF_ERROR(context.Check(what));
  conversation_->Send(std::move(request));
  absl::StatusOr<agent::v1::Reply> answer = reply.Wait(context, absl::StrCat(what, ": the guest has not answered"));
  if (answer.ok() || DetailOf(answer.status()).has_value()) return answer;
  if (!absl::IsDeadlineExceeded(answer.status())) return answer;
  return WithDetail(answer.status(), {v1::ERROR_REASON_AGENT_UNAVAILABLE, {{"pod_id", pod_id_}}});
}

}  // namespace vcd
