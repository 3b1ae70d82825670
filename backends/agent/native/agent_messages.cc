// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_messages.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "backends/agent/native/agent_usage.h"
#include "core/agent/guest_error.h"
#include "core/link/link_limits.h"
#include "core/model/mounts.h"
#include "core/model/seccomp_program.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

// Longer than any id that core lets through.
constexpr int kMaxIdBytes = 128;
constexpr int kMaxSignal = 64;
// No stream gets there; sums of offsets below it do not overflow.
constexpr uint64_t kMaxOffset = uint64_t{1} << 62;

// What containerd and Docker hide of the kernel, and what they let containers only read.
constexpr const char* kMaskedPaths[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
};
constexpr const char* kReadonlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
constexpr uint64_t kShmBytes = uint64_t{64} << 20;
constexpr uint32_t kDeviceMode = 0666;

agent::v1::DiskAddress ToAgentDisk(const DiskAddress& address) {
  agent::v1::DiskAddress disk;
  if (address.serial.empty()) {
    disk.mutable_scsi_lun()->set_target(address.scsi.target);
    disk.mutable_scsi_lun()->set_lun(address.scsi.lun);
  } else {
    disk.set_serial(address.serial);
  }
  return disk;
}

// Whether the guests of earlier releases, which may still run, know how to have it.
bool IsPlainImage(const DiskRootfs& disk) {
  return disk.overlay && disk.address.serial.empty() && disk.fs_type != "xfs";
}

agent::v1::RootfsSource ToAgentRootfs(const GuestContainerSpec& spec) {
  agent::v1::RootfsSource source;
  source.set_readonly(spec.config.rootfs().readonly());
  const auto* disk = std::get_if<DiskRootfs>(&spec.rootfs);
  if (disk != nullptr && IsPlainImage(*disk)) {
    source.mutable_scsi_lun()->set_target(disk->address.scsi.target);
    source.mutable_scsi_lun()->set_lun(disk->address.scsi.lun);
    source.mutable_scsi_lun()->set_fs_type(disk->fs_type);
  } else if (disk != nullptr) {
    agent::v1::RootfsSource::Block& block = *source.mutable_block();
    *block.mutable_disk() = ToAgentDisk(disk->address);
    block.set_fs_type(disk->fs_type);
    *block.mutable_options() = {disk->options.begin(), disk->options.end()};
    block.set_overlay(disk->overlay);
  } else if (const auto* shared = std::get_if<SharedRootfs>(&spec.rootfs)) {
    source.mutable_virtiofs()->set_tag(shared->path.tag);
    source.mutable_virtiofs()->set_name(shared->path.name);
  } else if (spec.config.rootfs().has_directory()) {
    // A machine that cannot share is no machine: its agent runs on this host, and sees the directory itself.
    source.set_directory(spec.config.rootfs().directory().path());
  }
  return source;
}

GuestPlace PlaceOf(const std::vector<GuestPlace>& places, int index) {
  return static_cast<size_t>(index) < places.size() ? places[static_cast<size_t>(index)] : GuestPlace();
}

void AddPaths(bool given, const v1::PathList& list, absl::Span<const char* const> otherwise,
              google::protobuf::RepeatedPtrField<std::string>* paths) {
  if (given) {
    *paths = list.paths();
  } else {
    for (const char* path : otherwise) paths->Add(path);
  }
}

absl::StatusOr<agent::v1::LinuxSettings> ToAgentLinux(const GuestContainerSpec& spec) {
  const v1::LinuxSettings& linux = spec.config.linux();
  agent::v1::LinuxSettings settings;
  AddPaths(linux.has_masked_paths(), linux.masked_paths(), kMaskedPaths, settings.mutable_masked_paths());
  AddPaths(linux.has_readonly_paths(), linux.readonly_paths(), kReadonlyPaths, settings.mutable_readonly_paths());
  // A map has no order, and two machines should be told the same.
  const std::map<std::string, std::string> sysctls(linux.sysctls().begin(), linux.sysctls().end());
  for (const auto& [name, value] : sysctls) {
    agent::v1::LinuxSettings::Sysctl& added = *settings.add_sysctls();
    added.set_name(name);
    added.set_value(value);
  }
  settings.set_shm_size_bytes(linux.shm_size_bytes() == 0 ? kShmBytes : linux.shm_size_bytes());
  if (linux.has_seccomp()) {
    VCD_ASSIGN_OR_RETURN(*settings.mutable_seccomp_filter(), CompileSeccompProfile(linux.seccomp(), "linux.seccomp"));
  }
  for (int i = 0; i < spec.config.mounts_size(); ++i) {
    const v1::Mount& mount = spec.config.mounts(i);
    const MountKind kind = KindOf(mount).value_or(MountKind::kGuest);
    if (kind == MountKind::kGuestsOwn) continue;
    agent::v1::Mount& added = *settings.add_mounts();
    added.set_source(mount.source());
    added.set_destination(mount.destination());
    added.set_type(kind == MountKind::kBind || kind == MountKind::kVolume ? "bind" : mount.type());
    *added.mutable_options() = mount.options();
    const GuestPlace place = PlaceOf(spec.mounts, i);
    if (const auto* disk = std::get_if<DiskAddress>(&place)) *added.mutable_disk() = ToAgentDisk(*disk);
    if (const auto* share = std::get_if<SharedPath>(&place)) {
      added.mutable_share()->set_tag(share->tag);
      added.mutable_share()->set_name(share->name);
    }
  }
  for (int i = 0; i < spec.config.devices_size(); ++i) {
    const v1::Device& device = spec.config.devices(i);
    const GuestPlace place = PlaceOf(spec.devices, i);
    const auto* disk = std::get_if<DiskAddress>(&place);
    const bool of_host = disk == nullptr && !device.host_path().empty();
    // What is passed through is the guest's kernel's to make nodes for, as its driver likes.
    if (of_host && device.major() == 0) continue;
    agent::v1::DeviceNode& added = *settings.add_devices();
    added.set_needs_driver(of_host);
    if (disk != nullptr) *added.mutable_disk() = ToAgentDisk(*disk);
    added.set_path(device.container_path());
    added.set_type(device.type());
    added.set_major(device.major());
    added.set_minor(device.minor());
    added.set_file_mode(device.file_mode() == 0 ? kDeviceMode : device.file_mode());
    added.set_uid(device.uid());
    added.set_gid(device.gid());
  }
  settings.set_resolv_conf(spec.resolv_conf);
  settings.set_hosts(spec.hosts);
  settings.set_share_process_namespace(spec.share_process_namespace);
  for (const v1::Hook& hook : spec.start_hooks) {
    agent::v1::Hook& added = *settings.add_start_hooks();
    added.set_path(hook.path());
    *added.mutable_args() = hook.args();
    *added.mutable_envs() = hook.env();
    added.set_timeout_seconds(hook.timeout_seconds());
  }
  if (!spec.start_hooks.empty()) settings.set_hook_state(spec.hook_state);
  return settings;
}

}  // namespace

absl::StatusOr<agent::v1::CreateContainer> ToAgentContainer(const GuestContainerSpec& spec) {
  agent::v1::CreateContainer container;
  container.set_container_id(spec.config.id());
  container.set_hostname(spec.hostname);
  *container.mutable_rootfs() = ToAgentRootfs(spec);
  *container.mutable_command() = ToAgentCommand(spec.config.cmd());
  VCD_ASSIGN_OR_RETURN(*container.mutable_linux(), ToAgentLinux(spec));
  *container.mutable_resources() = ToAgentResources(spec.config.resources(), spec.config.resources());
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
  if (cmd.has_terminal_size()) *command.mutable_terminal_size() = ToAgentTerminalSize(cmd.terminal_size());
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
  for (const v1::Rlimit& limit : cmd.rlimits()) {
    agent::v1::Rlimit& added = *command.add_rlimits();
    added.set_type(limit.type());
    added.set_soft(limit.soft());
    added.set_hard(limit.hard());
  }
  if (cmd.has_oom_score_adj()) command.set_oom_score_adj(cmd.oom_score_adj());
  if (cmd.has_umask()) command.set_umask(cmd.umask());
  return command;
}

agent::v1::TerminalSize ToAgentTerminalSize(const v1::TerminalSize& size) {
  agent::v1::TerminalSize result;
  result.set_columns(size.columns());
  result.set_rows(size.rows());
  return result;
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
    case agent::v1::ERROR_CODE_CONNECTION_REFUSED:
      return refused(GuestError::kConnectionRefused);
    case agent::v1::ERROR_CODE_UNREACHABLE:
      return refused(GuestError::kUnreachable);
    case agent::v1::ERROR_CODE_HOOK_FAILED:
      return refused(GuestError::kHookFailed);
    case agent::v1::ERROR_CODE_EXHAUSTED:
      return refused(GuestError::kExhausted);
    default:  // ERROR_CODE_SYSTEM, and those of a newer or a broken agent.
      return refused(GuestError::kSystem);
  }
}

absl::StatusOr<GuestProcess> FromAgentProcess(const agent::v1::Process& process) {
  // A connection is in no container.
  if ((process.container_id().empty() && process.process_id().empty()) || process.container_id().size() > kMaxIdBytes ||
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
  result.terminal = process.terminal();
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
  status.set_oom_killed(exit.oom_killed());
  return status;
}

}  // namespace vcd
