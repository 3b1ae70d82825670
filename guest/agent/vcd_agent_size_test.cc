// SPDX-License-Identifier: Apache-2.0
// What the agent costs every guest: the program as it is packed into the image, and its memory.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "guest/agent/testing/agent_peer.h"

namespace vcd::guest {
namespace {

constexpr char kProgram[] = "guest/agent/vcd-agent";
constexpr int64_t kMostBytes = 2 << 20;
// Of it the program's own pages are the most; how many of them are mapped is up to the kernel's read-ahead.
constexpr int64_t kMostResidentBytes = 2 << 20;

// A figure of /proc/PID/status, such as VmRSS; -1 when there is none.
int64_t StatusBytes(pid_t pid, const std::string& figure) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(figure + ":", 0) == 0) return std::atoll(line.c_str() + figure.size() + 1) << 10;
  }
  return -1;
}

TEST(VcdAgentSizeTest, TheProgramIsSmall) {
  EXPECT_LE(std::filesystem::file_size(kProgram), static_cast<uintmax_t>(kMostBytes));
}

TEST(VcdAgentSizeTest, ItsMemoryIsSmallAlsoAfterMuchOutput) {
  AgentPeer peer(kProgram, {"--no-isolation"});
  peer.Hello();
  ::vcd::agent::v1::HostMessage create;
  create.mutable_create_container()->set_container_id("c1");
  create.mutable_create_container()->mutable_rootfs()->set_directory("/");
  for (const char* word :
       {"/bin/sh", "-c", "head -c 4000000 /dev/zero; head -c 4000000 /dev/zero >&2; exec sleep 1000"}) {
    create.mutable_create_container()->mutable_command()->add_args(word);
  }
  ASSERT_EQ(peer.Call(create).code(), ::vcd::agent::v1::ERROR_CODE_OK);
  ::vcd::agent::v1::HostMessage start;
  start.mutable_start_container()->set_container_id("c1");
  ASSERT_EQ(peer.Call(start).code(), ::vcd::agent::v1::ERROR_CODE_OK);
  peer.WaitForStdout(4'000'000, "c1");
  while (peer.Stderr("c1").size() < 4'000'000) ASSERT_TRUE(peer.ReadOne(30'000));
  // The last acknowledgement is taken once this is answered.
  ::vcd::agent::v1::HostMessage ping;
  ping.mutable_ping();
  ASSERT_EQ(peer.Call(ping).code(), ::vcd::agent::v1::ERROR_CODE_OK);
  const int64_t resident = StatusBytes(peer.pid(), "VmRSS");
  EXPECT_GT(resident, 0);
  EXPECT_LE(resident, kMostResidentBytes) << "of it its own: " << StatusBytes(peer.pid(), "RssAnon")
                                          << ", of the program: " << StatusBytes(peer.pid(), "RssFile");
}

}  // namespace
}  // namespace vcd::guest
