// SPDX-License-Identifier: Apache-2.0
// What every gRPC client may expect of a server: health, reflection, limits; and what the daemon tells of itself.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include "daemon/version.h"
#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"
#include "third_party/grpc/health/v1/health.grpc.pb.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
  }

  // Sends one message to the reflection service, in bytes: the distribution has no header for it. Returns the answer's.
  std::string Reflect(const std::string& message) {
    grpc::GenericStub stub(daemon_.Connect());
    grpc::ClientContext context;
    ApiClient::SetDeadline(context);
    grpc::CompletionQueue queue;
    void* tag = nullptr;
    bool ok = false;
    auto call = stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
    call->StartCall(nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    const grpc::Slice slice(message);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    call->WritesDone(nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    grpc::Status status;
    call->Finish(&status, nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(answer.Dump(&slices).ok());
    std::string bytes;
    for (const grpc::Slice& part : slices) bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
    return bytes;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(ServerTest, ReflectionListsAndDescribesTheServices) {
  // ServerReflectionRequest.list_services = "" (field 7).
  const std::string services = Reflect(std::string("\x3a\x00", 2));
  for (const char* name : {"vcd.v1.PodService", "vcd.v1.ContainerService", "vcd.v1.ProcessService",
                           "vcd.v1.EventService", "vcd.v1.SystemService", "grpc.health.v1.Health"}) {
    EXPECT_THAT(services, HasSubstr(name));
  }
  // ServerReflectionRequest.file_containing_symbol (field 4).
  for (const std::string symbol : {"vcd.v1.PodService", "vcd.v1.ProcessService", "grpc.health.v1.Health"}) {
    const std::string file = Reflect(std::string("\x22") + static_cast<char>(symbol.size()) + symbol);
    EXPECT_THAT(file, HasSubstr(symbol.substr(symbol.rfind('.') + 1)));
    EXPECT_THAT(file, HasSubstr(".proto"));
  }
}

TEST_F(ServerTest, HealthAnswers) {
  auto stub = grpc::health::v1::Health::NewStub(daemon_.Connect());
  grpc::ClientContext context;
  ApiClient::SetDeadline(context);
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(stub->Check(&context, grpc::health::v1::HealthCheckRequest(), &response).ok());
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
}

TEST_F(ServerTest, InfoTellsBackendsAndDirectories) {
  using Stub = v1::SystemService::Stub;
  v1::GetVersionResponse version;
  ASSERT_THAT(ApiClient::Call(*api_->system, &Stub::GetVersion, v1::GetVersionRequest(), &version),
              IsError(StatusCode::OK, ""));
  EXPECT_EQ(version.version(), kVersion);
  v1::GetInfoResponse info;
  ASSERT_THAT(ApiClient::Call(*api_->system, &Stub::GetInfo, v1::GetInfoRequest(), &info), IsError(StatusCode::OK, ""));
  std::set<std::string> defaults, names;
  for (const v1::BackendInfo& backend : info.backends()) {
    names.insert(backend.kind() + "/" + backend.name());
    if (backend.is_default()) defaults.insert(backend.kind() + "/" + backend.name());
  }
  EXPECT_THAT(defaults, testing::ElementsAre("agent/noop", "hypervisor/mock", "network/none"));
  EXPECT_THAT(names, testing::IsSupersetOf({"hypervisor/qemu", "agent/native"}));
  EXPECT_EQ(info.accelerator().name(), "tcg");
  EXPECT_NE(info.accelerator().reason(), "");
  EXPECT_EQ(info.state_dir(), daemon_.config().state_dir());
  EXPECT_EQ(info.run_dir(), daemon_.config().run_dir());
  EXPECT_GE(info.max_parallel_boots(), 1u);
}

TEST_F(ServerTest, LargeRequestsAreTakenAndHugeOnesRefused) {
  v1::PodConfig config = PodNamed("web");
  (*config.mutable_annotations())["org.example/blob"] = std::string(32 << 20, 'x');
  EXPECT_EQ(api_->CreatePod(config).code, StatusCode::RESOURCE_EXHAUSTED);
  // And the daemon goes on.
  EXPECT_THAT(api_->CreatePod(PodNamed("web")), IsError(StatusCode::OK, ""));
}

}  // namespace
}  // namespace vcd
