// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_state.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "third_party/google/rpc/error.pb.h"

namespace vcd::client {

grpc::Status DaemonError(grpc::StatusCode code, const std::string& reason, const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("vcd");
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return grpc::Status(code, message, details.SerializeAsString());
}

grpc::Status NoPod(const std::string& id) {
  return DaemonError(grpc::StatusCode::NOT_FOUND, "POD_NOT_FOUND",
                     absl::StrCat("no pod \"", id, "\"; vc ps -a lists those that exist"));
}

grpc::Status Aborted() { return DaemonError(grpc::StatusCode::ABORTED, "PREEMPTED", "a forced operation came before"); }

grpc::Status FakeState::Enter(grpc::ServerContext* context, const std::string& method,
                              const google::protobuf::Message& request, const std::string& pod_id) {
  std::function<void()> hook;
  grpc::Status failure;
  bool hangs;
  {
    std::lock_guard<std::mutex> lock(mutex);
    calls.push_back(absl::StrCat(method, " ", request.ShortDebugString()));
    changed.notify_all();
    if (const auto found = hooks.find(method); found != hooks.end()) hook = found->second;
    if (const auto found = failures.find(method); found != failures.end()) failure = found->second;
    hangs = hanging.count(method) > 0;
  }
  if (hook) hook();
  if (hangs) {
    Until(context, pod_id, [] { return false; });
    return Aborted();
  }
  return failure;
}

bool FakeState::Until(grpc::ServerContext* context, const std::string& pod_id, const std::function<bool()>& condition) {
  std::unique_lock<std::mutex> lock(mutex);
  while (!condition()) {
    // A synchronous handler learns of a cancellation only by asking.
    if (context->IsCancelled() || preempted.count(pod_id) > 0) return false;
    changed.wait_for(lock, std::chrono::milliseconds(5));
  }
  return true;
}

bool FakeState::Has(const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex);
  return pods.count(id) != 0;
}

bool FakeState::HasContainer(const std::string& pod_id, const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex);
  const auto& containers = pods[pod_id].containers();
  return std::any_of(containers.begin(), containers.end(),
                     [&id](const v1::Container& container) { return container.id() == id; });
}

FakeProcess FakeState::process_now() {
  std::lock_guard<std::mutex> lock(mutex);
  return process;
}

}  // namespace vcd::client
