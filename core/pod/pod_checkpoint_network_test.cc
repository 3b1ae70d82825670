// SPDX-License-Identifier: Apache-2.0
// Checkpoints of pods with networks.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/pod/testing/checkpoint_fixture.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(PodCheckpointTest, EachPodOfOneHasAPlaceOfItsOwnOnTheNetwork) {
  Plan("02:00:00:00:00:01");
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  EXPECT_THAT(hypervisor().nics("web"), ElementsAre("02:00:00:00:00:01"));
  for (const auto& [id, mac] :
       std::vector<std::pair<std::string, std::string>>{{"two", "02:00:00:00:00:02"}, {"three", "02:00:00:00:00:03"}}) {
    Plan(mac);
    const auto restored = RestoreWithGuest(Out("one"), "web", id);
    ASSERT_TRUE(restored.ok()) << restored.status();
    ASSERT_EQ(restored->network().interfaces_size(), 1);
    EXPECT_EQ(restored->network().interfaces(0).mac(), mac);
    EXPECT_THAT(hypervisor().nics(id), ElementsAre(mac));
    ASSERT_EQ(agent().interfaces(id).size(), 1u);
    EXPECT_EQ(agent().interfaces(id)[0].mac(), mac);
  }
  // The guest hears of the one that goes before it does, and of the new one afterwards.
  std::vector<std::string> told;
  for (const std::string& call : agent().calls()) {
    if (call.find("Interface") != std::string::npos && call.find("three") != std::string::npos) told.push_back(call);
  }
  EXPECT_THAT(told, ElementsAre("RemoveInterface three 02:00:00:00:00:01", "SetInterface three eth0"));
  // A later daemon finds nothing of what was.
  Restart();
  EXPECT_THAT(hypervisor().nics("two"), ElementsAre("02:00:00:00:00:02"));
  EXPECT_EQ(Get("two").network().interfaces(0).mac(), "02:00:00:00:00:02");
  for (const char* id : {"web", "two", "three"}) ASSERT_TRUE(Delete(id, /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodCheckpointTest, NothingIsLeftOfANetworkThatIsNotJoined) {
  Plan("02:00:00:00:00:01");
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  Plan("02:00:00:00:00:02");
  const absl::Status no = absl::UnavailableError("no");
  const std::vector<std::pair<std::string, std::function<void()>>> faults = {
      {"leave the network of the checkpoint", [&] { hypervisor().FailNth("DetachNic", 1, no); }},
      {"network interface eth0", [&] { hypervisor().FailNth("AttachNic", 1, no); }},
      {"set it up in the guest", [&] { agent().FailNth("SetInterface", 1, no); }},
  };
  for (const auto& [what, fault] : faults) {
    fault();
    const absl::Status status = RestoreWithGuest(Out("one"), "web", "two").status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
    EXPECT_FALSE(runtime_->GetPod("two").ok());
    EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
    EXPECT_THAT(network().attached(), ElementsAre("web"));
  }
  // The guest is not asked whether it agrees.
  agent().FailNth("RemoveInterface", 1, no);
  EXPECT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
  EXPECT_THAT(hypervisor().nics("two"), ElementsAre("02:00:00:00:00:02"));
}

}  // namespace
}  // namespace vcd
