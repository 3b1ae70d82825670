// SPDX-License-Identifier: Apache-2.0
#include "core/os/stand_in_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/os/proc_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(StandInProcessTest, IsThereUnderItsNameAndGoesWithItsObject) {
  absl::StatusOr<StandInProcess> process = StandInProcess::Start("hooks of web", {});
  ASSERT_TRUE(process.ok()) << process.status();
  const pid_t pid = process->pid();
  EXPECT_TRUE(IdentifyProcess(pid).ok());
  std::string command_line;
  ASSERT_TRUE(ReadProcFile(absl::StrCat("/proc/", pid, "/cmdline"), &command_line));
  EXPECT_EQ(command_line, std::string("hooks of web") + '\0');
  { const StandInProcess taken = *std::move(process); }
  EXPECT_FALSE(std::filesystem::exists(absl::StrCat("/proc/", pid))) << "not even a zombie";
}

TEST(StandInProcessTest, IsInTheNamespaceThatItWasGiven) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to enter namespaces";
  const UniqueFd own(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  const absl::StatusOr<StandInProcess> process = StandInProcess::Start("stand-in", {own.get()});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(std::filesystem::read_symlink(absl::StrCat("/proc/", process->pid(), "/ns/net")),
            std::filesystem::read_symlink("/proc/self/ns/net"));
}

TEST(StandInProcessTest, GoesWithTheProcessThatMadeIt) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t maker = fork();
  if (maker == 0) {
    const absl::StatusOr<StandInProcess> process = StandInProcess::Start("stand-in", {});
    const pid_t pid = process.ok() ? process->pid() : 0;
    (void)!write(write_end.get(), &pid, sizeof(pid));
    (void)pause();
    _exit(1);
  }
  write_end.Reset();
  pid_t pid = 0;
  ASSERT_EQ(read(read_end.get(), &pid, sizeof(pid)), static_cast<ssize_t>(sizeof(pid)));
  const absl::StatusOr<ProcessIdentity> identity = IdentifyProcess(pid);
  ASSERT_TRUE(identity.ok()) << identity.status();
  const absl::StatusOr<UniqueFd> pidfd = OpenPidfd(*identity);
  ASSERT_TRUE(pidfd.ok()) << pidfd.status();
  kill(maker, SIGKILL);
  waitpid(maker, nullptr, 0);
  pollfd ended = {pidfd->get(), POLLIN, 0};
  EXPECT_EQ(poll(&ended, 1, 60000), 1);
}

}  // namespace
}  // namespace vcd
