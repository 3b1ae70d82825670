// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_INVOCATION_H_
#define VCD_CLIENT_INVOCATION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/daemon/address.h"
#include "client/daemon/daemon_client.h"
#include "client/environment.h"

namespace vcd::client {

// Exit statuses of all verbs but those that pass on a command's own.
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsageError = 2;
// As a shell says that SIGPIPE ended a program.
inline constexpr int kOutputClosed = 141;

// One call of vc: which verb, where the daemon is, and how to talk to the person. One thread.
class Invocation {
 public:
  Invocation(const Environment& environment, std::string verb, DaemonAddress address, absl::Duration timeout);

  const Environment& environment() const { return environment_; }
  // Connects when first asked for, so that signals can be arranged before. From then on for any thread.
  DaemonClient& daemon();

  // Writes to standard output. Returns kSuccess; kOutputClosed, silently, when nobody reads it any more; kFailure, with
  // a line on standard error, when it cannot be written.
  int Print(const std::string& text);

  // Says `vc: VERB OBJECT: MESSAGE` on standard error; without an object `vc: VERB: MESSAGE`.
  void Complain(const std::string& object, const std::string& message);
  void Complain(const std::string& object, const absl::Status& status);

 private:
  const Environment& environment_;
  const std::string verb_;
  const DaemonAddress address_;
  const absl::Duration timeout_;
  std::unique_ptr<DaemonClient> daemon_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_INVOCATION_H_
