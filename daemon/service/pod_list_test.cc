// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/pod_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::shared_ptr<const PodSnapshot> MakePod(const std::string& id, v1::PodState state = v1::POD_STATE_RUNNING,
                                           const std::string& annotation = "") {
  v1::Pod pod;
  pod.set_id(id);
  pod.set_state(state);
  if (!annotation.empty()) (*pod.mutable_config()->mutable_annotations())["org.example/tier=x"] = annotation;
  if (!annotation.empty()) (*pod.mutable_config()->mutable_annotations())["org.example.tier"] = annotation;
  return std::make_shared<const PodSnapshot>(pod);
}

// Counts what is looked at.
PodsAfter Among(const PodSnapshots& pods, size_t* looked_at) {
  return [&pods, looked_at](const std::string& id, size_t most) {
    PodSnapshots after;
    for (const auto& pod : pods) {
      if (pod->id() > id && after.size() < most) after.push_back(pod);
    }
    *looked_at += after.size();
    return after;
  };
}

// As a client reads it.
absl::Status ListPage(const PodSnapshots& pods, const v1::ListPodsRequest& request, v1::ListPodsResponse& response,
                      size_t* looked_at = nullptr) {
  size_t ignored = 0;
  const absl::StatusOr<std::string> page = ListPage(Among(pods, looked_at ? looked_at : &ignored), request);
  if (!page.ok()) return page.status();
  EXPECT_TRUE(response.ParseFromString(*page));
  return absl::OkStatus();
}

std::vector<std::string> IdsOf(const v1::ListPodsResponse& response) {
  std::vector<std::string> ids;
  for (const v1::Pod& pod : response.pods()) ids.push_back(pod.id());
  return ids;
}

std::vector<std::string> Filtered(const PodSnapshots& pods, const std::string& filter) {
  v1::ListPodsRequest request;
  request.set_filter(filter);
  v1::ListPodsResponse response;
  EXPECT_TRUE(ListPage(pods, request, response).ok());
  return IdsOf(response);
}

TEST(PodListTest, FilterTermsMustAllHold) {
  const PodSnapshots pods = {MakePod("a1"), MakePod("a2", v1::POD_STATE_STOPPED),
                             MakePod("b1", v1::POD_STATE_RUNNING, "web")};
  EXPECT_THAT(Filtered(pods, ""), ElementsAre("a1", "a2", "b1"));
  EXPECT_THAT(Filtered(pods, "state=running"), ElementsAre("a1", "b1"));
  EXPECT_THAT(Filtered(pods, "id=a*"), ElementsAre("a1", "a2"));
  EXPECT_THAT(Filtered(pods, "id=a2"), ElementsAre("a2"));
  EXPECT_THAT(Filtered(pods, "  id=a*  state=running "), ElementsAre("a1"));
  EXPECT_THAT(Filtered(pods, "annotation.org.example.tier=web"), ElementsAre("b1"));
  EXPECT_THAT(Filtered(pods, "annotation.org.example.tier=db"), IsEmpty());
  EXPECT_THAT(Filtered(pods, "state=running state=stopped"), IsEmpty());
}

TEST(PodListTest, TermsThatAreNoneAreNamed) {
  for (const char* filter : {"state=loud", "state=Running", "state=unspecified", "name=x", "id=", "running",
                             "annotation.=x", "annotation.key"}) {
    v1::ListPodsRequest request;
    request.set_filter(filter);
    v1::ListPodsResponse response;
    const absl::Status status = ListPage({}, request, response);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << filter;
    ASSERT_TRUE(DetailOf(status).has_value());
    EXPECT_EQ(DetailOf(status)->metadata["field"], "filter");
  }
}

TEST(PodListTest, PagesFollowEachOtherWithoutGapsOrRepeats) {
  PodSnapshots pods;
  for (int i = 0; i < 5; ++i) pods.push_back(MakePod(absl::StrCat("p", i)));
  v1::ListPodsRequest request;
  request.set_page_size(2);
  v1::ListPodsResponse first, second, third;
  ASSERT_TRUE(ListPage(pods, request, first).ok());
  EXPECT_THAT(IdsOf(first), ElementsAre("p0", "p1"));
  request.set_page_token(first.next_page_token());
  pods.erase(pods.begin() + 1);  // The pod that the token names has gone.
  ASSERT_TRUE(ListPage(pods, request, second).ok());
  EXPECT_THAT(IdsOf(second), ElementsAre("p2", "p3"));
  request.set_page_token(second.next_page_token());
  ASSERT_TRUE(ListPage(pods, request, third).ok());
  EXPECT_THAT(IdsOf(third), ElementsAre("p4"));
  EXPECT_EQ(third.next_page_token(), "");
}

TEST(PodListTest, LastFullPageHasNoToken) {
  const PodSnapshots pods = {MakePod("a"), MakePod("b"), MakePod("c", v1::POD_STATE_STOPPED)};
  v1::ListPodsRequest request;
  request.set_page_size(2);
  request.set_filter("state=running");
  v1::ListPodsResponse response;
  ASSERT_TRUE(ListPage(pods, request, response).ok());
  EXPECT_THAT(IdsOf(response), ElementsAre("a", "b"));
  EXPECT_EQ(response.next_page_token(), "");
}

TEST(PodListTest, PageLooksAtNoMorePodsThanFillIt) {
  PodSnapshots pods;
  for (int i = 1000; i < 4000; ++i) pods.push_back(MakePod(absl::StrCat("p", i)));
  v1::ListPodsRequest request;
  request.set_page_size(200);
  v1::ListPodsResponse response;
  size_t looked_at = 0;
  ASSERT_TRUE(ListPage(pods, request, response, &looked_at).ok());
  EXPECT_EQ(response.pods_size(), 200);
  EXPECT_EQ(looked_at, 201u);
}

TEST(PodListTest, FilterFindsTheFewAmongMany) {
  PodSnapshots pods;
  for (int i = 1000; i < 4000; ++i) {
    pods.push_back(MakePod(absl::StrCat("p", i), i % 1000 == 999 ? v1::POD_STATE_FAILED : v1::POD_STATE_RUNNING));
  }
  v1::ListPodsRequest request;
  request.set_page_size(2);
  request.set_filter("state=failed");
  v1::ListPodsResponse first, second;
  ASSERT_TRUE(ListPage(pods, request, first).ok());
  EXPECT_THAT(IdsOf(first), ElementsAre("p1999", "p2999"));
  request.set_page_token(first.next_page_token());
  ASSERT_TRUE(ListPage(pods, request, second).ok());
  EXPECT_THAT(IdsOf(second), ElementsAre("p3999"));
  EXPECT_EQ(second.next_page_token(), "");
}

TEST(PodListTest, PageSizeHasACeiling) {
  PodSnapshots pods;
  for (int i = 1000; i < 2100; ++i) pods.push_back(MakePod(absl::StrCat("p", i)));
  for (uint32_t size : {0u, 5000u}) {
    v1::ListPodsRequest request;
    request.set_page_size(size);
    v1::ListPodsResponse response;
    ASSERT_TRUE(ListPage(pods, request, response).ok());
    EXPECT_EQ(response.pods_size(), 1000);
  }
}

TEST(PodListTest, PageEndsBeforeItOutgrowsAClient) {
  PodSnapshots pods;
  for (int i = 0; i < 4; ++i)
    pods.push_back(MakePod(absl::StrCat("p", i), v1::POD_STATE_RUNNING, std::string(1 << 20, 'x')));
  v1::ListPodsResponse response;
  ASSERT_TRUE(ListPage(pods, {}, response).ok());
  EXPECT_EQ(response.pods_size(), 1);
  EXPECT_NE(response.next_page_token(), "");
}

TEST(PodListTest, ForeignTokensAreRefused) {
  for (const std::string& token :
       {std::string("!!"), std::string("p1"), absl::WebSafeBase64Escape("1:../x"), absl::WebSafeBase64Escape("2:p1")}) {
    v1::ListPodsRequest request;
    request.set_page_token(token);
    v1::ListPodsResponse response;
    const absl::Status status = ListPage({}, request, response);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << token;
    EXPECT_THAT(std::string(status.message()), HasSubstr("page_token"));
  }
}

}  // namespace
}  // namespace vcd
