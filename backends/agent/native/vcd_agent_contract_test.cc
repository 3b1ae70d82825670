// SPDX-License-Identifier: Apache-2.0
// The agent's contract with the real vcd-agent, run on this machine over a socket: real processes in a small root file
// system. Every connection uses the same stream, as a virtio-serial port does, so that what one left meets the next.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "backends/agent/native/native_agent.h"
#include "core/agent/testing/agent_contract.h"
#include "core/agent/testing/scripted_guest.h"
#include "core/agent/testing/socket_machine.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "core/status/error_detail.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;

constexpr char kAgentProgram[] = "guest/agent/vcd-agent-for-tests";

// A root file system with a shell and a few commands of this machine.
class TestRootfs {
 public:
  TestRootfs() {
    char path[] = "/tmp/vcd-test-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    path_ = path;
    for (const char* file : {"/bin/sh", "/bin/cat", "/bin/sleep", "/bin/stty", "/usr/bin/head",
                             "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}) {
      fs::create_directories(path_ + fs::path(file).parent_path().string());
      fs::copy_file(fs::canonical(file), path_ + file);
    }
    fs::create_directories(path_ + "/etc");
    std::ofstream(path_ + "/etc/passwd") << "root:x:0:0:root:/:/bin/sh\n";
    std::ofstream(path_ + "/etc/group") << "root:x:0:\n";
  }
  ~TestRootfs() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class VcdAgentContractGuest : public AgentContractGuest {
 public:
  VcdAgentContractGuest() {
    auto ends = SocketPair();
    EXPECT_TRUE(ends.ok()) << ends.status();
    host_end_ = std::move(ends->first);
    LaunchSpec spec;
    spec.argv = {fs::absolute(kAgentProgram).string(), "--fd", "3"};
    spec.env = {"PATH=/usr/bin:/bin"};
    spec.descriptors = {{ends->second.get(), 3}};
    spec.stderr_fd = STDERR_FILENO;
    auto process = LaunchProcess(spec);
    EXPECT_TRUE(process.ok()) << process.status();
    process_ = SupervisedProcess::Watch(io_, *std::move(process));
  }

  ~VcdAgentContractGuest() override {
    // The last of the stream's host ends: the agent cleans up and exits.
    host_end_.Reset();
    EXPECT_EQ(process_->WaitExit({absl::Now() + absl::Minutes(1)}), absl::OkStatus());
    EXPECT_EQ(process_->Terminate(absl::ZeroDuration()), absl::OkStatus());
    EXPECT_EQ(process_->exit_description(), "exited with status 0");
  }

  Agent& agent() override { return agent_; }
  VirtualMachine& machine() override { return machine_; }
  IoThread& io() override { return io_; }

  GuestContainerSpec Container(const std::string& id, const v1::Cmd& cmd) override {
    GuestContainerSpec spec;
    spec.config.set_id(id);
    spec.config.mutable_rootfs()->mutable_directory()->set_path(rootfs_.path());
    *spec.config.mutable_cmd() = cmd;
    spec.hostname = "host-1";
    return spec;
  }
  v1::Cmd RunForever() override { return Command({"sleep", "1000"}); }
  v1::Cmd Print(const std::string& out, const std::string& err) override {
    return Command({"/bin/sh", "-c", "printf %s \"$0\"; printf %s \"$1\" >&2", out, err});
  }
  v1::Cmd Exit(int code) override { return Command({"sh", "-c", "exit " + std::to_string(code)}); }
  v1::Cmd Flood(int bytes) override { return Command({"head", "-c", std::to_string(bytes), "/dev/zero"}); }
  v1::Cmd ShowSize() override {
    return Command({"sh", "-c",
                    "trap 'stty size' WINCH; stty size; exec 3<&0; cat <&3 >/dev/null & "
                    "while kill -0 $! 2>/dev/null; do wait $!; done"});
  }
  // The controllers may all be with version 1 of the control groups.
  bool HasLimits() override {
    std::ifstream controllers("/sys/fs/cgroup/cgroup.controllers");
    const std::string text((std::istreambuf_iterator<char>(controllers)), std::istreambuf_iterator<char>());
    return text.find("memory") != std::string::npos && text.find("pids") != std::string::npos;
  }
  bool HasPortsOfThisMachine() override { return true; }
  v1::Cmd Hog() override { return {}; }
  v1::Cmd NotExecutable() override { return Command({"/etc/passwd"}); }

 private:
  absl::StatusOr<UniqueFd> Reconnect() {
    UniqueFd copy(fcntl(host_end_.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy.valid()) return PosixError(errno, "duplicate the agent's socket");
    return copy;
  }

  TestRootfs rootfs_;
  IoThread io_;
  UniqueFd host_end_;
  std::unique_ptr<SupervisedProcess> process_;
  NativeAgent agent_{io_};
  SocketMachine machine_{[this] { return Reconnect(); }};
};

std::string WhyNot() { return geteuid() == 0 ? "" : "containers need root"; }

INSTANTIATE_TEST_SUITE_P(VcdAgent, AgentContractTest,
                         ::testing::Values(AgentContractParam{
                             "Real", [] { return std::make_unique<VcdAgentContractGuest>(); }, WhyNot}),
                         AgentContractName);

}  // namespace
}  // namespace vcd
