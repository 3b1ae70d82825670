// SPDX-License-Identifier: Apache-2.0
// Guests that do not keep to the protocol.
#include <functional>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <thread>

#include "backends/agent/native/testing/native_agent_fixture.h"
#include "core/link/frame_codec.h"
#include "core/link/link_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

// What a guest must not say. It knows of container c1, of which 3 bytes of output have come.
struct Crime {
  std::string name;
  std::function<std::string()> bytes;
};

void PrintTo(const Crime& crime, std::ostream* out) { *out << crime.name; }

std::string Frame(const agent::v1::GuestMessage& message) { return EncodeFrame(message.SerializeAsString()); }

class HostileGuestTest : public NativeAgentTest, public ::testing::WithParamInterface<Crime> {};

TEST_P(HostileGuestTest, LosesItsSession) {
  Connect();
  session_->Observe();
  peer_->Send(OutputOf("c1", 0, "abc"));
  const Completion<std::string> write = Write(std::string(2 * kInputWindow, 'x'));
  std::thread guest([&] {
    // The request of below.
    while (std::optional<agent::v1::HostMessage> message = peer_->Receive()) {
      if (message->has_start_container()) break;
    }
    peer_->SendBytes(GetParam().bytes());
  });
  const absl::Status status = session_->StartContainer("c1", context_);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("broke the agent protocol"));
  EXPECT_EQ(*observer_.WaitForLoss(), status);
  EXPECT_NE(*write.Wait(context_, "write"), "OK");
  guest.join();
  EXPECT_EQ(observer_.complaints(), "");
}

const Crime kCrimes[] = {
    {"AnswersNoRequest",
     [] {
       agent::v1::GuestMessage message;
       message.set_request_id(4711);
       message.mutable_reply();
       return Frame(message);
     }},
    {"AnswersNoHello", [] { return Frame(HelloAnswer(agent::v1::Hello(), {})); }},
    {"SaysNothing", [] { return EncodeFrame("\x08\x01"); }},
    {"TalksGibberish", [] { return EncodeFrame("\xff\xff\xff"); }},
    {"AnswersWithABomb",
     [] {
       agent::v1::GuestMessage message;
       for (int i = 0; i < 100'000; ++i) message.mutable_reply()->mutable_process_list()->add_processes();
       return Frame(message);
     }},
    {"SendsADamagedFrame",
     [] {
       std::string frame = Frame(OutputOf("c1", 3, "abc"));
       frame[4] ^= 1;
       return frame;
     }},
    {"SendsAnEndlessFrame", [] { return std::string(2 * kMaxFrameBytes, 'x') + kFrameDelimiter; }},
    {"LeavesAGap", [] { return Frame(OutputOf("c1", 4, "abc")); }},
    {"LeavesAHugeGap", [] { return Frame(OutputOf("c1", std::numeric_limits<uint64_t>::max(), "abc")); }},
    {"OverrunsTheWindow", [] { return Frame(OutputOf("c1", 3, std::string(kOutputWindow, 'x'))); }},
    {"InventsAStream",
     [] {
       agent::v1::GuestMessage message = OutputOf("c1", 3, "abc");
       message.mutable_output()->set_stream(static_cast<agent::v1::Stream>(17));
       return Frame(message);
     }},
    {"EndsAStreamTooEarly", [] { return Frame(ExitOf("c1", 0, 2)); }},
    {"WritesAfterTheEnd", [] { return Frame(ExitOf("c1", 0, 4)) + Frame(OutputOf("c1", 3, "abc")); }},
    {"EndsInAnImpossibleWay", [] { return Frame(ExitOf("c1", -1, 3)); }},
    {"TakesInputThatWasNotSent", [] { return Frame(InputAckOf("c1", 4 * kInputWindow)); }},
};

INSTANTIATE_TEST_SUITE_P(Crimes, HostileGuestTest, ::testing::ValuesIn(kCrimes),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
