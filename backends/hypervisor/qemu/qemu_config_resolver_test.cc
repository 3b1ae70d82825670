// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_config_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

class QemuConfigResolverTest : public testing::Test {
 protected:
  QemuConfigResolverTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    options_.path = File("qemu", 0755);
    options_.kernel_path = File("vmlinux", 0644);
    options_.initrd_path = File("initramfs", 0644);
    options_.firmware_path = File("firmware", 0644);
  }
  ~QemuConfigResolverTest() override { std::filesystem::remove_all(root_); }

  std::string File(const std::string& name, mode_t mode) {
    const std::string path = root_ + "/" + name;
    std::ofstream(path) << "x";
    chmod(path.c_str(), mode);
    return path;
  }

  std::string root_;
  QemuOptions options_;
};

TEST_F(QemuConfigResolverTest, FillsEveryDefault) {
  auto resolved = ResolveQemuConfig({}, options_);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->hypervisor_path(), options_.path);
  EXPECT_EQ(resolved->kernel_path(), options_.kernel_path);
  EXPECT_EQ(resolved->initrd_path(), options_.initrd_path);
  EXPECT_EQ(resolved->firmware_path(), options_.firmware_path);
  EXPECT_EQ(resolved->machine_type(), "q35");
  EXPECT_EQ(resolved->default_vcpus(), 1u);
  EXPECT_EQ(resolved->default_memory_mib(), 128u);
  EXPECT_EQ(resolved->block_device_driver(), "virtio-scsi");
  EXPECT_EQ(resolved->hotplug_slots(), 2u);
  EXPECT_EQ(resolved->max_vcpus(), 1u);
  EXPECT_EQ(resolved->max_memory_mib(), 128u);
}

TEST_F(QemuConfigResolverTest, MachinesCanGrowAsFarAsTheDefaultsSay) {
  options_.max_vcpus = 4;
  options_.max_memory_mib = 1025;
  v1::HypervisorConfig config;
  config.set_block_device_driver("virtio-blk");
  auto resolved = ResolveQemuConfig(config, options_);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->max_vcpus(), 4u);
  EXPECT_EQ(resolved->max_memory_mib(), 1024u);
  EXPECT_EQ(resolved->hotplug_slots(), 8u);
  // One that boots with more has that.
  config.set_default_vcpus(8);
  config.set_default_memory_mib(2048);
  resolved = ResolveQemuConfig(config, options_);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->max_vcpus(), 8u);
  EXPECT_EQ(resolved->max_memory_mib(), 2048u);
}

TEST_F(QemuConfigResolverTest, TakesWhatTheMachineIsTold) {
  v1::HypervisorConfig config;
  config.set_machine_type("pc");
  config.set_machine_accelerators("hpet=off,kernel-irqchip=split");
  config.add_hypervisor_params()->set_key("global");
  config.mutable_hypervisor_params(0)->set_value("virtio-net-pci.romfile=");
  config.add_hypervisor_params()->set_key("no-hpet");
  config.set_huge_pages(true);
  const auto resolved = ResolveQemuConfig(config, options_);
  EXPECT_TRUE(resolved.ok()) << resolved.status();
}

TEST_F(QemuConfigResolverTest, PodsOwnValuesWinAndResolvingTwiceChangesNothing) {
  v1::HypervisorConfig config;
  config.set_kernel_path(File("own kernel", 0644));
  config.set_default_vcpus(2);
  auto once = ResolveQemuConfig(config, options_);
  ASSERT_TRUE(once.ok()) << once.status();
  EXPECT_EQ(once->kernel_path(), config.kernel_path());
  EXPECT_EQ(once->default_vcpus(), 2u);
  auto twice = ResolveQemuConfig(*once, options_);
  ASSERT_TRUE(twice.ok());
  EXPECT_EQ(twice->SerializeAsString(), once->SerializeAsString());
}

struct Refusal {
  std::string name;
  std::function<void(v1::HypervisorConfig&, const std::string& root)> change;
  absl::StatusCode code;
  std::string field;
  std::string words;
};

class QemuConfigRefusalTest : public QemuConfigResolverTest, public testing::WithParamInterface<Refusal> {};

TEST_P(QemuConfigRefusalTest, NamesFieldAndNextStep) {
  v1::HypervisorConfig config;
  GetParam().change(config, root_);
  const absl::Status status = ResolveQemuConfig(config, options_).status();
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_THAT(std::string(status.message()), HasSubstr("`hypervisor_config." + GetParam().field));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().words));
  ASSERT_TRUE(DetailOf(status).has_value());
}

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

INSTANTIATE_TEST_SUITE_P(
    Table, QemuConfigRefusalTest,
    testing::Values(
        Refusal{"MissingKernel", [](auto& c, auto&) { c.set_kernel_path("/x/y"); }, kInvalid, "kernel_path",
                "/x/y: No such file or directory; build one with `bazel build //guest/image`"},
        Refusal{"KernelIsADirectory", [](auto& c, auto& root) { c.set_kernel_path(root); }, kInvalid, "kernel_path",
                "is a directory"},
        Refusal{"KernelIsRelative", [](auto& c, auto&) { c.set_kernel_path("vmlinux"); }, kInvalid, "kernel_path",
                "absolute"},
        Refusal{"KernelIsADevice", [](auto& c, auto&) { c.set_kernel_path("/dev/null"); }, kInvalid, "kernel_path",
                "not a regular file"},
        Refusal{"KernelIsCut",
                [](auto&, auto& root) {
                  std::ofstream(root + "/vmlinux") << "\x7f"
                                                      "ELF\x02";
                },
                kInvalid, "kernel_path",
                "/vmlinux: is damaged or no kernel: the file ends within its ELF header; build one with"},
        Refusal{"MissingInitrd", [](auto& c, auto&) { c.set_initrd_path("/x"); }, kInvalid, "initrd_path",
                "qemu.initrd_path"},
        Refusal{"MissingFirmware", [](auto& c, auto&) { c.set_firmware_path("/x"); }, kInvalid, "firmware_path",
                "qemu.firmware_path"},
        Refusal{"MissingQemu", [](auto& c, auto&) { c.set_hypervisor_path("/x"); }, kInvalid, "hypervisor_path",
                "qemu-system-x86"},
        Refusal{"QemuIsNoProgram", [](auto& c, auto& root) { c.set_hypervisor_path(root + "/vmlinux"); }, kInvalid,
                "hypervisor_path", "Permission denied"},
        Refusal{"ImageIsADirectory", [](auto& c, auto& root) { c.set_image_path(root); }, kInvalid, "image_path",
                "is a directory"},
        Refusal{"MissingImage", [](auto& c, auto&) { c.set_image_path("/x"); }, kInvalid, "image_path", "initrd_path"},
        Refusal{"Image", [](auto& c, auto& root) { c.set_image_path(root + "/initramfs"); },
                absl::StatusCode::kUnimplemented, "image_path", "initrd_path"},
        Refusal{"MachineType", [](auto& c, auto&) { c.set_machine_type("pc-lite"); }, kInvalid, "machine_type",
                "known are: pc, q35"},
        Refusal{"Driver", [](auto& c, auto&) { c.set_block_device_driver("ide"); }, kInvalid, "block_device_driver",
                "known are: virtio-blk, virtio-scsi"},
        Refusal{"ManySlots", [](auto& c, auto&) { c.set_hotplug_slots(25); }, kInvalid, "hotplug_slots", "at most"},
        Refusal{"PropertyWithoutValue", [](auto& c, auto&) { c.set_machine_accelerators("usb=off,nvdimm"); }, kInvalid,
                "machine_accelerators", "\"nvdimm\" is no property"},
        Refusal{"PropertyOfNothing", [](auto& c, auto&) { c.set_machine_accelerators("usb=off,"); }, kInvalid,
                "machine_accelerators", "\"\" is no property"},
        Refusal{"PropertyOfVcd", [](auto& c, auto&) { c.set_machine_accelerators("memory-backend=x"); }, kInvalid,
                "machine_accelerators", "vcd's own"},
        Refusal{"OptionWithDash", [](auto& c, auto&) { c.add_hypervisor_params()->set_key("-global"); }, kInvalid,
                "hypervisor_params[0].key", "without the leading"},
        Refusal{"OptionWithoutName", [](auto& c, auto&) { c.add_hypervisor_params()->set_value("x"); }, kInvalid,
                "hypervisor_params[0].key", "no option"},
        Refusal{"OptionThatHides", [](auto& c, auto&) { c.add_hypervisor_params()->set_key("daemonize"); }, kInvalid,
                "hypervisor_params[0].key", "vcd's hands"},
        Refusal{"OddHugePages", [](auto& c, auto&) { c.set_huge_pages(true), c.set_default_memory_mib(129); }, kInvalid,
                "default_memory_mib", "huge pages"},
        Refusal{"LessVcpusThanAtBoot", [](auto& c, auto&) { c.set_default_vcpus(2), c.set_max_vcpus(1); }, kInvalid,
                "max_vcpus", "boots with 2"},
        Refusal{"LessMemoryThanAtBoot", [](auto& c, auto&) { c.set_max_memory_mib(64); }, kInvalid, "max_memory_mib",
                "boots with 128"},
        Refusal{"LittleMemory", [](auto& c, auto&) { c.set_default_memory_mib(31); }, kInvalid, "default_memory_mib",
                "31 MiB are too little for the guest to boot; give it 32"},
        Refusal{"LittleMemoryForItsFiles",
                [](auto& c, auto& root) {
                  c.set_default_memory_mib(83);
                  std::filesystem::resize_file(root + "/initramfs", 20 << 20);
                },
                kInvalid, "default_memory_mib", "83 MiB are too little for the guest to boot; give it 84"},
        Refusal{"LittleMemoryForItsVcpus", [](auto& c, auto&) { c.set_default_memory_mib(55), c.set_max_vcpus(64); },
                kInvalid, "default_memory_mib", "64 vCPUs (max_vcpus); give it 56"},
        Refusal{"MuchMemory", [](auto& c, auto&) { c.set_default_memory_mib(UINT32_MAX); }, kInvalid,
                "default_memory_mib", "4194304"},
        Refusal{"ManyVcpus", [](auto& c, auto&) { c.set_default_vcpus(241); }, kInvalid, "default_vcpus", "240"},
        Refusal{"ShortDigest", [](auto& c, auto&) { c.mutable_sha512()->set_kernel("abc"); }, kInvalid, "sha512.kernel",
                "128"},
        Refusal{"DigestOfNoFile", [](auto& c, auto&) { c.mutable_sha512()->set_image(std::string(128, 'a')); },
                kInvalid, "sha512.image", "image_path"},
        Refusal{"EmptyParameter", [](auto& c, auto&) { c.add_kernel_params(); }, kInvalid, "kernel_params[0]",
                "neither"}),
    [](const testing::TestParamInfo<Refusal>& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
