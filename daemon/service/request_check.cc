// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/request_check.h"

#include "absl/strings/str_cat.h"
#include "core/model/ids.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

absl::Status CheckId(const std::string& field, const std::string& id) {
  if (id.empty()) return InvalidField(field, "is empty, and the request is about one");
  return ValidateId(field, id);
}

absl::Status CheckOptionalId(const std::string& field, const std::string& id) {
  return id.empty() ? absl::OkStatus() : CheckId(field, id);
}

absl::Status CheckContainerIds(const std::string& pod_id, const std::string& container_id) {
  VCD_RETURN_IF_ERROR(CheckId("pod_id", pod_id));
  return CheckId("container_id", container_id);
}

absl::Status CheckProcessIds(const std::string& pod_id, const std::string& container_id,
                             const std::string& process_id) {
  VCD_RETURN_IF_ERROR(CheckContainerIds(pod_id, container_id));
  return CheckOptionalId("process_id", process_id);
}

absl::Status CheckSignal(int32_t signal) {
  if (signal >= 1 && signal <= 64) return absl::OkStatus();
  return InvalidField("signal", absl::StrCat(signal, " is no signal number: 1 to 64"));
}

}  // namespace vcd
