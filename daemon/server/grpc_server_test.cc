// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/grpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "third_party/grpc/health/v1/health.grpc.pb.h"

namespace vcd {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

class GrpcServerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(directory_), nullptr);
    address_.path = std::string(directory_) + "/run/vcd.sock";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Health::Stub> Connect(const GrpcServer& server) {
    return Health::NewStub(grpc::CreateChannel(server.address().Target(), grpc::InsecureChannelCredentials()));
  }

  grpc::Status Check(Health::Stub& stub, const std::string& service, HealthCheckResponse& response) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    HealthCheckRequest request;
    request.set_service(service);
    return stub.Check(&context, request, &response);
  }

  char directory_[32] = "/tmp/vcd-test-XXXXXX";
  ListenAddress address_;
};

TEST_F(GrpcServerTest, SocketIsForOwnerAndGroup) {
  auto server = GrpcServer::Start(address_, {});
  ASSERT_TRUE(server.ok()) << server.status();
  struct stat found = {};
  ASSERT_EQ(stat(address_.path.c_str(), &found), 0);
  EXPECT_TRUE(S_ISSOCK(found.st_mode));
  EXPECT_EQ(found.st_mode & 0777, 0660u);
  ASSERT_EQ(stat((std::string(directory_) + "/run").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0755u);
}

TEST_F(GrpcServerTest, HealthKnowsEveryService) {
  auto server = GrpcServer::Start(address_, {});
  ASSERT_TRUE(server.ok()) << server.status();
  auto stub = Connect(**server);
  for (const char* name : {"", "vcd.v1.PodService", "vcd.v1.ContainerService", "vcd.v1.ProcessService",
                           "vcd.v1.EventService", "vcd.v1.SystemService"}) {
    HealthCheckResponse response;
    ASSERT_TRUE(Check(*stub, name, response).ok()) << name;
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  }
  HealthCheckResponse response;
  EXPECT_EQ(Check(*stub, "no.such.Service", response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, HealthWatcherHearsOfTheShutdown) {
  auto server = GrpcServer::Start(address_, {});
  ASSERT_TRUE(server.ok()) << server.status();
  auto stub = Connect(**server);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  auto stream = stub->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  (*server)->BeginShutdown();
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  (*server)->Shutdown(absl::InfinitePast());
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, WatchOfAnUnknownServiceStaysOpen) {
  auto server = GrpcServer::Start(address_, {});
  ASSERT_TRUE(server.ok()) << server.status();
  auto stub = Connect(**server);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  HealthCheckRequest request;
  request.set_service("no.such.Service");
  auto stream = stub->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GrpcServerTest, LiveSocketIsRefused) {
  auto first = GrpcServer::Start(address_, {});
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = GrpcServer::Start(address_, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another daemon listens on " + address_.path));
  // The first goes on.
  HealthCheckResponse response;
  EXPECT_TRUE(Check(*Connect(**first), "", response).ok());
}

TEST_F(GrpcServerTest, StaleSocketIsReplaced) {
  std::filesystem::create_directories(std::filesystem::path(address_.path).parent_path());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, address_.path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  auto server = GrpcServer::Start(address_, {});
  ASSERT_TRUE(server.ok()) << server.status();
  HealthCheckResponse response;
  EXPECT_TRUE(Check(*Connect(**server), "", response).ok());
}

TEST_F(GrpcServerTest, ASocketThatIsAboutToCloseIsWaitedFor) {
  std::filesystem::create_directories(std::filesystem::path(address_.path).parent_path());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, address_.path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  // Closed once somebody has looked.
  std::thread holder([fd] {
    close(accept(fd, nullptr, nullptr));
    close(fd);
  });
  auto server = GrpcServer::Start(address_, {});
  EXPECT_TRUE(server.ok()) << server.status();
  holder.join();
}

TEST_F(GrpcServerTest, FileThatIsNoSocketIsLeftAlone) {
  std::filesystem::create_directories(std::filesystem::path(address_.path).parent_path());
  std::ofstream(address_.path) << "precious";
  EXPECT_EQ(GrpcServer::Start(address_, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::filesystem::file_size(address_.path), 8u);
}

TEST_F(GrpcServerTest, LoopbackTcpFindsAPort) {
  ListenAddress tcp;
  tcp.host = "127.0.0.1";
  auto server = GrpcServer::Start(tcp, {});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_NE((*server)->address().port, 0);
  HealthCheckResponse response;
  EXPECT_TRUE(Check(*Connect(**server), "", response).ok());
  // A second one must not share it.
  EXPECT_EQ(GrpcServer::Start((*server)->address(), {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace vcd
