// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_release_queue.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/cni/testing/scripted_plugins.h"
#include "core/netns/network_namespace.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Status kWhy = absl::UnavailableError("as told");

class CniReleaseQueueTest : public testing::Test {
 protected:
  CniReleaseQueueTest() {
    options_.directory = directory_.path() + "/state/pending";
    options_.netns_dir = directory_.path() + "/run/cni";
    options_.first_delay = absl::Milliseconds(1);
    options_.last_delay = absl::Milliseconds(4);
    Restart();
  }

  void Restart() {
    queue_.reset();
    queue_ = std::make_unique<CniReleaseQueue>(filesystem_, plugins_, options_);
  }
  CniAttachment Attachment() const {
    v1::CniNetwork network;
    network.set_interface_name("eth0");
    return *PlanCniAttachment("web", network, network_, "network");
  }
  static std::vector<std::string> Names(const std::string& directory) {
    std::vector<std::string> names;
    if (!std::filesystem::exists(directory)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
    return names;
  }
  bool Empties() const { return queue_->WaitUntilAtMost(0, absl::Now() + absl::Seconds(60)); }

  TemporaryDirectory directory_;
  PosixFilesystem filesystem_;
  ScriptedPlugins scripts_{{"one", "two"}};
  const CniPlugins plugins_{{scripts_.directory()}, absl::Seconds(30)};
  const CniConfiguration network_ = *ParseCniConfiguration(
      R"({"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "one"}, {"type": "two"}]})", "lan.conflist");
  CniReleaseQueue::Options options_;
  std::unique_ptr<CniReleaseQueue> queue_;
};

TEST_F(CniReleaseQueueTest, TriesUntilThePluginsAgree) {
  scripts_.Fail("one", "DEL", /*times=*/3);
  ASSERT_EQ(queue_->Add(Attachment(), true, kWhy), absl::OkStatus());
  EXPECT_TRUE(Empties());
  EXPECT_THAT(Names(options_.directory), IsEmpty());
  const std::vector<std::string> calls = scripts_.Calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "one DEL eth0"), 4);
}

TEST_F(CniReleaseQueueTest, TheNextDaemonGoesOn) {
  scripts_.Fail("two", "DEL");
  ASSERT_EQ(queue_->Add(Attachment(), true, kWhy), absl::OkStatus());
  queue_.reset();
  EXPECT_THAT(Names(options_.directory), SizeIs(1));
  scripts_.Mend("two", "DEL");
  Restart();
  EXPECT_TRUE(Empties());
  EXPECT_THAT(Names(options_.directory), IsEmpty());
}

TEST_F(CniReleaseQueueTest, KeepsTheNamespaceUntilItIsDone) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const std::string path = directory_.path() + "/netns";
  NetworkNamespace::Identity identity;
  CniAttachment attachment = Attachment();
  attachment.netns_path = path;
  scripts_.Fail("one", "DEL");
  {
    const auto netns = NetworkNamespace::Make();
    ASSERT_TRUE(netns.ok()) << netns.status();
    ASSERT_EQ(netns->MountAt(path), absl::OkStatus());
    identity = netns->identity();
    ASSERT_EQ(queue_->Add(attachment, true, kWhy), absl::OkStatus());
  }
  ASSERT_EQ(RemoveNetworkNamespace(path), absl::OkStatus());
  const std::string kept = absl::StrCat(options_.netns_dir, "/", attachment.container_id);
  {
    const auto netns = NetworkNamespace::Open(kept);
    ASSERT_TRUE(netns.ok()) << netns.status();
    EXPECT_TRUE(netns->identity() == identity);
  }
  scripts_.Mend("one", "DEL");
  EXPECT_TRUE(Empties());
  EXPECT_EQ(scripts_.Namespaces().back(), kept);
  EXPECT_THAT(Names(options_.netns_dir), IsEmpty());
}

TEST_F(CniReleaseQueueTest, SomebodyElsesNamespaceIsNotTouchedAgain) {
  CniAttachment attachment = Attachment();
  attachment.netns_path = "/run/netns/somebodys";
  ASSERT_EQ(queue_->Add(attachment, false, kWhy), absl::OkStatus());
  EXPECT_TRUE(Empties());
  EXPECT_THAT(scripts_.Namespaces(), ElementsAre("", ""));
}

TEST_F(CniReleaseQueueTest, ANamespaceThatNoFileIsAboutGoes) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  std::filesystem::create_directories(options_.netns_dir);
  const auto netns = NetworkNamespace::Make();
  ASSERT_TRUE(netns.ok());
  ASSERT_EQ(netns->MountAt(options_.netns_dir + "/web-1"), absl::OkStatus());
  Restart();
  EXPECT_THAT(Names(options_.netns_dir), IsEmpty());
}

TEST_F(CniReleaseQueueTest, IsBounded) {
  options_.max_pending = 1;
  Restart();
  scripts_.Fail("one", "DEL");
  ASSERT_EQ(queue_->Add(Attachment(), true, kWhy), absl::OkStatus());
  const absl::Status full = queue_->Add(Attachment(), true, kWhy);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("as told"));
  EXPECT_THAT(Names(options_.directory), SizeIs(1));
}

TEST_F(CniReleaseQueueTest, AFileThatNobodyCanReadHoldsUpNoOther) {
  std::filesystem::create_directories(options_.directory);
  std::ofstream(options_.directory + "/broken.json") << "{";
  Restart();
  ASSERT_EQ(queue_->Add(Attachment(), true, kWhy), absl::OkStatus());
  EXPECT_TRUE(queue_->WaitUntilAtMost(1, absl::Now() + absl::Seconds(60)));
  EXPECT_THAT(Names(options_.directory), ElementsAre("broken.json"));
  std::filesystem::remove(options_.directory + "/broken.json");
  EXPECT_TRUE(Empties()) << "an operator's way out";
}

}  // namespace
}  // namespace vcd
