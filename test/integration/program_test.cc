// SPDX-License-Identifier: Apache-2.0
// The program vcd as a process: command line, signals, exit codes, and pods that outlive it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/process.h"
#include "core/os/unique_fd.h"
#include "test/harness/api_client.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(directory);
  }
  void TearDown() override {
    if (process_.pidfd.valid()) {
      (void)SignalPidfd(process_.pidfd.get(), SIGKILL);
      waitpid(process_.identity.pid, nullptr, 0);
    }
    std::filesystem::remove_all(root_);
  }

  void Launch(std::vector<std::string> arguments) {
    UniqueFd out(open((root_ + "/out").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    LaunchSpec spec;
    spec.argv = {std::filesystem::absolute("daemon/vcd").string()};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
      if (const char* value = std::getenv(name)) spec.env.push_back(absl::StrCat(name, "=", value));
    }
    spec.stdout_fd = spec.stderr_fd = out.get();
    absl::StatusOr<LaunchedProcess> launched = LaunchProcess(spec);
    ASSERT_TRUE(launched.ok()) << launched.status();
    process_ = *std::move(launched);
  }

  void LaunchDaemon(const std::string& agent = "noop") {
    Launch({"--hypervisor=mock", "--agent", agent, "--accelerator=tcg", "--state-dir", root_ + "/state", "--run-dir",
            root_ + "/run", "--config", WriteConfig()});
  }

  std::string WriteConfig() {
    const std::string path = root_ + "/vcd.toml";
    std::ofstream(path) << "hypervisor = \"qemu\"\n[log]\nformat = \"json\"\n";
    return path;
  }

  std::unique_ptr<ApiClient> Connect() {
    grpc::ChannelArguments arguments;
    // The socket comes when the daemon is ready; gRPC would look again only after a second.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return std::make_unique<ApiClient>(
        grpc::CreateCustomChannel("unix:" + root_ + "/run/vcd.sock", grpc::InsecureChannelCredentials(), arguments));
  }

  void Signal(int signal) { ASSERT_TRUE(SignalPidfd(process_.pidfd.get(), signal).ok()); }

  // The exit code; 128 + n for a signal.
  int Join() {
    int status = 0;
    EXPECT_EQ(waitpid(process_.identity.pid, &status, 0), process_.identity.pid);
    process_.pidfd.Reset();
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  std::string Output() {
    std::ostringstream text;
    text << std::ifstream(root_ + "/out").rdbuf();
    return text.str();
  }

  std::string root_;
  LaunchedProcess process_;
};

TEST_F(ProgramTest, UsageErrorsExitWithTwo) {
  Launch({"--no-such-flag"});
  EXPECT_EQ(Join(), 2);
  EXPECT_THAT(Output(), HasSubstr("--no-such-flag"));
}

TEST_F(ProgramTest, VersionAndHelpSucceed) {
  Launch({"--version"});
  EXPECT_EQ(Join(), 0);
  EXPECT_THAT(Output(), HasSubstr("vcd 0."));
  Launch({"--help"});
  EXPECT_EQ(Join(), 0);
  EXPECT_THAT(Output(), HasSubstr("--state-dir"));
}

TEST_F(ProgramTest, BadConfigurationExitsWithOneAndSaysWhere) {
  const std::string path = root_ + "/vcd.toml";
  std::ofstream(path) << "state_dir = \"/x\"\nlisen = \"unix:///x\"\n";
  Launch({"--check-config", "--config", path});
  EXPECT_EQ(Join(), 1);
  EXPECT_THAT(Output(), HasSubstr(path + ":2:1: unknown key `lisen`"));
  Launch({"--check-config", "--config", WriteConfig()});
  EXPECT_EQ(Join(), 0);
  Launch({"--check-config", "--config", WriteConfig(), "--network", "token-ring"});
  EXPECT_EQ(Join(), 1);
  EXPECT_THAT(Output(), HasSubstr("there is no network `token-ring`; known are: cni, cnm, mock, none"));
}

TEST_F(ProgramTest, CheckLooksAtTheHostAndChangesNothing) {
  const std::vector<std::string> flags = {"--check", "--state-dir", root_ + "/state", "--run-dir", root_ + "/run"};
  std::vector<std::string> mock = flags;
  mock.push_back("--hypervisor=mock");
  Launch(mock);
  EXPECT_EQ(Join(), 0) << Output();
  EXPECT_THAT(Output(), HasSubstr("pods can run here"));
  std::vector<std::string> broken = flags;
  broken.insert(broken.end(), {"--accelerator=tcg", "--qemu", "/nowhere/qemu"});
  Launch(broken);
  EXPECT_EQ(Join(), 1);
  EXPECT_THAT(Output(), HasSubstr("there is no QEMU: /nowhere/qemu: No such file or directory"));
  EXPECT_THAT(Output(), HasSubstr("-> install the package qemu-system-x86"));
  EXPECT_FALSE(std::filesystem::exists(root_ + "/state"));
  EXPECT_FALSE(std::filesystem::exists(root_ + "/run"));
}

TEST_F(ProgramTest, CheckTellsOfTheDaemonThatRunsAndTheDaemonOfItself) {
  LaunchDaemon();
  const std::unique_ptr<ApiClient> api = Connect();
  v1::CheckResponse found;
  ASSERT_THAT(ApiClient::Call(*api->system, &v1::SystemService::Stub::Check, v1::CheckRequest(), &found),
              IsError(StatusCode::OK, ""))
      << Output();
  for (const v1::CheckResult& result : found.results()) {
    EXPECT_TRUE(result.name() != "daemon" || result.ok()) << result.detail();
  }
  LaunchedProcess daemon = std::exchange(process_, LaunchedProcess());
  Launch({"--check", "--hypervisor=mock", "--state-dir", root_ + "/state", "--run-dir", root_ + "/run"});
  EXPECT_EQ(Join(), 0);
  EXPECT_THAT(Output(), HasSubstr(absl::StrCat("process ", daemon.identity.pid, " holds ", root_, "/state/lock")));
  process_ = std::move(daemon);
  Signal(SIGTERM);
  EXPECT_EQ(Join(), 0);
}

TEST_F(ProgramTest, PodsOutliveTheDaemonHoweverItEnds) {
  LaunchDaemon();
  v1::Pod pod;
  ASSERT_THAT(Connect()->RunPod(PodNamed("web"), &pod), IsError(StatusCode::OK, "")) << Output();
  for (const int signal : {SIGTERM, SIGKILL, SIGINT}) {
    const absl::Time asked = absl::Now();
    Signal(signal);
    EXPECT_EQ(Join(), signal == SIGKILL ? 128 + SIGKILL : 0) << Output();
    // A second is the promise; on a busy machine it may take some more until anybody sees it.
    EXPECT_LT(absl::Now() - asked, absl::Seconds(30));
    LaunchDaemon();
    v1::Pod adopted;
    ASSERT_THAT(Connect()->GetPod("web", &adopted), IsError(StatusCode::OK, "")) << Output();
    EXPECT_EQ(adopted.state(), v1::POD_STATE_RUNNING) << adopted.reason();
    EXPECT_EQ(adopted.vm().pid(), pod.vm().pid());
  }
  EXPECT_THAT(Connect()->DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
  Signal(SIGTERM);
  EXPECT_EQ(Join(), 0);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/run/vcd.sock"));
  // The file says qemu and JSON; the flag wins over the first.
  EXPECT_THAT(Output(), HasSubstr("\"hypervisor\":\"mock\""));
}

TEST_F(ProgramTest, ProcessesOfMockPodsOutliveAKilledDaemon) {
  LaunchDaemon("mock");
  v1::PodConfig config = PodNamed("web");
  v1::ContainerConfig& container = *config.mutable_containers(0);
  container.mutable_rootfs()->mutable_directory()->set_path(root_);
  for (const char* arg : {"script", "print before", "sleep 0.05", "print meanwhile", "exit 6"}) {
    container.mutable_cmd()->add_args(arg);
  }
  ASSERT_THAT(Connect()->RunPod(config), IsError(StatusCode::OK, "")) << Output();
  *config.mutable_id() = "stays";
  container.mutable_cmd()->clear_args();
  container.mutable_cmd()->add_args("sleep");
  v1::Pod before;
  ASSERT_THAT(Connect()->RunPod(config, &before), IsError(StatusCode::OK, "")) << Output();
  Signal(SIGKILL);
  EXPECT_EQ(Join(), 128 + SIGKILL);
  LaunchDaemon("mock");
  const auto api = Connect();
  v1::WaitRequest wait;
  wait.set_pod_id("web");
  wait.set_container_id("main");
  v1::WaitResponse waited;
  ASSERT_THAT(ApiClient::Call(*api->processes, &v1::ProcessService::Stub::Wait, wait, &waited),
              IsError(StatusCode::OK, ""))
      << Output();
  EXPECT_EQ(waited.exit_status().code(), 6);
  grpc::ClientContext context;
  ApiClient::SetDeadline(context);
  v1::ReadLogsRequest logs;
  logs.set_pod_id("web");
  logs.set_container_id("main");
  logs.set_follow(true);
  auto stream = api->processes->ReadLogs(&context, logs);
  std::string text;
  v1::ReadLogsResponse line;
  while (stream->Read(&line)) text += line.data();
  EXPECT_EQ(text, "before\nmeanwhile\n");
  v1::Pod after;
  ASSERT_THAT(api->GetPod("stays", &after), IsError(StatusCode::OK, ""));
  EXPECT_EQ(after.containers(0).state(), v1::CONTAINER_STATE_RUNNING) << after.reason();
  EXPECT_EQ(after.containers(0).guest_pid(), before.containers(0).guest_pid());
  for (const char* id : {"web", "stays"}) EXPECT_THAT(api->DeletePod(id, /*force=*/true), IsError(StatusCode::OK, ""));
}

TEST_F(ProgramTest, OpenStreamsDoNotHoldTheEndUp) {
  LaunchDaemon();
  auto api = Connect();
  ASSERT_THAT(api->RunPod(PodNamed("web")), IsError(StatusCode::OK, "")) << Output();
  grpc::ClientContext context;
  v1::WaitRequest wait;
  wait.set_pod_id("web");
  wait.set_container_id("main");
  v1::WaitResponse response;
  grpc::CompletionQueue queue;
  auto waiting = api->processes->AsyncWait(&context, wait, &queue);
  grpc::Status status;
  waiting->Finish(&response, &status, nullptr);
  // Waited for by its answer, so the one before is under way.
  ASSERT_THAT(api->GetPod("web"), IsError(StatusCode::OK, ""));
  Signal(SIGTERM);
  EXPECT_EQ(Join(), 0);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(status.ok());
}

TEST_F(ProgramTest, HangupIsIgnored) {
  LaunchDaemon();
  auto api = Connect();
  ASSERT_THAT(api->RunPod(PodNamed("web")), IsError(StatusCode::OK, "")) << Output();
  Signal(SIGHUP);
  EXPECT_THAT(api->GetPod("web"), IsError(StatusCode::OK, ""));
}

}  // namespace
}  // namespace vcd
