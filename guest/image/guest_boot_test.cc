// SPDX-License-Identifier: Apache-2.0
// The image in a real, emulated machine, spoken to without the daemon: HELLO, containers from a disk and from a share
// that are plugged in while it runs, hosts that come and go, power off. The daemon's own tests are in test/e2e.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/link/link_limits.h"
#include "core/os/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/agent_peer.h"

namespace vcd::guest {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::vcd::agent::v1::ErrorCode;
using ::vcd::agent::v1::Hello;
using ::vcd::agent::v1::HostMessage;
using ::vcd::agent::v1::Reply;
using ::vcd::agent::v1::RootfsSource;

constexpr char kQemu[] = "/usr/bin/qemu-system-x86_64";
constexpr char kVirtiofsd[] = "/usr/lib/qemu/virtiofsd";
constexpr char kQboot[] = "/usr/share/qemu/qboot.rom";

sockaddr_un Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

// A listening socket that a child inherits; connections wait in its backlog until the child is ready.
UniqueFd Listen(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  const sockaddr_un address = Address(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), 4) != 0) {
    throw std::runtime_error("listen on " + path);
  }
  return fd;
}

UniqueFd Connect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = Address(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("connect to " + path);
  }
  return fd;
}

pid_t Spawn(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return pid;
}

// One machine for all tests of the file: booting takes seconds under emulation.
class Machine {
 public:
  Machine() {
    char pattern[] = "/tmp/vcd-test-XXXXXX";
    if (::mkdtemp(pattern) == nullptr) throw std::runtime_error("mkdtemp");
    directory = pattern;
    const UniqueFd qmp = Listen(directory + "/qmp");
    const UniqueFd agent = Listen(directory + "/agent");
    const UniqueFd memory(::memfd_create("guest", 0));
    if (::ftruncate(memory.get(), 256 << 20) != 0) throw std::runtime_error("memfd");
    qemu = Spawn(
        {kQemu,
         "-nodefaults",
         "-no-user-config",
         "-display",
         "none",
         "-no-reboot",
         "-accel",
         "tcg",
         "-cpu",
         "max",
         "-M",
         "q35,memory-backend=mem,sata=off,smbus=off,usb=off,vmport=off,i8042=off",
         "-object",
         "memory-backend-file,id=mem,size=256M,mem-path=/proc/self/fd/" + std::to_string(memory.get()) + ",share=on",
         "-m",
         "256M",
         "-smp",
         "1",
         "-bios",
         kQboot,
         "-kernel",
         "guest/image/vmlinux",
         "-initrd",
         "guest/image/initramfs.cpio",
         "-append",
         "console=ttyS0 quiet noreplace-smp panic=-1",
         "-chardev",
         "file,id=con,path=" + directory + "/console.log",
         "-serial",
         "chardev:con",
         "-chardev",
         "socket,id=qmp,server=on,wait=off,fd=" + std::to_string(qmp.get()),
         "-mon",
         "chardev=qmp,mode=control",
         "-chardev",
         "socket,id=agent,server=on,wait=off,fd=" + std::to_string(agent.get()),
         "-device",
         "virtio-serial-pci,id=vs0",
         "-device",
         "virtserialport,bus=vs0.0,chardev=agent,name=vcd.agent",
         "-device",
         "virtio-scsi-pci,id=scsi0",
         "-device",
         "virtio-rng-pci",
         "-device",
         "pcie-root-port,id=rp1,chassis=1,slot=1"});
    qmp_ = Connect(directory + "/qmp");
    peer = std::make_unique<AgentPeer>(Connect(directory + "/agent"));
  }

  ~Machine() {
    peer.reset();
    if (qemu > 0) {
      ::kill(qemu, SIGKILL);
      ::waitpid(qemu, nullptr, 0);
    }
    for (const pid_t pid : helpers) ::waitpid(pid, nullptr, 0);
    std::cout << "console:\n" << std::ifstream(directory + "/console.log").rdbuf() << std::endl;
    fs::remove_all(directory);
  }

  // One command of QMP; what it returned.
  std::string Qmp(const std::string& command, const std::string& arguments = "{}") {
    const std::string line = "{\"execute\": \"" + command + "\", \"arguments\": " + arguments + "}\n";
    if (::write(qmp_.get(), line.data(), line.size()) < 0) throw std::runtime_error("qmp");
    while (true) {
      const std::string answer = QmpLine();
      if (answer.rfind("{\"return\"", 0) == 0) return answer;
      if (answer.rfind("{\"error\"", 0) == 0) throw std::runtime_error(answer);
    }
  }
  void QmpEvent(const std::string& what) {
    while (QmpLine().find(what) == std::string::npos) {
    }
  }

  std::string directory;
  pid_t qemu = -1;
  std::vector<pid_t> helpers;
  std::unique_ptr<AgentPeer> peer;

 private:
  std::string QmpLine() {
    std::string line;
    char byte = 0;
    while (::read(qmp_.get(), &byte, 1) == 1) {
      if (byte == '\n') return line;
      if (byte != '\r') line += byte;
    }
    throw std::runtime_error("qemu is gone");
  }

  UniqueFd qmp_;
};

class GuestBootTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(kQemu) || ::geteuid() != 0) return;
    start_time = std::chrono::steady_clock::now();
    machine = std::make_unique<Machine>();
    MakeRoot(machine->directory + "/root");
    machine->Qmp("qmp_capabilities");
  }
  static void TearDownTestSuite() { machine.reset(); }
  void SetUp() override {
    if (machine == nullptr) GTEST_SKIP() << "needs root and QEMU";
  }

  static void MakeRoot(const std::string& root) {
    for (const char* name : {"/bin", "/etc", "/tmp"}) fs::create_directories(root + name);
    fs::copy_file("/bin/busybox", root + "/bin/busybox");
    for (const char* name : {"sh", "cat", "echo", "uname", "ls", "hostname", "date", "touch", "rm", "dd", "sleep", "ip",
                             "id", "grep", "wc"}) {
      fs::create_symlink("busybox", root + "/bin/" + name);
    }
    std::ofstream(root + "/etc/passwd") << "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
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
  AgentPeer& peer() { return *machine->peer; }

  static std::unique_ptr<Machine> machine;
  static std::chrono::steady_clock::time_point start_time;
};

std::unique_ptr<Machine> GuestBootTest::machine;
std::chrono::steady_clock::time_point GuestBootTest::start_time;

std::string MakeErofs(const std::string& root, const std::string& image) {
  if (std::system(("mkfs.erofs --quiet -T0 " + image + " " + root + " >/dev/null 2>&1").c_str()) != 0) {
    throw std::runtime_error("mkfs.erofs");
  }
  return image;
}

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
  EXPECT_THAT(ack.kernel_release(), HasSubstr("cloud"));
  EXPECT_EQ(ack.processes_size(), 0);

  // A container asked for before its disk is there.
  const std::string image = MakeErofs(machine->directory + "/root", machine->directory + "/root.erofs");
  HostMessage waiting = CreateMessage("c1", Lun(3),
                                      "uname -r; hostname; echo $$; touch /tmp/x && ls /tmp; date +%Y; "
                                      "ip addr show lo | grep -c LOOPBACK,UP; cat /proc/self/cgroup; "
                                      "grep ' / ' /proc/mounts; exit 42");
  waiting.set_request_id(1'000'000);
  peer().Post(waiting);
  EXPECT_FALSE(peer().ReadOne(200)) << "there is no disk yet";
  machine->Qmp("blockdev-add",
               "{\"node-name\": \"d3\", \"driver\": \"raw\", \"read-only\": true, \"file\": "
               "{\"driver\": \"file\", \"locking\": \"off\", \"read-only\": true, \"filename\": \"" +
                   image + "\"}}");
  machine->Qmp("device_add",
               "{\"driver\": \"scsi-hd\", \"id\": \"disk3\", \"bus\": \"scsi0.0\", \"drive\": \"d3\", "
               "\"channel\": 0, \"scsi-id\": 0, \"lun\": 3}");
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
  const std::string socket = machine->directory + "/fs";
  {
    const UniqueFd listener = Listen(socket);
    machine->helpers.push_back(
        Spawn({kVirtiofsd, "--fd=" + std::to_string(listener.get()), "-o", "source=" + machine->directory + "/root",
               "-o", "cache=auto", "-o", "xattr", "-f"}));
  }
  machine->Qmp("chardev-add",
               "{\"id\": \"fs1\", \"backend\": {\"type\": \"socket\", \"data\": {\"server\": false, "
               "\"addr\": {\"type\": \"unix\", \"data\": {\"path\": \"" +
                   socket + "\"}}}}}");
  machine->Qmp("device_add",
               "{\"driver\": \"vhost-user-fs-pci\", \"id\": \"share1\", \"chardev\": \"fs1\", "
               "\"tag\": \"root-c4\", \"bus\": \"rp1\"}");
  RootfsSource share;
  share.mutable_virtiofs()->set_tag("root-c4");
  EXPECT_EQ(Run("c4", share, "echo from the guest > /tmp/y; uname -r"), 0);
  EXPECT_EQ(peer().Stdout("c4"), ack.kernel_release() + "\n");
  std::string written;
  std::getline(std::ifstream(machine->directory + "/root/tmp/y") >> std::ws, written);
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
    peer().Reconnect(Connect(machine->directory + "/agent"));
    EXPECT_EQ(peer().Hello().processes_size(), 2);
  }
  EXPECT_EQ(peer().WaitForExit("c6").code(), 9);
  EXPECT_TRUE(peer().Stdout("c6") == expected);

  // The end. The reply arrives although the machine goes off at once.
  HostMessage shutdown;
  shutdown.mutable_shutdown();
  EXPECT_EQ(peer().Call(shutdown).code(), ErrorCode::ERROR_CODE_OK);
  machine->QmpEvent("guest-shutdown");
  int status = -1;
  ::waitpid(machine->qemu, &status, 0);
  machine->qemu = -1;
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace vcd::guest
