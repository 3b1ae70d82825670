// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/template_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "daemon/service/testing/fake_pod_runtime.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;

class TemplateServiceTest : public testing::Test {
 protected:
  TemplateServiceTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::TemplateService::NewStub(server_->InProcessChannel(grpc::ChannelArguments()));
  }

  FakePodRuntime runtime_;
  TemplateService service_{runtime_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::TemplateService::Stub> stub_;
};

TEST_F(TemplateServiceTest, ListsWhatThereIs) {
  grpc::ClientContext context;
  v1::ListTemplatesResponse response;
  ASSERT_TRUE(stub_->ListTemplates(&context, {}, &response).ok());
  ASSERT_EQ(response.templates_size(), 1);
  EXPECT_EQ(response.templates(0).key(), "cafe");
  EXPECT_EQ(response.templates(0).state(), v1::TEMPLATE_STATE_READY);
  EXPECT_FALSE(response.templates(0).has_last_used_at()) << "never";
}

TEST_F(TemplateServiceTest, PassesOnWhatIsAskedAndTheAnswer) {
  v1::PrepareTemplateRequest prepare;
  prepare.mutable_config()->set_trust_domain("team-a");
  v1::PrepareTemplateResponse prepared;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->PrepareTemplate(&context, prepare, &prepared).ok());
  }
  EXPECT_EQ(prepared.template_().key(), "cafe");
  v1::DeleteTemplateRequest drop;
  drop.set_key("ca");
  v1::DeleteTemplateResponse dropped;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->DeleteTemplate(&context, drop, &dropped).ok());
  }
  EXPECT_THAT(dropped.keys(), ElementsAre("cafe"));
  EXPECT_THAT(runtime_.calls(), ElementsAre("PrepareTemplate team-a", "DeleteTemplate ca"));
  runtime_.SetAnswer(absl::ResourceExhaustedError("there is no room"));
  grpc::ClientContext context;
  const grpc::Status refused = stub_->PrepareTemplate(&context, prepare, &prepared);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(), "there is no room");
}

}  // namespace
}  // namespace vcd
