// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_messages.h"

#include "absl/strings/str_cat.h"
#include "core/agent/guest_error.h"
#include "core/link/link_limits.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

// Longer than any id that core lets through.
constexpr int kMaxIdBytes = 128;
constexpr int kMaxSignal = 64;
// No stream gets there; sums of offsets below it do not overflow.
constexpr uint64_t kMaxOffset = uint64_t{1} << 62;

absl::Status Unsupported(absl::string_view container_id, absl::string_view field) {
  return WithDetail(absl::UnimplementedError(absl::StrCat("container ", container_id, ": `", field,
                                                          "` is not supported by the agent native; leave it empty")),
                    {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"field", std::string(field)}}});
}

absl::Status CheckSupported(const v1::ContainerConfig& config) {
  if (!config.mounts().empty()) return Unsupported(config.id(), "mounts");
  if (!config.devices().empty()) return Unsupported(config.id(), "devices");
  const v1::ContainerResources& resources = config.resources();
  if (resources.cpu_quota_us() > 0 || resources.cpu_shares() != 0 || resources.memory_limit_bytes() > 0 ||
      resources.pids_limit() > 0) {
    return Unsupported(config.id(), "resources");
  }
  return absl::OkStatus();
}

agent::v1::RootfsSource ToAgentRootfs(const GuestContainerSpec& spec) {
  agent::v1::RootfsSource source;
  source.set_readonly(spec.config.rootfs().readonly());
  if (const auto* disk = std::get_if<DiskRootfs>(&spec.rootfs)) {
    source.mutable_scsi_lun()->set_target(disk->address.target);
    source.mutable_scsi_lun()->set_lun(disk->address.lun);
    source.mutable_scsi_lun()->set_fs_type(disk->fs_type);
  } else if (const auto* shared = std::get_if<SharedRootfs>(&spec.rootfs)) {
    source.mutable_virtiofs()->set_tag(shared->tag);
  } else if (spec.config.rootfs().has_directory()) {
    // A machine that cannot share is no machine: its agent runs on this host, and sees the directory itself.
    source.set_directory(spec.config.rootfs().directory().path());
  }
  return source;
}

}  // namespace

absl::StatusOr<agent::v1::CreateContainer> ToAgentContainer(const GuestContainerSpec& spec) {
  VCD_RETURN_IF_ERROR(CheckSupported(spec.config));
  agent::v1::CreateContainer container;
  container.set_container_id(spec.config.id());
  container.set_hostname(spec.hostname);
  *container.mutable_rootfs() = ToAgentRootfs(spec);
  *container.mutable_command() = ToAgentCommand(spec.config.cmd());
  return container;
}

agent::v1::Command ToAgentCommand(const v1::Cmd& cmd) {
  agent::v1::Command command;
  *command.mutable_args() = cmd.args();
  for (const v1::EnvVar& env : cmd.envs()) {
    agent::v1::EnvVar& added = *command.add_envs();
    added.set_name(env.name());
    added.set_value(env.value());
  }
  command.set_user(cmd.user());
  command.set_primary_group(cmd.primary_group());
  *command.mutable_supplementary_groups() = cmd.supplementary_groups();
  command.set_work_dir(cmd.work_dir());
  command.set_terminal(cmd.terminal());
  command.set_interactive(cmd.interactive());
  command.set_discard_output(cmd.detach());
  command.set_no_new_privileges(cmd.no_new_privileges());
  if (cmd.has_capabilities()) {
    agent::v1::Command::Capabilities& capabilities = *command.mutable_capabilities();
    *capabilities.mutable_bounding() = cmd.capabilities().bounding();
    *capabilities.mutable_effective() = cmd.capabilities().effective();
    *capabilities.mutable_inheritable() = cmd.capabilities().inheritable();
    *capabilities.mutable_permitted() = cmd.capabilities().permitted();
    *capabilities.mutable_ambient() = cmd.capabilities().ambient();
  }
  return command;
}

absl::Status ReplyStatus(const agent::v1::Reply& reply, const ProcessKey& process, absl::string_view step) {
  const auto refused = [&](GuestError error) { return GuestErrorStatus(error, process, step, reply.message()); };
  switch (reply.code()) {
    case agent::v1::ERROR_CODE_OK:
      return absl::OkStatus();
    case agent::v1::ERROR_CODE_INVALID:
      return refused(GuestError::kInvalid);
    case agent::v1::ERROR_CODE_NOT_FOUND:
      return refused(GuestError::kNotFound);
    case agent::v1::ERROR_CODE_EXISTS:
      return refused(GuestError::kExists);
    case agent::v1::ERROR_CODE_WRONG_STATE:
      return refused(GuestError::kWrongState);
    case agent::v1::ERROR_CODE_COMMAND_NOT_FOUND:
      return refused(GuestError::kCommandNotFound);
    case agent::v1::ERROR_CODE_COMMAND_NOT_EXECUTABLE:
      return refused(GuestError::kCommandNotExecutable);
    case agent::v1::ERROR_CODE_USER_NOT_FOUND:
      return refused(GuestError::kUserNotFound);
    default:  // ERROR_CODE_SYSTEM, and those of a newer or a broken agent.
      return refused(GuestError::kSystem);
  }
}

absl::StatusOr<GuestProcess> FromAgentProcess(const agent::v1::Process& process) {
  if (process.container_id().empty() || process.container_id().size() > kMaxIdBytes ||
      process.process_id().size() > kMaxIdBytes) {
    return absl::InvalidArgumentError("a process with an id of impossible length");
  }
  if (process.stdout_acked() > kMaxOffset || process.stderr_acked() > kMaxOffset ||
      process.stdin_received() > kMaxOffset || process.stdin_waiting() > kInputWindow) {
    return absl::InvalidArgumentError("a process with a stream of impossible length");
  }
  GuestProcess result;
  result.key = {process.container_id(), process.process_id()};
  result.pid = process.pid();
  result.started = process.started();
  if (process.has_exit()) {
    VCD_ASSIGN_OR_RETURN(result.exit, FromAgentExit(process.exit()));
  }
  result.stdout_offset = process.stdout_acked();
  result.stderr_offset = process.stderr_acked();
  return result;
}

absl::StatusOr<v1::ExitStatus> FromAgentExit(const agent::v1::ExitInfo& exit) {
  if (exit.code() < 0 || exit.code() > 255 || exit.signal() < 0 || exit.signal() > kMaxSignal) {
    return absl::InvalidArgumentError(absl::StrCat("an exit with code ", exit.code(), ", signal ", exit.signal()));
  }
  v1::ExitStatus status;
  status.set_code(exit.code());
  status.set_signal(exit.signal());
  return status;
}

}  // namespace vcd
