// SPDX-License-Identifier: Apache-2.0
// Pods on networks, as their neighbours and the host see them: real machines, real plugins, in a network namespace of
// this process's own. What it calls the host is that namespace.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/os/unique_fd.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kBusybox[] = "/bin/busybox";

// A directory with what networks are configured by: a bridge for each MTU, all else as vcd has it by itself.
class OwnHost : public testing::Environment {
 public:
  void SetUp() override {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    ASSERT_EQ(RunProgram({"/sbin/ip", "link", "set", "lo", "up"}).exit_code, 0);
    ASSERT_NE(::mkdtemp(directory_), nullptr);
    fs::create_directory(path() + "/net.d");
    for (const int mtu : {1400, 9000}) {
      std::ofstream(absl::StrCat(path(), "/net.d/mtu", mtu, ".conflist")) << absl::StrCat(
          R"({"cniVersion": "0.4.0", "name": "mtu)", mtu, R"(", "plugins": [{"type": "bridge", "bridge": "br)", mtu,
          R"(", "isGateway": true, "mtu": )", mtu, R"(, "ipam": {"type": "host-local", "dataDir": ")", path(),
          R"(/ipam", "ranges": [[{"subnet": "10.)", mtu % 250, R"(.0.0/24"}]]}, "dns": {"nameservers": ["10.)",
          mtu % 250, R"(.0.1"], "search": ["example"]}}]})");
    }
    std::ofstream(path() + "/vcd.toml") << "[networks]\ncni_config_dir = \"" << path() << "/net.d\"\n";
  }
  void TearDown() override {
    std::error_code ignored;
    if (::geteuid() == 0) fs::remove_all(path(), ignored);
  }
  static std::string path() { return directory_; }

 private:
  static char directory_[32];
};
char OwnHost::directory_[32] = "/tmp/vcd-e2e-net-XXXXXX";
[[maybe_unused]] const testing::Environment* const kOwnHost = testing::AddGlobalTestEnvironment(new OwnHost);

std::string Out(std::vector<std::string> argv) {
  const ProgramResult result = RunProgram(argv);
  EXPECT_EQ(result.exit_code, 0) << absl::StrJoin(argv, " ") << ": " << result;
  return result.out;
}

// Asks again for as long as a program may take: somebody has to begin to listen first.
ProgramResult Eventually(const std::vector<std::string>& argv) {
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  ProgramResult result = RunProgram(argv);
  while (result.exit_code != 0 && absl::Now() < deadline) result = RunProgram(argv);
  return result;
}

class NetworkTest : public E2eTest {
 protected:
  explicit NetworkTest(std::vector<std::string> flags = {}) : E2eTest(WithConfig(std::move(flags))) {}

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "namespaces and interfaces are root's";
    ASSERT_NO_FATAL_FAILURE(E2eTest::SetUp());
  }

  static std::vector<std::string> WithConfig(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"--config", OwnHost::path() + "/vcd.toml"});
    return flags;
  }

  // What the host has: links, filter rules, reserved addresses. Bridges and chains stay once there was a pod, and
  // sub-directories of networks.
  std::vector<std::string> HostHas() const {
    std::vector<std::string> has;
    for (absl::string_view line : absl::StrSplit(Out({"/sbin/ip", "-o", "link"}), '\n', absl::SkipEmpty())) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      has.push_back("link " + words[1]);
    }
    for (const char* save : {"/usr/sbin/iptables-save", "/usr/sbin/ip6tables-save"}) {
      for (absl::string_view line : absl::StrSplit(Out({save}), '\n', absl::SkipEmpty())) {
        // Others are comments and counters.
        if (absl::StartsWith(line, "-A")) has.push_back(absl::StrCat(save, " ", line));
      }
    }
    for (const std::string& root : {OwnHost::path() + "/ipam", state()}) {
      std::error_code error;
      for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename();
        if (it->is_regular_file() && name.find_first_of("0123456789") == 0) has.push_back(it->path().string());
      }
    }
    std::sort(has.begin(), has.end());
    return has;
  }
  std::string state() const { return const_cast<NetworkTest*>(this)->daemon().state_dir(); }
  // In the end: what was in a namespace goes when the kernel gets to it.
  void ExpectHostHas(const std::vector<std::string>& expected, const std::string& when = "") const {
    const absl::Time deadline = absl::Now() + kProgramTimeout;
    std::vector<std::string> has = HostHas();
    while (has != expected && absl::Now() < deadline) has = HostHas();
    EXPECT_THAT(has, testing::ElementsAreArray(expected)) << when;
  }

  void RunOn(const std::string& id, std::vector<std::string> options,
             const std::vector<std::string>& command = {"sleep", "1000"}) {
    std::vector<std::string> words = {"run", "-d", "--id", id, "--rootfs", image()};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), command.begin(), command.end());
    EXPECT_EQ(Must(words), id + "\n");
  }

  // Of an interface of the pod, of IPv4 or else of IPv6, without the length of its prefix.
  std::string Address(const std::string& id, bool v4, int interface = 0) {
    const v1::Pod pod = daemon().GetPod(id);
    if (pod.network().interfaces_size() <= interface) return "none";
    for (const std::string& address : pod.network().interfaces(interface).addresses()) {
      if (absl::StrContains(address, ':') != v4) return address.substr(0, address.find('/'));
    }
    return "none";
  }

  // Of the host, where the pod's default route leads.
  std::string Gateway(const std::string& id, bool v4) {
    const v1::Pod pod = daemon().GetPod(id);
    for (const v1::Route& route : pod.network().interfaces(0).routes()) {
      if (!route.gateway().empty() && absl::StrContains(route.gateway(), ':') != v4) return route.gateway();
    }
    return "none";
  }

  void ExpectPing(const std::string& id, const std::string& address, const std::string& size = "56") {
    // An emulated guest may be too slow for the neighbour that asks where the address is.
    const absl::Time deadline = absl::Now() + kProgramTimeout;
    ProgramResult result;
    do {
      result = Exec(id, {kBusybox, "ping", "-c", "2", "-W", "20", "-s", size, address});
    } while (result.exit_code != 0 && absl::Now() < deadline);
    EXPECT_THAT(result, ExitsWith(0)) << id << " to " << address << ": " << result;
  }
  void ExpectHostPings(const std::string& address, const std::string& size = "56") {
    const ProgramResult result = Eventually({kBusybox, "ping", "-c", "2", "-W", "20", "-s", size, address});
    EXPECT_THAT(result, ExitsWith(0)) << "host to " << address << ": " << result;
  }
};

TEST_F(NetworkTest, PodsAndTheHostReachEachOther) {
  RunOn("a", {"--network", "default"});
  RunOn("b", {"--network", "default"});
  for (const bool v4 : {true, false}) {
    ExpectPing("a", Address("b", v4));
    ExpectPing("b", Address("a", v4));
    ExpectHostPings(Address("a", v4));
  }
  EXPECT_THAT(Exec("a", {"cat", "/etc/hosts"}).out, HasSubstr(Address("a", true) + "\ta\n"));
  EXPECT_THAT(Must({"network", "ls", "a"}),
              AllOf(HasSubstr("eth0"), HasSubstr("default"), HasSubstr(Address("a", true))));
  RemoveAllPods();
}

TEST_F(NetworkTest, AWebServerAnswersThroughAPublishedPort) {
  RunOn("warm", {"--network", "default", "-p", "18079:80"});
  Must({"rm", "-f", "warm"});
  const std::vector<std::string> before = HostHas();
  RunOn("web", {"--network", "default", "-p", "18080:80"},
        {"sh", "-c",
         "mkdir /tmp/www && dd if=/dev/urandom of=/tmp/www/file bs=65536 count=16 && "
         "exec /bin/busybox httpd -f -p 80 -h /tmp/www"});
  const std::string gateway = absl::StrCat(Address("web", true));
  const std::string host = gateway.substr(0, gateway.find('.', gateway.find('.') + 1)) + ".0.1";
  const std::string there = absl::StrCat(OwnHost::path(), "/file");
  const ProgramResult got =
      Eventually({kBusybox, "wget", "-q", "-O", there, absl::StrCat("http://", host, ":18080/file")});
  ASSERT_THAT(got, ExitsWith(0)) << got;
  EXPECT_EQ(fs::file_size(there), size_t{1} << 20);
  const std::string sum = Out({kBusybox, "sha256sum", there}).substr(0, 64);
  EXPECT_EQ(Exec("web", {"sha256sum", "/tmp/www/file"}).out.substr(0, 64), sum);
  const ProgramResult second =
      Vc({"run", "-d", "--network", "default", "-p", "18080:81", "--rootfs", image(), "--", "sleep", "1"});
  EXPECT_THAT(second, Not(ExitsWith(0)));
  EXPECT_THAT(second.err, HasSubstr("port 18080/tcp of the host is published by pod web already"));
  Must({"rm", "-f", "web"});
  ExpectHostHas(before);
}

TEST_F(NetworkTest, EveryWayOfJoiningLeadsThere) {
  RunOn("warm", {"--network", "default"});
  Must({"rm", "-f", "warm"});
  const std::vector<std::string> before = HostHas();
  for (const std::string join : {"bridge", "macvtap"}) {
    RunOn(join, {"--network", "default", "--network-join", join});
    EXPECT_THAT(Must({"network", "ls", join}), HasSubstr(join));
    for (const bool v4 : {true, false}) {
      ExpectHostPings(Address(join, v4));
      ExpectPing(join, Gateway(join, v4));
    }
    daemon().Kill();
    daemon().Start();
    RememberDescriptors();
    ExpectHostPings(Address(join, true));
    Must({"rm", "-f", join});
    ExpectHostHas(before, join);
  }
}

TEST_F(NetworkTest, APortIsForwardedToAPodWithoutANetwork) {
  RunOn("web", {},
        {"sh", "-c",
         "mkdir /tmp/www && dd if=/dev/urandom of=/tmp/www/file bs=65536 count=16 && "
         "exec /bin/busybox httpd -f -p 80 -h /tmp/www"});
  const std::unique_ptr<Program> forward = daemon().StartVc({"port-forward", "web", "0:80"});
  ASSERT_TRUE(forward->WaitForOutput("\n"));
  // "127.0.0.1:PORT -> web:80", the port that was free.
  const std::vector<std::string> words = absl::StrSplit(forward->out(), absl::ByAnyChar(" \n"));
  std::string address;
  for (const std::string& word : words) {
    if (absl::StartsWith(word, "127.0.0.1:")) address = word;
  }
  ASSERT_NE(address, "") << forward->out();
  for (int time = 0; time < 3; ++time) {
    const std::string there = absl::StrCat(OwnHost::path(), "/forwarded");
    const ProgramResult got =
        Eventually({kBusybox, "wget", "-q", "-O", there, absl::StrCat("http://", address, "/file")});
    ASSERT_THAT(got, ExitsWith(0)) << got;
    // The server, which has answered, was started once the file was whole.
    const std::string sum = Out({kBusybox, "sha256sum", there}).substr(0, 64);
    EXPECT_EQ(sum, Exec("web", {"sha256sum", "/tmp/www/file"}).out.substr(0, 64));
    EXPECT_THAT(sum, SizeIs(64));
  }
  forward->Signal(SIGTERM);
  forward->Finish();
  Must({"rm", "-f", "web"});
}

TEST_F(NetworkTest, MtuAndNameServersComeFromTheNetwork) {
  for (const int mtu : {1400, 9000}) {
    const std::string id = absl::StrCat("mtu", mtu);
    RunOn(id, {"--network", id});
    EXPECT_EQ(Trimmed(Exec(id, {"cat", "/sys/class/net/eth0/mtu"}).out), absl::StrCat(mtu));
    // In one piece, whose length is that of the payload and 28 bytes of headers; and in two.
    ExpectHostPings(Address(id, true), absl::StrCat(mtu - 28));
    ExpectHostPings(Address(id, true), absl::StrCat(mtu + 100));
    EXPECT_THAT(Exec(id, {"cat", "/etc/resolv.conf"}).out,
                AllOf(HasSubstr("search example\n"), HasSubstr("nameserver 10."), HasSubstr(".0.1\n")));
    Must({"rm", "-f", id});
  }
}

TEST_F(NetworkTest, InterfacesComeAndGoAlsoAcrossACrashOfTheDaemon) {
  RunOn("warm", {"--network", "default,mtu1400"});
  Must({"rm", "-f", "warm"});
  const std::vector<std::string> before = HostHas();
  RunOn("web", {"--network", "default"});
  const std::vector<std::string> with_one = HostHas();
  EXPECT_EQ(Must({"network", "attach", "web", "mtu1400"}), "eth1\n");
  const std::string second = Address("web", true, 1);
  ExpectHostPings(second);
  EXPECT_THAT(Exec("web", {"ls", "/sys/class/net"}).out, AllOf(HasSubstr("eth0"), HasSubstr("eth1")));

  daemon().Kill();
  ExpectHostPings(second);
  daemon().Start();
  RememberDescriptors();
  ExpectHostPings(second);
  EXPECT_EQ(Must({"network", "detach", "web", "eth1"}), "eth1\n");
  EXPECT_THAT(Exec("web", {"ls", "/sys/class/net"}).out, AllOf(HasSubstr("eth0"), Not(HasSubstr("eth1"))));
  ExpectHostHas(with_one);
  ExpectHostPings(Address("web", true));
  Must({"rm", "-f", "web"});
  ExpectHostHas(before);
}

// What the host sees on all of its links from now on.
class Wire {
 public:
  Wire() : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL))) {
    const int bytes = 32 << 20;
    EXPECT_EQ(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes), 0);
  }
  // Hardware addresses that have sent something.
  std::set<std::string> Senders() {
    std::set<std::string> senders;
    unsigned char frame[ETH_HLEN];
    while (::recv(socket_.get(), frame, sizeof frame, MSG_TRUNC) >= ETH_HLEN) {
      std::vector<std::string> bytes;
      for (int i = ETH_ALEN; i < 2 * ETH_ALEN; ++i) bytes.push_back(absl::StrCat(absl::Hex(frame[i], absl::kZeroPad2)));
      senders.insert(absl::StrJoin(bytes, ":"));
    }
    tpacket_stats lost{};
    socklen_t size = sizeof lost;
    EXPECT_EQ(::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &lost, &size), 0);
    EXPECT_EQ(lost.tp_drops, 0u);
    return senders;
  }

 private:
  UniqueFd socket_;
};

// Two interfaces, one with an MTU of its own, and two pairs of queues; a server that waits, and a program that never
// stops to send.
TEST_F(NetworkTest, PodsOfOneCheckpointHavePlacesOfTheirOwn) {
  RunOn("warm", {"--network", "default,mtu1400"});
  Must({"rm", "-f", "warm"});
  const std::vector<std::string> before = HostHas();
  const std::string checkpoint = daemon().directory() + "/checkpoint";
  RunOn("web", {"--network", "default,mtu1400", "--cpus", "2"},
        {"sh", "-c", "mkdir /tmp/www && echo here > /tmp/www/file && exec /bin/busybox httpd -f -p 80 -h /tmp/www"});
  const auto expect_serves = [&](const std::string& id, int interface) {
    const std::string url = absl::StrCat("http://", Address(id, true, interface), "/file");
    const ProgramResult got = Eventually({kBusybox, "wget", "-q", "-O", "-", url});
    EXPECT_EQ(got.out, "here\n") << id << ": " << got;
  };
  const auto mac = [&](const std::string& id, int interface) {
    return daemon().GetPod(id).network().interfaces(interface).mac();
  };
  expect_serves("web", 0);
  Must({"exec", "-d", "web", "--", kBusybox, "ping", "-q", "-i", "0.1", Gateway("web", true)});
  Must({"checkpoint", "web", checkpoint});
  ExpectHostPings(Address("web", true));

  const std::vector<std::string> ids = {"web", "left", "right"};
  std::set<std::string> addresses, macs;
  for (const std::string& id : ids) {
    if (id != "web") Must({"restore", checkpoint, "--id", id});
    ASSERT_EQ(daemon().GetPod(id).network().interfaces_size(), 2) << id;
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(addresses.insert(Address(id, true, i)).second) << id << ": " << Address(id, true, i);
      EXPECT_TRUE(macs.insert(mac(id, i)).second) << id << ": " << mac(id, i);
      const std::string name = absl::StrCat("/sys/class/net/eth", i);
      EXPECT_EQ(Trimmed(Exec(id, {"cat", name + "/address"}).out), mac(id, i));
      expect_serves(id, i);
    }
    EXPECT_EQ(Trimmed(Exec(id, {"cat", "/sys/class/net/eth1/mtu"}).out), "1400");
    EXPECT_EQ(Trimmed(Exec(id, {"ls", "/sys/class/net"}).out), "eth0\neth1\nlo");
  }
  for (const std::string& from : ids) {
    for (const std::string& to : ids) {
      if (from == to) continue;
      for (const bool v4 : {true, false}) ExpectPing(from, Address(to, v4));
      ExpectPing(from, Address(to, true, 1));
    }
  }
  daemon().Kill();
  daemon().Start();
  RememberDescriptors();
  ExpectPing("left", Address("right", true));
  EXPECT_EQ(Must({"network", "detach", "left", "eth1"}), "eth1\n");
  ExpectHostPings(Address("left", true));
  const std::set<std::string> former = {mac("web", 0), mac("web", 1)};
  for (const std::string& id : ids) Must({"rm", "-f", id});
  ExpectHostHas(before);

  // Nobody hears the first pod's identity again.
  Wire wire;
  Must({"restore", checkpoint, "--id", "late"});
  expect_serves("late", 0);
  const std::set<std::string> senders = wire.Senders();
  EXPECT_THAT(senders, testing::Contains(mac("late", 0)));
  for (const std::string& one : former) EXPECT_THAT(senders, Not(testing::Contains(one)));
  Must({"rm", "-f", "late"});
  ExpectHostHas(before);
  fs::remove_all(checkpoint);
}

// Without machines: what the networks make is real.
class ManyNetworksTest : public NetworkTest {
 protected:
  ManyNetworksTest() : NetworkTest({"--hypervisor", "mock", "--agent", "mock", "--network", "cni"}) {}
};

TEST_F(ManyNetworksTest, AHundredPodsEightAtATimeLeaveNothing) {
  const auto stub = v1::PodService::NewStub(daemon().channel());
  const auto cycle = [&](int number) {
    v1::RunPodRequest run;
    run.mutable_config()->set_id(absl::StrCat("pod-", number));
    v1::CniNetwork& network = *run.mutable_config()->mutable_network_config()->add_networks();
    network.set_name("default");
    v1::PortMapping& port = *network.add_port_mappings();
    port.set_host_port(static_cast<uint32_t>(20000 + number));
    port.set_container_port(80);
    v1::RunPodResponse ran;
    grpc::ClientContext running;
    const grpc::Status status = stub->RunPod(&running, run, &ran);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(ran.pod().network().interfaces_size(), 1);
    v1::DeletePodRequest remove;
    remove.set_pod_id(run.config().id());
    remove.set_force(true);
    v1::DeletePodResponse removed;
    grpc::ClientContext removing;
    EXPECT_TRUE(stub->DeletePod(&removing, remove, &removed).ok());
    EXPECT_THAT(removed.not_released(), IsEmpty());
    return ran.pod().network().interfaces_size() == 0 ? "" : ran.pod().network().interfaces(0).addresses(0);
  };
  cycle(0);
  const std::vector<std::string> before = HostHas();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int number = thread + 1; number <= 100; number += 8) cycle(number);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ExpectHostHas(before);
}

}  // namespace
}  // namespace vcd
