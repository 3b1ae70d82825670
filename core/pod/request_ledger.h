// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_REQUEST_LEDGER_H_
#define VCD_CORE_POD_REQUEST_LEDGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/mutex.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// kInvalidArgument (REQUEST_ID_REUSED).
absl::Status RequestIdReused(const std::string& request_id);

// The requests with an id that are under way: one that comes a second time joins the first instead of running beside
// it. Those that are done are in their pods' records. Thread-safe; outlives the callbacks that it gives out.
class RequestLedger {
 public:
  using DoneCallback = std::function<void(const absl::Status&)>;

  // Enters a request. Returns the callback to end it with, which runs `done` and those of all that joined, in order; or
  // null when the request joined another: then `done` runs with that one's. kInvalidArgument (REQUEST_ID_REUSED) when
  // the other is not the same request. One without an id gets its own `done` back.
  absl::StatusOr<DoneCallback> Enter(const state::v1::Request& request, DoneCallback done) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Flight {
    uint64_t fingerprint;
    std::vector<DoneCallback> waiting;
  };

  void End(const std::string& request_id, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  Mutex mu_;
  std::map<std::string, Flight> flights_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_REQUEST_LEDGER_H_
