// SPDX-License-Identifier: Apache-2.0
// The network `default` with the plugins of the host, in a namespace that takes the host's place.
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/cni/cni_default.h"
#include "core/cni/cni_pod_networks.h"
#include "core/endpoint/pod_endpoints.h"
#include "core/netns/network_namespace.h"
#include "core/os/posix_filesystem.h"
#include "core/os/program_run.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPlugins[] = "/usr/lib/cni";

CallContext Soon() { return {absl::Now() + absl::Minutes(2), nullptr}; }

class RealPluginsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(std::filesystem::exists(absl::StrCat(kPlugins, "/bridge"))) << "install containernetworking-plugins";
    std::filesystem::create_directory(PluginsDir());
    for (const char* plugin : {"bridge", "host-local", "portmap", "firewall"}) Install(plugin);
    auto host = NetworkNamespace::Make();
    ASSERT_TRUE(host.ok()) << host.status();
    host_.emplace(*std::move(host));
    ASSERT_EQ(In(*host_, {"/usr/sbin/ip", "link", "set", "lo", "up"}).first, true);
  }
  void TearDown() override {
    queue_.reset();
    for (const std::string& path : paths_) EXPECT_EQ(RemoveNetworkNamespace(path), absl::OkStatus());
  }

  std::string PluginsDir() const { return directory_.path() + "/bin"; }
  std::string Plugin(const std::string& name) const { return absl::StrCat(PluginsDir(), "/", name); }
  void Install(const std::string& name) const {
    std::filesystem::create_symlink(absl::StrCat(kPlugins, "/", name), Plugin(name));
  }

  CniDefaultOptions Network() const {
    CniDefaultOptions options;
    options.addresses_dir = directory_.path() + "/ipam";
    return options;
  }
  CniReleaseQueue::Options Queue() const {
    CniReleaseQueue::Options options;
    options.directory = directory_.path() + "/pending";
    options.netns_dir = directory_.path() + "/run";
    return options;
  }

  // Whether a program ends well in a namespace, and what it prints.
  static std::pair<bool, std::string> In(const NetworkNamespace& netns, const std::vector<std::string>& argv) {
    std::pair<bool, std::string> result;
    const absl::Status ran = netns.Run([&]() -> absl::Status {
      ProgramRun run;
      run.launch.argv = argv;
      run.max_output_bytes = 1 << 20;
      run.max_errors_bytes = 1 << 20;
      const auto end = RunProgram(run, Soon());
      if (!end.ok()) return end.status();
      result = {end->success(), end->output + end->errors};
      return absl::OkStatus();
    });
    EXPECT_EQ(ran, absl::OkStatus());
    return result;
  }

  // A pod with a namespace that takes part in the network.
  NetworkPod Pod(const std::string& id) {
    NetworkPod pod;
    pod.pod_id = id;
    pod.run_dir = pod.state_dir = absl::StrCat(directory_.path(), "/", id);
    std::filesystem::create_directories(pod.state_dir);
    const auto netns = NetworkNamespace::Make();
    EXPECT_TRUE(netns.ok());
    paths_.push_back(NamespaceOf(pod));
    EXPECT_EQ(netns->MountAt(paths_.back()), absl::OkStatus());
    return pod;
  }
  static std::string NamespaceOf(const NetworkPod& pod) { return PodEndpoints::NamespacePath(pod); }
  void Attach(const NetworkPod& pod) {
    EXPECT_EQ(host_->Run([&] { return networks_.AddAll(pod, NamespaceOf(pod), Soon()).status(); }), absl::OkStatus());
  }
  void Detach(const NetworkPod& pod) {
    EXPECT_EQ(host_->Run([&] { return networks_.RemoveAll(pod, Soon()); }), absl::OkStatus());
    EXPECT_EQ(queue_->size(), 0u);
  }
  std::string HostRules() const {
    return In(*host_, {"/usr/sbin/iptables-save"}).second + In(*host_, {"/usr/sbin/ip6tables-save"}).second;
  }
  bool Reaches(const NetworkPod& pod, const std::string& address) const {
    const auto netns = NetworkNamespace::Open(NamespaceOf(pod));
    EXPECT_TRUE(netns.ok());
    const auto [reached, output] = In(*netns, {"/bin/busybox", "ping", "-c", "1", "-W", "10", address});
    if (!reached) std::cerr << output;
    return reached;
  }

  TemporaryDirectory directory_;
  PosixFilesystem filesystem_;
  const CniPlugins plugins_{{PluginsDir()}, absl::Minutes(1)};
  CniDirectory networks_dir_{filesystem_, directory_.path() + "/net.d", DefaultCniNetwork(Network())};
  std::unique_ptr<CniReleaseQueue> queue_ = std::make_unique<CniReleaseQueue>(filesystem_, plugins_, Queue());
  PodEndpoints endpoints_{filesystem_, {}};
  CniPodNetworks networks_{filesystem_, networks_dir_, plugins_, *queue_,
                           [this](const NetworkPod& pod) { return endpoints_.Interfaces(pod); }};
  std::optional<NetworkNamespace> host_;
  std::vector<std::string> paths_;
};

TEST_F(RealPluginsTest, PodsReachEachOtherAndTheHost) {
  const NetworkPod a = Pod("a");
  const NetworkPod b = Pod("b");
  EXPECT_EQ(networks_.Check(a.config), absl::OkStatus());
  Attach(a);
  Attach(b);
  EXPECT_TRUE(Reaches(a, "10.213.0.1")) << "the host";
  EXPECT_TRUE(Reaches(a, "10.213.0.3")) << "the other pod";
  EXPECT_TRUE(Reaches(b, "10.213.0.2"));
  EXPECT_TRUE(Reaches(b, "fd76:6364::2"));
  EXPECT_EQ(host_->Run([&] { return networks_.Verify(a, Soon()); }), absl::OkStatus());
  Detach(a);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/ipam/default/10.213.0.2"));
  EXPECT_TRUE(std::filesystem::exists(directory_.path() + "/ipam/default/10.213.0.3"));
  Detach(b);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/ipam/default/10.213.0.3"));
}

TEST_F(RealPluginsTest, NothingStaysInTheHostsTables) {
  NetworkPod pod = Pod("a");
  v1::PortMapping& port = *pod.config.add_networks()->add_port_mappings();
  port.set_host_port(8080);
  port.set_container_port(80);
  Attach(pod);
  const std::string before = HostRules();
  EXPECT_THAT(before, AllOf(HasSubstr("--dport 8080"), HasSubstr("10.213.0.2:80"), HasSubstr("MASQUERADE")));
  Detach(pod);
  EXPECT_THAT(HostRules(),
              AllOf(Not(HasSubstr("8080")), Not(HasSubstr("10.213.0.2")), Not(HasSubstr("name: \"default\""))));
}

TEST_F(RealPluginsTest, WhatIsGivenBackAfterThePodStaysNowhereEither) {
  const NetworkPod pod = Pod("a");
  Attach(pod);
  std::filesystem::remove(Plugin("bridge"));
  EXPECT_EQ(host_->Run([&] { return networks_.RemoveAll(pod, Soon()); }), absl::OkStatus());
  EXPECT_EQ(RemoveNetworkNamespace(NamespaceOf(pod)), absl::OkStatus());
  EXPECT_EQ(queue_->size(), 1u);
  EXPECT_THAT(HostRules(), HasSubstr("10.213.0.2"));
  Install("bridge");
  EXPECT_TRUE(queue_->WaitUntilAtMost(0, absl::Now() + absl::Minutes(1)));
  EXPECT_THAT(HostRules(), Not(HasSubstr("10.213.0.2")));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/ipam/default/10.213.0.2"));
}

TEST_F(RealPluginsTest, AddressesAreTakenAsAskedAndOnlyOnce) {
  NetworkPod pod = Pod("a");
  v1::CniNetwork& network = *pod.config.add_networks();
  network.add_ips("10.213.0.77/16");
  network.set_mac("02:00:5e:00:53:01");
  Attach(pod);
  const auto netns = NetworkNamespace::Open(NamespaceOf(pod));
  ASSERT_TRUE(netns.ok());
  EXPECT_THAT(In(*netns, {"/usr/sbin/ip", "address", "show", "eth0"}).second,
              AllOf(HasSubstr("10.213.0.77/16"), HasSubstr("02:00:5e:00:53:01")));
  const NetworkPod other = Pod("b");
  NetworkPod same = other;
  same.config = pod.config;
  EXPECT_FALSE(host_->Run([&] { return networks_.AddAll(same, NamespaceOf(same), Soon()).status(); }).ok());
  EXPECT_EQ(queue_->size(), 0u);
  EXPECT_FALSE(std::filesystem::exists(same.state_dir + "/cni.json"));
  Detach(pod);
}

}  // namespace
}  // namespace vcd
