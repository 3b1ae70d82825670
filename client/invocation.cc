// SPDX-License-Identifier: Apache-2.0
#include "client/invocation.h"

#include <string.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/format/text.h"
#include "client/posix/output.h"

namespace vcd::client {

Invocation::Invocation(const Environment& environment, std::string verb, DaemonAddress address, absl::Duration timeout)
    : environment_(environment), verb_(std::move(verb)), address_(std::move(address)), timeout_(timeout) {}

DaemonClient& Invocation::daemon() {
  if (daemon_ == nullptr) daemon_ = std::make_unique<DaemonClient>(address_, timeout_);
  return *daemon_;
}

int Invocation::Print(const std::string& text) {
  const int error = WriteFully(environment_.streams.out, text);
  if (error == 0) return kSuccess;
  if (error == EPIPE) return kOutputClosed;
  Complain("", absl::StrCat("write standard output: ", strerror(error)));
  return kFailure;
}

void Invocation::Complain(const std::string& object, const std::string& message) {
  const std::string subject = object.empty() ? verb_ : absl::StrCat(verb_, " ", object);
  // Nothing is left to be done when standard error cannot be written either.
  (void)WriteFully(environment_.streams.err,
                   absl::StrCat("vc: ", Printable(subject), ": ", Printable(message, /*keep_newlines=*/true), "\n"));
}

void Invocation::Complain(const std::string& object, const absl::Status& status) {
  Complain(object, std::string(status.message()));
}

}  // namespace vcd::client
