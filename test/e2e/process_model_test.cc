// SPDX-License-Identifier: Apache-2.0
// The process model once more, in a real pod: the table that the agent goes through on this machine, asked for by the
// API and done by a guest's kernel.
#include <signal.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "proto/vcd/v1/container_service.grpc.pb.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"
#include "test/e2e/e2e_test.h"
#include "test/e2e/rootfs_fixture.h"
#include "test/process_model/process_cases.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

constexpr char kProbeProgram[] = "test/process_model/probe_program";
constexpr char kPod[] = "model";

absl::Status ToAbsl(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

class ProcessModelTest : public E2eTest {
 protected:
  void SetUp() override {
    E2eTest::SetUp();
    containers_ = v1::ContainerService::NewStub(daemon().channel());
    processes_ = v1::ProcessService::NewStub(daemon().channel());
    const std::string directory = daemon().directory() + "/model";
    ASSERT_NO_FATAL_FAILURE(MakeProcessCasesRoot(directory, kProbeProgram));
    image_ = daemon().directory() + "/model.erofs";
    ASSERT_NO_FATAL_FAILURE(MakeImage(directory, "erofs", image_));
  }

  // A running pod without containers.
  void RunPod(v1::PodConfig config) {
    config.set_id(kPod);
    v1::RunPodRequest request;
    *request.mutable_config() = std::move(config);
    v1::RunPodResponse response;
    grpc::ClientContext context;
    SetDeadline(&context);
    const auto pods = v1::PodService::NewStub(daemon().channel());
    const absl::Status run = ToAbsl(pods->RunPod(&context, request, &response));
    ASSERT_TRUE(run.ok()) << run;
  }

  absl::Status RunContainer(const std::string& id, v1::ContainerConfig config) {
    config.set_id(id);
    config.mutable_rootfs()->mutable_image()->set_path(image_);
    v1::CreateContainerRequest create;
    create.set_pod_id(kPod);
    *create.mutable_config() = std::move(config);
    v1::CreateContainerResponse created;
    grpc::ClientContext context;
    SetDeadline(&context);
    const absl::Status made = ToAbsl(containers_->CreateContainer(&context, create, &created));
    if (!made.ok()) return made;
    v1::StartContainerRequest start;
    start.set_pod_id(kPod);
    start.set_container_id(id);
    v1::StartContainerResponse started;
    grpc::ClientContext start_context;
    SetDeadline(&start_context);
    return ToAbsl(containers_->StartContainer(&start_context, start, &started));
  }

  absl::StatusOr<std::string> Exec(const std::string& id, v1::Cmd cmd) {
    v1::ExecRequest request;
    request.set_pod_id(kPod);
    request.set_container_id(id);
    *request.mutable_cmd() = std::move(cmd);
    v1::ExecResponse response;
    grpc::ClientContext context;
    SetDeadline(&context);
    const absl::Status made = ToAbsl(processes_->Exec(&context, request, &response));
    if (!made.ok()) return made;
    return response.process_id();
  }

  // All that a process prints, and how it ends.
  ProcessOutcome Finish(const std::string& id, const std::string& process_id) {
    ProcessOutcome outcome;
    grpc::ClientContext context;
    SetDeadline(&context);
    const auto stream = processes_->Attach(&context);
    v1::AttachRequest request;
    request.mutable_start()->set_pod_id(kPod);
    request.mutable_start()->set_container_id(id);
    request.mutable_start()->set_process_id(process_id);
    request.mutable_start()->set_from_start(true);
    stream->Write(request);
    stream->WritesDone();
    bool ended = false;
    for (v1::AttachResponse response; stream->Read(&response);) {
      outcome.out += response.stdout();
      outcome.err += response.stderr();
      if (response.has_exit_status()) outcome.exit = response.exit_status();
      ended = ended || response.has_exit_status();
    }
    const absl::Status finished = ToAbsl(stream->Finish());
    EXPECT_TRUE(finished.ok() && ended) << finished;
    return outcome;
  }

  ProcessOutcome Go(const std::string& id, const ProcessCase& row) {
    ProcessOutcome outcome;
    outcome.refused = RunContainer(id, ContainerOf(row));
    if (!outcome.refused.ok()) return outcome;
    if (row.exec == nullptr) return Finish(id, "");
    const absl::StatusOr<std::string> process = Exec(id, ExecOf(row));
    outcome.refused = process.status();
    return process.ok() ? Finish(id, *process) : outcome;
  }

  // Ends it, if it is there and has not ended; its disk is free again.
  void Delete(const std::string& id) {
    v1::KillContainerRequest kill;
    kill.set_pod_id(kPod);
    kill.set_container_id(id);
    kill.set_signal(SIGKILL);
    v1::KillContainerResponse killed;
    grpc::ClientContext kill_context;
    SetDeadline(&kill_context);
    (void)containers_->KillContainer(&kill_context, kill, &killed);
    v1::StopContainerRequest stop;
    stop.set_pod_id(kPod);
    stop.set_container_id(id);
    v1::StopContainerResponse stopped;
    grpc::ClientContext stop_context;
    SetDeadline(&stop_context);
    const absl::Status ended = ToAbsl(containers_->StopContainer(&stop_context, stop, &stopped));
    EXPECT_TRUE(ended.ok()) << ended;
    v1::DeleteContainerRequest request;
    request.set_pod_id(kPod);
    request.set_container_id(id);
    v1::DeleteContainerResponse response;
    grpc::ClientContext context;
    SetDeadline(&context);
    const absl::Status deleted = ToAbsl(containers_->DeleteContainer(&context, request, &response));
    EXPECT_TRUE(deleted.ok()) << deleted;
  }

  static void SetDeadline(grpc::ClientContext* context) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + kProgramTimeout));
  }

  std::unique_ptr<v1::ContainerService::Stub> containers_;
  std::unique_ptr<v1::ProcessService::Stub> processes_;
  std::string image_;
};

TEST_F(ProcessModelTest, AContainerFindsWhatWasAskedFor) {
  ASSERT_NO_FATAL_FAILURE(RunPod(ProcessCasesPod()));
  int number = 0;
  for (const ProcessCase& row : ProcessCases()) {
    SCOPED_TRACE(row.name);
    const std::string id = absl::StrCat("c", ++number);
    ExpectOutcome(row, Go(id, row));
    Delete(id);
  }
  Must({"rm", "-f", kPod});
}

// The words of the command line, and what only a machine of its own may change: parameters of the network.
TEST_F(ProcessModelTest, TheCommandLineSaysAllOfIt) {
  const std::string profile = daemon().directory() + "/profile.json";
  std::ofstream(profile) << R"({"defaultAction": "SCMP_ACT_ALLOW",
                                "syscalls": [{"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18}]})";
  const ProgramResult result =
      RunIn(image(),
            {"--read-only",
             "--tmpfs",
             "/cache:size=1m",
             "--shm-size",
             "2m",
             "--cap-drop",
             "ALL",
             "--cap-add",
             "kill",
             "--ulimit",
             "nofile=10:20",
             "--umask",
             "077",
             "--oom-score-adj",
             "-7",
             "--group-add",
             "staff",
             "--sysctl",
             "net.ipv4.ip_forward=1",
             "--add-host",
             "db:10.0.0.7",
             "--dns",
             "10.0.0.1",
             "--security-opt",
             "seccomp=" + profile,
             "--security-opt",
             "no-new-privileges"},
            {"sh", "-c",
             "touch /x; touch /cache/x; stat -c %a /cache/x; grep CapEff /proc/self/status; ulimit -n; ulimit -Hn; "
             "cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward; id -G; grep -w db /etc/hosts; "
             "grep nameserver /etc/resolv.conf; mkdir /cache/d; busybox rmdir /cache/d; "
             "grep -E 'Seccomp:|NoNewPrivs' /proc/self/status"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(result.out,
            "600\nCapEff:\t0000000000000020\n10\n20\n-7\n1\n0 50\n10.0.0.7\tdb\nnameserver 10.0.0.1\n"
            "NoNewPrivs:\t1\nSeccomp:\t2\n");
  EXPECT_THAT(result.err, HasSubstr("/x: Read-only file system"));
  EXPECT_THAT(result.err, HasSubstr("'/cache/d': Invalid cross-device link"));
}

TEST_F(ProcessModelTest, ContainersOfAPodShareTheirProcessesWhenAsked) {
  v1::PodConfig pod = ProcessCasesPod();
  pod.set_share_process_namespace(true);
  ASSERT_NO_FATAL_FAILURE(RunPod(pod));
  v1::ContainerConfig config;
  for (const char* word : {"sh", "-c", "(setsid sleep 4321 &); exec sleep 1111"}) config.mutable_cmd()->add_args(word);
  ASSERT_EQ(RunContainer("one", config), absl::OkStatus());
  config.mutable_cmd()->set_args(2, "exec sleep 2222");
  ASSERT_EQ(RunContainer("two", config), absl::OkStatus());
  v1::Cmd list;
  for (const char* word : {"sh", "-c", "while ! ps | grep -q 'sleep 432[1]'; do :; done; ps; cat /proc/1/comm"}) {
    list.add_args(word);
  }
  const absl::StatusOr<std::string> before = Exec("two", list);
  ASSERT_TRUE(before.ok()) << before.status();
  const std::string seen = Finish("two", *before).out;
  EXPECT_THAT(seen, HasSubstr("sleep 1111"));
  EXPECT_THAT(seen, HasSubstr("sleep 2222"));
  EXPECT_THAT(seen, ::testing::EndsWith("vcd-pause\n"));
  Delete("one");
  list.set_args(2, "ps");
  const absl::StatusOr<std::string> after = Exec("two", list);
  ASSERT_TRUE(after.ok()) << after.status();
  const std::string left = Finish("two", *after).out;
  EXPECT_THAT(left, HasSubstr("sleep 2222"));
  EXPECT_THAT(left, ::testing::Not(::testing::AnyOf(HasSubstr("sleep 1111"), HasSubstr("sleep 4321"))));
  Must({"rm", "-f", kPod});
}

}  // namespace
}  // namespace vcd
