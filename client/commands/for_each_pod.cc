// SPDX-License-Identifier: Apache-2.0
#include "client/commands/for_each_pod.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace vcd::client {

namespace {

// `pod_id` is of containers, and shown before their ids in complaints.
int ForEach(Invocation* invocation, const std::string& pod_id, const std::vector<std::string>& ids,
            const std::function<absl::Status(const std::string& id)>& action) {
  int exit_status = kSuccess;
  for (const std::string& id : ids) {
    if (const absl::Status status = action(id); !status.ok()) {
      invocation->Complain(absl::StrCat(pod_id, pod_id.empty() ? "" : " ", id), status);
      exit_status = kFailure;
    } else if (const int printed = invocation->Print(absl::StrCat(id, "\n")); printed != kSuccess) {
      // Nobody reads the ids, but they were named to be dealt with.
      exit_status = printed;
    }
  }
  return exit_status;
}

}  // namespace

int ForEachPod(Invocation* invocation, const std::vector<std::string>& pod_ids,
               const std::function<absl::Status(const std::string& pod_id)>& action) {
  return ForEach(invocation, "", pod_ids, action);
}

int ForEachContainer(Invocation* invocation, const std::string& pod_id, const std::vector<std::string>& container_ids,
                     const std::function<absl::Status(const std::string& container_id)>& action) {
  return ForEach(invocation, pod_id, container_ids, action);
}

absl::Status NoSuchPod() { return absl::NotFoundError("there is no such pod; `vc ps -a` lists those that are"); }

absl::Status NoSuchContainer(const std::string& pod_id) {
  return absl::NotFoundError(
      absl::StrCat("there is no such container; `vc container ls ", pod_id, "` lists those that are"));
}

}  // namespace vcd::client
