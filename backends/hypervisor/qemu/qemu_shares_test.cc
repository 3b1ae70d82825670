// SPDX-License-Identifier: Apache-2.0
// With a program in virtiofsd's place that only waits for its end.
#include "backends/hypervisor/qemu/qemu_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/qemu_command_line.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/os/process.h"

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

class QemuSharesTest : public testing::Test {
 protected:
  QemuSharesTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    // Keeps its arguments, by which it is found, as the name of what it becomes.
    options_.virtiofsd_path = root_ + "/virtiofsd";
    std::ofstream(options_.virtiofsd_path) << "#!/bin/bash\nexec -a \"$*\" sleep 1000\n";
    std::filesystem::permissions(options_.virtiofsd_path, std::filesystem::perms::owner_all);
    options_.run_dir = root_ + "/run";
    options_.shared_memory = true;
    std::filesystem::create_directory(options_.run_dir);
    qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
    shares_ = std::make_unique<QemuShares>(io_, *qmp_, options_);
  }
  ~QemuSharesTest() override {
    EXPECT_TRUE(shares_->EndProcesses().ok());
    EXPECT_THAT(FindProcesses(root_), IsEmpty());
    std::filesystem::remove_all(root_);
  }

  static CallContext Soon() { return {absl::Now() + absl::Seconds(20), nullptr}; }

  state::v1::VirtualMachine Record() {
    state::v1::VirtualMachine record;
    shares_->WriteTo(&record);
    return record;
  }

  std::string root_;
  QemuShares::Options options_;
  IoThread io_;
  ScriptedQmpPeer peer_;
  std::unique_ptr<QmpClient> qmp_;
  std::unique_ptr<QemuShares> shares_;
};

TEST_F(QemuSharesTest, GivesQemuAConnectedSocketAndRecordsTheProcess) {
  ASSERT_TRUE(shares_->Share("data", root_, Soon()).ok());
  EXPECT_EQ(peer_.received_fds(), 1);
  EXPECT_EQ(peer_.arguments("chardev-add")["backend"]["data"]["addr"]["type"], "fd");
  EXPECT_EQ(peer_.arguments("device_add")["tag"], "data");
  EXPECT_EQ(peer_.arguments("device_add")["bus"], "rp1");
  ASSERT_EQ(Record().shared_directories_size(), 1);
  EXPECT_GT(Record().shared_directories(0).process().pid(), 0);
  // The socket had a name only for a moment.
  EXPECT_FALSE(std::filesystem::exists(options_.run_dir + "/share-1"));
}

class QemuSharesStepTest : public QemuSharesTest, public testing::WithParamInterface<std::string> {};

TEST_P(QemuSharesStepTest, FailureLeavesNothing) {
  peer_.Fail(GetParam(), "GenericError", "no such luck");
  EXPECT_EQ(shares_->Share("data", root_, Soon()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(FindProcesses(VirtiofsdMarker(options_.run_dir)), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(options_.run_dir));
  EXPECT_EQ(Record().shared_directories_size(), 0);
  EXPECT_THAT(peer_.commands(), Contains("chardev-remove"));
  EXPECT_TRUE(shares_->Share("data", root_, Soon()).ok());
  EXPECT_EQ(peer_.arguments("device_add")["bus"], "rp1");
}

INSTANTIATE_TEST_SUITE_P(Steps, QemuSharesStepTest, testing::Values("getfd", "chardev-add", "device_add"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST_F(QemuSharesTest, UnshareEndsTheProcessAfterTheDevice) {
  ASSERT_TRUE(shares_->Share("data", root_, Soon()).ok());
  ASSERT_TRUE(shares_->Unshare("data", Soon()).ok());
  EXPECT_THAT(FindProcesses(VirtiofsdMarker(options_.run_dir)), IsEmpty());
  EXPECT_EQ(Record().shared_directories_size(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(options_.run_dir));
}

TEST_F(QemuSharesTest, EveryDirectoryHasAPortAndThereIsAnEnd) {
  options_.virtiofsd_path = "/bin/true";
  QemuShares shares(io_, *qmp_, options_);
  for (int i = 0; i < kRootPorts; ++i) {
    ASSERT_TRUE(shares.Share("data" + std::to_string(i), root_, Soon()).ok());
  }
  EXPECT_EQ(shares.Share("more", root_, Soon()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(shares.EndProcesses().ok());
}

TEST_F(QemuSharesTest, RefusesWhatIsNoTag) {
  for (const std::string& tag : {std::string(), std::string(37, 'x'), std::string("a b"), std::string("\xff")}) {
    EXPECT_EQ(shares_->Share(tag, root_, Soon()).code(), absl::StatusCode::kInvalidArgument) << tag;
  }
}

TEST(VirtiofsdProcessTest, CommandLineEscapesPathsAndCarriesAMarker) {
  const VirtiofsdSpec spec{"/usr/lib/qemu/virtiofsd", "/run/a,b", "2", "/data/x,y\\z"};
  const std::vector<std::string> argv = VirtiofsdCommandLine(spec, 3);
  EXPECT_EQ(argv[1], "--fd=3");
  EXPECT_THAT(argv, Contains("source=/data/x\\,y\\\\z"));
  EXPECT_THAT(argv, Contains(VirtiofsdMarker("/run/a,b", "2")));
  EXPECT_THAT(VirtiofsdMarker("/run/a,b", "2"), testing::StartsWith(VirtiofsdMarker("/run/a,b")));
}

}  // namespace
}  // namespace vcd
