// SPDX-License-Identifier: Apache-2.0
#include "client/commands/for_each_pod.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace vcd::client {

int ForEachPod(Invocation* invocation, const std::vector<std::string>& pod_ids,
               const std::function<absl::Status(const std::string& pod_id)>& action) {
  int exit_status = kSuccess;
  for (const std::string& pod_id : pod_ids) {
    if (const absl::Status status = action(pod_id); !status.ok()) {
      invocation->Complain(pod_id, status);
      exit_status = kFailure;
    } else if (const int printed = invocation->Print(absl::StrCat(pod_id, "\n")); printed != kSuccess) {
      // Nobody reads the ids, but the pods were named to be dealt with.
      exit_status = printed;
    }
  }
  return exit_status;
}

absl::Status NoSuchPod() { return absl::NotFoundError("there is no such pod; `vc ps -a` lists those that are"); }

}  // namespace vcd::client
