// SPDX-License-Identifier: Apache-2.0
#include "core/os/host_memory.h"

#include <fstream>
#include <string>

#include "core/os/testing/temporary_directory.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

std::optional<HostMemory> Read(const std::string& text) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/meminfo";
  std::ofstream(path) << text;
  return ReadHostMemory(path);
}

TEST(HostMemoryTest, IsWhatTheKernelSays) {
  const auto memory = Read("MemTotal:        4039396 kB\nMemFree:   1 kB\nMemAvailable:     20 kB\nBuffers: 7 kB\n");
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->total_bytes, uint64_t{4039396} << 10);
  EXPECT_EQ(memory->available_bytes, 20u << 10);
}

TEST(HostMemoryTest, IsUnknownUnlessBothFiguresAreThere) {
  EXPECT_FALSE(Read("MemTotal: 4039396 kB\n").has_value());
  EXPECT_FALSE(Read("MemTotal: 4039396 kB\nMemAvailable: much kB\n").has_value());
  EXPECT_FALSE(Read("MemTotal: 4039396 kB\nMemAvailable: 3\n").has_value());
  EXPECT_FALSE(Read("").has_value());
  EXPECT_FALSE(ReadHostMemory("/nowhere/meminfo").has_value());
}

TEST(HostMemoryTest, ThisHostHasSome) {
  const auto memory = ReadHostMemory();
  ASSERT_TRUE(memory.has_value());
  EXPECT_GT(memory->available_bytes, 0u);
  EXPECT_GT(memory->total_bytes, memory->available_bytes);
}

}  // namespace
}  // namespace vcd
