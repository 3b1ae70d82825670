// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_record.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace vcd {

state::v1::ContainerRecord* FindContainer(state::v1::PodRecord& record, const std::string& container_id) {
  for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
    if (container.id() == container_id) return &container;
  }
  return nullptr;
}

const state::v1::ContainerRecord* FindContainer(const state::v1::PodRecord& record, const std::string& container_id) {
  return FindContainer(const_cast<state::v1::PodRecord&>(record), container_id);
}

void RemoveContainer(state::v1::PodRecord& record, const std::string& container_id) {
  auto& list = *record.mutable_containers();
  list.erase(std::remove_if(list.begin(), list.end(), [&](const auto& entry) { return entry.id() == container_id; }),
             list.end());
}

bool IsAppearingOrGoing(const state::v1::PodRecord& record) {
  return record.under_way().intent() == state::v1::INTENT_CREATE ||
         record.under_way().intent() == state::v1::INTENT_DELETE;
}

bool HasEnded(const state::v1::ContainerRecord& container) {
  return container.state() == v1::CONTAINER_STATE_STOPPED || container.state() == v1::CONTAINER_STATE_FAILED;
}

void SetUnderWay(state::v1::PodRecord& record, state::v1::Intent intent, const state::v1::Request& request) {
  record.mutable_under_way()->set_intent(intent);
  if (request.request_id().empty()) {
    record.mutable_under_way()->clear_request();
  } else {
    *record.mutable_under_way()->mutable_request() = request;
  }
}

void SetDone(state::v1::PodRecord& record, const state::v1::Request& request) {
  record.clear_under_way();
  Remember(record, request);
}

void Remember(state::v1::PodRecord& record, const state::v1::Request& request) {
  if (request.request_id().empty() || FindDone(record, request.request_id()) != nullptr) return;
  *record.add_done() = request;
  auto& done = *record.mutable_done();
  if (done.size() > kRequestsRemembered) done.DeleteSubrange(0, done.size() - kRequestsRemembered);
}

const state::v1::Request* FindDone(const state::v1::PodRecord& record, const std::string& request_id) {
  for (const state::v1::Request& request : record.done()) {
    if (request.request_id() == request_id) return &request;
  }
  return nullptr;
}

void StampNow(google::protobuf::Timestamp* timestamp) {
  const int64_t nanoseconds = absl::ToUnixNanos(absl::Now());
  timestamp->set_seconds(nanoseconds / 1000000000);
  timestamp->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
}

}  // namespace vcd
