// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/host_facts.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vcd {
namespace {

class HostFactsTest : public testing::Test {
 protected:
  HostFactsTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
  }
  ~HostFactsTest() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(root_ + "/" + name) << text; }
  std::string root_;
};

TEST_F(HostFactsTest, ReadsMemoryAndWhetherTheHostIsAMachineItself) {
  Write("meminfo", "MemTotal:        4039396 kB\nMemFree: 1 kB\n");
  Write("cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\nbugs\t\t: none\n");
  EXPECT_EQ(ReadHostFacts(root_).memory_mib, 3944u);
  EXPECT_TRUE(ReadHostFacts(root_).is_virtual);
  Write("cpuinfo", "processor\t: 0\nmodel name\t: hypervisor\nflags\t\t: fpu vme hypervisors\n");
  EXPECT_FALSE(ReadHostFacts(root_).is_virtual);
}

TEST_F(HostFactsTest, WhatIsNotToldIsNotGuessed) {
  EXPECT_EQ(ReadHostFacts(root_).memory_mib, 0u);
  EXPECT_FALSE(ReadHostFacts(root_).is_virtual);
  EXPECT_GE(ReadHostFacts(root_).cpus, 1u);
  Write("meminfo", "MemTotal: much\n");
  EXPECT_EQ(ReadHostFacts(root_).memory_mib, 0u);
  EXPECT_GT(ReadHostFacts().memory_mib, 0u);
}

}  // namespace
}  // namespace vcd
