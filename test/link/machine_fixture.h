// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_LINK_MACHINE_FIXTURE_H_
#define VCD_TEST_LINK_MACHINE_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/agent/native/native_agent.h"
#include "backends/hypervisor/qemu/qemu_hypervisor.h"
#include "core/agent/testing/recording_observer.h"
#include "core/os/io_thread.h"
#include "guest/image/testing/busybox_root.h"
#include "guest/image/testing/test_machine.h"

namespace vcd {

// Machines of the real QEMU, emulated, with the real guest, and a container on a disk that prints.
class MachineFixture : public testing::Test {
 protected:
  static CallContext Soon() { return {absl::Now() + absl::Seconds(120), nullptr}; }

  void SetUp() override {
    if (const std::string why = guest::TestMachine::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    std::filesystem::permissions(root_, std::filesystem::perms(0755));
    guest::MakeBusyboxRoot(root_ + "/root");
    const std::string make = absl::StrCat("mkfs.erofs --quiet -T0 ", root_, "/root.erofs ", root_, "/root");
    ASSERT_EQ(system(make.c_str()), 0);
    QemuOptions options;
    options.kernel_path = std::filesystem::canonical("guest/image/vmlinux").string();
    options.initrd_path = std::filesystem::canonical("guest/image/initramfs.cpio").string();
    options.accelerator = "tcg";
    hypervisor_ = QemuHypervisor::Create(io_, options).value();
  }

  void TearDown() override {
    for (const std::string& run_dir : run_dirs_) EXPECT_EQ(hypervisor_->Reap(run_dir, Soon()), absl::OkStatus());
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  // A machine to boot. All are ended with the test.
  VmSpec Spec(const std::string& id, const std::string& disk_driver = "virtio-scsi") {
    VmSpec spec;
    spec.pod_id = id;
    spec.run_dir = root_ + "/" + id;
    std::filesystem::create_directory(spec.run_dir);
    run_dirs_.push_back(spec.run_dir);
    v1::HypervisorConfig config;
    config.set_block_device_driver(disk_driver);
    spec.config = hypervisor_->Resolve(config, CallContext()).value();
    return spec;
  }

  // A session with the guest, whose output is acknowledged.
  std::unique_ptr<GuestSession> Talk(const std::string& id, VirtualMachine& machine, RecordingObserver& observer) {
    auto session = agent_.Connect({id, id, ""}, machine, observer, Soon());
    EXPECT_TRUE(session.ok()) << session.status();
    if (!session.ok()) return nullptr;
    (*session)->Observe();
    observer.AcknowledgeTo(session->get());
    return *std::move(session);
  }

  // Starts `script` of the shell in a container.
  void StartPrinter(const std::string& script, VirtualMachine& machine, GuestSession& session) {
    const auto disk = machine.AttachDisk({"rootfs-0", root_ + "/root.erofs", false}, Soon());
    ASSERT_TRUE(disk.ok()) << disk.status();
    GuestContainerSpec container;
    container.config.set_id(kPrinter.container_id);
    for (const char* word : {"/bin/sh", "-c", script.c_str()}) container.config.mutable_cmd()->add_args(word);
    container.rootfs = DiskRootfs{*disk, "erofs"};
    const auto pid = session.CreateContainer(container, Soon());
    ASSERT_TRUE(pid.ok()) << pid.status();
    ASSERT_EQ(session.StartContainer(kPrinter.container_id, Soon()), absl::OkStatus());
  }

  // Waits for more output than there is.
  static void AwaitMore(RecordingObserver& observer) {
    const size_t now = observer.Output(kPrinter, StdStream::kStdout).size();
    EXPECT_TRUE(observer.WaitForOutput(kPrinter, StdStream::kStdout, now + 40));
  }

  static inline const ProcessKey kPrinter{"printer", ""};
  std::string root_;
  std::vector<std::string> run_dirs_;
  IoThread io_;
  std::unique_ptr<QemuHypervisor> hypervisor_;
  NativeAgent agent_{io_};
};

}  // namespace vcd

#endif  // VCD_TEST_LINK_MACHINE_FIXTURE_H_
