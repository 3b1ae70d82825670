// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/real_daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "test/harness/http_client.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kExitTimeout = absl::Seconds(60);
constexpr int kStepMs = 20;

// Tests run in the runfiles directory, where data lies under its path in the source tree.
std::string Runfile(const std::string& path) { return fs::absolute(path).string(); }

// What there is of a file. Not by a stream: those throw when a process of /proc ends between open and read.
std::string ReadText(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[65536];
  ssize_t size;
  while ((size = ::read(file.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(size));
  return text;
}

std::vector<std::string> LinesWith(const std::string& path, const std::string& marker) {
  std::vector<std::string> lines;
  for (const auto& line : absl::StrSplit(ReadText(path), '\n')) {
    if (line.find(marker) != line.npos) lines.emplace_back(line);
  }
  return lines;
}

// Whether the process ended in time; reaps it. `status` is that of waitpid(2).
bool AwaitExit(const LaunchedProcess& process, absl::Duration timeout, int* status) {
  pollfd fd = {process.pidfd.get(), POLLIN, 0};
  if (::poll(&fd, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0) return false;
  return ::waitpid(process.identity.pid, status, 0) == process.identity.pid;
}

// What stays in an empty directory tree of a daemon that has no pods: of networks their directories, and where
// host-local goes on counting; an address that is given is a file of its name.
bool BelongsToDaemon(const std::string& path, bool is_directory, int depth) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (path.rfind("/cni/", 0) == 0) return is_directory || name == "lock" || name.rfind("last_reserved_ip.", 0) == 0;
  // Empty `pods` and the like may stay, directories of single pods not.
  return is_directory ? depth == 0 : path == "/lock" || path == "/reserve" || path == "/vcd.sock";
}

void AddFiles(const std::string& root, std::vector<std::string>* found) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    const std::string inside = path.substr(root.size());
    const bool is_directory = it->is_directory(error);
    if (!BelongsToDaemon(inside, is_directory, it.depth())) found->push_back("file " + path);
  }
}

// Where control groups are mounted.
std::vector<std::string> CgroupHierarchies() {
  std::vector<std::string> paths;
  for (const std::string& line : LinesWith("/proc/self/mounts", "cgroup")) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() > 2 && fields[2].rfind("cgroup", 0) == 0) paths.push_back(fields[1]);
  }
  return paths;
}

}  // namespace

RealDaemon::RealDaemon(std::vector<std::string> flags) : flags_(std::move(flags)) {
  char path[] = "/tmp/vcd-e2e-XXXXXX";
  if (::mkdtemp(path) == nullptr) ADD_FAILURE() << "mkdtemp: " << strerror(errno);
  directory_ = path;
  ::chmod(path, 0755);
}

RealDaemon::~RealDaemon() {
  if (process_) Kill();
  for (const ProcessIdentity& identity : FindProcesses(directory_ + "/")) {
    const auto pidfd = OpenPidfd(identity);
    if (!pidfd.ok()) continue;
    (void)SignalPidfd(pidfd->get(), SIGKILL);
    pollfd fd = {pidfd->get(), POLLIN, 0};
    (void)::poll(&fd, 1, 10000);
  }
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
  for (const std::string& group : Cgroups()) ::rmdir(group.c_str());
  for (const std::string& hierarchy : CgroupHierarchies()) ::rmdir((hierarchy + cgroup()).c_str());
}

void RealDaemon::Start() {
  const std::string socket = directory_ + "/vcd.sock";
  const UniqueFd log_file(::open((directory_ + "/vcd.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  ASSERT_TRUE(log_file.valid()) << strerror(errno);
  LaunchSpec spec;
  spec.argv = {Runfile("daemon/vcd"),
               "--listen",
               "unix://" + socket,
               "--state-dir",
               state_dir(),
               "--run-dir",
               run_dir(),
               "--kernel",
               Runfile("guest/image/vmlinux"),
               "--initrd",
               Runfile("guest/image/initramfs.cpio"),
               "--cgroup",
               cgroup(),
               "--metrics-listen",
               MetricsAddress(),
               "--log-level",
               "debug"};
  // A test that is not about them would otherwise have one made beside its first pod.
  if (std::find(flags_.begin(), flags_.end(), "--templates") == flags_.end()) {
    spec.argv.insert(spec.argv.end(), {"--templates", "off"});
  }
  spec.argv.insert(spec.argv.end(), flags_.begin(), flags_.end());
  spec.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  for (std::string& option : SanitizerOptions()) spec.env.push_back(std::move(option));
  spec.stdout_fd = log_file.get();
  spec.stderr_fd = log_file.get();
  auto process = LaunchProcess(spec);
  ASSERT_TRUE(process.ok()) << process.status();
  process_ = *std::move(process);

  grpc::ChannelArguments arguments;
  // A channel of its own for each vcd, which does not wait a second after a first refusal.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  channel_ = grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  while (!channel_->WaitForConnected(absl::ToChronoTime(absl::Now() + absl::Milliseconds(500)))) {
    pollfd fd = {process_->pidfd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&fd, 1, 0), 0) << "vcd ended instead of serving:\n" << log();
    ASSERT_LT(absl::Now(), deadline) << "vcd does not serve:\n" << log();
  }
  // It serves before it has found out what has become of the pods that it knows.
  while (MetricValue(HttpGet(MetricsAddress()), "vcd_reconciling_pods") != 0) {
    pollfd fd = {process_->pidfd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&fd, 1, kStepMs), 0) << "vcd ended instead of taking its pods over:\n" << log();
    ASSERT_LT(absl::Now(), deadline) << "vcd does not take its pods over:\n" << log();
  }
}

absl::Duration RealDaemon::Terminate() {
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(SignalPidfd(process_->pidfd.get(), SIGTERM).ok());
  int status = 0;
  if (!AwaitExit(*process_, kExitTimeout, &status)) {
    ADD_FAILURE() << "vcd has not ended " << kExitTimeout << " after SIGTERM:\n" << log();
    Kill();
    return absl::InfiniteDuration();
  }
  const absl::Duration took = absl::Now() - begin;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "waitpid status " << status << "\n" << log();
  process_.reset();
  return took;
}

void RealDaemon::Kill() {
  EXPECT_TRUE(SignalPidfd(process_->pidfd.get(), SIGKILL).ok());
  int status = 0;
  EXPECT_TRUE(AwaitExit(*process_, kExitTimeout, &status));
  process_.reset();
}

std::string RealDaemon::log() const { return ReadText(directory_ + "/vcd.log"); }

std::vector<std::string> RealDaemon::VcCommandLine(const std::vector<std::string>& words) const {
  std::vector<std::string> line = {Runfile("client/vc")};
  line.insert(line.end(), words.begin(), words.end());
  return line;
}

std::vector<std::string> RealDaemon::VcEnvironment() const {
  return {"PATH=/usr/bin:/bin", absl::StrCat("VCD_ADDRESS=unix://", directory_, "/vcd.sock")};
}

std::unique_ptr<Program> RealDaemon::StartVc(const std::vector<std::string>& words) {
  return std::make_unique<Program>(VcCommandLine(words), VcEnvironment());
}

ProgramResult RealDaemon::Vc(const std::vector<std::string>& words, const std::string& input) {
  return StartVc(words)->Finish(input);
}

v1::Pod RealDaemon::GetPod(const std::string& pod_id) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kProgramTimeout));
  v1::GetPodRequest request;
  request.set_pod_id(pod_id);
  v1::GetPodResponse response;
  const grpc::Status status = v1::PodService::NewStub(channel_)->GetPod(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.pod();
}

v1::Pod RealDaemon::AwaitState(const std::string& pod_id, v1::PodState state) {
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  v1::Pod pod = GetPod(pod_id);
  while (pod.state() != state && absl::Now() < deadline) {
    (void)::poll(nullptr, 0, kStepMs);
    pod = GetPod(pod_id);
  }
  EXPECT_EQ(pod.state(), state) << pod_id << ": " << pod.reason();
  return pod;
}

std::map<std::string, int> RealDaemon::Descriptors() const {
  // A client's connection bears the path of the listening socket in /proc/net/unix, and ends when gRPC gets to it.
  std::set<std::string> connections;
  for (const std::string& line : LinesWith("/proc/net/unix", directory_ + "/vcd.sock")) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() > 6) connections.insert(absl::StrCat("socket:[", words[6], "]"));
  }
  std::map<std::string, int> descriptors;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(absl::StrCat("/proc/", pid(), "/fd"), error)) {
    std::string target = fs::read_symlink(entry.path(), error).string();
    if (error || connections.count(target) > 0) continue;
    const size_t number = target.find(":[");
    if (number != std::string::npos && target.rfind("anon_inode", 0) != 0) target.resize(number);
    ++descriptors[target];
  }
  return descriptors;
}

std::vector<std::string> RealDaemon::Processes() const {
  std::vector<std::string> found;
  for (const ProcessIdentity& identity : FindProcesses(directory_ + "/")) {
    if (identity.pid == pid() || identity.pid == ::getpid()) continue;
    std::string command = ReadText(absl::StrCat("/proc/", identity.pid, "/cmdline"));
    for (char& c : command) c = c == '\0' ? ' ' : c;
    found.push_back(absl::StrCat("process ", identity.pid, ": ", command));
  }
  return found;
}

std::vector<std::string> RealDaemon::Cgroups() const {
  std::vector<std::string> found;
  for (const std::string& hierarchy : CgroupHierarchies()) {
    std::error_code error;
    for (fs::directory_iterator group(hierarchy + cgroup(), error), end; !error && group != end;
         group.increment(error)) {
      if (group->is_directory(error)) found.push_back(group->path().string());
    }
  }
  return found;
}

std::vector<std::string> RealDaemon::Leftovers() const {
  std::vector<std::string> found = Processes();
  for (const std::string& group : Cgroups()) found.push_back("control group " + group);
  for (const std::string& line : LinesWith("/proc/self/mountinfo", directory_)) found.push_back("mount " + line);
  AddFiles(run_dir(), &found);
  AddFiles(state_dir(), &found);
  return found;
}

std::vector<std::string> NewDescriptors(const std::map<std::string, int>& before,
                                        const std::map<std::string, int>& now) {
  // One of each is the event loop of vcd's I/O thread, which is made with the first pod.
  const std::set<std::string> event_loop = {"anon_inode:[eventfd]", "anon_inode:[eventpoll]", "anon_inode:[timerfd]"};
  std::vector<std::string> added;
  for (const auto& [target, count] : now) {
    const auto known = before.find(target);
    const int old = (known == before.end() ? 0 : known->second) + static_cast<int>(event_loop.count(target));
    if (count > old) added.push_back(absl::StrCat(count - old, " x ", target));
  }
  return added;
}

}  // namespace vcd
