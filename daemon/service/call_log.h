// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_CALL_LOG_H_
#define VCD_DAEMON_SERVICE_CALL_LOG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace vcd {

enum class CallKind {
  kRead,      // Changes nothing.
  kMutation,  // Its failures are told at `info`: an operator asks for them. State changes are told by the runtime.
};

// One line per RPC, when it ends: who asked for what about which pod, how it ended, and how long it took.
class CallLog {
 public:
  // `method` is a literal, such as "StartPod".
  CallLog(const char* method, CallKind kind, std::string pod_id);

  void Ended(const absl::Status& status) const;

  const std::string& pod_id() const { return pod_id_; }

 private:
  const char* method_;
  CallKind kind_;
  std::string pod_id_;
  absl::Time began_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_CALL_LOG_H_
