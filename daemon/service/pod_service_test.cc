// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/pod_service.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "core/os/worker_pool.h"
#include "daemon/check/host_check.h"
#include "daemon/check/testing/fake_host.h"
#include "daemon/service/container_service.h"
#include "daemon/service/system_service.h"
#include "daemon/service/testing/fake_pod_runtime.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

class PodServiceTest : public testing::Test {
 protected:
  PodServiceTest() : pods_(runtime_), containers_(runtime_), system_(runtime_, v1::GetInfoResponse(), check_) {
    grpc::ServerBuilder builder;
    for (grpc::Service* service : std::vector<grpc::Service*>{&pods_, &containers_, &system_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    const auto channel = server_->InProcessChannel(grpc::ChannelArguments());
    pod_stub_ = v1::PodService::NewStub(channel);
    container_stub_ = v1::ContainerService::NewStub(channel);
    system_stub_ = v1::SystemService::NewStub(channel);
  }

  FakePodRuntime runtime_;
  PodService pods_;
  ContainerService containers_;
  HostCheck check_{std::make_unique<FakeHost>(), GoodConfig(), pool_};
  WorkerPool pool_{2};  // Ends before what runs on it.
  SystemService system_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::PodService::Stub> pod_stub_;
  std::unique_ptr<v1::ContainerService::Stub> container_stub_;
  std::unique_ptr<v1::SystemService::Stub> system_stub_;
};

// Calls a method on a fresh context.
template <typename Stub, typename Request, typename Response>
grpc::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response& response) {
  grpc::ClientContext context;
  return (stub.*method)(&context, request, &response);
}

TEST_F(PodServiceTest, MutationsReachTheRuntimeWithAllTheySay) {
  using Stub = v1::PodService::Stub;
  v1::CreatePodRequest create;
  create.mutable_config()->set_id("a");
  v1::CreatePodResponse created;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::CreatePod, create, created).ok());
  EXPECT_EQ(created.pod().id(), "a");
  v1::RunPodRequest run;
  v1::RunPodResponse ran;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::RunPod, run, ran).ok());
  v1::StartPodRequest start;
  start.set_pod_id("b");
  v1::StartPodResponse started;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::StartPod, start, started).ok());
  v1::StopPodRequest stop;
  stop.set_pod_id("c");
  stop.set_force(true);
  stop.set_grace_seconds(3);
  v1::StopPodResponse stopped;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::StopPod, stop, stopped).ok());
  v1::PausePodRequest pause;
  pause.set_pod_id("d");
  v1::PausePodResponse paused;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::PausePod, pause, paused).ok());
  v1::ResumePodRequest resume;
  resume.set_pod_id("e");
  v1::ResumePodResponse resumed;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::ResumePod, resume, resumed).ok());
  v1::DeletePodRequest remove;
  remove.set_pod_id("f");
  remove.set_force(true);
  v1::DeletePodResponse removed;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::DeletePod, remove, removed).ok());
  EXPECT_THAT(removed.released(), ElementsAre("VM"));
  EXPECT_THAT(removed.not_released(), ElementsAre("network cni: busy"));
  v1::UpdatePodRequest update;
  update.set_pod_id("h");
  update.mutable_resources()->set_vcpus(2);
  v1::UpdatePodResponse updated;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::UpdatePod, update, updated).ok());
  v1::UpdatePodAnnotationsRequest annotate;
  annotate.set_pod_id("g");
  (*annotate.mutable_annotations())["k"] = "v";
  annotate.add_remove_keys("old");
  v1::UpdatePodAnnotationsResponse annotated;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::UpdatePodAnnotations, annotate, annotated).ok());
  v1::AttachInterfaceRequest attach;
  attach.set_pod_id("i");
  attach.mutable_network()->set_name("lan");
  v1::AttachInterfaceResponse attached;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::AttachInterface, attach, attached).ok());
  EXPECT_EQ(attached.pod().id(), "i");
  EXPECT_EQ(attached.interface_name(), "eth1");
  v1::DetachInterfaceRequest detach;
  detach.set_pod_id("j");
  detach.set_interface_name("eth0");
  v1::DetachInterfaceResponse detached;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::DetachInterface, detach, detached).ok());
  EXPECT_EQ(detached.pod().id(), "j");
  EXPECT_TRUE(detached.existed());
  v1::CheckpointPodRequest checkpoint;
  checkpoint.set_pod_id("k");
  checkpoint.set_directory("/out/k");
  checkpoint.set_stop(true);
  v1::CheckpointPodResponse checkpointed;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::CheckpointPod, checkpoint, checkpointed).ok());
  EXPECT_EQ(checkpointed.pod().id(), "k");
  EXPECT_EQ(checkpointed.size_bytes(), 7u);
  v1::RestorePodRequest restore;
  restore.set_directory("/out/k");
  restore.set_pod_id("l");
  v1::RestorePodResponse restored;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::RestorePod, restore, restored).ok());
  EXPECT_EQ(restored.pod().id(), "l");
  EXPECT_THAT(runtime_.calls(),
              ElementsAre("CreatePod a", "RunPod ", "StartPod b", "StopPod c force=1 grace=3s", "PausePod d",
                          "ResumePod e", "DeletePod f force=1", "UpdatePod h vcpus: 2",
                          "UpdatePodAnnotations g set k=v remove old", "AttachInterface i name: \"lan\"",
                          "DetachInterface j eth0", "CheckpointPod k /out/k stop", "RestorePod /out/k l"));
}

TEST_F(PodServiceTest, ContainerMutationsReachTheRuntime) {
  using Stub = v1::ContainerService::Stub;
  v1::CreateContainerRequest create;
  create.set_pod_id("p");
  create.mutable_config()->set_id("c");
  v1::CreateContainerResponse created;
  ASSERT_TRUE(Call(*container_stub_, &Stub::CreateContainer, create, created).ok());
  EXPECT_EQ(created.container().id(), "c");
  v1::StartContainerRequest start;
  start.set_pod_id("p");
  start.set_container_id("c");
  v1::StartContainerResponse started;
  ASSERT_TRUE(Call(*container_stub_, &Stub::StartContainer, start, started).ok());
  v1::StopContainerRequest stop;
  stop.set_pod_id("p");
  stop.set_container_id("c");
  stop.set_grace_seconds(2);
  stop.set_force(true);
  v1::StopContainerResponse stopped;
  ASSERT_TRUE(Call(*container_stub_, &Stub::StopContainer, stop, stopped).ok());
  v1::KillContainerRequest kill;
  kill.set_pod_id("p");
  kill.set_container_id("c");
  kill.set_signal(9);
  kill.set_all(true);
  v1::KillContainerResponse killed;
  ASSERT_TRUE(Call(*container_stub_, &Stub::KillContainer, kill, killed).ok());
  v1::DeleteContainerRequest remove;
  remove.set_pod_id("p");
  remove.set_container_id("c");
  remove.set_force(true);
  v1::DeleteContainerResponse removed;
  ASSERT_TRUE(Call(*container_stub_, &Stub::DeleteContainer, remove, removed).ok());
  EXPECT_THAT(runtime_.calls(),
              ElementsAre("CreateContainer p c", "StartContainer p c", "StopContainer p c force=1 grace=2s",
                          "Signal p c: 9 all=1", "DeleteContainer p c force=1"));
}

TEST_F(PodServiceTest, ContainersComeOutOfThePodsSnapshot) {
  using Stub = v1::ContainerService::Stub;
  v1::Pod pod;
  pod.set_id("p");
  pod.add_containers()->set_id("b");
  pod.add_containers()->set_id("a");
  runtime_.SetPods({pod});
  v1::ListContainersRequest list;
  list.set_pod_id("p");
  v1::ListContainersResponse listed;
  ASSERT_TRUE(Call(*container_stub_, &Stub::ListContainers, list, listed).ok());
  ASSERT_EQ(listed.containers_size(), 2);
  EXPECT_EQ(listed.containers(0).id(), "b");
  v1::GetContainerRequest get;
  get.set_pod_id("p");
  get.set_container_id("a");
  v1::GetContainerResponse got;
  ASSERT_TRUE(Call(*container_stub_, &Stub::GetContainer, get, got).ok());
  EXPECT_EQ(got.container().id(), "a");
  get.set_container_id("c");
  EXPECT_EQ(Call(*container_stub_, &Stub::GetContainer, get, got).error_code(), grpc::StatusCode::NOT_FOUND);
  get.set_pod_id("q");
  EXPECT_EQ(Call(*container_stub_, &Stub::GetContainer, get, got).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(PodServiceTest, OnePodAsItIsKept) {
  using Stub = v1::PodService::Stub;
  v1::Pod pod;
  pod.set_id("p");
  pod.set_state(v1::POD_STATE_RUNNING);
  (*pod.mutable_config()->mutable_annotations())["k"] = "v";
  runtime_.SetPods({pod});
  v1::GetPodRequest request;
  request.set_pod_id("p");
  v1::GetPodResponse response;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::GetPod, request, response).ok());
  EXPECT_EQ(response.pod().SerializeAsString(), pod.SerializeAsString());
  request.set_pod_id("q");
  EXPECT_EQ(Call(*pod_stub_, &Stub::GetPod, request, response).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_pod_id("../p");
  EXPECT_EQ(Call(*pod_stub_, &Stub::GetPod, request, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PodServiceTest, BytesThatAreNoRequestAreRefused) {
  grpc::GenericStub stub(server_->InProcessChannel(grpc::ChannelArguments()));
  for (const std::string method : {"GetPod", "ListPods"}) {
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    const grpc::Slice slice("\xff\xff");
    auto call = stub.PrepareUnaryCall(&context, "/vcd.v1.PodService/" + method, grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << method;
    EXPECT_THAT(status.error_message(), HasSubstr(method + "Request"));
  }
}

TEST_F(PodServiceTest, OneAnnotationOrThatThereIsNone) {
  using Stub = v1::PodService::Stub;
  v1::Pod pod;
  pod.set_id("p");
  (*pod.mutable_config()->mutable_annotations())["empty"] = "";
  (*pod.mutable_config()->mutable_annotations())["k"] = "v";
  runtime_.SetPods({pod});
  v1::GetPodAnnotationRequest request;
  request.set_pod_id("p");
  request.set_key("k");
  v1::GetPodAnnotationResponse response;
  ASSERT_TRUE(Call(*pod_stub_, &Stub::GetPodAnnotation, request, response).ok());
  EXPECT_EQ(response.value(), "v");
  request.set_key("empty");
  EXPECT_TRUE(Call(*pod_stub_, &Stub::GetPodAnnotation, request, response).ok());
  request.set_key("nope");
  const grpc::Status none = Call(*pod_stub_, &Stub::GetPodAnnotation, request, response);
  EXPECT_EQ(none.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(none.error_message(), HasSubstr("pod p: has no annotation \"nope\""));
  EXPECT_THAT(none.error_details(), HasSubstr("ANNOTATION_NOT_FOUND"));
  request.set_pod_id("q");
  EXPECT_THAT(Call(*pod_stub_, &Stub::GetPodAnnotation, request, response).error_details(), HasSubstr("POD_NOT_FOUND"));
}

TEST_F(PodServiceTest, ClientsDeadlineGoesAlongAndHasACeiling) {
  v1::StartPodRequest request;
  request.set_pod_id("a");
  v1::StartPodResponse response;
  grpc::ClientContext hurried;
  hurried.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  ASSERT_TRUE(pod_stub_->StartPod(&hurried, request, &response).ok());
  // The time left travels, rounded up.
  EXPECT_THAT(runtime_.last_deadline(), Le(absl::Now() + absl::Seconds(21)));
  grpc::ClientContext patient;
  ASSERT_TRUE(pod_stub_->StartPod(&patient, request, &response).ok());
  EXPECT_THAT(runtime_.last_deadline(), Le(absl::Now() + absl::Minutes(10)));
  EXPECT_THAT(runtime_.last_deadline(), Ge(absl::Now() + absl::Minutes(9)));
}

TEST_F(PodServiceTest, InfoCountsPods) {
  v1::Pod pod;
  pod.set_id("p");
  runtime_.SetPods({pod});
  v1::GetInfoResponse info;
  ASSERT_TRUE(Call(*system_stub_, &v1::SystemService::Stub::GetInfo, v1::GetInfoRequest(), info).ok());
  EXPECT_EQ(info.pods(), 1u);
  v1::GetVersionResponse version;
  ASSERT_TRUE(Call(*system_stub_, &v1::SystemService::Stub::GetVersion, v1::GetVersionRequest(), version).ok());
  EXPECT_EQ(version.api_version(), "v1");
}

TEST_F(PodServiceTest, CheckTellsWhatWasFound) {
  v1::CheckResponse check;
  ASSERT_TRUE(Call(*system_stub_, &v1::SystemService::Stub::Check, v1::CheckRequest(), check).ok());
  EXPECT_GT(check.results_size(), 20);
  EXPECT_TRUE(CanRunPods(check));
}

TEST_F(PodServiceTest, TheConsoleIsStreamed) {
  runtime_.Write(StdStream::kStdout, "Linux version\n");
  runtime_.EndOutput();
  v1::ReadConsoleRequest request;
  request.set_pod_id("web");
  request.set_follow(true);
  request.set_tail_bytes(100);
  grpc::ClientContext context;
  auto stream = pod_stub_->ReadConsole(&context, request);
  v1::ReadConsoleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.data(), "Linux version\n");
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(runtime_.calls().back(), "ReadConsole web follow=1 tail_bytes=100");
  runtime_.AwaitReaders(0);
}

TEST_F(PodServiceTest, TheConsoleOfNoPodIsRefused) {
  v1::ReadConsoleRequest request;
  request.set_pod_id("a/b");
  grpc::ClientContext context;
  EXPECT_EQ(pod_stub_->ReadConsole(&context, request)->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace vcd
