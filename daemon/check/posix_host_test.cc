// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/posix_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>

#include "absl/time/clock.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PosixHostTest : public testing::Test {
 protected:
  absl::Time Soon() const { return absl::Now() + absl::Seconds(60); }

  TemporaryDirectory directory_;
  PosixHost host_;
};

TEST_F(PosixHostTest, SeesFiles) {
  const std::string path = directory_.path() + "/file";
  std::ofstream(path) << "0123456789";
  EXPECT_EQ(host_.Stat(path)->st_size, 10);
  EXPECT_EQ(*host_.Read(path, 0, 100), "0123456789");
  EXPECT_EQ(*host_.Read(path, 3, 4), "3456");
  EXPECT_EQ(*host_.Read(path, 100, 4), "");
  EXPECT_THAT(*host_.List(directory_.path()), ElementsAre("file"));
  EXPECT_TRUE(host_.Access(path, R_OK).ok());
  EXPECT_FALSE(host_.Access(path, X_OK).ok());
  EXPECT_GT(host_.Space(path)->free_bytes, 0u);
  EXPECT_FALSE(host_.Read("/proc/self/mountinfo", 0, 1 << 20)->empty());
}

TEST_F(PosixHostTest, ReadsKernelSettingsHoweverMuchIsAskedFor) {
  const absl::StatusOr<std::string> release = host_.Read("/proc/sys/kernel/osrelease", 0, 4 << 20);
  ASSERT_TRUE(release.ok()) << release.status();
  EXPECT_FALSE(release->empty());
}

TEST_F(PosixHostTest, SaysWhatIsNotThere) {
  EXPECT_TRUE(absl::IsNotFound(host_.Stat("/nowhere").status()));
  EXPECT_TRUE(absl::IsNotFound(host_.Read("/nowhere", 0, 1).status()));
  EXPECT_TRUE(absl::IsNotFound(host_.List("/nowhere").status()));
  EXPECT_FALSE(host_.Space("/nowhere").ok());
  EXPECT_FALSE(host_.HasGroup("no such group"));
}

TEST_F(PosixHostTest, NeverWaitsForAWriter) {
  const std::string fifo = directory_.path() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_FALSE(host_.Read(fifo, 0, 1).ok());  // pread(2) of a FIFO.
}

TEST_F(PosixHostTest, RunsPrograms) {
  EXPECT_EQ(*host_.Run({"/bin/sh", "-c", "echo out; echo err >&2"}, Soon()), "out\nerr\n");
  const absl::Status failed = host_.Run({"/bin/sh", "-c", "echo no such library; exit 3"}, Soon()).status();
  EXPECT_THAT(std::string(failed.message()), HasSubstr("/bin/sh exited with status 3: no such library"));
  EXPECT_THAT(std::string(host_.Run({"/bin/sh", "-c", "kill -9 $$"}, Soon()).status().message()),
              HasSubstr("killed by signal 9"));
  EXPECT_FALSE(host_.Run({"/nowhere/program"}, Soon()).ok());
}

TEST_F(PosixHostTest, EndsProgramsThatDoNotEnd) {
  for (const char* script : {"echo begin; exec sleep 1000", "exec sleep 1000 > /dev/null 2>&1", "exec yes"}) {
    EXPECT_FALSE(host_.Run({"/bin/sh", "-c", script}, absl::Now() + absl::Milliseconds(100)).ok()) << script;
  }
}

TEST_F(PosixHostTest, KnowsSystemCalls) {
  EXPECT_TRUE(host_.HasSystemCall(SYS_close_range));
  EXPECT_FALSE(host_.HasSystemCall(100000));
  EXPECT_GT(host_.Limit(RLIMIT_NOFILE).hard, 2u);
  EXPECT_EQ(host_.user_id(), geteuid());
}

}  // namespace
}  // namespace vcd
