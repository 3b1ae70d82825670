// SPDX-License-Identifier: Apache-2.0
// The process model against the agent itself, run on this machine over a socket: in namespaces, and once more without
// any, for what has a meaning then too.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backends/agent/native/native_agent.h"
#include "core/agent/testing/recording_observer.h"
#include "core/agent/testing/scripted_guest.h"
#include "core/agent/testing/socket_machine.h"
#include "core/model/name_files.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "gtest/gtest.h"
#include "test/process_model/process_cases.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;

constexpr char kAgentProgram[] = "guest/agent/vcd-agent-for-tests";
constexpr char kProbeProgram[] = "test/process_model/probe_program";

// An agent, and a conversation with it.
class AgentHere {
 public:
  explicit AgentHere(std::vector<std::string> flags) {
    auto ends = SocketPair();
    EXPECT_TRUE(ends.ok()) << ends.status();
    host_end_ = std::move(ends->first);
    LaunchSpec spec;
    spec.argv = {fs::absolute(kAgentProgram).string(), "--fd", "3"};
    spec.argv.insert(spec.argv.end(), flags.begin(), flags.end());
    spec.env = {"PATH=/usr/bin:/bin"};
    spec.descriptors = {{ends->second.get(), 3}};
    spec.stderr_fd = STDERR_FILENO;
    auto process = LaunchProcess(spec);
    EXPECT_TRUE(process.ok()) << process.status();
    process_ = SupervisedProcess::Watch(io_, *std::move(process));
    auto session = agent_.Connect({"pod-1", "host-1"}, machine_, observer_, Context());
    EXPECT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    session_->Observe();
    observer_.AcknowledgeTo(session_.get());
  }

  ~AgentHere() {
    observer_.AcknowledgeTo(nullptr);
    session_.reset();
    // The agent ends its containers and itself when its peer has gone.
    EXPECT_EQ(process_->WaitExit({absl::Now() + absl::Minutes(1)}), absl::OkStatus());
    EXPECT_EQ(process_->Terminate(absl::ZeroDuration()), absl::OkStatus());
    EXPECT_EQ(process_->exit_description(), "exited with status 0");
  }

  GuestSession& session() { return *session_; }
  RecordingObserver& observer() { return observer_; }
  static CallContext Context() { return {absl::Now() + absl::Minutes(2)}; }

  // Makes and starts a container.
  absl::Status Run(const GuestContainerSpec& spec) {
    if (const absl::Status made = session_->CreateContainer(spec, Context()).status(); !made.ok()) return made;
    return session_->StartContainer(spec.config.id(), Context());
  }

  ProcessOutcome Finish(const ProcessKey& process) {
    ProcessOutcome outcome;
    const std::optional<v1::ExitStatus> exit = observer_.WaitForExit(process);
    EXPECT_TRUE(exit.has_value()) << "it does not end";
    outcome.exit = exit.value_or(v1::ExitStatus());
    outcome.out = observer_.Output(process, StdStream::kStdout);
    outcome.err = observer_.Output(process, StdStream::kStderr);
    return outcome;
  }

 private:
  IoThread io_;
  UniqueFd host_end_;
  std::unique_ptr<SupervisedProcess> process_;
  NativeAgent agent_{io_};
  SocketMachine machine_{[this]() -> absl::StatusOr<UniqueFd> { return std::move(host_end_); }};
  RecordingObserver observer_;
  std::unique_ptr<GuestSession> session_;
};

class AgentProcessModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/vcd-test-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    root_ = path;
    ASSERT_NO_FATAL_FAILURE(MakeProcessCasesRoot(root_, kProbeProgram));
    fs::permissions(root_, fs::perms::others_read | fs::perms::others_exec | fs::perms::group_all,
                    fs::perm_options::add);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  GuestContainerSpec Spec(const std::string& id, v1::ContainerConfig config) {
    const v1::PodConfig pod = ProcessCasesPod();
    GuestContainerSpec spec;
    spec.config = std::move(config);
    spec.config.set_id(id);
    spec.config.mutable_rootfs()->mutable_directory()->set_path(root_);
    spec.hostname = pod.hostname();
    spec.resolv_conf = ResolvConf(pod, {});
    spec.hosts = Hosts(pod, {});
    return spec;
  }

  ProcessOutcome Go(AgentHere& agent, const ProcessCase& row, const std::string& program) {
    GuestContainerSpec spec = Spec("c1", ContainerOf(row));
    if (row.exec == nullptr && !program.empty()) spec.config.mutable_cmd()->set_args(0, program);
    ProcessOutcome outcome;
    outcome.refused = agent.Run(spec);
    if (!outcome.refused.ok() || row.exec == nullptr) {
      return outcome.refused.ok() ? agent.Finish({"c1", ""}) : outcome;
    }
    v1::Cmd cmd = ExecOf(row);
    if (!program.empty()) cmd.set_args(0, program);
    outcome.refused = agent.session().Exec({"c1", "p1"}, cmd, AgentHere::Context()).status();
    return outcome.refused.ok() ? agent.Finish({"c1", "p1"}) : outcome;
  }

  std::string root_;
};

class IsolatedProcessTest : public AgentProcessModelTest, public ::testing::WithParamInterface<ProcessCase> {};

TEST_P(IsolatedProcessTest, FindsWhatWasAskedFor) {
  if (::geteuid() != 0) GTEST_SKIP() << "containers need root";
  AgentHere agent({});
  ExpectOutcome(GetParam(), Go(agent, GetParam(), ""));
}

std::string Name(const ::testing::TestParamInfo<ProcessCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Rows, IsolatedProcessTest, ::testing::ValuesIn(ProcessCases()), Name);

std::vector<ProcessCase> RowsWithoutIsolation() {
  std::vector<ProcessCase> rows;
  for (ProcessCase& row : ProcessCases()) {
    if (row.without_isolation) rows.push_back(std::move(row));
  }
  return rows;
}

class BareProcessTest : public AgentProcessModelTest, public ::testing::WithParamInterface<ProcessCase> {};

TEST_P(BareProcessTest, FindsWhatWasAskedFor) {
  AgentHere agent({"--no-isolation"});
  ExpectOutcome(GetParam(), Go(agent, GetParam(), fs::absolute(kProbeProgram).string()));
}

INSTANTIATE_TEST_SUITE_P(Rows, BareProcessTest, ::testing::ValuesIn(RowsWithoutIsolation()), Name);

// Containers that share a pid namespace, with control groups to find their processes by, and without.
class SharedProcessesTest : public AgentProcessModelTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "containers need root";
    AgentProcessModelTest::SetUp();
    agent_.emplace(GetParam() ? std::vector<std::string>{} : std::vector<std::string>{"--no-cgroups"});
  }
  void TearDown() override {
    agent_.reset();
    AgentProcessModelTest::TearDown();
  }

  GuestContainerSpec ShellSpec(const std::string& id, const std::string& script) {
    v1::ContainerConfig config;
    for (const std::string& word : {std::string("sh"), std::string("-c"), script}) config.mutable_cmd()->add_args(word);
    GuestContainerSpec spec = Spec(id, config);
    spec.share_process_namespace = true;
    return spec;
  }
  absl::Status RunShell(const std::string& id, const std::string& script) { return agent_->Run(ShellSpec(id, script)); }
  std::string ExecShell(const ProcessKey& process, const std::string& script) {
    v1::Cmd cmd;
    for (const std::string& word : {std::string("sh"), std::string("-c"), script}) cmd.add_args(word);
    const absl::Status made = agent_->session().Exec(process, cmd, AgentHere::Context()).status();
    EXPECT_TRUE(made.ok()) << made;
    return made.ok() ? agent_->Finish(process).out : "";
  }

  std::optional<AgentHere> agent_;
};

INSTANTIATE_TEST_SUITE_P(All, SharedProcessesTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "WithCgroups" : "WithoutCgroups"; });

// A process that its parent has left, in a session of its own.
constexpr char kLeaveAnOrphan[] = "(setsid sleep 4321 &); echo up; exec sleep 1000";

TEST_P(SharedProcessesTest, ContainersSeeEachOtherAndNotTheAgent) {
  ASSERT_EQ(RunShell("c1", "exec sleep 1111"), absl::OkStatus());
  ASSERT_EQ(RunShell("c2", "exec sleep 2222"), absl::OkStatus());
  const std::string seen = ExecShell({"c1", "p1"}, "ps; test $$ -ne 1 && cat /proc/1/comm; ls /proc/1/root");
  EXPECT_THAT(seen, ::testing::HasSubstr("sleep 1111"));
  EXPECT_THAT(seen, ::testing::HasSubstr("sleep 2222"));
  EXPECT_THAT(seen, ::testing::EndsWith("vcd-pause\n")) << "there is nothing to see of its root";
  EXPECT_EQ(ExecShell({"c1", "p2"}, "kill -KILL 1; kill -TERM $(ps | grep 'sleep 222[2]' | head -c 5); echo sent"),
            "sent\n");
  EXPECT_EQ(agent_->Finish({"c2", ""}).exit.signal(), SIGTERM);
  EXPECT_FALSE(agent_->observer().Exit({"c1", ""}).has_value());
}

TEST_P(SharedProcessesTest, WhatIsNoProgramYetShowsNothingOfTheAgent) {
  ASSERT_EQ(RunShell("c1", "exec sleep 1111"), absl::OkStatus());
  // Held: a copy of the agent, with its name and memory. Environment and memory are shown to the same.
  ASSERT_EQ(agent_->session().CreateContainer(ShellSpec("c2", "exec sleep 2222"), AgentHere::Context()).status(),
            absl::OkStatus());
  const std::string look =
      "for p in /proc/[0-9]*; do case $(cat $p/comm) in vcd-agent*) "
      "cat $p/environ > /dev/null 2>&1 && echo seen || echo hidden;; esac; done";
  EXPECT_EQ(ExecShell({"c1", "p1"}, look), "hidden\n");
  ASSERT_EQ(agent_->session().StartContainer("c2", AgentHere::Context()), absl::OkStatus());
  EXPECT_EQ(ExecShell({"c1", "p2"}, "set -- $(ps | grep 'sleep 222[2]'); cat /proc/$1/environ > /dev/null; echo $?"),
            "0\n");
}

TEST_P(SharedProcessesTest, TheEndOfAContainerIsTheEndOfAllItsProcesses) {
  ASSERT_EQ(RunShell("stays", "exec sleep 1111"), absl::OkStatus());
  for (const bool by_removal : {true, false}) {
    const std::string id = by_removal ? "removed" : "killed";
    ASSERT_EQ(RunShell(id, kLeaveAnOrphan), absl::OkStatus());
    ASSERT_TRUE(agent_->observer().WaitForOutput({id, ""}, StdStream::kStdout, 3));
    ASSERT_THAT(ExecShell({"stays", id + "-before"}, "ps"), ::testing::HasSubstr("sleep 4321"));
    if (!by_removal) {
      ASSERT_EQ(agent_->session().Signal({id, ""}, SIGKILL, false, AgentHere::Context()), absl::OkStatus());
      EXPECT_EQ(agent_->Finish({id, ""}).exit.signal(), SIGKILL);
      // It is being ended when the exit is told; the one that collects it is another process.
      ExecShell({"stays", id + "-during"}, "while ps | grep -q 'sleep 432[1]'; do :; done");
    }
    ASSERT_EQ(agent_->session().RemoveContainer(id, AgentHere::Context()), absl::OkStatus());
    EXPECT_THAT(ExecShell({"stays", id + "-after"}, "ps"), ::testing::Not(::testing::HasSubstr("sleep 4321")));
  }
}

TEST_P(SharedProcessesTest, ASignalForAllReachesAll) {
  ASSERT_EQ(RunShell("c1", kLeaveAnOrphan), absl::OkStatus());
  ASSERT_EQ(RunShell("c2", "exec sleep 2222"), absl::OkStatus());
  ASSERT_TRUE(agent_->observer().WaitForOutput({"c1", ""}, StdStream::kStdout, 3));
  ASSERT_EQ(agent_->session().Signal({"c1", ""}, SIGTERM, true, AgentHere::Context()), absl::OkStatus());
  EXPECT_EQ(agent_->Finish({"c1", ""}).exit.signal(), SIGTERM);
  EXPECT_EQ(ExecShell({"c2", "p1"}, "while ps | grep -q 'sleep 432[1]'; do :; done; echo gone"), "gone\n");
}

// Files of the machine in a container. Here the machine is this one, so its files are the host's.
class BoundFilesTest : public AgentProcessModelTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "containers need root";
    AgentProcessModelTest::SetUp();
    files_ = root_ + "-files";
    fs::create_directories(files_ + "/data");
    Write("data/file", "of the host\n");
    agent_.emplace(std::vector<std::string>{});
  }
  void TearDown() override {
    agent_.reset();
    std::error_code ignored;
    fs::remove_all(files_, ignored);
    AgentProcessModelTest::TearDown();
  }

  void Write(const std::string& name, const std::string& content) { std::ofstream(files_ + "/" + name) << content; }
  std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  void Bind(const std::string& name, const std::string& destination, const std::vector<std::string>& options = {}) {
    v1::Mount& mount = *config_.add_mounts();
    mount.set_type("bind");
    mount.set_source(files_ + "/" + name);
    mount.set_destination(destination);
    *mount.mutable_options() = {options.begin(), options.end()};
  }
  // Runs a script in a new container with what was bound; what it prints, or why there is none.
  std::string Shell(const std::string& id, const std::string& script) {
    config_.mutable_cmd()->clear_args();
    for (const std::string& word : {std::string("sh"), std::string("-c"), script})
      config_.mutable_cmd()->add_args(word);
    const absl::Status made = agent_->Run(Spec(id, config_));
    return made.ok() ? agent_->Finish({id, ""}).out : std::string(made.message());
  }

  std::string files_;
  v1::ContainerConfig config_;
  std::optional<AgentHere> agent_;
};

TEST_F(BoundFilesTest, DirectoriesAndFilesAreWhereTheyWereAskedFor) {
  Bind("data", "/new/deep/data");
  Bind("data/file", "/etc/plain");
  Bind("data/file", "/new/file");
  EXPECT_EQ(Shell("c1", "cat /new/deep/data/file /etc/plain /new/file; echo more >> /new/file; cat /etc/plain"),
            "of the host\nof the host\nof the host\nof the host\nmore\n");
  EXPECT_EQ(Read(files_ + "/data/file"), "of the host\nmore\n");
}

TEST_F(BoundFilesTest, WhatIsReadOnlyCannotBeWritten) {
  fs::create_directories(files_ + "/data/below");
  Bind("data", "/data", {"rbind", "ro"});
  Bind("data/file", "/file", {"ro"});
  EXPECT_EQ(Shell("c1",
                  "for f in /data/file /data/x /data/below/x /file; do (echo x > $f) 2>&1 | grep -o 'Read-only.*'; "
                  "done; mount -o remount,rw,bind /data 2>/dev/null || echo refused"),
            "Read-only file system\nRead-only file system\nRead-only file system\nRead-only file system\nrefused\n");
  EXPECT_EQ(Read(files_ + "/data/file"), "of the host\n");
}

TEST_F(BoundFilesTest, LinksOfTheContainerLeadNowhereOutsideOfIt) {
  const std::string outside = files_ + "/outside";
  fs::create_directories(outside);
  fs::create_directory_symlink(outside, root_ + "/absolute");
  fs::create_directory_symlink("../../../../../../.." + outside, root_ + "/relative");
  fs::create_symlink(outside + "/made", root_ + "/dangling");
  Bind("data", "/absolute/in");
  Bind("data", "/relative/too");
  Bind("data/file", "/dangling");
  EXPECT_EQ(Shell("c1", "cat /absolute/in/file /relative/too/file /dangling"),
            "of the host\nof the host\nof the host\n");
  EXPECT_TRUE(fs::is_empty(outside)) << "something was made outside of the container's root";
}

TEST_F(BoundFilesTest, ContainersSeeWhatOthersWrite) {
  Bind("data", "/data");
  EXPECT_EQ(Shell("c1", "echo from c1 > /data/message; echo written"), "written\n");
  EXPECT_EQ(Shell("c2", "cat /data/message"), "from c1\n");
}

TEST_F(BoundFilesTest, OptionsAreThoseOfMount) {
  Bind("data", "/a", {"rbind", "nosuid", "noexec", "noatime"});
  Bind("data", "/b", {"bind", "rshared", "dev"});
  EXPECT_EQ(Shell("c1",
                  "while read -r a b c d place options more; do case $place in /a|/b) m=${more%% *}; "
                  "echo \"$place $options ${m%%:*}\";; esac; done < /proc/self/mountinfo"),
            "/a rw,nosuid,nodev,noexec,noatime -\n/b rw,relatime shared\n");
  config_.clear_mounts();
  Bind("data", "/a", {"size=1m"});
  EXPECT_THAT(Shell("c2", "true"), ::testing::HasSubstr("mount on /a: mount of"));
}

TEST_F(BoundFilesTest, WhatDoesNotFitIsRefused) {
  Bind("none", "/data");
  EXPECT_THAT(Shell("c1", "true"), ::testing::HasSubstr("mount on /data: open " + files_ + "/none: No such file"));
  config_.clear_mounts();
  Bind("data", "/etc/plain");
  EXPECT_THAT(Shell("c2", "true"), ::testing::HasSubstr("make /etc/plain in the container's root file system"));
  config_.clear_mounts();
  Bind("data/file", "/bin");
  EXPECT_THAT(Shell("c4", "true"),
              ::testing::EndsWith("mount on /bin: it is a directory, which a file cannot be mounted over"));
  config_.clear_mounts();
  Bind("data", "/proc/sys");
  EXPECT_THAT(Shell("c3", "true"), ::testing::HasSubstr("only a proc file system"));
}

}  // namespace
}  // namespace vcd
