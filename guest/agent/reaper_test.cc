// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/reaper.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "core/os/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

using ::testing::ElementsAre;

// A process that has ended, and nobody has waited for.
pid_t EndedChild() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(7);
  siginfo_t info{};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  return pid;
}

TEST(ReaperTest, OthersHaveTheirTurnBetweenChildren) {
  EventLoop loop;
  std::vector<std::string> told;
  std::set<pid_t> children;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd read(ends[0]), write(ends[1]);
  loop.WatchUrgently(read.get(), EPOLLIN, [&](uint32_t) {
    char byte;
    while (::read(read.get(), &byte, 1) == 1) {
    }
    told.push_back("other");
    if (children.empty()) loop.Stop(0);
  });
  Reaper reaper(&loop, [&](pid_t pid, int status) {
    EXPECT_EQ(children.erase(pid), 1u);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    told.push_back("child");
    EXPECT_EQ(::write(write.get(), "x", 1), 1);
  });
  for (int i = 0; i < 3; ++i) children.insert(EndedChild());
  EXPECT_EQ(loop.Run(), 0);
  EXPECT_THAT(told, ElementsAre("child", "other", "child", "other", "child", "other"));
}

TEST(ReaperTest, ChildrenThatEndMeanwhileAreNotMissed) {
  EventLoop loop;
  std::set<pid_t> children;
  int made = 0;
  Reaper reaper(&loop, [&](pid_t pid, int) {
    EXPECT_EQ(children.erase(pid), 1u);
    if (made < 100) {
      ++made;
      const pid_t next = ::fork();
      if (next == 0) ::_exit(0);
      children.insert(next);
    }
    if (children.empty()) loop.Stop(0);
  });
  children.insert(EndedChild());
  EXPECT_EQ(loop.Run(), 0);
  EXPECT_EQ(made, 100);
}

}  // namespace
}  // namespace vcd::guest
