// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/guest_machine.h"

#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "guest/agent/file_io.h"
#include "guest/agent/mounts.h"

namespace vcd::guest {
namespace {

// The root of an initramfs has no mount below it, and pivot_root refuses to leave such a root. A bind mount of it,
// moved on top of it, is a root like any other.
Outcome MakeRootPivotable() {
  if (Outcome made = MakeDirectories("/run/root"); !made.ok()) return made;
  if (::mount("/", "/run/root", nullptr, MS_BIND, nullptr) != 0) return SystemFailure("bind the root");
  if (::chdir("/run/root") != 0) return SystemFailure("enter the bound root");
  if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return SystemFailure("move the bound root");
  if (::chroot(".") != 0 || ::chdir("/") != 0) return SystemFailure("change to the bound root");
  return Outcome();
}

Outcome MountKernelFilesystems() {
  constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  for (const MountRequest& request : {
           MountRequest{"devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755"},
           MountRequest{"proc", "/proc", "proc", kSafe, ""},
           MountRequest{"sysfs", "/sys", "sysfs", kSafe, ""},
           MountRequest{"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"},
           MountRequest{"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5"},
           MountRequest{"cgroup2", "/sys/fs/cgroup", "cgroup2", kSafe, ""},
       }) {
    if (Outcome made = MakeDirectories(request.target); !made.ok()) return made;
    if (Outcome mounted = Mount(request); !mounted.ok()) return mounted;
  }
  return Outcome();
}

// The kernel starts process 1 without descriptors when the initramfs has no /dev/console.
void OpenConsole() {
  const int console = ::open("/dev/console", O_RDWR | O_NOCTTY);
  if (console < 0) return;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) ::dup2(console, fd);
  if (console > STDERR_FILENO) ::close(console);
}

void RaiseLimits() {
  const rlimit files = {1 << 20, 1 << 20};
  ::setrlimit(RLIMIT_NOFILE, &files);
}

void BringUpLoopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP;
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0) return;
  }
  Log(SystemFailure("bring up the loopback interface").message());
}

// Programs without capabilities may ask others for a sign of life.
void LetEverybodyPing() {
  const Outcome written = WriteFile("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
  if (!written.ok()) Log(written.message());
}

// A machine that has come up or stood still is off by more than this. Less is what the message took to get here, and no
// reason to make time jump for those who run.
constexpr std::chrono::milliseconds kClockTolerance{50};

// A machine that was copied from another has its random numbers too, until this.
void AddEntropy(const std::string& entropy) {
  const size_t size = std::min<size_t>(entropy.size(), 512);
  std::vector<char> buffer(sizeof(rand_pool_info) + size);
  auto* info = reinterpret_cast<rand_pool_info*>(buffer.data());
  info->entropy_count = static_cast<int>(size * 8);
  info->buf_size = static_cast<int>(size);
  std::memcpy(buffer.data() + sizeof(rand_pool_info), entropy.data(), size);
  const UniqueFd random(::open("/dev/urandom", O_WRONLY | O_CLOEXEC));
  if (::ioctl(random.get(), RNDADDENTROPY, info) != 0 || ::ioctl(random.get(), RNDRESEEDCRNG) != 0) {
    Log(SystemFailure("add entropy").message());
  }
}

}  // namespace

Outcome SetUpMachine() {
  ::umask(022);
  if (Outcome done = MakeRootPivotable(); !done.ok()) return done;
  if (Outcome done = MountKernelFilesystems(); !done.ok()) return done;
  OpenConsole();
  RaiseLimits();
  BringUpLoopback();
  LetEverybodyPing();
  ::reboot(RB_DISABLE_CAD);
  return Outcome();
}

UniqueFd OpenPort(const std::string& name) {
  const std::string ports = "/sys/class/virtio-ports/";
  for (const std::string& port : ListDirectory(ports)) {
    if (ReadLine(ports + port + "/name") != name) continue;
    return UniqueFd(::open(("/dev/" + port).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  }
  return UniqueFd();
}

void GreetMachine(const ::vcd::agent::v1::Hello& hello) {
  if (hello.unix_time_ns() != 0) SetClock(hello.unix_time_ns());
  if (!hello.entropy().empty()) AddEntropy(hello.entropy());
  const std::string& hostname = hello.hostname();
  if (!hostname.empty() && ::sethostname(hostname.data(), std::min<size_t>(hostname.size(), 64)) != 0) {
    Log(SystemFailure("set the host name").message());
  }
}

void SetClock(uint64_t unix_time_ns) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const int64_t wanted = static_cast<int64_t>(unix_time_ns);
  const int64_t off = wanted - (static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec);
  if (std::abs(off) < std::chrono::nanoseconds(kClockTolerance).count()) return;
  now.tv_sec = static_cast<time_t>(wanted / 1'000'000'000);
  now.tv_nsec = static_cast<long>(wanted % 1'000'000'000);
  if (::clock_settime(CLOCK_REALTIME, &now) != 0) Log(SystemFailure("set the clock").message());
}

void PowerOff() {
  ::sync();
  while (true) {
    ::reboot(RB_POWER_OFF);
    ::pause();  // A machine without a power switch halts here, and the host ends it.
  }
}

void Log(const std::string& line) {
  const std::string text = "vcd-agent: " + line + "\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace vcd::guest
