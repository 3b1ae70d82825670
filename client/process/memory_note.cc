// SPDX-License-Identifier: Apache-2.0
#include "client/process/memory_note.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/format/text.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);

// ` (limit 64.0MiB); "vc update …" gives it more`; empty when pod or machine is gone.
std::string LimitOf(Invocation* invocation, const std::string& pod_id, const std::string& container_id) {
  v1::GetPodRequest request;
  request.set_pod_id(pod_id);
  v1::GetPodResponse response;
  if (!invocation->daemon().GetPod(request, &response, {nullptr, kPatience}).ok()) return "";
  for (const v1::Container& container : response.pod().containers()) {
    const int64_t limit = container.config().resources().memory_limit_bytes();
    if (container.id() != container_id || limit <= 0) continue;
    return absl::StrCat(" (limit ", Bytes(static_cast<uint64_t>(limit)), "); \"vc update --memory SIZE -c ",
                        container_id, " ", pod_id, "\" raises the container's");
  }
  if (response.pod().vm().memory_mib() == 0) return "";
  return absl::StrCat(" (limit ", response.pod().vm().memory_mib(),
                      "MiB, which is all that the pod has); \"vc resize --memory SIZE ", pod_id, "\" gives it more");
}

}  // namespace

void TellOfMemory(Invocation* invocation, const std::string& pod_id, const std::string& container_id,
                  const std::string& process_id, const v1::ExitStatus& status) {
  if (!status.oom_killed()) return;
  const std::string process =
      process_id.empty() ? absl::StrCat("container ", container_id) : absl::StrCat("process ", process_id);
  invocation->Complain(
      pod_id, absl::StrCat(process, " was ended for want of memory", LimitOf(invocation, pod_id, container_id)));
}

}  // namespace vcd::client
