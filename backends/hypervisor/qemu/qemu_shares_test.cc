// SPDX-License-Identifier: Apache-2.0
// With a QEMU that says what a test wants, and a program in virtiofsd's place that only waits for its end. What needs
// the real ones is in qemu_hypervisor_test.cc and share_mounts_test.cc.
#include "backends/hypervisor/qemu/qemu_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/os/process.h"

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QemuSharesTest : public testing::Test {
 protected:
  QemuSharesTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    // Keeps its arguments, by which it is found, as the name of what it becomes.
    options_.server.virtiofsd_path = root_ + "/virtiofsd";
    std::ofstream(options_.server.virtiofsd_path) << "#!/bin/bash\nexec -a \"$*\" sleep 1000\n";
    std::filesystem::permissions(options_.server.virtiofsd_path, std::filesystem::perms::owner_all);
    options_.server.run_dir = root_ + "/run";
    options_.shared_memory = true;
    std::filesystem::create_directory(options_.server.run_dir);
    qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
    shares_ = std::make_unique<QemuShares>(io_, *qmp_, options_);
  }
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  ~QemuSharesTest() override {
    EXPECT_TRUE(shares_->EndProcesses().ok());
    EXPECT_THAT(FindProcesses(root_), IsEmpty());
    std::filesystem::remove_all(root_);
  }

  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

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

TEST_F(QemuSharesTest, GivesQemuAConnectedSocketAndRecordsTheServer) {
  // It shows what it finds, which is not the root of shares.
  const absl::Status status = shares_->Share({"data", root_}, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not show the root of shares"));
  EXPECT_EQ(Record().shared_directories_size(), 0);
  EXPECT_GT(Record().file_server().pid(), 0) << "it has been started, for the next";
  EXPECT_EQ(peer_.received_fds(), 1);
  EXPECT_EQ(peer_.arguments("chardev-add")["backend"]["data"]["addr"]["type"], "fd");
  EXPECT_EQ(peer_.arguments("device_add")["tag"], kFileServerTag);
  // The socket had a name only for a moment.
  EXPECT_FALSE(std::filesystem::exists(VirtiofsdSocketPath(options_.server.run_dir)));
}

class QemuSharesStepTest : public QemuSharesTest, public testing::WithParamInterface<std::string> {};

TEST_P(QemuSharesStepTest, FailureLeavesNothing) {
  for (int round = 1; round <= 2; ++round) {
    peer_.Fail(GetParam(), "GenericError", "no such luck");
    const absl::Status status = shares_->Share({"data", root_}, Soon()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), testing::AllOf(HasSubstr(root_), HasSubstr("no such luck")));
    EXPECT_THAT(FindProcesses(VirtiofsdMarker(options_.server.run_dir)), IsEmpty());
    EXPECT_TRUE(std::filesystem::is_empty(options_.server.run_dir));
    EXPECT_EQ(Record().SerializeAsString(), "");
    EXPECT_THAT(peer_.commands(), Contains("chardev-remove"));
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, QemuSharesStepTest, testing::Values("getfd", "chardev-add", "device_add"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST_F(QemuSharesTest, WrongPathStartsNothing) {
  EXPECT_EQ(shares_->Share({"data", root_ + "/none"}, Soon()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(peer_.commands(), testing::Not(Contains("device_add")));
  EXPECT_EQ(Record().SerializeAsString(), "");
}

TEST_F(QemuSharesTest, AdoptionUndoesAStartThatWasNotFinished) {
  peer_.Return("query-chardev", {{{"label", "files"}, {"filename", "x"}, {"frontend-open", true}}});
  EXPECT_EQ(shares_->Adopt({}, Soon()), absl::OkStatus());
  EXPECT_THAT(peer_.commands(), Contains("device_del"));
  EXPECT_THAT(peer_.commands(), Contains("chardev-remove"));
}

TEST_F(QemuSharesTest, RefusesWhatIsNoTag) {
  for (const std::string& tag : {std::string(), std::string(37, 'x'), std::string("a b"), std::string("\xff"),
                                 std::string("a/b"), std::string("a\nb")}) {
    EXPECT_EQ(shares_->Share({tag, root_}, Soon()).status().code(), absl::StatusCode::kInvalidArgument) << tag;
  }
}

TEST(VirtiofsdProcessTest, CommandLineEscapesPathsAndCarriesAMarker) {
  const std::vector<std::string> argv = VirtiofsdCommandLine({"/usr/lib/qemu/virtiofsd", "/run/a,b\\c"}, 3);
  EXPECT_EQ(argv[1], "--fd=3");
  EXPECT_THAT(argv, Contains("source=/run/a\\,b\\\\c/shares"));
  EXPECT_THAT(argv, Contains(testing::StartsWith(VirtiofsdMarker("/run/a,b\\c"))));
}

}  // namespace
}  // namespace vcd
