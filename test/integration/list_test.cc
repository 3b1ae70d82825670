// SPDX-License-Identifier: Apache-2.0
// ListPods: pages and filters, over the wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ListTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
    for (const char* id : {"db-2", "web-1", "db-1", "web-2", "cache"}) {
      v1::PodConfig config = PodNamed(id);
      (*config.mutable_annotations())["org.example/tier"] = std::string(id).substr(0, 2);
      ASSERT_THAT(api_->RunPod(config), IsError(StatusCode::OK, ""));
    }
    ASSERT_THAT(api_->StopPod("db-1"), IsError(StatusCode::OK, ""));
  }

  std::vector<std::string> List(const std::string& filter, uint32_t page_size = 0, std::string* token = nullptr) {
    v1::ListPodsRequest request;
    request.set_filter(filter);
    request.set_page_size(page_size);
    if (token != nullptr) request.set_page_token(*token);
    v1::ListPodsResponse response;
    EXPECT_THAT(api_->ListPods(request, &response), IsError(StatusCode::OK, ""));
    if (token != nullptr) *token = response.next_page_token();
    std::vector<std::string> ids;
    for (const v1::Pod& pod : response.pods()) ids.push_back(pod.id());
    return ids;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(ListTest, InOrderOfId) { EXPECT_THAT(List(""), ElementsAre("cache", "db-1", "db-2", "web-1", "web-2")); }

TEST_F(ListTest, Pages) {
  std::string token;
  EXPECT_THAT(List("", 2, &token), ElementsAre("cache", "db-1"));
  EXPECT_THAT(List("", 2, &token), ElementsAre("db-2", "web-1"));
  EXPECT_THAT(List("", 2, &token), ElementsAre("web-2"));
  EXPECT_EQ(token, "");
}

TEST_F(ListTest, Filters) {
  EXPECT_THAT(List("state=stopped"), ElementsAre("db-1"));
  EXPECT_THAT(List("id=web-*"), ElementsAre("web-1", "web-2"));
  EXPECT_THAT(List("id=cache"), ElementsAre("cache"));
  EXPECT_THAT(List("annotation.org.example/tier=db state=running"), ElementsAre("db-2"));
  EXPECT_THAT(List("state=paused"), IsEmpty());
}

TEST_F(ListTest, BadFiltersAndTokensAreNamed) {
  v1::ListPodsRequest request;
  v1::ListPodsResponse response;
  request.set_filter("color=red");
  ApiError error = api_->ListPods(request, &response);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_EQ(error.metadata.at("field"), "filter");
  request.clear_filter();
  request.set_page_token("?");
  error = api_->ListPods(request, &response);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_EQ(error.metadata.at("field"), "page_token");
}

}  // namespace
}  // namespace vcd
