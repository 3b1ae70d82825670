// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/cpus.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

class CpusTest : public testing::Test {
 protected:
  CpusTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    std::filesystem::create_directories(root_ + "/cpu0");
    std::filesystem::create_directories(root_ + "/cpufreq");
    std::ofstream(root_ + "/online") << "0";
  }
  ~CpusTest() override { std::filesystem::remove_all(root_); }

  void PlugIn(const std::string& cpu, const std::string& online) {
    std::filesystem::create_directories(root_ + "/" + cpu);
    std::ofstream(root_ + "/" + cpu + "/online") << online << "\n";
  }
  std::string Online(const std::string& cpu) { return ReadLine(root_ + "/" + cpu + "/online"); }
  Cpus::Done Told() {
    return [this](const Outcome& outcome) { told_ = outcome; };
  }

  std::string root_;
  EventLoop loop_;
  std::optional<Outcome> told_;
};

TEST_F(CpusTest, TakesTheFirstOnlineAndTheOthersOffline) {
  PlugIn("cpu1", "0");
  PlugIn("cpu2", "1");
  PlugIn("cpu10", "1");
  Cpus cpus(&loop_, root_);
  cpus.Set(3, Told());
  ASSERT_TRUE(told_.has_value());
  EXPECT_TRUE(told_->ok()) << told_->message();
  EXPECT_EQ(Online("cpu1"), "1");
  EXPECT_EQ(Online("cpu2"), "1");
  EXPECT_EQ(Online("cpu10"), "0");
  cpus.Set(1, Told());
  EXPECT_TRUE(told_->ok());
  EXPECT_EQ(Online("cpu1"), "0");
  EXPECT_EQ(Online("cpu2"), "0");
}

TEST_F(CpusTest, WaitsForThoseThatAreBeingPluggedIn) {
  Cpus cpus(&loop_, root_);
  cpus.Set(2, Told());
  EXPECT_FALSE(told_.has_value());
  cpus.OnDevicesChanged();
  EXPECT_FALSE(told_.has_value());
  PlugIn("cpu1", "0");
  cpus.OnDevicesChanged();
  ASSERT_TRUE(told_.has_value());
  EXPECT_TRUE(told_->ok());
  EXPECT_EQ(Online("cpu1"), "1");
}

TEST_F(CpusTest, ALaterCallEndsAWait) {
  Cpus cpus(&loop_, root_);
  cpus.Set(2, Told());
  std::optional<Outcome> second;
  cpus.Set(1, [&](const Outcome& outcome) { second = outcome; });
  ASSERT_TRUE(told_.has_value());
  EXPECT_EQ(told_->code(), ErrorCode::ERROR_CODE_WRONG_STATE);
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->ok());
}

TEST_F(CpusTest, SaysWhatTheKernelRefuses) {
  PlugIn("cpu1", "0");
  std::filesystem::remove(root_ + "/cpu1/online");
  std::filesystem::create_directories(root_ + "/cpu2");
  Cpus cpus(&loop_, root_);
  cpus.Set(2, Told());
  ASSERT_TRUE(told_.has_value());
  EXPECT_FALSE(told_->ok());
  EXPECT_NE(told_->message().find("CPU 2 offline"), std::string::npos) << told_->message();
}

TEST_F(CpusTest, RefusesNoneAndMachinesOfOthers) {
  Cpus cpus(&loop_, root_);
  cpus.Set(0, Told());
  EXPECT_EQ(told_->code(), ErrorCode::ERROR_CODE_INVALID);
  Cpus others(&loop_, "");
  others.Set(1, Told());
  EXPECT_EQ(told_->code(), ErrorCode::ERROR_CODE_SYSTEM);
}

}  // namespace
}  // namespace vcd::guest
