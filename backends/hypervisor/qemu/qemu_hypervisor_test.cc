// SPDX-License-Identifier: Apache-2.0
// With the real QEMU, under TCG so that every host gives the same, and the real guest image.
#include "backends/hypervisor/qemu/qemu_hypervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hypervisor/process_record.h"
#include "core/hypervisor/testing/hypervisor_contract.h"
#include "core/netns/network_namespace.h"
#include "core/os/completion.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Tests run in the root of their runfiles.
std::string Runfile(const std::string& path) { return std::filesystem::canonical(path).string(); }

// As vcd does, with a control group and a directory of this test's own.
QemuOptions Options() {
  QemuOptions options;
  options.confinement.private_users = true;
  options.confinement.uids_dir = testing::TempDir() + "/uids";
  options.confinement.first_uid = 1879048192;
  options.confinement.uid_count = 16 * 65536;
  options.confinement.cgroup = absl::StrCat("/vcd-test-", getpid());
  options.kernel_path = Runfile("guest/image/vmlinux");
  options.initrd_path = Runfile("guest/image/initramfs.cpio");
  options.accelerator = "tcg";
  return options;
}

class RemoveCgroups : public testing::Environment {
 public:
  void TearDown() override {
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"}) {
      (void)rmdir((mount + Options().confinement.cgroup).c_str());
    }
  }
};
[[maybe_unused]] const testing::Environment* const kRemoveCgroups =
    testing::AddGlobalTestEnvironment(new RemoveCgroups);

std::unique_ptr<Hypervisor> MakeQemu(IoThread& io) {
  auto hypervisor = QemuHypervisor::Create(io, Options());
  EXPECT_TRUE(hypervisor.ok()) << hypervisor.status();
  return *std::move(hypervisor);
}

std::vector<std::string> ProcessesOf(const std::string& run_dir) {
  std::vector<std::string> processes;
  for (const ProcessIdentity& identity : FindProcesses(run_dir + "/"))
    processes.push_back(std::to_string(identity.pid));
  return processes;
}

void SendSignal(const VirtualMachine& machine, int signal) {
  auto pidfd = OpenPidfd(FromRecord(machine.Record().process()));
  ASSERT_TRUE(pidfd.ok()) << pidfd.status();
  ASSERT_TRUE(SignalPidfd(pidfd->get(), signal).ok());
}

HypervisorContractParam QemuParam() {
  HypervisorContractParam param;
  param.name = "Qemu";
  param.make = MakeQemu;
  param.crash = [](Hypervisor&, const VmSpec&, const VirtualMachine& machine) { SendSignal(machine, SIGKILL); };
  param.running = [](Hypervisor&, const std::string& run_dir) { return ProcessesOf(run_dir); };
  return param;
}

INSTANTIATE_TEST_SUITE_P(Qemu, HypervisorContract, testing::Values(QemuParam()), HypervisorContractName);
INSTANTIATE_TEST_SUITE_P(Qemu, HypervisorImageContract, testing::Values(QemuParam()), HypervisorContractName);

class QemuHypervisorTest : public testing::Test {
 protected:
  QemuHypervisorTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    // QEMU is another user.
    std::filesystem::permissions(root_, std::filesystem::perms(0755));
    spec_.pod_id = "pod-1";
    spec_.run_dir = root_ + "/run";
    std::filesystem::create_directory(spec_.run_dir);
    hypervisor_ = MakeQemu(io_);
    spec_.config = *hypervisor_->Resolve({}, CallContext());
  }
  ~QemuHypervisorTest() override {
    EXPECT_TRUE(hypervisor_->Reap(spec_.run_dir, Soon()).ok());
    EXPECT_THAT(ProcessesOf(spec_.run_dir), IsEmpty());
    std::filesystem::remove_all(root_);
  }

  static CallContext Soon() { return {absl::Now() + absl::Seconds(60), nullptr}; }

  std::unique_ptr<VirtualMachine> Boot() {
    auto machine = hypervisor_->Boot(spec_, Soon());
    EXPECT_TRUE(machine.ok()) << machine.status();
    return machine.ok() ? *std::move(machine) : nullptr;
  }

  std::string WaitForExit(VirtualMachine& machine) {
    Completion<std::string> told;
    machine.OnExit([told](const std::string& reason) { told.Set(reason); });
    auto reason = told.Wait(Soon(), "OnExit");
    EXPECT_TRUE(reason.ok()) << reason.status();
    return reason.value_or("");
  }

  std::vector<std::string> FilesBeside(const std::string& name) const {
    std::vector<std::string> others;
    for (const auto& entry : std::filesystem::directory_iterator(spec_.run_dir)) {
      if (entry.path().filename() != name) others.push_back(entry.path().filename());
    }
    return others;
  }

  std::string MakeFile(const std::string& name, const std::string& content) {
    std::ofstream(root_ + "/" + name) << content;
    return root_ + "/" + name;
  }

  std::string root_;
  VmSpec spec_;
  IoThread io_;
  std::unique_ptr<Hypervisor> hypervisor_;
};

TEST_F(QemuHypervisorTest, RefusedKernelIsABootFailureInQemusWords) {
  spec_.config.set_kernel_path(MakeFile("kernel", std::string(10000, 'x')));
  const absl::Status status = hypervisor_->Boot(spec_, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("pod-1"), HasSubstr("exited with status 1"), HasSubstr("kernel")));
  ASSERT_TRUE(DetailOf(status).has_value());
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_VM_BOOT_FAILED);
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(QemuHypervisorTest, ProgramThatIsNoQemuIsABootFailure) {
  spec_.config.set_hypervisor_path("/bin/false");
  const absl::Status status = hypervisor_->Boot(spec_, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("exited with status 1"));
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(QemuHypervisorTest, ProgramThatNeverAnswersIsEndedWithTheContext) {
  const std::string program = MakeFile("qemu", "#!/bin/sh\nexec sleep 1000\n");
  std::filesystem::permissions(program, std::filesystem::perms(0755));
  spec_.config.set_hypervisor_path(program);
  const absl::Status status = hypervisor_->Boot(spec_, {absl::Now() + absl::Milliseconds(300), nullptr}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(QemuHypervisorTest, MachineThatIsTooSmallForItsGuestIsNotStarted) {
  spec_.config.set_default_memory_mib(33);
  const absl::Status status = hypervisor_->Boot(spec_, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("pod-1"), HasSubstr("default_memory_mib"),
                                                   HasSubstr("too little for the guest to boot; give it ")));
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_VM_BOOT_FAILED);
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(QemuHypervisorTest, PanicOfTheGuestIsToldAsSuchAndTheConsoleShowsIt) {
  spec_.config.set_initrd_path(MakeFile("initrd", "no initramfs"));
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  EXPECT_THAT(WaitForExit(*machine), AllOf(HasSubstr("qemu exited with status 0"),
                                           HasSubstr("the guest's kernel panicked: Kernel panic - not syncing")));
  EXPECT_THAT(machine->ConsoleTail(), HasSubstr("Kernel panic"));
}

TEST_F(QemuHypervisorTest, KilledOneIsToldAsSuch) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  SendSignal(*machine, SIGKILL);
  EXPECT_EQ(WaitForExit(*machine), "qemu killed by signal 9 (Killed)");
  const absl::Status status = machine->Pause(Soon());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_VM_EXITED);
}

TEST_F(QemuHypervisorTest, OneThatDoesNotAnswerIsEndedAllTheSame) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  SendSignal(*machine, SIGSTOP);
  const absl::Time start = absl::Now();
  EXPECT_TRUE(machine->Stop(StopMode::kOrderly, Soon()).ok());
  EXPECT_LT(absl::Now() - start, absl::Seconds(50)) << "not as long as it might have";
  EXPECT_THAT(ProcessesOf(spec_.run_dir), IsEmpty());
}

TEST_F(QemuHypervisorTest, StopLeavesNoSocket) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  EXPECT_TRUE(machine->Stop(StopMode::kOrderly, Soon()).ok());
  for (const auto& entry : std::filesystem::directory_iterator(spec_.run_dir)) {
    EXPECT_TRUE(entry.is_regular_file()) << entry.path();
  }
}

TEST_F(QemuHypervisorTest, AdoptionRemovesWhatNoRecordTellsOf) {
  spec_.shared_memory = true;
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeFile("image", std::string(4096, 'x'));
  ASSERT_TRUE(machine->AttachDisk({"kept", image}, Soon()).ok());
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_TRUE(machine->AttachDisk({"lost", image}, Soon()).ok());
  machine.reset();

  auto adopted = MakeQemu(io_)->Adopt(spec_, record, Soon());
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  auto address = (*adopted)->AttachDisk({"new", image}, Soon());
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->scsi.lun, 1u);
}

TEST_F(QemuHypervisorTest, VirtioBlkDisksSurviveADaemonOnBothMachineTypes) {
  for (const char* type : {"q35", "pc"}) {
    v1::HypervisorConfig config;
    config.set_machine_type(type);
    config.set_block_device_driver("virtio-blk");
    spec_.config = *hypervisor_->Resolve(config, CallContext());
    auto machine = Boot();
    ASSERT_NE(machine, nullptr);
    const std::string image = MakeFile("image", std::string(4096, 'x'));
    ASSERT_TRUE(machine->AttachDisk({"kept", image}, Soon()).ok());
    const state::v1::VirtualMachine record = machine->Record();
    EXPECT_EQ(record.machine_type(), type);
    ASSERT_TRUE(machine->AttachDisk({"lost", image}, Soon()).ok());
    machine.reset();

    auto adopted = MakeQemu(io_)->Adopt(spec_, record, Soon());
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    auto address = (*adopted)->AttachDisk({"new", image}, Soon());
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->serial, "new");
    EXPECT_EQ((*adopted)->Record().block_devices(1).slot(), record.block_devices(0).slot() + 1);
    EXPECT_EQ((*adopted)->DetachDisk("kept", Soon()), absl::OkStatus());
    EXPECT_EQ((*adopted)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  }
}

TEST_F(QemuHypervisorTest, AWritableDiskIsOfOneMachineAlone) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeFile("image", std::string(4096, 'x'));
  ASSERT_TRUE(machine->AttachDisk({"mine", image, /*writable=*/true}, Soon()).ok());
  const absl::Status second = machine->AttachDisk({"again", image, /*writable=*/true}, Soon()).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("lock"));
  EXPECT_TRUE(machine->DetachDisk("mine", Soon()).ok());
  EXPECT_TRUE(machine->AttachDisk({"again", image, /*writable=*/true}, Soon()).ok());
}

TEST_F(QemuHypervisorTest, RunDirectoryMayHaveALongAndOddName) {
  // As nobody else's, who runs this test at the same time.
  const std::string end = std::string(54, 'f') + root_.substr(root_.size() - 6);
  spec_.run_dir = root_ + "/" + std::string(60, 'a') + ",b c=d\\e" + end;
  spec_.shared_memory = true;
  std::filesystem::create_directory(spec_.run_dir);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const absl::Status shared = machine->ShareDirectory({"data", root_}, Soon()).status();
  EXPECT_TRUE(shared.ok()) << shared;
  EXPECT_TRUE(hypervisor_->Reap(spec_.run_dir, Soon()).ok());
  EXPECT_THAT(FindProcesses(end), IsEmpty());
  EXPECT_THAT(FilesBeside("console.log"), IsEmpty());
}

TEST_F(QemuHypervisorTest, ReapEndsHungMachinesAndTheirHelpers) {
  spec_.shared_memory = true;
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  ASSERT_TRUE(machine->ShareDirectory({"data", root_}, Soon()).ok());
  SendSignal(*machine, SIGSTOP);
  EXPECT_TRUE(hypervisor_->Reap(spec_.run_dir, Soon()).ok());
  EXPECT_THAT(ProcessesOf(spec_.run_dir), IsEmpty());
  EXPECT_THAT(FilesBeside("console.log"), IsEmpty());
}

TEST_F(QemuHypervisorTest, FailingVirtiofsdIsQuotedAndLeavesNothing) {
  spec_.shared_memory = true;
  QemuOptions options = Options();
  options.virtiofsd_path = MakeFile("virtiofsd", "#!/bin/sh\necho cannot serve >&2\nexit 3\n");
  // For the pod's own user.
  std::filesystem::permissions(options.virtiofsd_path, std::filesystem::perms(0755));
  std::filesystem::permissions(root_, std::filesystem::perms(0755));
  hypervisor_ = *QemuHypervisor::Create(io_, options);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const absl::Status status = machine->ShareDirectory({"data", root_}, Soon()).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(root_), HasSubstr("cannot serve")));
  EXPECT_EQ(machine->Record().shared_directories_size(), 0);
  EXPECT_EQ(ProcessesOf(spec_.run_dir).size(), 1u);
  EXPECT_TRUE(machine->Resume(Soon()).ok());
}

TEST_F(QemuHypervisorTest, VirtiofsdThatIsKilledIsNamed) {
  spec_.shared_memory = true;
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  ASSERT_TRUE(machine->ShareDirectory({"data", root_}, Soon()).ok());
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_GT(record.file_server().pid(), 0);
  auto server = OpenPidfd(FromRecord(record.file_server()));
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(SignalPidfd(server->get(), SIGKILL).ok());
  pollfd ended{server->get(), POLLIN, 0};
  ASSERT_EQ(poll(&ended, 1, 30'000), 1);
  for (int daemon = 1; daemon <= 2; ++daemon) {
    const absl::Status status = machine->ShareDirectory({"more", root_}, Soon()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("virtiofsd"), HasSubstr(std::to_string(record.file_server().pid())),
                      HasSubstr("stop the pod and start it again")));
    EXPECT_EQ(machine->Record().SerializeAsString(), record.SerializeAsString());
    if (daemon == 2) break;
    machine.reset();
    machine = *MakeQemu(io_)->Adopt(spec_, record, Soon());
  }
  EXPECT_EQ(machine->UnshareDirectory("data", Soon()), absl::OkStatus());
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_THAT(ProcessesOf(spec_.run_dir), IsEmpty());
}

TEST_F(QemuHypervisorTest, AdoptionTakesAwaySharesThatNoRecordTellsOf) {
  spec_.shared_memory = true;
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  ASSERT_TRUE(machine->ShareDirectory({"kept", root_}, Soon()).ok());
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_TRUE(machine->ShareDirectory({"lost", root_}, Soon()).ok());
  machine.reset();
  machine = *MakeQemu(io_)->Adopt(spec_, record, Soon());
  const std::string root = "/proc/" + std::to_string(record.file_server().pid()) + "/root/";
  EXPECT_TRUE(std::filesystem::exists(root + record.shared_directories(0).name()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root), {}), 1);
  auto shared = machine->ShareDirectory({"lost", root_}, Soon());
  EXPECT_TRUE(shared.ok()) << shared.status();
  EXPECT_NE(shared->name, "lost.2") << "names are not used twice";
}

// One virtiofsd for each directory, as it was once.
TEST_F(QemuHypervisorTest, MachineOfAnEarlierReleaseCanBeStopped) {
  spec_.shared_memory = true;
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  state::v1::VirtualMachine record = machine->Record();
  machine.reset();
  auto old = LaunchProcess({.argv = {"/bin/sh", "-c", "kill -STOP $$", "source=" + spec_.run_dir + "/share-1/"}});
  ASSERT_TRUE(old.ok()) << old.status();
  auto watched = SupervisedProcess::Watch(io_, *std::move(old));
  state::v1::SharedDirectory* shared = record.add_shared_directories();
  shared->set_tag("data");
  shared->set_host_path(root_);
  *shared->mutable_process() = ToRecord(watched->identity());
  machine = *MakeQemu(io_)->Adopt(spec_, record, Soon());
  EXPECT_EQ(machine->Record().SerializeAsString(), record.SerializeAsString());
  EXPECT_THAT(std::string(machine->ShareDirectory({"more", root_}, Soon()).status().message()),
              HasSubstr("earlier release"));
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_TRUE(watched->WaitExit(Soon()).ok());
  EXPECT_THAT(ProcessesOf(spec_.run_dir), IsEmpty());
}

TEST_F(QemuHypervisorTest, MachineWithoutSharedMemorySharesNothing) {
  spec_.shared_memory = false;
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  EXPECT_EQ(machine->ShareDirectory({"data", root_}, Soon()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(QemuHypervisorTest, RunsInThePodsNetworkNamespace) {
  const absl::StatusOr<NetworkNamespace> network = NetworkNamespace::Make();
  if (!network.ok()) GTEST_SKIP() << network.status();
  spec_.netns_path = absl::StrCat("/proc/", getpid(), "/fd/", network->fd());
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  struct stat its, wanted, ours;
  const std::string proc = absl::StrCat("/proc/", machine->Record().process().pid(), "/ns/net");
  ASSERT_EQ(stat(proc.c_str(), &its), 0);
  ASSERT_EQ(stat(spec_.netns_path.c_str(), &wanted), 0);
  ASSERT_EQ(stat("/proc/self/ns/net", &ours), 0);
  EXPECT_EQ(its.st_ino, wanted.st_ino);
  EXPECT_NE(its.st_ino, ours.st_ino);
}

TEST_F(QemuHypervisorTest, NamesANetworkNamespaceThatIsNotThere) {
  spec_.netns_path = root_ + "/none";
  const absl::Status failed = hypervisor_->Boot(spec_, Soon()).status();
  EXPECT_THAT(std::string(failed.message()), HasSubstr(spec_.netns_path));
  EXPECT_EQ(DetailOf(failed)->reason, v1::ERROR_REASON_VM_BOOT_FAILED);
}

TEST_F(QemuHypervisorTest, AProgramServesNoInterfaceOfAMachineWithoutSharedMemory) {
  spec_.shared_memory = false;
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  NicSpec nic;
  nic.id = "nic-a";
  nic.mac = "02:00:5e:00:53:01";
  nic.vhost_user_socket = root_ + "/switch.sock";
  const absl::Status refused = machine->AttachNic(std::move(nic), Soon());
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("vhost_user_sockets"));
}

TEST_F(QemuHypervisorTest, UnknownAcceleratorsAreRefused) {
  QemuOptions options = Options();
  options.accelerator = "hvf";
  EXPECT_EQ(QemuHypervisor::Create(io_, options).status().code(), absl::StatusCode::kInvalidArgument);
  v1::HypervisorConfig config;
  config.set_accelerator("hvf");
  EXPECT_EQ(hypervisor_->Resolve(config, CallContext()).status().code(), absl::StatusCode::kInvalidArgument);
  config.set_accelerator("tcg");
  EXPECT_EQ(hypervisor_->Resolve(config, CallContext())->accelerator(), "tcg");
}

}  // namespace
}  // namespace vcd
