// SPDX-License-Identifier: Apache-2.0
#include "guest/image/testing/test_machine.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace vcd::guest {
namespace {

namespace fs = std::filesystem;

constexpr char kQemu[] = "/usr/bin/qemu-system-x86_64";
constexpr char kQboot[] = "/usr/share/qemu/qboot.rom";

sockaddr_un Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

UniqueFd Connect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = Address(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("connect to " + path);
  }
  return fd;
}

}  // namespace

std::string TestMachine::WhyNot() {
  if (!fs::exists(kQemu)) return "there is no QEMU here";
  return ::geteuid() == 0 ? "" : "needs root";
}

UniqueFd TestMachine::Listen(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  const sockaddr_un address = Address(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), 4) != 0) {
    throw std::runtime_error("listen on " + path);
  }
  return fd;
}

pid_t TestMachine::Spawn(std::vector<std::string> words) {
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

TestMachine::TestMachine() {
  char pattern[] = "/tmp/vcd-test-XXXXXX";
  if (::mkdtemp(pattern) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = pattern;
  const UniqueFd qmp = Listen(directory_ + "/qmp");
  const UniqueFd agent = Listen(directory_ + "/agent");
  const UniqueFd memory(::memfd_create("guest", 0));
  if (::ftruncate(memory.get(), 256 << 20) != 0) throw std::runtime_error("memfd");
  qemu_ = Spawn(
      {kQemu,
       "-nodefaults",
       "-no-user-config",
       "-display",
       "none",
       "-no-reboot",
       "-accel",
       "tcg",
       "-cpu",
       "max,-erms",  // As pods have it.
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
       "file,id=con,path=" + directory_ + "/console.log",
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
  qmp_ = Connect(directory_ + "/qmp");
  Qmp("qmp_capabilities");
}

TestMachine::~TestMachine() {
  if (qemu_ > 0) {
    ::kill(qemu_, SIGKILL);
    ::waitpid(qemu_, nullptr, 0);
  }
  for (const pid_t pid : helpers_) ::waitpid(pid, nullptr, 0);
  std::cout << "console:\n" << std::ifstream(directory_ + "/console.log").rdbuf() << std::endl;
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

UniqueFd TestMachine::ConnectAgent() const { return Connect(directory_ + "/agent"); }

std::string TestMachine::Qmp(const std::string& command, const std::string& arguments) {
  const std::string line = "{\"execute\": \"" + command + "\", \"arguments\": " + arguments + "}\n";
  if (::write(qmp_.get(), line.data(), line.size()) < 0) throw std::runtime_error("qmp");
  while (true) {
    const std::string answer = QmpLine();
    if (answer.rfind("{\"return\"", 0) == 0) return answer;
    if (answer.rfind("{\"error\"", 0) == 0) throw std::runtime_error(answer);
    qmp_events_.push_back(answer);
  }
}

void TestMachine::QmpEvent(const std::string& what) {
  const auto is_it = [&what](const std::string& event) { return event.find(what) != std::string::npos; };
  const bool came = std::any_of(qmp_events_.begin(), qmp_events_.end(), is_it);
  qmp_events_.clear();
  while (!came && !is_it(QmpLine())) continue;
}

std::string TestMachine::QmpLine() {
  std::string line;
  char byte = 0;
  while (::read(qmp_.get(), &byte, 1) == 1) {
    if (byte == '\n') return line;
    if (byte != '\r') line += byte;
  }
  throw std::runtime_error("qemu is gone");
}

std::string TestMachine::MakeImage(const std::string& root, const std::string& name) const {
  const std::string image = directory_ + "/" + name;
  if (std::system(("mkfs.erofs --quiet -T0 " + image + " " + root + " >/dev/null 2>&1").c_str()) != 0) {
    throw std::runtime_error("mkfs.erofs");
  }
  return image;
}

void TestMachine::AttachImage(const std::string& image, int lun) {
  const std::string number = std::to_string(lun);
  Qmp("blockdev-add", "{\"node-name\": \"d" + number +
                          "\", \"driver\": \"raw\", \"read-only\": true, \"file\": "
                          "{\"driver\": \"file\", \"locking\": \"off\", \"read-only\": true, \"filename\": \"" +
                          image + "\"}}");
  Qmp("device_add", "{\"driver\": \"scsi-hd\", \"id\": \"disk" + number + "\", \"bus\": \"scsi0.0\", \"drive\": \"d" +
                        number + "\", \"channel\": 0, \"scsi-id\": 0, \"lun\": " + number + "}");
}

int TestMachine::WaitForEnd() {
  int status = -1;
  ::waitpid(qemu_, &status, 0);
  qemu_ = -1;
  return status;
}

}  // namespace vcd::guest
