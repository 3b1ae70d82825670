// SPDX-License-Identifier: Apache-2.0
// The image in a real, emulated machine, spoken to without the daemon: HELLO, containers from a disk and from a share
// that are plugged in while it runs, hosts that come and go, power off. The daemon's own tests are in test/e2e.
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "core/link/link_limits.h"
#include "core/os/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/agent_peer.h"
#include "guest/image/testing/busybox_root.h"
#include "guest/image/testing/test_machine.h"

namespace vcd::guest {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::vcd::agent::v1::ErrorCode;
using ::vcd::agent::v1::Hello;
using ::vcd::agent::v1::HostMessage;
using ::vcd::agent::v1::Reply;
using ::vcd::agent::v1::RootfsSource;

constexpr char kVirtiofsd[] = "/usr/lib/qemu/virtiofsd";

class GuestBootTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!TestMachine::WhyNot().empty()) return;
    start_time = std::chrono::steady_clock::now();
    machine = std::make_unique<TestMachine>();
    the_peer = std::make_unique<AgentPeer>(machine->ConnectAgent());
    MakeBusyboxRoot(machine->directory() + "/root");
  }
  static void TearDownTestSuite() {
    the_peer.reset();
    machine.reset();
  }
  void SetUp() override {
    if (machine == nullptr) GTEST_SKIP() << TestMachine::WhyNot();
  }

  HostMessage CreateMessage(const std::string& id, const RootfsSource& rootfs, const std::string& script) {
    HostMessage message;
    auto* create = message.mutable_create_container();
    create->set_container_id(id);
    create->set_hostname("in-" + id);
    *create->mutable_rootfs() = rootfs;
    for (const char* word : {"/bin/sh", "-c", script.c_str()}) create->mutable_command()->add_args(word);
    return message;
  }
  Reply Create(const std::string& id, const RootfsSource& rootfs, const std::string& script) {
    return peer().Call(CreateMessage(id, rootfs, script));
  }
  Reply Start(const std::string& id) {
    HostMessage message;
    message.mutable_start_container()->set_container_id(id);
    return peer().Call(message);
  }
  Reply Remove(const std::string& id) {
    HostMessage message;
    message.mutable_remove_container()->set_container_id(id);
    return peer().Call(message);
  }
  int Run(const std::string& id, const RootfsSource& rootfs, const std::string& script) {
    const Reply created = Create(id, rootfs, script);
    EXPECT_EQ(created.code(), ErrorCode::ERROR_CODE_OK) << created.message();
    const Reply started = Start(id);
    EXPECT_EQ(started.code(), ErrorCode::ERROR_CODE_OK) << started.message();
    if (started.code() != ErrorCode::ERROR_CODE_OK) return -1;
    return peer().WaitForExit(id).code();
  }
  AgentPeer& peer() { return *the_peer; }

  static std::unique_ptr<TestMachine> machine;
  static std::unique_ptr<AgentPeer> the_peer;
  static std::chrono::steady_clock::time_point start_time;
};

std::unique_ptr<TestMachine> GuestBootTest::machine;
std::unique_ptr<AgentPeer> GuestBootTest::the_peer;
std::chrono::steady_clock::time_point GuestBootTest::start_time;

RootfsSource Lun(int lun, const std::string& type = "erofs") {
  RootfsSource source;
  source.mutable_scsi_lun()->set_lun(lun);
  source.mutable_scsi_lun()->set_fs_type(type);
  return source;
}

// The tests build on one another, in this order: one machine's life.
TEST_F(GuestBootTest, LifeOfAMachine) {
  // HELLO.
  Hello hello;
  hello.set_hostname("guest-of-tests");
  hello.set_entropy(std::string(64, 'e'));
  hello.set_unix_time_ns(uint64_t{1'900'000'000} * 1'000'000'000);
  const auto ack = peer().Hello(hello);
  std::cout << "HELLO answered after "
            << std::chrono::duration<double>(std::chrono::steady_clock::now() - start_time).count() << " s by "
            << ack.agent_version() << " on " << ack.kernel_release() << std::endl;
  EXPECT_EQ(ack.protocol_version(), kProtocolVersion);
  EXPECT_THAT(ack.kernel_release(), AnyOf(HasSubstr("-cloud-"), HasSubstr("-vcd")));
  EXPECT_EQ(ack.processes_size(), 0);

  // A container asked for before its disk is there.
  const std::string image = machine->MakeImage(machine->directory() + "/root", "root.erofs");
  HostMessage waiting = CreateMessage("c1", Lun(3),
                                      "uname -r; hostname; echo $$; touch /tmp/x && ls /tmp; date +%Y; "
                                      "ip addr show lo | grep -c LOOPBACK,UP; cat /proc/self/cgroup; "
                                      "grep ' / ' /proc/mounts; exit 42");
  waiting.set_request_id(1'000'000);
  peer().Post(waiting);
  EXPECT_FALSE(peer().ReadOne(200)) << "there is no disk yet";
  machine->AttachImage(image, 3);
  EXPECT_TRUE(peer().ReadOne(30'000)) << "the reply to the creation";
  EXPECT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer().WaitForExit("c1").code(), 42);
  EXPECT_EQ(peer().Stderr("c1"), "");
  EXPECT_THAT(peer().Stdout("c1"),
              HasSubstr(ack.kernel_release() + "\nin-c1\n1\nx\n2030\n1\n0::/\noverlay / overlay rw,"));

  // The same disk for a second container at the same time, and a failure that leaves nothing.
  EXPECT_EQ(Run("c2", Lun(3), "ls /tmp; id -u"), 0);
  EXPECT_EQ(peer().Stdout("c2"), "0\n") << "each has an overlay of its own";
  EXPECT_EQ(Create("c3", Lun(3), "").code(), ErrorCode::ERROR_CODE_OK);
  for (const char* id : {"c1", "c2", "c3"}) EXPECT_EQ(Remove(id).code(), ErrorCode::ERROR_CODE_OK);
  machine->Qmp("device_del", "{\"id\": \"disk3\"}");
  machine->QmpEvent("\"device\": \"disk3\"");
  machine->Qmp("blockdev-del", "{\"node-name\": \"d3\"}");

  // A share.
  const std::string socket = machine->directory() + "/fs";
  {
    const UniqueFd listener = TestMachine::Listen(socket);
    machine->StartHelper({kVirtiofsd, "--fd=" + std::to_string(listener.get()), "-o", "source=" + machine->directory(),
                          "-o", "cache=auto", "-o", "xattr", "-f"});
  }
  machine->Qmp("chardev-add",
               "{\"id\": \"fs1\", \"backend\": {\"type\": \"socket\", \"data\": {\"server\": false, "
               "\"addr\": {\"type\": \"unix\", \"data\": {\"path\": \"" +
                   socket + "\"}}}}}");
  machine->Qmp("device_add",
               "{\"driver\": \"vhost-user-fs-pci\", \"id\": \"share1\", \"chardev\": \"fs1\", "
               "\"tag\": \"files\", \"bus\": \"rp1\"}");
  RootfsSource share;
  share.mutable_virtiofs()->set_tag("files");
  for (const char* name : {"..", "a/b", "."}) {
    share.mutable_virtiofs()->set_name(name);
    EXPECT_EQ(Create("c4", share, "").code(), ErrorCode::ERROR_CODE_INVALID) << name;
  }
  share.mutable_virtiofs()->set_name("none");
  EXPECT_THAT(Create("c4", share, "").message(), HasSubstr("\"none\" of the virtiofs share \"files\""));
  share.mutable_virtiofs()->set_name("root");
  EXPECT_EQ(Run("c4", share, "echo from the guest > /tmp/y; uname -r"), 0);
  EXPECT_EQ(peer().Stdout("c4"), ack.kernel_release() + "\n");
  std::string written;
  std::getline(std::ifstream(machine->directory() + "/root/tmp/y") >> std::ws, written);
  EXPECT_EQ(written, "from the guest") << "writes are seen on the host";
  share.set_readonly(true);
  EXPECT_EQ(Run("c5", share, "cat /tmp/y; ! touch /tmp/z"), 0);
  EXPECT_EQ(peer().Stdout("c5"), "from the guest\n");
  EXPECT_EQ(Remove("c4").code(), ErrorCode::ERROR_CODE_OK);

  // Hosts come and go in the middle of output; not a byte is lost or comes twice.
  const std::string script = "i=0; while [ $i -lt 50000 ]; do echo line $i; i=$((i+1)); done; exit 9";
  share.set_readonly(true);
  EXPECT_EQ(Create("c6", share, script).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(Start("c6").code(), ErrorCode::ERROR_CODE_OK);
  std::string expected;
  for (int i = 0; i < 50000; ++i) expected += "line " + std::to_string(i) + "\n";
  for (int round = 1; round <= 10; ++round) {
    peer().WaitForStdout(size_t{40'000} * round, "c6");
    peer().Reconnect(machine->ConnectAgent());
    EXPECT_EQ(peer().Hello().processes_size(), 2);
  }
  EXPECT_EQ(peer().WaitForExit("c6").code(), 9);
  EXPECT_TRUE(peer().Stdout("c6") == expected);

  // The end. The reply arrives although the machine goes off at once.
  HostMessage shutdown;
  shutdown.mutable_shutdown();
  EXPECT_EQ(peer().Call(shutdown).code(), ErrorCode::ERROR_CODE_OK);
  machine->QmpEvent("guest-shutdown");
  EXPECT_EQ(machine->WaitForEnd(), 0);
}

}  // namespace
}  // namespace vcd::guest
