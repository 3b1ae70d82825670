// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/event_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "guest/agent/link_server.h"
#include "guest/agent/process_pipes.h"

namespace vcd::guest {
namespace {

using ::testing::ElementsAre;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    read.Reset(ends[0]);
    write.Reset(ends[1]);
  }
  void Fill(size_t bytes) const {
    const std::string data(bytes, 'x');
    EXPECT_EQ(::write(write.get(), data.data(), data.size()), static_cast<ssize_t>(bytes));
  }
  UniqueFd read, write;
};

class EventLoopTest : public testing::Test {
 protected:
  // Notes it when something comes out of the pipe, and then does as it is told.
  EventLoop::Handler Note(
      const std::string& name, const Pipe& pipe, const std::function<void()>& then = [] {}) {
    return [this, name, &pipe, then](uint32_t) {
      char byte;
      while (::read(pipe.read.get(), &byte, 1) == 1) {
      }
      told_.push_back(name);
      then();
    };
  }

  EventLoop loop_;
  std::vector<std::string> told_;
};

TEST_F(EventLoopTest, UrgentEventsGoBeforeTheOthersOfARound) {
  const Pipe urgent, one, two, three;
  loop_.WatchUrgently(urgent.read.get(), EPOLLIN | EPOLLET, Note("urgent", urgent));
  loop_.Watch(one.read.get(), EPOLLIN, Note("one", one, [&] { urgent.Fill(1); }));
  loop_.Watch(two.read.get(), EPOLLIN, Note("two", two, [&] { urgent.Fill(1); }));
  loop_.Watch(three.read.get(), EPOLLIN, Note("three", three, [&] { loop_.Stop(7); }));
  for (const Pipe* pipe : {&one, &two, &three}) pipe->Fill(1);
  EXPECT_EQ(loop_.Run(), 7);
  EXPECT_THAT(told_, ElementsAre("one", "urgent", "two", "urgent", "three"));
}

TEST_F(EventLoopTest, AnUrgentEventWakesTheLoopAndIsToldOnceByAnEdge) {
  const Pipe urgent;
  const EventLoop::WatchId watch = loop_.WatchUrgently(urgent.read.get(), EPOLLIN | EPOLLET, [&](uint32_t) {
    // Not read: level-triggered it would come again for ever.
    told_.push_back("urgent");
    loop_.After(std::chrono::milliseconds(1), [&] { loop_.Stop(0); });
  });
  urgent.Fill(1);
  EXPECT_EQ(loop_.Run(), 0);
  EXPECT_THAT(told_, ElementsAre("urgent"));
  loop_.Unwatch(watch);
}

TEST_F(EventLoopTest, AnUrgentWatchEndsAtOnce) {
  const Pipe urgent, one;
  EventLoop::WatchId watch = 0;
  loop_.Watch(one.read.get(), EPOLLIN, Note("one", one, [&] {
                urgent.Fill(1);
                loop_.Unwatch(watch);
                loop_.After(std::chrono::milliseconds(0), [&] { loop_.Stop(0); });
              }));
  watch = loop_.WatchUrgently(urgent.read.get(), EPOLLIN | EPOLLET, Note("urgent", urgent));
  one.Fill(1);
  EXPECT_EQ(loop_.Run(), 0);
  EXPECT_THAT(told_, ElementsAre("one"));
}

TEST_F(EventLoopTest, ATaskThatSetsOthersKeepsNoEventWaiting) {
  const Pipe one;
  std::function<void()> again = [&] {
    told_.push_back("task");
    loop_.After(std::chrono::milliseconds(0), again);
  };
  loop_.After(std::chrono::milliseconds(0), again);
  loop_.Watch(one.read.get(), EPOLLIN, Note("one", one, [&] { loop_.Stop(0); }));
  one.Fill(1);
  EXPECT_EQ(loop_.Run(), 0);
  EXPECT_EQ(told_.back(), "one");
}

TEST_F(EventLoopTest, OfAFullPipeOthersAreNotKeptWaiting) {
  Pipe full;
  ASSERT_GE(::fcntl(full.write.get(), F_SETPIPE_SZ, 256 << 10), 256 << 10);
  full.Fill(200 << 10);
  std::vector<uint64_t> ends;
  OutputPipe* output = nullptr;
  OutputPipe pipe(&loop_, std::move(full.read), 256 << 10, [&] {
    ends.push_back(output->buffer().end());
    if (ends.back() == 200 << 10) loop_.Stop(0);
  });
  output = &pipe;
  EXPECT_EQ(loop_.Run(), 0);
  EXPECT_THAT(ends, ElementsAre(64 << 10, 128 << 10, 192 << 10, 200 << 10));
}

// However much there is to read of processes, a request waits for what is read of one of them in one turn.
TEST_F(EventLoopTest, ARequestIsReadBeforeTheOutputOf64Streams) {
  constexpr size_t kStreams = 64;
  constexpr size_t kHeld = size_t{200} << 10;
  constexpr size_t kTurn = size_t{64} << 10;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd host(ends[0]);
  ::vcd::agent::v1::HostMessage request;
  request.mutable_ping();
  size_t read = 0;
  size_t asked_at = 0;
  int asked = 0, answered = 0;
  const auto ask = [&] {
    if (asked != answered) return;
    request.set_request_id(static_cast<uint64_t>(++asked));
    asked_at = read;
    const std::string frame = EncodeFrame(request.SerializeAsString());
    ASSERT_EQ(::write(host.get(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  };
  LinkServer link(&loop_, UniqueFd(ends[1]),
                  {.message =
                       [&](const ::vcd::agent::v1::HostMessage& message) {
                         answered = static_cast<int>(message.request_id());
                         EXPECT_LE(read - asked_at, kTurn);
                       },
                   .writable = [] {},
                   .disconnected = [] {}});
  std::vector<Pipe> pipes(kStreams);
  std::vector<std::unique_ptr<OutputPipe>> outputs(kStreams);
  std::vector<size_t> of_each(kStreams);
  for (size_t i = 0; i < kStreams; ++i) {
    ASSERT_GE(::fcntl(pipes[i].write.get(), F_SETPIPE_SZ, 256 << 10), 256 << 10);
    pipes[i].Fill(kHeld);
    outputs[i] = std::make_unique<OutputPipe>(&loop_, std::move(pipes[i].read), 256 << 10, [&, i] {
      const size_t end = outputs[i]->buffer().end();
      read += end - std::exchange(of_each[i], end);
      ask();
      if (read == kStreams * kHeld) loop_.After(std::chrono::milliseconds(0), [&] { loop_.Stop(0); });
    });
  }
  EXPECT_EQ(loop_.Run(), 0);
  EXPECT_GE(answered, static_cast<int>(kStreams * kHeld / kTurn)) << "each turn of a pipe had one";
}

}  // namespace
}  // namespace vcd::guest
