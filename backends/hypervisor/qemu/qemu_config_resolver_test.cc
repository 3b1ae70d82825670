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
        Refusal{"MachineType", [](auto& c, auto&) { c.set_machine_type("pc"); }, kInvalid, "machine_type", "q35"},
        Refusal{"LittleMemory", [](auto& c, auto&) { c.set_default_memory_mib(47); }, kInvalid, "default_memory_mib",
                "48"},
        Refusal{"MuchMemory", [](auto& c, auto&) { c.set_default_memory_mib(UINT32_MAX); }, kInvalid,
                "default_memory_mib", "4194304"},
        Refusal{"ManyVcpus", [](auto& c, auto&) { c.set_default_vcpus(241); }, kInvalid, "default_vcpus", "240"},
        Refusal{"EmptyParameter", [](auto& c, auto&) { c.add_kernel_params(); }, kInvalid, "kernel_params[0]",
                "neither"}),
    [](const testing::TestParamInfo<Refusal>& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
