// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/guest_message_size.h"

#include <functional>
#include <string>

#include "core/link/link_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST(GuestMessageSizeTest, TakesAFullTableWithTheLongestIds) {
  agent::v1::GuestMessage message;
  for (int i = 0; i < kMaxGuestProcesses; ++i) {
    agent::v1::Process& process = *message.mutable_hello_ack()->add_processes();
    process.set_container_id(std::string(64, 'c'));
    process.set_process_id(std::string(64, 'p'));
    process.set_pid(1 << 30);
    process.set_started(true);
    process.mutable_exit()->set_code(255);
    process.mutable_exit()->set_stdout_end(uint64_t{1} << 60);
    process.set_stdout_acked(uint64_t{1} << 60);
    process.set_stderr_acked(uint64_t{1} << 60);
    process.set_stdin_received(uint64_t{1} << 60);
  }
  const std::string body = message.SerializeAsString();
  EXPECT_LT(body.size(), kMaxGuestMessageBytes);
  EXPECT_EQ(CheckGuestMessageSize(body), absl::OkStatus());
  // One more is too many, though it says nothing.
  message.mutable_hello_ack()->add_processes();
  EXPECT_EQ(CheckGuestMessageSize(message.SerializeAsString()).code(), absl::StatusCode::kInvalidArgument);
}

TEST(GuestMessageSizeTest, TakesLongTextAndBytes) {
  agent::v1::GuestMessage message;
  message.mutable_reply()->set_message(std::string(kMaxGuestMessageBytes / 2, '\x0a'));
  EXPECT_EQ(CheckGuestMessageSize(message.SerializeAsString()), absl::OkStatus());
  message.mutable_output()->set_data(std::string(kMaxGuestMessageBytes / 2, '\x12'));
  EXPECT_EQ(CheckGuestMessageSize(message.SerializeAsString()), absl::OkStatus());
}

TEST(GuestMessageSizeTest, LeavesWhatIsNoMessageToTheParser) {
  EXPECT_EQ(CheckGuestMessageSize(std::string(100'000, '\xff')), absl::OkStatus());
  EXPECT_EQ(CheckGuestMessageSize(std::string(100'000, '\x0b')), absl::OkStatus());
}

struct Bomb {
  std::string name;
  std::function<void(agent::v1::GuestMessage&)> add;
};

class GuestMessageBombTest : public ::testing::TestWithParam<Bomb> {};

TEST_P(GuestMessageBombTest, IsNotParsed) {
  agent::v1::GuestMessage message;
  for (int i = 0; i < 70'000; ++i) GetParam().add(message);
  const std::string body = message.SerializeAsString();
  ASSERT_LE(body.size(), kMaxGuestMessageBytes) << "the frame is short enough";
  EXPECT_THAT(std::string(CheckGuestMessageSize(body).message()), HasSubstr("a message of 70000 "));
}

const Bomb kBombs[] = {
    {"Processes", [](auto& message) { message.mutable_hello_ack()->add_processes(); }},
    {"ListedProcesses", [](auto& message) { message.mutable_reply()->mutable_process_list()->add_processes(); }},
    {"Arguments",
     [](auto& message) {
       auto& list = *message.mutable_reply()->mutable_process_list();
       if (list.processes().empty()) list.add_processes();
       list.mutable_processes(0)->add_args("");
     }},
    {"Containers", [](auto& message) { message.mutable_reply()->mutable_stats()->add_containers(); }},
    {"Figures",
     [](auto& message) {
       auto& figures = *message.mutable_reply()->mutable_stats()->mutable_guest();
       figures[std::to_string(figures.size())] = 0;
     }},
    {"FiguresOfContainers",
     [](auto& message) {
       auto& stats = *message.mutable_reply()->mutable_stats();
       if (stats.containers().empty()) stats.add_containers();
       auto& figures = *stats.mutable_containers(0)->mutable_figures();
       figures[std::to_string(figures.size())] = 0;
     }},
};

INSTANTIATE_TEST_SUITE_P(Tables, GuestMessageBombTest, ::testing::ValuesIn(kBombs),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
