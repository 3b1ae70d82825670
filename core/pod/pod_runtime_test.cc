// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>

#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(PodRuntimeTest, PodGoesThroughItsWholeLife) {
  auto created = Create(Config("web"));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->state(), v1::POD_STATE_READY);
  EXPECT_EQ(created->containers(0).state(), v1::CONTAINER_STATE_READY);
  EXPECT_EQ(Start("web")->state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  auto stopped = Stop("web");
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), v1::POD_STATE_STOPPED);
  EXPECT_EQ(stopped->containers(0).exit_status().signal(), SIGTERM);
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  EXPECT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

TEST_F(PodRuntimeTest, StoppedPodStartsAgainInAnotherMachine) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Stop("web").ok());
  auto again = Start("web");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(again->containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_FALSE(again->containers(0).has_exit_status());
}

TEST_F(PodRuntimeTest, AStoppedPodThatBootsAgainIsShownAsCreating) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Stop("web").ok());
  agent().HangNth("Connect", 1);
  Completion<v1::Pod> started;
  runtime_->StartPod("web", Soon(), [started](absl::StatusOr<v1::Pod> pod) { started.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_CREATING);
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_CREATING);
  EXPECT_EQ(Stop("web", /*force=*/true)->state(), v1::POD_STATE_STOPPED);
  EXPECT_EQ(ReasonOf(started.Wait({Soon().deadline, nullptr}, "the start").status()), v1::ERROR_REASON_PREEMPTED);
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_STOPPED);
}

TEST_F(PodRuntimeTest, ABootThatFailsLeavesAStoppedPodAsItHadEnded) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Stop("web").ok());
  const v1::Container ended = Get("web").containers(0);
  agent().FailNth("Connect", 1, absl::InternalError("injected"));
  EXPECT_EQ(Start("web").status().code(), absl::StatusCode::kInternal);
  const v1::Pod pod = Get("web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(pod.reason(), HasSubstr("start failed"));
  EXPECT_EQ(pod.containers(0).state(), v1::CONTAINER_STATE_STOPPED);
  EXPECT_EQ(pod.containers(0).exit_status().signal(), ended.exit_status().signal());
  EXPECT_EQ(pod.containers(0).finished_at().nanos(), ended.finished_at().nanos());
}

TEST_F(PodRuntimeTest, TakenIdIsRefusedAndThePodUnharmed) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::Status status = Create(Config("web")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_POD_EXISTS);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodRuntimeTest, UnknownPodAndBackendAreNamed) {
  EXPECT_EQ(ReasonOf(Start("nope").status()), v1::ERROR_REASON_POD_NOT_FOUND);
  v1::PodConfig config = Config("web");
  config.set_hypervisor("xen");
  const absl::Status status = Create(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_UNKNOWN_BACKEND);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("xen"), HasSubstr("known are fake")));
}

TEST_F(PodRuntimeTest, EmptyIdsAreGenerated) {
  v1::PodConfig config = Config("");
  config.mutable_containers(0)->clear_id();
  auto pod = Create(config);
  ASSERT_TRUE(pod.ok()) << pod.status();
  EXPECT_THAT(pod->id(), Not(IsEmpty()));
  EXPECT_THAT(pod->containers(0).id(), Not(IsEmpty()));
}

TEST_F(PodRuntimeTest, MissingRootfsIsRefusedBeforeAnythingHappens) {
  v1::PodConfig config = Config("web");
  config.mutable_containers(0)->mutable_rootfs()->mutable_directory()->set_path("/nonexistent/rootfs");
  const absl::Status status = Create(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/rootfs"));
  ExpectNothingLeft();
}

// Every step of a creation fails in turn; each failure must leave nothing, and the next attempt succeed.
TEST_F(PodRuntimeTest, FailureOfEachStepOfCreateLeavesNothing) {
  const absl::Status error = absl::InternalError("injected");
  const std::vector<std::pair<std::string, std::function<void()>>> faults = {
      {"network", [&] { network().FailAttach(error); }},
      {"Boot", [&] { hypervisor().FailNth("Boot", 1, error); }},
      {"Connect", [&] { agent().FailNth("Connect", 1, error); }},
      {"ShareDirectory", [&] { hypervisor().FailNth("ShareDirectory", 1, error); }},
      {"CreateContainer", [&] { agent().FailNth("CreateContainer", 1, error); }},
      {"StartContainer", [&] { agent().FailNth("StartContainer", 1, error); }},
  };
  for (const auto& [name, inject] : faults) {
    SCOPED_TRACE(name);
    inject();
    const absl::Status status = Run(Config("web")).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("pod web"), HasSubstr("injected")));
    ExpectNothingLeft();
  }
  EXPECT_TRUE(Run(Config("web")).ok());
}

TEST_F(PodRuntimeTest, CommandThatIsNotThereIsToldByCreate) {
  const absl::Status status = Create(Config("web", "missing")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_COMMAND_NOT_FOUND);
  ExpectNothingLeft();
}

TEST_F(PodRuntimeTest, ARefusedExecIsNamedOnce) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::Status status = Exec("web", {"missing"}, "again").status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_COMMAND_NOT_FOUND);
  EXPECT_THAT(std::string(status.message()),
              testing::MatchesRegex("pod web: process exec-[^ ]+ of container main: exec: missing: [^:]+"));
}

TEST_F(PodRuntimeTest, ExitOfAContainerIsRecordedAndWaitedFor) {
  auto events = Events();
  ASSERT_TRUE(Run(Config("web")).ok());
  agent().Exit("web", {"main", ""}, 7);
  EXPECT_EQ(Wait("web")->code(), 7);
  AwaitEvent(*events, v1::EVENT_TYPE_CONTAINER_STOPPED);
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_STOPPED);
  EXPECT_EQ(Get("web").containers(0).exit_status().code(), 7);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodRuntimeTest, ExecRunsPrintsAndEnds) {
  ASSERT_TRUE(Run(Config("web")).ok());
  auto exec = Exec("web", {"print", "hello", "oops"});
  ASSERT_TRUE(exec.ok()) << exec.status();
  auto reader = runtime_->Attach("web", {"main", exec->process_id}, OutputStart::kBeginning);
  ASSERT_TRUE(reader.ok());
  std::string out, err;
  while (true) {
    auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { (*reader)->Next(done); });
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    if (!chunk->has_value()) break;
    ((*chunk)->stream == StdStream::kStdout ? out : err) += (*chunk)->data;
  }
  EXPECT_THAT(out, HasSubstr("hello"));
  EXPECT_THAT(err, HasSubstr("oops"));
  EXPECT_EQ(Wait("web", exec->process_id)->code(), 0);
}

TEST_F(PodRuntimeTest, InputReachesTheProcess) {
  v1::PodConfig config = Config("web", "cat");
  config.mutable_containers(0)->mutable_cmd()->set_interactive(true);
  ASSERT_TRUE(Run(config).ok());
  auto writer = runtime_->OpenInput("web", {"main", ""});
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_TRUE(AwaitDone([&](auto done) { (*writer)->Write("ping\n", true, done); }).ok());
  EXPECT_EQ(Wait("web")->code(), 0);
  auto log = runtime_->ReadLogs("web", "main", {/*follow=*/true, std::nullopt, std::nullopt});
  ASSERT_TRUE(log.ok());
  auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { (*log)->Next(done); });
  EXPECT_EQ((*chunk)->data, "ping\n");
}

TEST_F(PodRuntimeTest, AProcessHasOneWriter) {
  v1::PodConfig config = Config("web", "cat");
  config.mutable_containers(0)->mutable_cmd()->set_interactive(true);
  ASSERT_TRUE(Run(config).ok());
  auto writer = runtime_->OpenInput("web", {"main", ""});
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_TRUE(runtime_->HasWriter("web", {"main", ""}));
  const absl::Status second = runtime_->OpenInput("web", {"main", ""}).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(second), v1::ERROR_REASON_STDIN_TAKEN);
  EXPECT_THAT(std::string(second.message()), HasSubstr("`vc attach --no-stdin -c main web`"));
  writer->reset();
  EXPECT_FALSE(runtime_->HasWriter("web", {"main", ""}));
  EXPECT_TRUE(runtime_->OpenInput("web", {"main", ""}).ok());
  EXPECT_EQ(ReasonOf(runtime_->OpenInput("web", {"main", "none"}).status()), v1::ERROR_REASON_PROCESS_NOT_FOUND);
  EXPECT_TRUE(AwaitDone([&](auto done) { runtime_->CloseInput("web", {"main", ""}, Soon().deadline, done); }).ok());
  EXPECT_EQ(Wait("web")->code(), 0);
}

TEST_F(PodRuntimeTest, TerminalsAreResized) {
  v1::PodConfig config = Config("web", "size");
  config.mutable_containers(0)->mutable_cmd()->set_terminal(true);
  config.mutable_containers(0)->mutable_cmd()->set_interactive(true);
  ASSERT_TRUE(Run(config).ok());
  v1::TerminalSize size;
  size.set_columns(100);
  size.set_rows(50);
  const MutationOptions options{absl::Now() + absl::Seconds(10), ""};
  const auto resize = [&](const ProcessKey& process) {
    return AwaitDone([&](auto done) { runtime_->ResizeTerminal("web", process, size, options, done); });
  };
  EXPECT_EQ(resize({"main", ""}), absl::OkStatus());
  EXPECT_TRUE(AwaitDone([&](auto done) { runtime_->CloseInput("web", {"main", ""}, Soon().deadline, done); }).ok());
  EXPECT_EQ(Wait("web")->code(), 0);
  auto log = runtime_->ReadLogs("web", "main", {.follow = true, .tail_lines = 1});
  ASSERT_TRUE(log.ok());
  auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { (*log)->Next(done); });
  EXPECT_EQ((*chunk)->data, "50 100\n");
  EXPECT_EQ(resize({"main", ""}).code(), absl::StatusCode::kFailedPrecondition) << "it has ended";
  EXPECT_EQ(ReasonOf(resize({"main", "none"})), v1::ERROR_REASON_PROCESS_NOT_FOUND);
}

TEST_F(PodRuntimeTest, PauseKeepsEachContainersOwnState) {
  v1::PodConfig config = Config("web");
  *config.add_containers() = config.containers(0);
  config.mutable_containers(1)->set_id("second");
  ASSERT_TRUE(Run(config).ok());
  auto events = Events();
  agent().Exit("web", {"second", ""}, 0);
  AwaitEvent(*events, v1::EVENT_TYPE_CONTAINER_STOPPED);
  ASSERT_TRUE(Pause("web").ok());
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_PAUSED);
  EXPECT_EQ(Get("web").containers(1).state(), v1::CONTAINER_STATE_STOPPED);
  EXPECT_EQ(ReasonOf(Exec("web", {"print", "a", "b"}).status()), v1::ERROR_REASON_WRONG_STATE);
  ASSERT_TRUE(Resume("web").ok());
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_EQ(Get("web").containers(1).state(), v1::CONTAINER_STATE_STOPPED);
}

TEST_F(PodRuntimeTest, PausedPodCanBeStopped) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Pause("web").ok());
  EXPECT_EQ(Stop("web")->state(), v1::POD_STATE_STOPPED);
}

TEST_F(PodRuntimeTest, RunningPodIsDeletedOnlyWithForce) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::Status status = Delete("web").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("stop it first, or use force"));
  const absl::StatusOr<Released> released = Delete("web", /*force=*/true);
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_THAT(released->given_back,
              ElementsAre(HasSubstr("VM (pid "), "network fake", "1 container", "records and logs"));
  ExpectNothingLeft();
}

TEST_F(PodRuntimeTest, ForcedDeletePreemptsACreationThatHangs) {
  agent().HangNth("Connect", 1);
  Completion<v1::Pod> created;
  runtime_->CreatePod(Config("web"), Soon(), [created](absl::StatusOr<v1::Pod> pod) { created.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  const absl::StatusOr<Released> deleted = Delete("web", /*force=*/true);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_THAT(deleted->given_back, ElementsAre("what an operation before this one had left"));
  const absl::Status status = created.Wait({Soon().deadline, nullptr}, "creation").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PREEMPTED);
  ExpectNothingLeft();
}

TEST_F(PodRuntimeTest, SilentAgentDoesNotKeepAPodFromBeingStopped) {
  ASSERT_TRUE(Run(Config("web")).ok());
  agent().FailNth("Signal", 1, absl::UnavailableError("silent"));
  agent().FailNth("Shutdown", 1, absl::UnavailableError("silent"));
  auto stopped = Stop("web");
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
}

// Consoles and kernels say what they like, and clients can read nothing but UTF-8.
TEST_F(PodRuntimeTest, AReasonIsShownWhateverBytesItQuotes) {
  auto events = Events();
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(hypervisor().Crash("web", "the console said \xff\xfe"));
  AwaitEvent(*events, v1::EVENT_TYPE_POD_FAILED);
  const v1::Pod pod = Get("web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(pod.reason(), HasSubstr("the console said \xEF\xBF\xBD\xEF\xBF\xBD"));
  EXPECT_EQ(pod.config().id(), "web");
}

TEST_F(PodRuntimeTest, AFailingDiskIsToldAndThePodGoesOn) {
  auto events = Events();
  ASSERT_TRUE(Run(Config("web")).ok());
  hypervisor().Trouble("web", {VmTrouble::Kind::kGuestPanicked, "a panic alone is no disk's error"});
  hypervisor().Trouble("web", {VmTrouble::Kind::kDiskError, "disk root (/img): write failed on the host"});
  EXPECT_EQ(AwaitEvent(*events, v1::EVENT_TYPE_POD_IO_ERROR).reason(), "disk root (/img): write failed on the host");
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodRuntimeTest, DeathOfTheMachineFailsThePodAndTellsWhy) {
  auto events = Events();
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(hypervisor().Crash("web", "qemu killed by signal 9 (Killed)"));
  AwaitEvent(*events, v1::EVENT_TYPE_POD_FAILED);
  const v1::Pod pod = Get("web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(pod.reason(), HasSubstr("killed by signal 9"));
  EXPECT_THAT(network().attached(), IsEmpty());
  EXPECT_EQ(agent().live_sessions(), 0);
  const absl::Status wait = Wait("web").status();
  EXPECT_EQ(wait.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

TEST_F(PodRuntimeTest, ContainersComeAndGoInARunningPod) {
  ASSERT_TRUE(Run(Config("web")).ok());
  v1::ContainerConfig config = Config("x").containers(0);
  config.set_id("side");
  auto created = Await<v1::Container>([&](auto done) { runtime_->CreateContainer("web", config, Soon(), done); });
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->state(), v1::CONTAINER_STATE_READY);
  auto again = Await<v1::Container>([&](auto done) { runtime_->CreateContainer("web", config, Soon(), done); });
  EXPECT_EQ(ReasonOf(again.status()), v1::ERROR_REASON_CONTAINER_EXISTS);
  auto started = Await<v1::Container>([&](auto done) { runtime_->StartContainer("web", "side", Soon(), done); });
  EXPECT_EQ(started->state(), v1::CONTAINER_STATE_RUNNING);
  auto stopped = Await<v1::Container>(
      [&](auto done) { runtime_->StopContainer("web", "side", {.grace = absl::Seconds(20)}, Soon(), done); });
  EXPECT_EQ(stopped->state(), v1::CONTAINER_STATE_STOPPED);
  auto restarted = Await<v1::Container>([&](auto done) { runtime_->StartContainer("web", "side", Soon(), done); });
  ASSERT_TRUE(restarted.ok()) << restarted.status();
  EXPECT_EQ(AwaitDone([&](auto done) { runtime_->DeleteContainer("web", "side", false, Soon(), done); }).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Start("web").status().message()), testing::EndsWith("pod web: it is running already"));
  ASSERT_TRUE(Await<v1::Container>([&](auto done) {
                runtime_->StopContainer("web", "side", {.grace = absl::Seconds(20)}, Soon(), done);
              }).ok());
  const absl::Status start = Start("web").status();
  EXPECT_EQ(ReasonOf(start), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_THAT(std::string(start.message()), HasSubstr("`vc container start web side`"));
  EXPECT_TRUE(AwaitDone([&](auto done) { runtime_->DeleteContainer("web", "side", false, Soon(), done); }).ok());
  EXPECT_EQ(Get("web").containers_size(), 1);
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0"));
}

TEST_F(PodRuntimeTest, AnnotationsAreMergedAndSurviveARestart) {
  v1::PodConfig config = Config("web");
  (*config.mutable_annotations())["org.example.a"] = "1";
  (*config.mutable_annotations())["org.example.b"] = "2";
  ASSERT_TRUE(Create(config).ok());
  auto updated = Await<v1::Pod>([&](auto done) {
    runtime_->UpdatePodAnnotations("web", {{"org.example.c", "3"}}, {"org.example.a"}, Soon(), done);
  });
  ASSERT_TRUE(updated.ok()) << updated.status();
  Restart();
  const v1::Pod pod = Get("web");
  EXPECT_EQ(pod.config().annotations().count("org.example.a"), 0u);
  EXPECT_EQ(pod.config().annotations().at("org.example.b"), "2");
  EXPECT_EQ(pod.config().annotations().at("org.example.c"), "3");
}

TEST_F(PodRuntimeTest, AssetAnnotationsWinOverTheConfigurationAndAreSettledAtCreation) {
  const std::string prefix = "com.github.containers.virtcontainers.";
  const std::string digest(128, 'a');
  v1::PodConfig config = Config("web");
  config.mutable_hypervisor_config()->set_kernel_path("/configured");
  config.mutable_hypervisor_config()->set_firmware_path("/configured");
  (*config.mutable_annotations())[prefix + "KernelPath"] = "/annotated";
  (*config.mutable_annotations())[prefix + "KernelHash"] = digest;
  ASSERT_TRUE(Create(config).ok());
  // What the annotation says from now on is of no use to a machine that is there.
  const auto annotate = [this](const std::string& key, const std::string& value) {
    return Await<v1::Pod>([&](auto done) { runtime_->UpdatePodAnnotations("web", {{key, value}}, {}, Soon(), done); });
  };
  EXPECT_TRUE(annotate(prefix + "KernelPath", "/another").ok());
  EXPECT_EQ(annotate(prefix + "KernelPath", "relative").status().code(), absl::StatusCode::kInvalidArgument);
  Restart();
  const v1::HypervisorConfig machine = Get("web").config().hypervisor_config();
  EXPECT_EQ(machine.kernel_path(), "/annotated");
  EXPECT_EQ(machine.sha512().kernel(), digest);
  EXPECT_EQ(machine.firmware_path(), "/configured");

  v1::PodConfig wrong = Config("wrong");
  (*wrong.mutable_annotations())[prefix + "AssetHashType"] = "md5";
  const absl::Status refused = Create(wrong).status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr(prefix + "AssetHashType"));
}

TEST_F(PodRuntimeTest, ReadsDoNotWaitForAHungPod) {
  ASSERT_TRUE(Run(Config("well")).ok());
  agent().HangNth("Connect", 1);
  Completion<v1::Pod> created;
  runtime_->CreatePod(Config("sick"), Soon(), [created](absl::StatusOr<v1::Pod> pod) { created.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  EXPECT_EQ(Get("sick").state(), v1::POD_STATE_CREATING);
  EXPECT_EQ(Get("sick").containers(0).state(), v1::CONTAINER_STATE_CREATING);
  EXPECT_EQ(runtime_->ListPods().size(), 2u);
  EXPECT_TRUE(Exec("well", {"print", "a", "b"}).ok());
  (void)Delete("sick", /*force=*/true);
  EXPECT_FALSE(created.Wait({Soon().deadline, nullptr}, "creation").ok());
}

TEST_F(PodRuntimeTest, MergedAnnotationsAreBoundedAsThoseOfANewPod) {
  ASSERT_TRUE(Create(Config("web")).ok());
  const std::string value(size_t{200} << 10, 'x');
  absl::Status status;
  int taken = 0;
  while (status.ok() && taken < 1000) {
    status = Annotate("web", "org.example." + std::to_string(taken), value).status();
    if (status.ok()) ++taken;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("annotations"));
  EXPECT_EQ(Get("web").config().annotations_size(), taken);
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_READY);
}

TEST_F(PodRuntimeTest, ExecsAreListedWithHowTheyEnded) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Exec("web", {"sleep"}, "runs").ok());
  const auto ended = Exec("web", {"print", "a", "b"}, "ends");
  ASSERT_TRUE(ended.ok());
  ASSERT_TRUE(Wait("web", ended->process_id).ok());
  for (const std::string& container : {std::string("main"), std::string()}) {
    const auto execs = runtime_->ListExecs("web", container);
    ASSERT_TRUE(execs.ok()) << execs.status();
    ASSERT_EQ(execs->size(), 2u);
    for (const v1::ExecInfo& exec : *execs) {
      EXPECT_EQ(exec.container_id(), "main");
      EXPECT_EQ(exec.has_exit_status(), exec.process_id() == ended->process_id);
      EXPECT_GT(exec.guest_pid(), 0);
    }
  }
  EXPECT_EQ(ReasonOf(runtime_->ListExecs("web", "nope").status()), v1::ERROR_REASON_CONTAINER_NOT_FOUND);
  EXPECT_EQ(ReasonOf(runtime_->ListExecs("nope", "").status()), v1::ERROR_REASON_POD_NOT_FOUND);
}

TEST_F(PodRuntimeTest, ExecsAreListedWithWhetherTheyHaveATerminal) {
  ASSERT_TRUE(Run(Config("web")).ok());
  v1::Cmd cmd;
  cmd.add_args("sleep");
  ASSERT_TRUE(Exec("web", {"sleep"}, "plain").ok());
  cmd.set_terminal(true);
  const auto shell = ExecCmd("web", cmd, "shell");
  ASSERT_TRUE(shell.ok()) << shell.status();
  for (const bool restarted : {false, true}) {
    if (restarted) Restart();
    const auto execs = runtime_->ListExecs("web", "main");
    ASSERT_TRUE(execs.ok()) << execs.status();
    ASSERT_EQ(execs->size(), 2u);
    for (const v1::ExecInfo& exec : *execs) EXPECT_EQ(exec.terminal(), exec.process_id() == shell->process_id);
  }
}

}  // namespace
}  // namespace vcd
