// SPDX-License-Identifier: Apache-2.0
// The process model against the agent itself, run on this machine over a socket: in namespaces, and once more without
// any, for what has a meaning then too.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
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
    EXPECT_EQ(process_->WaitExit({absl::Now() + absl::Seconds(20)}), absl::OkStatus());
    EXPECT_EQ(process_->Terminate(absl::ZeroDuration()), absl::OkStatus());
    EXPECT_EQ(process_->exit_description(), "exited with status 0");
  }

  GuestSession& session() { return *session_; }
  RecordingObserver& observer() { return observer_; }
  static CallContext Context() { return {absl::Now() + absl::Seconds(30)}; }

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
    spec.resolv_conf = ResolvConf(pod);
    spec.hosts = Hosts(pod);
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

  absl::Status RunShell(const std::string& id, const std::string& script) {
    v1::ContainerConfig config;
    for (const std::string& word : {std::string("sh"), std::string("-c"), script}) config.mutable_cmd()->add_args(word);
    GuestContainerSpec spec = Spec(id, config);
    spec.share_process_namespace = true;
    return agent_->Run(spec);
  }
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

}  // namespace
}  // namespace vcd
