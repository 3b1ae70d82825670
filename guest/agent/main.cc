// SPDX-License-Identifier: Apache-2.0
// vcd-agent: process 1 of the guest. With --fd it serves the same protocol to a test, on the machine of the test.
#include <malloc.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "core/link/link_limits.h"
#include "guest/agent/agent.h"
#include "guest/agent/agent_version.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/file_io.h"
#include "guest/agent/guest_machine.h"
#include "guest/agent/link_server.h"
#include "guest/agent/modules.h"
#include "guest/agent/reaper.h"
#include "guest/agent/uevents.h"

namespace __gnu_cxx {

// The C++ library's own says which exception it was, and brings a demangler of 40 KB to say it well.
void __verbose_terminate_handler() { std::abort(); }

}  // namespace __gnu_cxx

namespace vcd::guest {
namespace {

LinkServer::Handler ServeOn(Agent* agent, std::function<void()> disconnected) {
  return {.message = [agent](const ::vcd::agent::v1::HostMessage& message) { agent->OnMessage(message); },
          .writable = [agent] { agent->OnLinkWritable(); },
          .disconnected = std::move(disconnected)};
}

// Process 1: never returns, for the kernel panics if it does.
[[noreturn]] void RunGuest() {
  if (const Outcome done = SetUpMachine(); !done.ok()) {
    Log("cannot set the machine up: " + done.message());
    PowerOff();
  }
  ModuleLoader modules("/modules.list");
  // The link before everything else: the host's clock for a boot ends with the answer to its HELLO.
  if (const Outcome loaded = modules.Ensure("link"); !loaded.ok()) Log(loaded.message());

  EventLoop loop;
  bool greeted = false;
  Agent agent(&loop, {.isolate = true,
                      .cgroup_root = FindCgroupMount() + "/vcd",
                      .cpu_root = "/sys/devices/system/cpu",
                      .set_interfaces = true,
                      .rootfs = {.state_dir = "/run/vcd",
                                 .load_modules = [&](const std::string& group) { return modules.Ensure(group); }},
                      .greet_machine =
                          [&](const ::vcd::agent::v1::Hello& hello) {
                            GreetMachine(hello);
                            if (!std::exchange(greeted, true)) loop.WhenIdle([&] { return modules.LoadNext(); });
                          },
                      .set_clock = SetClock,
                      .power_off = [] { PowerOff(); }});
  PressureWatch pressure(&loop, [&](double percent) { agent.TellPressure(percent); });
  std::unique_ptr<LinkServer> link;
  const auto open_link = [&] {
    if (link != nullptr) return;
    UniqueFd port = OpenPort(kAgentPortName);
    if (!port.valid()) return;
    link = std::make_unique<LinkServer>(&loop, std::move(port), ServeOn(&agent, [] {}));
    agent.SetLink(link.get());
  };
  Reaper reaper(&loop, [&](pid_t pid, int status) { agent.OnReaped(pid, status); });
  Uevents uevents(&loop, [&] {
    open_link();
    agent.OnDevicesChanged();
  });
  open_link();
  while (true) loop.Run();
}

struct HostOptions {
  int fd = -1;
  int listen_fd = -1;
  std::string state_dir;
  bool isolate = ::geteuid() == 0;
  bool cgroups = true;
  bool interfaces = false;
};

// On the machine of a test. Ends with Shutdown, or when the peer of --fd hangs up; no container outlives it. On
// --listen-fd peers come and go; the last to come is served.
int RunOnHost(HostOptions options) {
  char temporary[] = "/tmp/vcd-agent-XXXXXX";
  const bool own_directory = options.state_dir.empty();
  if (own_directory) {
    if (::mkdtemp(temporary) == nullptr) {
      Log(SystemFailure("make a state directory").message());
      return 1;
    }
    options.state_dir = temporary;
  }
  const std::string cgroup_mount = FindCgroupMount();
  const std::string cgroup_root = options.isolate && options.cgroups && !cgroup_mount.empty()
                                      ? cgroup_mount + "/vcd-agent-" + std::to_string(::getpid())
                                      : "";
  EventLoop loop;
  {
    Agent agent(&loop, {.isolate = options.isolate,
                        .cgroup_root = cgroup_root,
                        .cpu_root = "",
                        .set_interfaces = options.interfaces,
                        .rootfs = {.state_dir = options.state_dir,
                                   .allow_directories = true,
                                   .load_modules = [](const std::string&) { return Outcome(); }},
                        .greet_machine = [](const ::vcd::agent::v1::Hello&) {},
                        .set_clock = [](uint64_t) {},
                        .power_off = [&loop] { loop.Stop(0); }});
    Reaper reaper(&loop, [&](pid_t pid, int status) { agent.OnReaped(pid, status); });
    std::unique_ptr<LinkServer> link;
    const auto serve = [&](UniqueFd peer) {
      agent.OnDisconnected();
      link = std::make_unique<LinkServer>(&loop, std::move(peer), ServeOn(&agent, [&] {
        agent.OnDisconnected();
        if (options.listen_fd < 0) loop.Stop(0);
      }));
      agent.SetLink(link.get());
    };
    if (options.listen_fd < 0) {
      serve(UniqueFd(options.fd));
    } else {
      loop.Watch(options.listen_fd, EPOLLIN, [&](uint32_t) {
        UniqueFd peer(::accept4(options.listen_fd, nullptr, nullptr, SOCK_CLOEXEC));
        if (peer.valid()) serve(std::move(peer));
      });
    }
    loop.Run();
    agent.KillAll();
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
  ::rmdir((options.state_dir + "/scratch").c_str());
  ::rmdir((options.state_dir + "/mnt").c_str());
  ::rmdir((options.state_dir + "/pause").c_str());
  if (own_directory) ::rmdir(options.state_dir.c_str());
  if (!cgroup_root.empty()) ::rmdir(cgroup_root.c_str());
  return 0;
}

// Buffers of streams that are idle again go back to the guest at once: the library would keep them, up to megabytes.
void KeepMemorySmall() {
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 10);
  // What it keeps at the end of the heap when it gives the rest back, 128 KiB if it is not told.
  ::mallopt(M_TOP_PAD, 4 << 10);
}

// Whether it was started by hand or by a test, which give it a socket. What the kernel gives process 1 are the words of
// its command line that it has no use for itself, such as a parameter of another kernel.
bool IsGivenASocket(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--fd" || argument == "--listen-fd") return true;
  }
  return false;
}

int Main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  KeepMemorySmall();
  if (::getpid() == 1 && !IsGivenASocket(argc, argv)) RunGuest();
  HostOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--version") {
      std::printf("vcd-agent %s\n", kAgentVersion);
      return 0;
    }
    if (argument == "--fd" && i + 1 < argc) {
      options.fd = std::atoi(argv[++i]);
    } else if (argument == "--listen-fd" && i + 1 < argc) {
      options.listen_fd = std::atoi(argv[++i]);
    } else if (argument == "--state-dir" && i + 1 < argc) {
      options.state_dir = argv[++i];
    } else if (argument == "--no-isolation") {
      options.isolate = false;
    } else if (argument == "--no-cgroups") {
      options.cgroups = false;
    } else if (argument == "--interfaces") {
      options.interfaces = true;
    } else {
      Log("unknown argument: " + argument);
      return 2;
    }
  }
  if (options.fd < 0 && options.listen_fd < 0) {
    std::fprintf(
        stderr,
        "vcd-agent is process 1 of vcd's guests. On another machine, for tests:\n"
        "  vcd-agent --fd N [--state-dir DIR] [--no-isolation] [--no-cgroups] [--interfaces]\n"
        "serves the agent's protocol on the inherited socket N until its peer hangs up; with --listen-fd N, to\n"
        "one after the other who connects to it, until it is told to shut down. Network interfaces of the machine\n"
        "are changed with --interfaces alone.\n");
    return 2;
  }
  return RunOnHost(options);
}

}  // namespace
}  // namespace vcd::guest

int main(int argc, char** argv) { return vcd::guest::Main(argc, argv); }
