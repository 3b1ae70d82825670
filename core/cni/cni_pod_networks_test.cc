// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_pod_networks.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/cni/testing/scripted_plugins.h"
#include "core/netns/network_namespace.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

// Two networks, `lan` of two plugins and `wan` of one, and a pod that takes part in both.
class CniPodNetworksTest : public testing::Test {
 protected:
  CniPodNetworksTest() {
    Write("10-lan.conflist",
          R"({"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "one"}, {"type": "two"}]})");
    Write("20-wan.conflist", R"({"cniVersion": "1.0.0", "name": "wan", "plugins": [{"type": "three"}]})");
    pod_.pod_id = "web";
    pod_.state_dir = directory_.path();
    pod_.config.add_networks();
    pod_.config.add_networks()->set_name("wan");
  }

  void Write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(directory_.path() + "/net.d");
    std::ofstream(absl::StrCat(directory_.path(), "/net.d/", file)) << text;
  }
  CniReleaseQueue::Options Queue() const {
    CniReleaseQueue::Options options;
    options.directory = directory_.path() + "/pending";
    options.netns_dir = directory_.path() + "/run";
    options.first_delay = absl::Milliseconds(1);
    return options;
  }
  absl::StatusOr<CniPodNetworks::Joined> AddAll() { return networks_.AddAll(pod_, "/run/netns/web", Soon()); }
  bool OnRecord() const { return std::filesystem::exists(directory_.path() + "/cni.json"); }
  static v1::CniNetwork Wan(const std::string& interface_name) {
    v1::CniNetwork network;
    network.set_name("wan");
    network.set_interface_name(interface_name);
    return network;
  }
  void ExpectInvalid(const std::string& field, const std::string& words) {
    const absl::Status status = networks_.Check(pod_.config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    ASSERT_TRUE(DetailOf(status).has_value()) << status;
    EXPECT_EQ(DetailOf(status)->metadata.at("field"), "config.network_config.networks" + field);
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  TemporaryDirectory directory_;
  PosixFilesystem filesystem_;
  ScriptedPlugins scripts_{{"one", "two", "three"}};
  const CniPlugins plugins_{{scripts_.directory()}, absl::Seconds(30)};
  CniDirectory networks_dir_{filesystem_, directory_.path() + "/net.d", std::nullopt};
  CniReleaseQueue queue_{filesystem_, plugins_, Queue()};
  std::vector<std::string> there_ = {"eth0", "eth1", "eth2"};  // What is in the pod's namespace.
  CniPodNetworks networks_{filesystem_, networks_dir_, plugins_, queue_, [this](const NetworkPod&) {
                             std::vector<v1::PodInterface> interfaces;
                             for (const std::string& name : there_) interfaces.emplace_back().set_name(name);
                             return interfaces;
                           }};
  NetworkPod pod_;
};

TEST_F(CniPodNetworksTest, AddsInOrderAndRemovesInReverse) {
  const auto joined = AddAll();
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->networks, (std::map<std::string, std::string>{{"eth0", "lan"}, {"eth1", "wan"}}));
  EXPECT_THAT(joined->dns.searches(), ElementsAre("two", "three")) << "of the last plugin of each";
  EXPECT_TRUE(OnRecord());
  EXPECT_EQ(networks_.RemoveAll(pod_, Soon()), absl::OkStatus());
  EXPECT_THAT(scripts_.Calls(), ElementsAre("one ADD eth0", "two ADD eth0", "three ADD eth1", "three DEL eth1",
                                            "two DEL eth0", "one DEL eth0"));
  EXPECT_FALSE(OnRecord());
  EXPECT_EQ(networks_.RemoveAll(pod_, Soon()), absl::OkStatus()) << "nothing is there";
  EXPECT_THAT(scripts_.Calls(), SizeIs(6));
}

TEST_F(CniPodNetworksTest, AnAddThatFailsLeavesNothing) {
  for (const char* plugin : {"one", "two", "three"}) {
    scripts_.Fail(plugin, "ADD");
    const auto joined = AddAll();
    EXPECT_FALSE(joined.ok());
    EXPECT_THAT(std::string(joined.status().message()), HasSubstr(absl::StrCat("`", plugin, "`, ADD of eth")));
    EXPECT_THAT(scripts_.Left(), IsEmpty()) << plugin;
    EXPECT_FALSE(OnRecord()) << plugin;
    EXPECT_EQ(queue_.size(), 0u) << plugin;
    scripts_.Mend(plugin, "ADD");
  }
  EXPECT_TRUE(AddAll().ok());
}

TEST_F(CniPodNetworksTest, AnInterfaceThatIsNotThereIsAFailureAndLeavesNothing) {
  there_ = {"eth0"};
  const absl::Status all = AddAll().status();
  EXPECT_EQ(all.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(all.message()),
              HasSubstr("network `wan`: ADD of its CNI plugins (three) succeeded, but there "
                        "is no interface eth1 in the pod's namespace /run/netns/web"));
  EXPECT_THAT(scripts_.Left(), IsEmpty());
  EXPECT_FALSE(OnRecord());
  EXPECT_EQ(queue_.size(), 0u);

  there_ = {"eth0", "eth1"};
  ASSERT_TRUE(AddAll().ok());
  const auto one_more = networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon());
  EXPECT_EQ(one_more.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(scripts_.Left(), SizeIs(3));
  there_.push_back("eth2");
  EXPECT_TRUE(networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon()).ok()) << "the name is free";
}

TEST_F(CniPodNetworksTest, ADeleteThatFailsIsTheQueuesAndNoError) {
  for (const char* plugin : {"one", "two", "three"}) {
    ASSERT_TRUE(AddAll().ok());
    scripts_.Fail(plugin, "DEL");
    EXPECT_EQ(networks_.RemoveAll(pod_, Soon()), absl::OkStatus()) << plugin;
    EXPECT_FALSE(OnRecord()) << plugin;
    EXPECT_EQ(queue_.size(), 1u) << plugin;
    EXPECT_THAT(scripts_.Left(), SizeIs(1)) << plugin;
    scripts_.Mend(plugin, "DEL");
    EXPECT_TRUE(queue_.WaitUntilAtMost(0, absl::Now() + absl::Minutes(1)));
    EXPECT_THAT(scripts_.Left(), IsEmpty()) << plugin;
  }
}

TEST_F(CniPodNetworksTest, WhatCannotBeUndoneIsTheQueues) {
  scripts_.Fail("three", "ADD");
  scripts_.Fail("one", "DEL");
  EXPECT_FALSE(AddAll().ok());
  EXPECT_FALSE(OnRecord());
  EXPECT_EQ(queue_.size(), 1u);
  scripts_.Mend("one", "DEL");
  EXPECT_TRUE(queue_.WaitUntilAtMost(0, absl::Now() + absl::Minutes(1)));
  EXPECT_THAT(scripts_.Left(), IsEmpty());
}

TEST_F(CniPodNetworksTest, ANetworkWhoseFileIsGoneIsGivenBackAllTheSame) {
  ASSERT_TRUE(AddAll().ok());
  std::filesystem::remove_all(directory_.path() + "/net.d");
  EXPECT_EQ(networks_.RemoveAll(pod_, Soon()), absl::OkStatus());
  EXPECT_THAT(scripts_.Left(), IsEmpty());
}

TEST_F(CniPodNetworksTest, NothingBeginsWithoutARecord) {
  pod_.state_dir = directory_.path() + "/none";
  EXPECT_FALSE(AddAll().ok());
  EXPECT_THAT(scripts_.Left(), IsEmpty());
}

TEST_F(CniPodNetworksTest, OneMoreComesAndGoes) {
  ASSERT_TRUE(AddAll().ok());
  const auto added = networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon());
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(*added, "wan");
  EXPECT_EQ(networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon()).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(networks_.Remove(pod_, "eth2", Soon()), absl::OkStatus());
  EXPECT_EQ(networks_.Remove(pod_, "eth2", Soon()), absl::OkStatus());
  EXPECT_THAT(scripts_.Left(), SizeIs(3));
  EXPECT_TRUE(networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon()).ok());
  EXPECT_EQ(networks_.RemoveAll(pod_, Soon()), absl::OkStatus());
  EXPECT_THAT(scripts_.Left(), IsEmpty());
}

TEST_F(CniPodNetworksTest, OneThatCannotBeTakenBackKeepsItsNameUntilItCan) {
  ASSERT_TRUE(AddAll().ok());
  ASSERT_TRUE(networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon()).ok());
  scripts_.Fail("three", "DEL");
  EXPECT_FALSE(networks_.Remove(pod_, "eth2", Soon()).ok());
  EXPECT_FALSE(networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon()).ok());
  EXPECT_EQ(queue_.size(), 0u);
  scripts_.Mend("three", "DEL");
  EXPECT_TRUE(networks_.Add(pod_, "/run/netns/web", Wan("eth2"), Soon()).ok());
  EXPECT_THAT(scripts_.Left(), SizeIs(4));
}

TEST_F(CniPodNetworksTest, VerifyAsksThePlugins) {
  ASSERT_TRUE(AddAll().ok());
  EXPECT_EQ(networks_.Verify(pod_, Soon()), absl::OkStatus());
  scripts_.Fail("two", "CHECK");
  EXPECT_THAT(std::string(networks_.Verify(pod_, Soon()).message()), HasSubstr("`two`, CHECK of eth0"));
}

TEST_F(CniPodNetworksTest, ARecordThatNobodyCanReadSaysHowToGoOn) {
  std::ofstream(directory_.path() + "/cni.json") << "{}";
  const absl::Status status = networks_.RemoveAll(pod_, Soon());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/cni.json: `attachments` must be an array; remove the file"));
}

TEST_F(CniPodNetworksTest, CheckNamesWhatIsWrongAndChangesNothing) {
  EXPECT_EQ(networks_.Check(pod_.config), absl::OkStatus());
  pod_.config.mutable_networks(1)->set_name("man");
  ExpectInvalid("[1].name", "known are: lan, wan");
  pod_.config.mutable_networks(1)->set_name("wan");
  pod_.config.mutable_networks(1)->set_mac("02:00:5e:00:53:01");
  ExpectInvalid("[1].mac", "no plugin of network `wan` has the capability");
  pod_.config.mutable_networks(1)->clear_mac();
  for (const char* name : {"lo", "a/b", "eth0123456789012", "..", "a b"}) {
    pod_.config.mutable_networks(1)->set_interface_name(name);
    ExpectInvalid("[1].interface_name", "");
  }
  pod_.config.mutable_networks(0)->set_interface_name("lan0");
  pod_.config.mutable_networks(1)->set_interface_name("lan0");
  ExpectInvalid("[1].interface_name", "twice");
  EXPECT_THAT(scripts_.Calls(), IsEmpty());
  EXPECT_FALSE(OnRecord());
}

TEST_F(CniPodNetworksTest, CheckNamesThePackageOfAPluginThatIsMissing) {
  Write("20-wan.conflist", R"({"cniVersion": "1.0.0", "name": "wan", "plugins": [{"type": "bridge"}]})");
  const absl::Status status = networks_.Check(pod_.config);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("containernetworking-plugins"));
}

// Each as large and as deep as it may be; the record of both is larger, and deeper.
TEST_F(CniPodNetworksTest, NetworksOfAnySizeAreGivenBack) {
  std::string deep = "1";
  for (int i = 0; i < 60; ++i) deep = absl::StrCat("[", deep, "]");
  const std::string pad = absl::StrCat(R"("pad": ")", std::string(700 << 10, 'x'), R"(", "deep": )", deep);
  Write("10-lan.conflist", absl::StrCat(R"({"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "one", )", pad,
                                        R"(}, {"type": "two"}]})"));
  Write("20-wan.conflist",
        absl::StrCat(R"({"cniVersion": "1.0.0", "name": "wan", "plugins": [{"type": "three", )", pad, "}]}"));
  const auto joined = AddAll();
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(networks_.Verify(pod_, Soon()), absl::OkStatus());
  // By the queue, too.
  scripts_.Fail("one", "DEL", /*times=*/1);
  EXPECT_EQ(networks_.RemoveAll(pod_, Soon()), absl::OkStatus());
  EXPECT_FALSE(OnRecord());
  EXPECT_TRUE(queue_.WaitUntilAtMost(0, absl::Now() + absl::Seconds(60)));
  EXPECT_THAT(scripts_.Left(), IsEmpty());
}

}  // namespace
}  // namespace vcd
