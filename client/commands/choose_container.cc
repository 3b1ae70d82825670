// SPDX-License-Identifier: Apache-2.0
#include "client/commands/choose_container.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vcd::client {

absl::StatusOr<std::string> ChooseContainer(const v1::Pod& pod, const std::string& given) {
  if (!given.empty()) return given;
  std::vector<std::string> ids;
  for (const auto& container : pod.containers()) {
    if (container.id() == "main") return container.id();
    ids.push_back(container.id());
  }
  if (ids.size() == 1) return ids[0];
  if (ids.empty()) return absl::FailedPreconditionError("the pod has no containers");
  return absl::FailedPreconditionError(
      absl::StrCat("the pod has several containers: ", absl::StrJoin(ids, ", "), "; choose one with -c"));
}

absl::StatusOr<std::string> ChooseContainer(DaemonClient* daemon, const std::string& pod_id, const std::string& given) {
  if (!given.empty()) return given;
  v1::GetPodRequest request;
  request.set_pod_id(pod_id);
  v1::GetPodResponse response;
  if (const absl::Status status = daemon->GetPod(request, &response); !status.ok()) return status;
  return ChooseContainer(response.pod(), given);
}

}  // namespace vcd::client
