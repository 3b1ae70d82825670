// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_hypervisor.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/host_facts.h"
#include "backends/hypervisor/qemu/kernel_parameters.h"
#include "backends/hypervisor/qemu/machine_options.h"
#include "backends/hypervisor/qemu/qemu_command_line.h"
#include "backends/hypervisor/qemu/qemu_config_resolver.h"
#include "backends/hypervisor/qemu/qemu_image_key.h"
#include "backends/hypervisor/qemu/qemu_machine.h"
#include "backends/hypervisor/qemu/run_files.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/asset/asset_digests.h"
#include "core/hypervisor/console_log.h"
#include "core/hypervisor/process_record.h"
#include "core/os/process.h"
#include "core/os/run_file.h"
#include "core/os/supervised_process.h"
#include "core/os/unique_fd.h"
#include "core/os/unix_socket.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr absl::Duration kAnswerTime = absl::Seconds(30);
constexpr size_t kLastWordsBytes = 500;

// Numbers under which QEMU sees its sockets and files.
enum ChildFd {
  kControlFd = 3,
  kMonitorFd,
  kAgentFd,
  kConsoleFd,
  kFirmwareFd,
  kKernelFd,
  kInitrdFd,
  kMemoryFd,
  kStateFd
};

std::string InheritedPath(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

// What is beyond has a price in every guest: tables for each vCPU that may come, and addresses that not every CPU has.
constexpr uint32_t kMostVcpusByDefault = 16;
constexpr uint32_t kMostMemoryMibByDefault = 512 << 10;

QemuOptions WithDefaults(QemuOptions options, const HostFacts& host) {
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
  if (options.max_console_bytes == 0) options.max_console_bytes = defaults.max_console_bytes;
  if (options.max_vcpus == 0) options.max_vcpus = std::min(host.cpus, kMostVcpusByDefault);
  if (options.max_memory_mib == 0) options.max_memory_mib = std::min(host.memory_mib, kMostMemoryMibByDefault);
  return options;
}

GuestMemory MemoryOf(const VmSpec& spec) {
  return {spec.shared_memory, spec.config.huge_pages(), spec.config.memory_prealloc()};
}

// Shared memory is of vcd's making, so that an image can be made of it, and so is that of a machine out of such an
// image. Huge pages QEMU takes by itself.
bool HasMemoryFile(const VmSpec& spec, const QemuImage* image) {
  if (image != nullptr) return image->machine().shares_memory;
  return spec.shared_memory && !spec.config.huge_pages();
}

// `image` is what the machine goes on from; null boots it.
QemuMachineDescription Describe(const VmSpec& spec, const QemuImage* image) {
  QemuMachineDescription machine;
  machine.program = spec.config.hypervisor_path();
  machine.pod_id = spec.pod_id;
  machine.machine_type = spec.config.machine_type();
  machine.machine_accelerators = spec.config.machine_accelerators();
  machine.accelerator = spec.config.accelerator();
  machine.nested = !spec.config.disable_nesting_checks() && ReadHostFacts().is_virtual;
  machine.firmware_path = InheritedPath(kFirmwareFd);
  machine.kernel_path = InheritedPath(kKernelFd);
  machine.initrd_path = InheritedPath(kInitrdFd);
  machine.kernel_command_line = KernelCommandLine(spec.config);
  machine.run_dir = spec.run_dir;
  machine.vcpus = spec.config.default_vcpus();
  machine.max_vcpus = spec.config.max_vcpus();
  machine.memory_mib = spec.config.default_memory_mib();
  machine.max_memory_mib = spec.config.max_memory_mib();
  machine.memory = MemoryOf(spec);
  if (HasMemoryFile(spec, image)) machine.memory_file = InheritedPath(kMemoryFd);
  machine.file_server_port = image != nullptr ? image->machine().file_server_port : spec.shared_memory;
  machine.incoming = image != nullptr;
  machine.memory_lock = spec.config.memory_lock();
  machine.scsi_controller = spec.config.block_device_driver() != kVirtioBlk;
  machine.hotplug_slots = spec.config.hotplug_slots();
  for (const v1::Param& param : spec.config.hypervisor_params()) {
    machine.more_options.emplace_back(param.key(), param.value());
  }
  machine.control_fd = kControlFd;
  machine.monitor_fd = kMonitorFd;
  machine.agent_fd = kAgentFd;
  machine.console_fd = kConsoleFd;
  return machine;
}

// What QEMU is given, open as long as it is being started.
struct QemuFiles {
  std::vector<UniqueFd> open;
  std::vector<std::pair<int, int>> descriptors;  // LaunchSpec::descriptors.
};

// The memory that it starts with.
absl::StatusOr<UniqueFd> OpenMemory(const VmSpec& spec, const QemuImage* image, const CallContext& context) {
  if (image == nullptr) return MakeGuestMemory(uint64_t{spec.config.default_memory_mib()} << 20);
  return spec.shared_memory ? image->CopyMemory(context) : image->OpenMemory();
}

absl::StatusOr<QemuFiles> OpenFiles(const VmSpec& spec, const QemuImage* image, bool another_user,
                                    const CallContext& context) {
  QemuFiles files;
  const auto add = [&files](absl::StatusOr<UniqueFd> file, int number) -> absl::Status {
    VCD_RETURN_IF_ERROR(file.status());
    files.descriptors.emplace_back(file->get(), number);
    files.open.push_back(*std::move(file));
    return absl::OkStatus();
  };
  for (const auto& [name, number] : {std::pair(kControlSocket, kControlFd), std::pair(kMonitorSocket, kMonitorFd),
                                     std::pair(kAgentSocket, kAgentFd), std::pair(kConsoleSocket, kConsoleFd)}) {
    VCD_RETURN_IF_ERROR(add(ListenUnix(spec.run_dir, name, /*backlog=*/4), number));
  }
  VCD_RETURN_IF_ERROR(add(OpenForQemu(spec.config.firmware_path(), another_user), kFirmwareFd));
  if (HasMemoryFile(spec, image)) VCD_RETURN_IF_ERROR(add(OpenMemory(spec, image, context), kMemoryFd));
  if (image != nullptr) {
    VCD_RETURN_IF_ERROR(add(image->OpenState(), kStateFd));
    return files;
  }
  VCD_RETURN_IF_ERROR(add(OpenForQemu(spec.config.kernel_path(), another_user), kKernelFd));
  VCD_RETURN_IF_ERROR(add(OpenForQemu(spec.config.initrd_path(), another_user), kInitrdFd));
  return files;
}

// How much memory a child may be let lock: no limit where this process may lift its own, which takes CAP_SYS_RESOURCE.
// QEMU says what it could not lock.
rlim_t MostToLock() {
  const rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &no_limit) == 0) return RLIM_INFINITY;
  rlimit own{};
  return ::getrlimit(RLIMIT_MEMLOCK, &own) == 0 ? own.rlim_max : 0;
}

// In the pod's network namespace, when it has one, in place of an empty one. The descriptor is to stay open as long as
// the spec.
absl::StatusOr<UniqueFd> EnterNetwork(const std::string& netns_path, LaunchSpec* launch) {
  if (netns_path.empty()) return UniqueFd();
  UniqueFd network(open(netns_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!network.valid()) return PosixError(errno, absl::StrCat("open the pod's network namespace ", netns_path));
  launch->namespace_fds.push_back(network.get());
  launch->unshare_flags &= ~CLONE_NEWNET;
  return network;
}

// Starts QEMU on listening sockets that only it holds once this returns: when it ends, whoever connected sees that.
absl::StatusOr<std::shared_ptr<SupervisedProcess>> StartQemu(IoThread& io, const VmSpec& spec, const QemuImage* image,
                                                             const QemuConfinement::Place& place,
                                                             const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const QemuFiles files, OpenFiles(spec, image, place.first_uid != 0, context));
  VCD_ASSIGN_OR_RETURN(const UniqueFd log, OpenLogFile(QemuLogPath(spec.run_dir)));
  LaunchSpec launch;
  launch.argv = QemuCommandLine(Describe(spec, image));
  launch.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  launch.descriptors = files.descriptors;
  launch.stdout_fd = log.get();
  launch.stderr_fd = log.get();
  QemuConfinement::Join(place, &launch);
  if (spec.config.memory_lock()) launch.limits.emplace_back(RLIMIT_MEMLOCK, MostToLock());
  VCD_ASSIGN_OR_RETURN(const UniqueFd network, EnterNetwork(spec.netns_path, &launch));
  if (launch.user_id.has_value() && spec.config.accelerator() == "kvm") {
    VCD_ASSIGN_OR_RETURN(launch.groups, GroupsForKvm());
  }
  VCD_ASSIGN_OR_RETURN(LaunchedProcess launched, LaunchProcess(launch));
  return std::shared_ptr<SupervisedProcess>(SupervisedProcess::Watch(io, std::move(launched)));
}

// What its processes may have of the host's memory: all that the guest may get, and more.
uint64_t GuestMemoryBytes(const v1::HypervisorConfig& config) {
  return uint64_t{std::max(config.default_memory_mib(), config.max_memory_mib())} << 20;
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

// That an image is of a machine such as is asked for.
absl::Status CheckIsOf(const QemuImage::Machine& machine, const VmSpec& spec) {
  const uint64_t bytes = uint64_t{spec.config.default_memory_mib()} << 20;
  if (machine.memory_bytes != bytes) {
    return absl::FailedPreconditionError(absl::StrCat("the image in ", spec.image_dir, " has ", machine.memory_bytes,
                                                      " bytes of memory, and the machine is to have ", bytes));
  }
  if (!spec.shared_memory || machine.shares_memory) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the image in ", spec.image_dir,
                                                    " is of a machine without shared memory, and the machine is to "
                                                    "share directories"));
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
    : io_(io),
      options_(std::move(options)),
      accelerator_(std::move(accelerator)),
      kvm_paths_(std::move(kvm_paths)),
      confinement_(std::make_shared<QemuConfinement>(options_.confinement)) {}

QemuMachine::Options QemuHypervisor::MachineOptions(const VmSpec& spec, const state::v1::VirtualMachine& record) const {
  QemuMachine::Options options;
  options.run_dir = spec.run_dir;
  options.pod_id = spec.pod_id;
  options.accelerator = record.accelerator();
  options.virtiofsd_path = options_.virtiofsd_path;
  options.machine_type = spec.config.machine_type();
  options.disk_driver = spec.config.block_device_driver();
  options.hotplug_slots = spec.config.hotplug_slots();
  options.memory = MemoryOf(spec);
  options.max_memory_mib = spec.config.max_memory_mib();
  options.memory_fd = kMemoryFd;
  options.first_uid = record.first_uid();
  options.cgroup = record.cgroup();
  options.max_console_bytes = options_.max_console_bytes;
  options.confinement = confinement_;
  return options;
}

absl::Status QemuHypervisor::GiveBack(const std::string& run_dir) {
  absl::Status status = confinement_->GiveBack(run_dir);
  status.Update(RemoveRunFiles(run_dir));
  return status;
}

absl::StatusOr<std::unique_ptr<QemuHypervisor>> QemuHypervisor::Create(IoThread& io, QemuOptions options,
                                                                       const KvmPaths& kvm_paths) {
  options = WithDefaults(std::move(options), ReadHostFacts());
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
  capabilities.resize = true;
  capabilities.device_passthrough = true;
  capabilities.nic_hotplug = true;
  capabilities.images = true;
  return capabilities;
}

absl::StatusOr<v1::HypervisorConfig> QemuHypervisor::Resolve(const v1::HypervisorConfig& config,
                                                             const CallContext& context) const {
  VCD_ASSIGN_OR_RETURN(v1::HypervisorConfig resolved, ResolveQemuConfig(config, options_));
  if (resolved.accelerator().empty()) {
    resolved.set_accelerator(accelerator_.name);
  } else {
    VCD_ASSIGN_OR_RETURN(const AcceleratorChoice asked,
                         ChooseAccelerator(resolved.accelerator(), kvm_paths_, "hypervisor_config.accelerator"));
    resolved.set_accelerator(asked.name);
  }
  VCD_RETURN_IF_ERROR(VerifyAssets(resolved, digests_, "name the file that was meant, or its own digest", context));
  return resolved;
}

// A stopped pod boots from what its configuration names, which may have gone or changed since it was created.
absl::Status QemuHypervisor::CheckAssets(const VmSpec& spec, const CallContext& context) const {
  constexpr char kAdvice[] = "put that file back, or delete the pod and create it again";
  absl::Status status = CheckQemuFiles(spec.config, kAdvice);
  status.Update(CheckSizeForGuest(spec.config));
  status.Update(VerifyAssets(spec.config, digests_, kAdvice, context));
  if (status.ok()) return status;
  VCD_RETURN_IF_ERROR(Annotate(context.Check("look at its files"), absl::StrCat("boot of pod ", spec.pod_id)));
  return WithDetail(absl::FailedPreconditionError(absl::StrCat("boot of pod ", spec.pod_id, ": ", status.message())),
                    {v1::ERROR_REASON_VM_BOOT_FAILED, DetailOf(status).value_or(ErrorDetail()).metadata});
}

absl::StatusOr<std::string> QemuHypervisor::ImageKey(const VmSpec& spec, const CallContext& context) const {
  VCD_RETURN_IF_ERROR(context.Check("find the key of an image"));
  // As the one that the image is made of.
  VmSpec made = spec;
  made.pod_id.clear();
  made.run_dir.clear();
  made.image_dir.clear();
  made.shared_memory = true;
  return QemuImageKey(QemuCommandLine(Describe(made, nullptr)), spec.config, digests_, context);
}

absl::Status QemuHypervisor::CheckImage(const VmSpec& spec, const CallContext& context) const {
  VCD_RETURN_IF_ERROR(context.Check("look at an image"));
  VCD_ASSIGN_OR_RETURN(const QemuImage::Machine machine, QemuImage::Look(spec.image_dir));
  return CheckIsOf(machine, spec);
}

void QemuHypervisor::ForgetImage(const std::string& image_dir) { images_.Forget(image_dir); }

absl::StatusOr<std::shared_ptr<const QemuImage>> QemuHypervisor::ImageOf(const VmSpec& spec,
                                                                         const CallContext& context) {
  if (spec.image_dir.empty()) return std::shared_ptr<const QemuImage>();
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<const QemuImage> image, images_.Get(spec.image_dir, spec.image_shared, context));
  VCD_RETURN_IF_ERROR(CheckIsOf(image->machine(), spec));
  return image;
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> QemuHypervisor::Boot(const VmSpec& asked, const CallContext& context) {
  VmSpec spec = asked;
  const std::string step = absl::StrCat("boot of pod ", spec.pod_id);
  VCD_RETURN_IF_ERROR(context.Check(step));
  VCD_RETURN_IF_ERROR(CheckAssets(spec, context));
  // Logs of the machine before would be taken for the words of this one.
  VCD_RETURN_IF_ERROR(RemoveRunFiles(spec.run_dir));
  VCD_RETURN_IF_ERROR(RemoveConsole(spec.run_dir));
  const absl::StatusOr<std::shared_ptr<const QemuImage>> image = ImageOf(spec, context);
  VCD_RETURN_IF_ERROR(Annotate(image.status(), step));
  if (*image != nullptr && !spec.image_shared) spec.shared_memory = (*image)->machine().shares_memory;
  absl::Cleanup give_back = [this, &spec] { GiveBack(spec.run_dir).IgnoreError(); };
  absl::StatusOr<QemuConfinement::Place> place = confinement_->Take(spec.run_dir, GuestMemoryBytes(spec.config));
  VCD_RETURN_IF_ERROR(Annotate(place.status(), step));
  absl::StatusOr<std::shared_ptr<SupervisedProcess>> process = StartQemu(io_, spec, image->get(), *place, context);
  if (!process.ok()) {
    return WithDetail(Annotate(process.status(), step), {v1::ERROR_REASON_VM_BOOT_FAILED, {}});
  }
  std::move(give_back).Cancel();

  const CallContext answer = context.Within(kAnswerTime);
  state::v1::VirtualMachine record;
  record.set_accelerator(spec.config.accelerator());
  record.set_first_uid(place->first_uid);
  record.set_cgroup(place->cgroup);
  absl::StatusOr<std::unique_ptr<QemuMachine>> machine =
      QemuMachine::Connect(io_, MachineOptions(spec, record), *process, answer);
  absl::Status status = machine.status();
  // How long that takes goes with the memory that is in it; whoever waits knows for how long.
  if (status.ok() && *image != nullptr)
    status = (*machine)->LoadImage(kStateFd, spec.image_disks, (*image)->machine(), context);
  if (status.ok() && !spec.paused) status = (*machine)->Resume(context.Within(kAnswerTime));
  if (status.ok()) return *std::move(machine);

  absl::Status error = BootError(spec, **process, status, context);
  if (machine.ok()) machine->reset();
  absl::Status undone = (*process)->Terminate(absl::ZeroDuration());
  if (undone.ok()) undone = GiveBack(spec.run_dir);
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
  if (absl::IsNotFound(process.status())) {
    const std::string traces = TracesOfTheEnd(spec.run_dir, *confinement_);
    return absl::NotFoundError(
        absl::StrCat(step, ": ", process.status().message(), traces.empty() ? "" : "; what is to be found: ", traces));
  }
  VCD_RETURN_IF_ERROR(Annotate(process.status(), step));
  const std::shared_ptr<SupervisedProcess> shared = *std::move(process);
  const CallContext answer = context.Within(kAnswerTime);
  auto machine = QemuMachine::Connect(io_, MachineOptions(spec, record), shared, answer);
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
  status.Update(GiveBack(run_dir));
  return Annotate(status, absl::StrCat("reap ", run_dir));
}

}  // namespace vcd
