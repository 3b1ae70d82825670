// SPDX-License-Identifier: Apache-2.0
// Interfaces of pods: from what a network planned into machine and guest, and while the pod runs.
#include "core/pod/pod_network.h"

#include "core/pod/testing/pod_runtime_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kMac[] = "02:00:5e:00:53:01";

v1::CniNetwork Lan(const std::string& interface_name = "") {
  v1::CniNetwork network;
  network.set_name("lan");
  network.set_interface_name(interface_name);
  return network;
}

class PodNetworkTest : public PodRuntimeTest {
 protected:
  PodNetworkTest() {
    v1::PodInterface interface;
    interface.set_name("eth0");
    interface.set_mac(kMac);
    interface.set_mtu(1400);
    interface.add_addresses("10.0.0.2/24");
    v1::DnsConfig dns;
    dns.add_servers("10.0.0.1");
    network().SetPlan({interface}, dns);
  }

  std::vector<std::string> Interfaces(const std::string& id) {
    std::vector<std::string> names;
    const v1::Pod pod = Get(id);
    for (const v1::PodInterface& interface : pod.network().interfaces()) names.push_back(interface.name());
    return names;
  }
  std::vector<std::string> Configured(const std::string& id) {
    std::vector<std::string> names;
    const v1::Pod pod = Get(id);
    for (const v1::CniNetwork& one : pod.config().network_config().networks()) names.push_back(one.interface_name());
    return names;
  }
  // What machine, guest and network have of pod `p`.
  void ExpectInterfaces(const std::vector<std::string>& names) {
    EXPECT_EQ(Interfaces("p"), names);
    EXPECT_EQ(network().interfaces("p"), names);
    EXPECT_EQ(hypervisor().nics("p").size(), names.size());
    EXPECT_EQ(agent().interfaces("p").size(), names.size());
  }
};

TEST_F(PodNetworkTest, APodGetsWhatItsNetworkPlanned) {
  v1::PodConfig config = Config("p");
  config.mutable_network_config()->set_netns_path("/run/netns/p");
  const absl::StatusOr<v1::Pod> pod = Run(config);
  ASSERT_TRUE(pod.ok()) << pod.status();
  EXPECT_EQ(pod->network().netns_path(), "/run/netns/p");
  ASSERT_EQ(pod->network().interfaces_size(), 1);
  EXPECT_EQ(pod->network().interfaces(0).addresses(0), "10.0.0.2/24");
  EXPECT_EQ(pod->network().dns().servers(0), "10.0.0.1");
  EXPECT_EQ(hypervisor().netns_path("p"), "/run/netns/p");
  EXPECT_THAT(hypervisor().nics("p"), ElementsAre(kMac));
  ASSERT_EQ(agent().interfaces("p").size(), 1u);
  EXPECT_EQ(agent().interfaces("p")[0].mtu(), 1400u);

  const absl::StatusOr<v1::Pod> stopped = Stop("p");
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_FALSE(stopped->has_network());
  EXPECT_THAT(network().attached(), IsEmpty());
  ASSERT_TRUE(Start("p").ok());
  ExpectInterfaces({"eth0"});
  ASSERT_TRUE(Delete("p", /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodNetworkTest, APodWithoutInterfacesHasNoNetworkToShow) {
  network().SetPlan({});
  const absl::StatusOr<v1::Pod> pod = Run(Config("p"));
  ASSERT_TRUE(pod.ok()) << pod.status();
  EXPECT_FALSE(pod->has_network());
}

TEST_F(PodNetworkTest, WhatDoesNotGetIntoMachineOrGuestLeavesNothing) {
  hypervisor().FailNth("AttachNic", 1, absl::ResourceExhaustedError("no place left"));
  const absl::Status no_place = Create(Config("p")).status();
  EXPECT_EQ(no_place.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(no_place.message()), HasSubstr("network interface eth0: no place left"));
  ExpectNothingLeft();
  agent().FailNth("SetInterface", 1, absl::InternalError("RTNETLINK says no"));
  EXPECT_THAT(std::string(Create(Config("p")).status().message()), HasSubstr("RTNETLINK says no"));
  ExpectNothingLeft();
}

TEST_F(PodNetworkTest, WhoHasNoInterfacesIsNamed) {
  HypervisorCapabilities machines = hypervisor().capabilities();
  machines.nic_hotplug = false;
  hypervisor().set_capabilities(machines);
  const absl::Status no_machine = Create(Config("p")).status();
  EXPECT_EQ(no_machine.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(no_machine.message()), HasSubstr("hypervisor `fake`"));
  ExpectNothingLeft();
  machines.nic_hotplug = true;
  hypervisor().set_capabilities(machines);
  agent().set_capabilities({.runs_processes = true});
  EXPECT_THAT(std::string(Create(Config("p")).status().message()), HasSubstr("agent `fake`"));
  ExpectNothingLeft();
  network().SetPlan({});
  EXPECT_TRUE(Create(Config("p")).ok()) << "a plan without interfaces asks for nothing";
}

TEST_F(PodNetworkTest, ADeviceOfTheHostIsPassedThrough) {
  v1::PodInterface interface;
  interface.set_name("eth0");
  interface.set_mac(kMac);
  interface.set_kind(v1::INTERFACE_KIND_PHYSICAL);
  interface.set_pci_address("0000:3b:00.1");
  network().SetPlan({interface});
  ASSERT_TRUE(Run(Config("p")).ok());
  EXPECT_THAT(hypervisor().host_devices("p"), ElementsAre("0000:3b:00.1"));
  EXPECT_THAT(hypervisor().nics("p"), IsEmpty());
  ASSERT_EQ(agent().interfaces("p").size(), 1u);
  Restart();
  EXPECT_THAT(hypervisor().host_devices("p"), ElementsAre("0000:3b:00.1")) << "it is no leftover";
  ASSERT_TRUE(DetachInterface("p", "eth0").ok());
  EXPECT_THAT(hypervisor().host_devices("p"), IsEmpty());
}

TEST_F(PodNetworkTest, InterfacesComeAndGoWhileThePodRuns) {
  ASSERT_TRUE(Run(Config("p")).ok());
  const absl::StatusOr<AttachedInterface> attached = AttachInterface("p", Lan());
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_EQ(attached->interface_name, "eth1");
  ExpectInterfaces({"eth0", "eth1"});
  EXPECT_THAT(Configured("p"), ElementsAre("eth0", "eth1")) << "what was there by default is named too";
  EXPECT_EQ(AttachInterface("p", Lan("eth1")).status().code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(AttachInterface("p", Lan("lan0")).ok());
  ExpectInterfaces({"eth0", "eth1", "lan0"});

  absl::StatusOr<DetachedInterface> detached = DetachInterface("p", "eth1");
  ASSERT_TRUE(detached.ok()) << detached.status();
  EXPECT_TRUE(detached->existed);
  ExpectInterfaces({"eth0", "lan0"});
  EXPECT_THAT(Configured("p"), ElementsAre("eth0", "lan0"));
  detached = DetachInterface("p", "eth1");
  ASSERT_TRUE(detached.ok()) << detached.status();
  EXPECT_FALSE(detached->existed);
  // The guest was told before its device went, and the network came last.
  const std::vector<std::string> calls = network().calls();
  EXPECT_THAT(calls, Contains("RemoveInterface p eth1"));

  Restart();
  ExpectInterfaces({"eth0", "lan0"});
  EXPECT_THAT(network().calls(), Contains("Verify p"));
}

TEST_F(PodNetworkTest, OfANamespaceOnlyWhatWasAttachedIsNamed) {
  network().SetHasDefault(false);
  ASSERT_TRUE(Run(Config("p")).ok());
  ASSERT_TRUE(DetachInterface("p", "eth0").ok());
  EXPECT_THAT(Configured("p"), IsEmpty());
  ASSERT_TRUE(AttachInterface("p", Lan("lan0")).ok());
  EXPECT_THAT(Configured("p"), ElementsAre("lan0")) << "no eth0, which need not be in the namespace at the next start";
  ASSERT_TRUE(DetachInterface("p", "lan0").ok());
  EXPECT_THAT(Configured("p"), IsEmpty());
}

TEST_F(PodNetworkTest, WhoCannotHaveInterfacesIsToldWhatCan) {
  network().SetPlan({});
  ASSERT_TRUE(Run(Config("p")).ok());
  HypervisorCapabilities machines = hypervisor().capabilities();
  AgentCapabilities guests = agent().capabilities();
  guests.networks = false;
  agent().set_capabilities(guests);
  const absl::Status agent_cannot = AttachInterface("p", Lan()).status();
  EXPECT_EQ(agent_cannot.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ReasonOf(agent_cannot), v1::ERROR_REASON_NOT_IMPLEMENTED);
  EXPECT_EQ(DetailOf(agent_cannot)->metadata.at("field"), "config.agent");
  EXPECT_EQ(agent_cannot.message(),
            "pod p: agent `fake` sets up no network interfaces in its guest; create pods with interfaces with one that "
            "does, such as `native`");
  machines.nic_hotplug = false;
  hypervisor().set_capabilities(machines);
  const absl::Status machine_cannot = AttachInterface("p", Lan()).status();
  EXPECT_EQ(DetailOf(machine_cannot)->metadata.at("field"), "config.hypervisor");
  EXPECT_THAT(std::string(machine_cannot.message()),
              HasSubstr("pod p: hypervisor `fake` gives its machines no network interfaces; create pods"));
  EXPECT_THAT(network().calls(), Not(Contains("AddInterface p eth0")));
}

TEST_F(PodNetworkTest, NamesThatAreNoneAreRefused) {
  ASSERT_TRUE(Run(Config("p")).ok());
  for (const char* name : {"a/b", "..", "with blank", "sixteen-bytes-xx", "eth0:1"}) {
    EXPECT_EQ(AttachInterface("p", Lan(name)).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(DetachInterface("p", "").status().code(), absl::StatusCode::kInvalidArgument);
  ExpectInterfaces({"eth0"});
}

TEST_F(PodNetworkTest, AnAttachmentThatFailsLeavesNothing) {
  ASSERT_TRUE(Run(Config("p")).ok());
  const auto shown = [&] {
    v1::Pod pod = Get("p");
    pod.clear_revision();
    return pod.ShortDebugString();
  };
  const std::string before = shown();
  network().FailAdd(absl::ResourceExhaustedError("no address left"));
  EXPECT_THAT(std::string(AttachInterface("p", Lan()).status().message()), HasSubstr("no address left"));
  hypervisor().FailNth("AttachNic", 1, absl::ResourceExhaustedError("no place left"));
  EXPECT_EQ(AttachInterface("p", Lan()).status().code(), absl::StatusCode::kResourceExhausted);
  agent().FailNth("SetInterface", 1, absl::InternalError("RTNETLINK says no"));
  EXPECT_THAT(std::string(AttachInterface("p", Lan()).status().message()), HasSubstr("RTNETLINK says no"));
  ExpectInterfaces({"eth0"});
  EXPECT_EQ(shown(), before);
  EXPECT_TRUE(AttachInterface("p", Lan()).ok());
}

TEST_F(PodNetworkTest, ADetachmentThatFailsIsTriedAgain) {
  ASSERT_TRUE(Run(Config("p")).ok());
  hypervisor().FailNth("DetachNic", 1, absl::DeadlineExceededError("the guest does not let go"));
  EXPECT_THAT(std::string(DetachInterface("p", "eth0").status().message()), HasSubstr("does not let go"));
  EXPECT_THAT(Interfaces("p"), ElementsAre("eth0")) << "it has it still";
  network().FailRemove(absl::InternalError("plugin says no"));
  EXPECT_THAT(std::string(DetachInterface("p", "eth0").status().message()), HasSubstr("detach it again"));
  EXPECT_THAT(Interfaces("p"), IsEmpty());
  EXPECT_THAT(network().interfaces("p"), ElementsAre("eth0"));
  const absl::StatusOr<DetachedInterface> again = DetachInterface("p", "eth0");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->existed);
  ExpectInterfaces({});
}

TEST_F(PodNetworkTest, WhatANetworkStillHoldsIsGivenBackByTheNextDaemon) {
  ASSERT_TRUE(Run(Config("p")).ok());
  network().FailRemove(absl::InternalError("plugin says no"));
  EXPECT_FALSE(DetachInterface("p", "eth0").ok());
  Restart();
  ExpectInterfaces({});
}

TEST_F(PodNetworkTest, ANetworkThatChangedMeanwhileCostsNoPod) {
  ASSERT_TRUE(Run(Config("p")).ok());
  network().FailVerify(absl::NotFoundError("eth0 has gone"));
  Restart();
  EXPECT_EQ(Get("p").state(), v1::POD_STATE_RUNNING);
  ExpectInterfaces({"eth0"});
}

TEST_F(PodNetworkTest, OnlyPodsWithAGuestThatMovesChange) {
  ASSERT_TRUE(Run(Config("p")).ok());
  ASSERT_TRUE(Pause("p").ok());
  EXPECT_EQ(ReasonOf(AttachInterface("p", Lan()).status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(ReasonOf(DetachInterface("p", "eth0").status()), v1::ERROR_REASON_WRONG_STATE);
  ASSERT_TRUE(Resume("p").ok());
  ASSERT_TRUE(Stop("p").ok());
  EXPECT_EQ(ReasonOf(AttachInterface("p", Lan()).status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(ReasonOf(AttachInterface("none", Lan()).status()), v1::ERROR_REASON_POD_NOT_FOUND);
}

TEST_F(PodNetworkTest, ARequestIsDoneOnce) {
  ASSERT_TRUE(Run(Config("p")).ok());
  ASSERT_EQ(AttachInterface("p", Lan(), "attach")->interface_name, "eth1");
  const absl::StatusOr<AttachedInterface> again = AttachInterface("p", Lan(), "attach");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->interface_name, "eth1");
  ExpectInterfaces({"eth0", "eth1"});
  ASSERT_TRUE(DetachInterface("p", "eth1", "detach")->existed);
  EXPECT_TRUE(DetachInterface("p", "eth1", "detach")->existed);
  ExpectInterfaces({"eth0"});
}

TEST(NicIdTest, FitsWhatAMachineTakes) {
  EXPECT_EQ(NicId("02:00:5E:00:53:01"), "nic-02005e005301");
  EXPECT_LE(NicId("02:00:5E:00:53:01").size(), 16u);
}

// A network that leads port 8080 of the host to the pod.
v1::CniNetwork Published(const std::string& interface_name = "") {
  v1::CniNetwork network = Lan(interface_name);
  network.add_port_mappings()->set_host_port(8080);
  return network;
}

class PodPortTest : public PodNetworkTest {
 protected:
  v1::PodConfig Publishing(const std::string& id) {
    v1::PodConfig config = Config(id);
    *config.mutable_network_config()->add_networks() = Published();
    return config;
  }
  static void ExpectTaken(const absl::Status& status, const std::string& holder) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NETWORK);
    EXPECT_THAT(status.message(), HasSubstr("port 8080/tcp of the host is published by pod " + holder + " already"));
  }
};

TEST_F(PodPortTest, APortLeadsToOnePod) {
  ASSERT_TRUE(Run(Publishing("p")).ok());
  for (const bool restarted : {false, true}) {
    if (restarted) Restart();
    ExpectTaken(Run(Publishing("q")).status(), "p");
    EXPECT_FALSE(runtime_->GetPod("q").ok());
    EXPECT_THAT(network().attached(), ElementsAre("p"));
  }
}

TEST_F(PodPortTest, WhoIsStoppedOrDeletedHasNoPort) {
  ASSERT_TRUE(Run(Publishing("p")).ok());
  ASSERT_TRUE(Stop("p").ok());
  ASSERT_TRUE(Run(Publishing("q")).ok());
  Restart();
  ExpectTaken(Start("p").status(), "q");
  EXPECT_EQ(Get("p").state(), v1::POD_STATE_STOPPED);
  ASSERT_TRUE(Delete("q", /*force=*/true).ok());
  ASSERT_TRUE(Start("p").ok());
}

TEST_F(PodPortTest, WhatFailsToBeMadeLeavesThePort) {
  hypervisor().FailNth("Boot", 1, absl::ResourceExhaustedError("no memory"));
  ASSERT_FALSE(Run(Publishing("p")).ok());
  ASSERT_TRUE(Run(Publishing("q")).ok());
}

TEST_F(PodPortTest, APodWhoseNetworkStaysKeepsItsPort) {
  ASSERT_TRUE(Run(Publishing("p")).ok());
  network().FailDetach(absl::UnavailableError("the plugin hangs"));
  ASSERT_TRUE(Stop("p").ok());
  Restart();
  ExpectTaken(Run(Publishing("q")).status(), "p");
  network().FailDetach(absl::UnavailableError("the plugin hangs"));
  ASSERT_TRUE(Delete("p", /*force=*/true).ok());
  EXPECT_TRUE(Run(Publishing("q")).ok());
}

TEST_F(PodPortTest, AnInterfaceThatIsAttachedHasItsPortsUntilItIsDetached) {
  ASSERT_TRUE(Run(Publishing("q")).ok());
  ASSERT_TRUE(Run(Config("p")).ok());
  ExpectTaken(AttachInterface("p", Published("eth1")).status(), "q");
  ASSERT_TRUE(Stop("q").ok());
  network().FailAdd(absl::UnavailableError("the plugin hangs"));
  EXPECT_FALSE(AttachInterface("p", Published("eth1")).ok());
  ASSERT_TRUE(Start("q").ok()) << "what failed has no port";
  ASSERT_TRUE(Stop("q").ok());
  ASSERT_TRUE(AttachInterface("p", Published("eth1")).ok());
  ExpectTaken(Start("q").status(), "p");
  ASSERT_TRUE(DetachInterface("p", "eth1").ok());
  EXPECT_TRUE(Start("q").ok());
}

}  // namespace
}  // namespace vcd
