// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_hypervisor.h"

#include <signal.h>

#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/kernel_parameters.h"
#include "backends/hypervisor/qemu/qemu_command_line.h"
#include "backends/hypervisor/qemu/qemu_config_resolver.h"
#include "backends/hypervisor/qemu/qemu_machine.h"
#include "backends/hypervisor/qemu/run_files.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/hypervisor/process_record.h"
#include "core/os/process.h"
#include "core/os/run_file.h"
#include "core/os/supervised_process.h"
#include "core/os/unix_socket.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr absl::Duration kAnswerTime = absl::Seconds(30);
constexpr size_t kLastWordsBytes = 500;

// Numbers under which QEMU sees its sockets.
enum ChildFd { kControlFd = 3, kMonitorFd = 4, kAgentFd = 5 };

QemuOptions WithDefaults(QemuOptions options) {
  const QemuOptions defaults;
  const auto fill = [](std::string& value, const std::string& fallback) {
    if (value.empty()) value = fallback;
  };
  fill(options.path, defaults.path);
  fill(options.kernel_path, defaults.kernel_path);
  fill(options.initrd_path, defaults.initrd_path);
  fill(options.firmware_path, defaults.firmware_path);
  fill(options.machine_type, defaults.machine_type);
  fill(options.virtiofsd_path, defaults.virtiofsd_path);
  if (options.default_vcpus == 0) options.default_vcpus = defaults.default_vcpus;
  if (options.default_memory_mib == 0) options.default_memory_mib = defaults.default_memory_mib;
  return options;
}

QemuMachineDescription Describe(const VmSpec& spec) {
  QemuMachineDescription machine;
  machine.program = spec.config.hypervisor_path();
  machine.pod_id = spec.pod_id;
  machine.machine_type = spec.config.machine_type();
  machine.accelerator = spec.config.accelerator();
  machine.firmware_path = spec.config.firmware_path();
  machine.kernel_path = spec.config.kernel_path();
  machine.initrd_path = spec.config.initrd_path();
  machine.kernel_command_line = KernelCommandLine(spec.config);
  machine.run_dir = spec.run_dir;
  machine.vcpus = spec.config.default_vcpus();
  machine.memory_mib = spec.config.default_memory_mib();
  machine.shared_memory = spec.shared_memory;
  machine.control_fd = kControlFd;
  machine.monitor_fd = kMonitorFd;
  machine.agent_fd = kAgentFd;
  return machine;
}

QemuMachine::Options MachineOptions(const VmSpec& spec, const QemuOptions& options, const std::string& accelerator) {
  return {spec.run_dir, spec.pod_id, accelerator, options.virtiofsd_path, spec.shared_memory};
}

// Starts QEMU on listening sockets that only it holds once this returns: when it ends, whoever connected sees that.
absl::StatusOr<std::shared_ptr<SupervisedProcess>> StartQemu(IoThread& io, const VmSpec& spec) {
  VCD_ASSIGN_OR_RETURN(const UniqueFd control, ListenUnix(spec.run_dir, kControlSocket, /*backlog=*/4));
  VCD_ASSIGN_OR_RETURN(const UniqueFd monitor, ListenUnix(spec.run_dir, kMonitorSocket, /*backlog=*/4));
  VCD_ASSIGN_OR_RETURN(const UniqueFd agent, ListenUnix(spec.run_dir, kAgentSocket, /*backlog=*/4));
  VCD_ASSIGN_OR_RETURN(const UniqueFd log, OpenLogFile(QemuLogPath(spec.run_dir)));
  LaunchSpec launch;
  launch.argv = QemuCommandLine(Describe(spec));
  launch.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  launch.descriptors = {{control.get(), kControlFd}, {monitor.get(), kMonitorFd}, {agent.get(), kAgentFd}};
  launch.stdout_fd = log.get();
  launch.stderr_fd = log.get();
  VCD_ASSIGN_OR_RETURN(LaunchedProcess launched, LaunchProcess(launch));
  return std::shared_ptr<SupervisedProcess>(SupervisedProcess::Watch(io, std::move(launched)));
}

// Why a QEMU that was just started is of no use: its own words, when it has ended.
absl::Status BootError(const VmSpec& spec, SupervisedProcess& process, const absl::Status& error,
                       const CallContext& context) {
  const std::string step = absl::StrCat("boot of pod ", spec.pod_id);
  VCD_RETURN_IF_ERROR(Annotate(context.Check("wait for qemu"), step));
  std::string cause(error.message());
  if (process.WaitExit({absl::Now() + absl::Seconds(2), nullptr}).ok()) {
    cause = absl::StrCat("qemu ", process.exit_description());
  }
  const std::string last_words = ReadLogTail(QemuLogPath(spec.run_dir), kLastWordsBytes);
  if (!last_words.empty()) absl::StrAppend(&cause, ": ", absl::StrReplaceAll(last_words, {{"\n", "; "}}));
  return WithDetail(absl::FailedPreconditionError(absl::StrCat(step, ": ", cause)),
                    {v1::ERROR_REASON_VM_BOOT_FAILED, {}});
}

absl::Status KillAndRemove(const VmSpec& spec, SupervisedProcess& process) {
  VCD_RETURN_IF_ERROR(process.Terminate(absl::ZeroDuration()));
  return RemoveRunFiles(spec.run_dir);
}

std::vector<std::unique_ptr<SupervisedProcess>> AdoptAll(IoThread& io, const std::string& marker) {
  std::vector<std::unique_ptr<SupervisedProcess>> processes;
  for (const ProcessIdentity& identity : FindProcesses(marker)) {
    auto process = SupervisedProcess::Adopt(io, identity);
    if (process.ok()) processes.push_back(*std::move(process));
  }
  return processes;
}

absl::Status EndAll(const std::vector<std::unique_ptr<SupervisedProcess>>& processes, absl::Duration grace) {
  absl::Status first_error = absl::OkStatus();
  // All are asked before one is waited for.
  for (const auto& process : processes) first_error.Update(process->Signal(SIGTERM));
  for (const auto& process : processes) first_error.Update(process->Terminate(grace));
  return first_error;
}

}  // namespace

QemuHypervisor::QemuHypervisor(IoThread& io, QemuOptions options, AcceleratorChoice accelerator, KvmPaths kvm_paths)
    : io_(io), options_(std::move(options)), accelerator_(std::move(accelerator)), kvm_paths_(std::move(kvm_paths)) {}

absl::StatusOr<std::unique_ptr<QemuHypervisor>> QemuHypervisor::Create(IoThread& io, QemuOptions options,
                                                                       const KvmPaths& kvm_paths) {
  options = WithDefaults(std::move(options));
  VCD_ASSIGN_OR_RETURN(AcceleratorChoice accelerator,
                       ChooseAccelerator(options.accelerator, kvm_paths, "qemu.accelerator"));
  return std::unique_ptr<QemuHypervisor>(new QemuHypervisor(io, std::move(options), std::move(accelerator), kvm_paths));
}

HypervisorCapabilities QemuHypervisor::capabilities() const {
  HypervisorCapabilities capabilities;
  capabilities.agent_channel = true;
  capabilities.disk_hotplug = true;
  capabilities.directory_sharing = true;
  capabilities.pause = true;
  return capabilities;
}

absl::StatusOr<v1::HypervisorConfig> QemuHypervisor::Resolve(const v1::HypervisorConfig& config) const {
  VCD_ASSIGN_OR_RETURN(v1::HypervisorConfig resolved, ResolveQemuConfig(config, options_));
  if (resolved.accelerator().empty()) {
    resolved.set_accelerator(accelerator_.name);
  } else {
    VCD_ASSIGN_OR_RETURN(const AcceleratorChoice asked,
                         ChooseAccelerator(resolved.accelerator(), kvm_paths_, "hypervisor_config.accelerator"));
    resolved.set_accelerator(asked.name);
  }
  return resolved;
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> QemuHypervisor::Boot(const VmSpec& spec, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("boot of pod ", spec.pod_id)));
  // Logs of the machine before would be taken for the words of this one.
  VCD_RETURN_IF_ERROR(RemoveRunFiles(spec.run_dir));
  absl::Cleanup remove_files = [&spec] { RemoveRunFiles(spec.run_dir).IgnoreError(); };
  absl::StatusOr<std::shared_ptr<SupervisedProcess>> process = StartQemu(io_, spec);
  if (!process.ok()) {
    return WithDetail(Annotate(process.status(), absl::StrCat("boot of pod ", spec.pod_id)),
                      {v1::ERROR_REASON_VM_BOOT_FAILED, {}});
  }
  std::move(remove_files).Cancel();

  const CallContext answer = context.Within(kAnswerTime);
  absl::StatusOr<std::unique_ptr<QemuMachine>> machine =
      QemuMachine::Connect(io_, MachineOptions(spec, options_, spec.config.accelerator()), *process, answer);
  absl::Status status = machine.status();
  if (status.ok()) status = (*machine)->Resume(answer);
  if (status.ok()) return *std::move(machine);

  absl::Status error = BootError(spec, **process, status, context);
  if (machine.ok()) machine->reset();
  const absl::Status undone = KillAndRemove(spec, **process);
  if (!undone.ok()) return Annotate(error, absl::StrCat("(and not cleaned up: ", undone.message(), ")"));
  return error;
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> QemuHypervisor::Adopt(const VmSpec& spec,
                                                                      const state::v1::VirtualMachine& record,
                                                                      const CallContext& context) {
  const std::string step = absl::StrCat("adopt the machine of pod ", spec.pod_id);
  VCD_RETURN_IF_ERROR(context.Check(step));
  if (record.process().pid() <= 0) return absl::NotFoundError(absl::StrCat(step, ": the record names no process"));
  auto process = SupervisedProcess::Adopt(io_, FromRecord(record.process()));
  VCD_RETURN_IF_ERROR(Annotate(process.status(), step));
  const std::shared_ptr<SupervisedProcess> shared = *std::move(process);
  const CallContext answer = context.Within(kAnswerTime);
  auto machine = QemuMachine::Connect(io_, MachineOptions(spec, options_, record.accelerator()), shared, answer);
  absl::Status status = machine.status();
  if (status.ok()) status = (*machine)->AdoptDevices(record, answer);
  if (status.ok()) return *std::move(machine);
  // It may have ended under our hands, which is another thing than not answering.
  if (absl::IsUnavailable(status) && shared->WaitExit({absl::Now() + absl::Seconds(1), nullptr}).ok()) {
    return absl::NotFoundError(absl::StrCat(step, ": qemu ", shared->exit_description()));
  }
  return Annotate(status, step);
}

absl::Status QemuHypervisor::Reap(const std::string& run_dir, const CallContext& context) {
  (void)context;  // Cleaning up is never given up half way; every wait below has an end of its own.
  absl::Status status = EndAll(AdoptAll(io_, QemuProcessMarker(run_dir)), absl::Seconds(2));
  // These follow QEMU by themselves, but one that has just been started has no connection yet to lose.
  status.Update(EndAll(AdoptAll(io_, VirtiofsdMarker(run_dir)), absl::Seconds(1)));
  status.Update(RemoveRunFiles(run_dir));
  return Annotate(status, absl::StrCat("reap ", run_dir));
}

}  // namespace vcd
