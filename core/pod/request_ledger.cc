// SPDX-License-Identifier: Apache-2.0
#include "core/pod/request_ledger.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

absl::Status RequestIdReused(const std::string& request_id) {
  return WithDetail(absl::InvalidArgumentError(
                        absl::StrCat("`request_id`: \"", request_id,
                                     "\" was another request's; send a new id with each new request, and the old one "
                                     "only with the very same")),
                    {v1::ERROR_REASON_REQUEST_ID_REUSED, {{"field", "request_id"}}});
}

absl::StatusOr<RequestLedger::DoneCallback> RequestLedger::Enter(const state::v1::Request& request, DoneCallback done) {
  const std::string& id = request.request_id();
  if (id.empty()) return done;
  MutexLock lock(&mu_);
  const auto [flight, is_first] = flights_.try_emplace(id, Flight{request.fingerprint(), {}});
  if (flight->second.fingerprint != request.fingerprint()) return RequestIdReused(id);
  flight->second.waiting.push_back(std::move(done));
  if (!is_first) return DoneCallback();
  return DoneCallback([this, id](const absl::Status& status) { End(id, status); });
}

void RequestLedger::End(const std::string& request_id, const absl::Status& status) {
  std::vector<DoneCallback> waiting;
  {
    MutexLock lock(&mu_);
    const auto flight = flights_.find(request_id);
    waiting = std::move(flight->second.waiting);
    flights_.erase(flight);
  }
  for (const DoneCallback& done : waiting) done(status);
}

}  // namespace vcd
