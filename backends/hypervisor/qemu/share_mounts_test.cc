// SPDX-License-Identifier: Apache-2.0
// With the real virtiofsd, in namespaces of its own, as root.
#include "backends/hypervisor/qemu/share_mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/os/proc_file.h"
#include "core/os/process.h"
#include "core/os/user_namespace.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uid_t kFirstUid = 1879048192;

class ShareMountsTest : public testing::TestWithParam<uid_t> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    // Not in /tmp, which may be a tmpfs that maps no ids.
    char root[] = "/var/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    std::filesystem::create_directory(root_ + "/run");
    if (GetParam() != 0) users_ = *MakeUserNamespace(GetParam(), 65534);
    StartServer();
  }
  void TearDown() override {
    if (root_.empty()) return;
    connection_.Reset();
    EXPECT_TRUE(EndVirtiofsd(io_, process_.get(), root_ + "/run", absl::Seconds(5)).ok());
    EXPECT_THAT(FindProcesses(root_), IsEmpty());
    EXPECT_THAT(Read("/proc/self/mountinfo"), Not(HasSubstr(root_))) << "mounts of the host";
    std::filesystem::remove_all(root_);
  }

  void StartServer() {
    auto root = MakeShareRoot();
    ASSERT_TRUE(root.ok()) << root.status();
    auto started = StartVirtiofsd(io_, {"/usr/lib/qemu/virtiofsd", root_ + "/run", root->get(), users_.get(), {}});
    ASSERT_TRUE(started.ok()) << started.status();
    process_ = std::move(started->process);
    connection_ = std::move(started->connection);
    pidfd_ = *OpenPidfd(process_->identity());
    // VHOST_USER_GET_FEATURES, which it answers once it has confined itself (vhost-user.rst in QEMU's documentation).
    const uint32_t request[3] = {1, 1, 0};
    ASSERT_EQ(write(connection_.get(), request, sizeof(request)), static_cast<ssize_t>(sizeof(request)));
    uint32_t reply[5] = {};
    ASSERT_EQ(recv(connection_.get(), reply, sizeof(reply), MSG_WAITALL), static_cast<ssize_t>(sizeof(reply)));
  }

  static std::string Read(const std::string& path) {
    std::string text;
    ReadProcFile(path, &text);
    return text;
  }
  static std::string Proc(pid_t pid, const std::string& file) { return absl::StrCat("/proc/", pid, "/", file); }
  // What the server sees at a path, from outside.
  std::string Seen(const std::string& path) const {
    return Proc(process_->identity().pid, absl::StrCat("root/", path));
  }
  std::string Make(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + name).parent_path());
    std::ofstream(root_ + "/" + name) << content;
    return root_ + "/" + name;
  }
  absl::Status Share(const ShareSpec& spec, const std::string& name) {
    auto mount = CloneForGuest(spec, users_.get());
    return mount.ok() ? PlaceShare(pidfd_.get(), *mount, name) : mount.status();
  }

  std::string root_;
  UniqueFd users_;
  IoThread io_;
  std::unique_ptr<SupervisedProcess> process_;
  UniqueFd connection_;
  UniqueFd pidfd_;
};

TEST_P(ShareMountsTest, ServerIsConfined) {
  const std::vector<ProcessIdentity> processes = FindProcesses(VirtiofsdMarker(root_ + "/run"));
  ASSERT_EQ(processes.size(), 2u) << "the one that we know, and the one that it forked";
  for (const ProcessIdentity& process : processes) {
    const std::string status = Read(Proc(process.pid, "status"));
    EXPECT_THAT(status, HasSubstr(absl::StrCat("Uid:\t", GetParam(), "\t", GetParam(), "\t", GetParam(), "\t")));
    EXPECT_THAT(status, HasSubstr(absl::StrCat("Gid:\t", GetParam(), "\t", GetParam(), "\t", GetParam(), "\t")));
    EXPECT_THAT(status, HasSubstr("Groups:\t \n"));
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    // Bounded, and no more than we may give.
    rlimit own{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &own), 0);
    const std::string most = absl::StrCat(std::min<rlim_t>(own.rlim_max, 262144));
    EXPECT_THAT(Read(Proc(process.pid, "limits")),
                testing::ContainsRegex(absl::StrCat("Max open files +", most, " +", most, " ")));
    EXPECT_TRUE(std::filesystem::is_empty(Proc(process.pid, "root"))) << process.pid << " sees files";
    const std::string mounts = Read(Proc(process.pid, "mountinfo"));
    EXPECT_EQ(std::count(mounts.begin(), mounts.end(), '\n'), 1) << mounts;
    for (const char* kind : {"mnt", "net"}) {
      EXPECT_NE(std::filesystem::read_symlink(Proc(process.pid, absl::StrCat("ns/", kind))),
                std::filesystem::read_symlink(absl::StrCat("/proc/self/ns/", kind)));
    }
    if (process.pid == process_->identity().pid) continue;
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETGID, SETUID, MKNOD, SETFCAP: of a user namespace, they are of the pod's
    // files.
    EXPECT_THAT(status, HasSubstr("CapEff:\t00000000880000db"));
  }
}

TEST_P(ShareMountsTest, HasNoDescriptorsButItsOwn) {
  for (const ProcessIdentity& process : FindProcesses(VirtiofsdMarker(root_ + "/run"))) {
    for (const auto& fd : std::filesystem::directory_iterator(Proc(process.pid, "fd"))) {
      const std::string target = std::filesystem::read_symlink(fd.path()).string();
      EXPECT_THAT(target, testing::AnyOf(testing::StartsWith("socket:"), "/dev/null", "/", HasSubstr("memfd:virtiofsd"),
                                         testing::StartsWith("anon_inode:"), testing::EndsWith("/fd"), "/1/task",
                                         testing::StartsWith("pipe:")))
          << fd.path();
    }
  }
}

TEST_P(ShareMountsTest, ShowsDirectoriesAndFilesAndTakesThemAway) {
  const std::string file = Make("data/file", "content");
  ASSERT_EQ(Share({"d", root_ + "/data"}, "d.1"), absl::OkStatus());
  ASSERT_EQ(Share({"f", file}, "f.2"), absl::OkStatus());
  EXPECT_EQ(Read(Seen("d.1/file")), "content");
  EXPECT_EQ(Read(Seen("f.2")), "content");
  std::ofstream(Seen("f.2")) << "written";
  EXPECT_EQ(Read(file), "written");
  auto names = ListShares(pidfd_.get());
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_THAT(*names, testing::UnorderedElementsAre("d.1", "f.2"));
  // User 0 of the disk is user 0 of the server.
  struct stat info {};
  ASSERT_EQ(stat(Seen("d.1/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, GetParam());
  EXPECT_EQ(info.st_gid, GetParam());
  for (const char* name : {"d.1", "f.2", "never"}) EXPECT_EQ(RemoveShare(pidfd_.get(), name), absl::OkStatus()) << name;
  EXPECT_TRUE(std::filesystem::is_empty(Seen("")));
  EXPECT_EQ(Read(file), "written") << "the files themselves stay";
}

TEST_P(ShareMountsTest, ReadOnlyIsReadOnlyOnTheHost) {
  Make("data/file", "content");
  ASSERT_EQ(Share({"d", root_ + "/data", /*readonly=*/true}, "d.1"), absl::OkStatus());
  // Even we, from outside, cannot write there, nor into the root.
  EXPECT_NE(mkdir(Seen("d.1/made").c_str(), 0755), 0);
  EXPECT_EQ(errno, EROFS);
  EXPECT_NE(truncate(Seen("d.1/file").c_str(), 0), 0);
  EXPECT_NE(mkdir(Seen("made").c_str(), 0755), 0);
  EXPECT_EQ(errno, EROFS);
}

TEST_P(ShareMountsTest, BringsAlongWhatIsMountedBelowWhenAsked) {
  Make("data/below/hidden", "covered");
  // A mount of the same file system, since ids are mapped.
  Make("other/file", "below");
  ASSERT_EQ(mount((root_ + "/other").c_str(), (root_ + "/data/below").c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_EQ(Share({"d", root_ + "/data", true, /*recursive=*/true}, "with"), absl::OkStatus());
  EXPECT_EQ(Share({"e", root_ + "/data", true, /*recursive=*/false}, "without"), absl::OkStatus());
  EXPECT_EQ(umount2((root_ + "/data/below").c_str(), 0), 0);
  EXPECT_EQ(Read(Seen("with/below/file")), "below");
  EXPECT_EQ(Read(Seen("without/below/hidden")), "covered");
  EXPECT_NE(truncate(Seen("with/below/file").c_str(), 0), 0) << "read-only all the way down";
}

TEST_P(ShareMountsTest, RefusesWhatIsNoFile) {
  const std::string fifo = root_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path : {fifo, std::string("/dev/null")}) {
    EXPECT_EQ(Share({"x", path}, "x.1").code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(Share({"x", root_ + "/none"}, "x.1").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(Seen("")));
}

TEST_P(ShareMountsTest, FailureLeavesNoMountPoint) {
  ASSERT_EQ(Share({"x", root_}, "x.1"), absl::OkStatus());
  auto again = CloneForGuest({"x", root_}, users_.get());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(PlaceShare(pidfd_.get(), *again, "x.1").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(PlaceShare(pidfd_.get(), *again, std::string(256, 'n')).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(PlaceShare(pidfd_.get(), *again, "x.2"), absl::OkStatus());
  EXPECT_THAT(*ListShares(pidfd_.get()), testing::UnorderedElementsAre("x.1", "x.2"));
}

TEST_P(ShareMountsTest, HasRoomForAllThatMayBeThere) {
  for (int i = 0; i < kMaxShares; ++i) {
    ASSERT_EQ(Share({"x", root_}, absl::StrCat(std::string(36, 't'), ".", i)), absl::OkStatus()) << i;
  }
  EXPECT_EQ(Share({"x", root_}, "more").code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(ShareMountsTest, EndsWithTheServer) {
  ASSERT_EQ(Share({"x", root_}, "x.1"), absl::OkStatus());
  ASSERT_TRUE(process_->Signal(SIGKILL).ok());
  ASSERT_TRUE(process_->WaitExit({absl::Now() + absl::Seconds(20), nullptr}).ok());
  EXPECT_EQ(Share({"y", root_}, "y.1").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RemoveShare(pidfd_.get(), "x.1").code(), absl::StatusCode::kNotFound);
}

TEST_P(ShareMountsTest, NamesTheFileSystemThatMapsNoIds) {
  if (GetParam() == 0) GTEST_SKIP() << "nothing is mapped";
  const auto proc = CloneForGuest({"x", "/proc/self/net"}, users_.get());
  EXPECT_EQ(proc.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(proc.status().message()),
              testing::AllOf(HasSubstr("/proc/self/net"), HasSubstr("/proc (proc)"), HasSubstr("user = \"root\"")));
}

INSTANTIATE_TEST_SUITE_P(Users, ShareMountsTest, testing::Values(0, kFirstUid),
                         [](const auto& info) { return info.param == 0 ? "Root" : "ItsOwn"; });

}  // namespace
}  // namespace vcd
