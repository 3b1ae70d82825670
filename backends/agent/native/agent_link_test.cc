// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_link.h"

#include <sys/socket.h>

#include <future>

#include "core/agent/testing/scripted_guest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

// On the I/O thread until the link is closed.
class Counter : public AgentLink::Client {
 public:
  explicit Counter(std::function<void()> on_frame) : on_frame_(std::move(on_frame)) {}
  void OnFrame(const std::string& body) override {
    ++frames;
    bytes += body.size();
    on_frame_();
  }
  void OnDamage() override { ++damages; }
  void OnDrained() override {}
  void OnClosed(const absl::Status&) override {}

  int frames = 0;
  size_t bytes = 0;
  int damages = 0;

 private:
  const std::function<void()> on_frame_;
};

struct Stream {
  Stream() {
    auto ends = SocketPair();
    link = *AgentLink::Open(io, std::move(ends->first), std::make_shared<LinkBudget>());
    peer = std::move(ends->second);
  }
  static IoThread io;
  std::shared_ptr<AgentLink> link;
  UniqueFd peer;
  void Write(const std::string& bytes) {
    ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
};
IoThread Stream::io;

TEST(AgentLinkTest, AFloodOfTinyFramesLeavesTheOthersTheirTurns) {
  constexpr int kFlood = 8000;
  Stream flooding;
  Stream calm;
  std::string wire;
  for (int i = 0; i < kFlood; ++i) AppendFrame("x", &wire);
  ASSERT_LT(wire.size(), size_t{64} << 10) << "one read takes all of it";
  flooding.Write(wire);
  calm.Write(EncodeFrame("a word"));

  std::promise<void> flood_over;
  int flood_before = -1;
  Counter flood([&] {
    if (flood.frames == kFlood) flood_over.set_value();
  });
  Counter word([&] { flood_before = flood.frames; });
  Stream::io.Post([&] {
    flooding.link->Start(flood);
    calm.link->Start(word);
  });
  flood_over.get_future().get();
  std::promise<void> closed;
  Stream::io.Post([&] {
    flooding.link->Close();
    calm.link->Close();
    closed.set_value();
  });
  closed.get_future().get();
  EXPECT_EQ(word.frames, 1);
  EXPECT_LT(flood_before, kFlood / 10);
}

TEST(AgentLinkTest, TellsNothingWhilePausedAndAllOfItAfter) {
  constexpr int kFrames = 1000;
  Stream stream;
  std::string wire;
  for (int i = 0; i < kFrames; ++i) AppendFrame("x", &wire);
  stream.Write(wire);
  std::promise<void> paused;
  std::promise<void> over;
  Counter counter([&] {
    if (counter.frames == 10) {
      stream.link->SetReading(false);
      paused.set_value();
    }
    if (counter.frames == kFrames) over.set_value();
  });
  Stream::io.Post([&] { stream.link->Start(counter); });
  paused.get_future().get();
  std::promise<int> seen;
  Stream::io.Post([&] {
    seen.set_value(counter.frames);
    stream.link->SetReading(true);
  });
  EXPECT_EQ(seen.get_future().get(), 10);
  over.get_future().get();
  std::promise<void> closed;
  Stream::io.Post([&] {
    stream.link->Close();
    closed.set_value();
  });
  closed.get_future().get();
}

}  // namespace
}  // namespace vcd
