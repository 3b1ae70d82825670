// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/dial_process.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/agent/guest_error.h"
#include "core/link/link_limits.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Of what the guest says on standard error.
constexpr size_t kMaxWords = 4096;

}  // namespace

void DialProcess::Start(const GuestDial& dial, absl::Time deadline,
                        std::function<void(absl::StatusOr<std::unique_ptr<OutputReader>>)> done) {
  port_ = dial.port;
  runtime_.PortForward(pod_id_, dial, deadline, [this, done = std::move(done)](absl::StatusOr<ProcessKey> key) {
    if (!key.ok()) return done(key.status());
    key_ = *std::move(key);
    done(runtime_.Attach(pod_id_, key_, OutputStart::kBeginning));
  });
}

void DialProcess::Note(const OutputChunk& chunk) {
  if (chunk.stream == StdStream::kStdout) {
    bytes_ += chunk.data.size();
    return;
  }
  words_.append(chunk.data, 0, kMaxWords - std::min(kMaxWords, words_.size()));
  const size_t line_end = words_.find('\n');
  absl::string_view line(words_.data(), std::min(line_end, words_.size()));
  uint64_t bytes = 0;
  if (line_end == std::string::npos || !absl::ConsumePrefix(&line, kDialPeerEnded)) return;
  if (!absl::SimpleAtoi(line, &bytes)) return;
  peer_bytes_ = bytes;
  words_.erase(0, line_end + 1);
}

absl::Status DialProcess::StatusOf(const absl::StatusOr<v1::ExitStatus>& exit) const {
  if (!exit.ok()) return exit.status();
  if (exit->code() == 0) return absl::OkStatus();
  std::string problem = absl::StrCat("the guest ended the connection, with status ", exit->code());
  if (exit->code() == kDialBroken && !words_.empty()) problem = CleanGuestText(words_);
  if (exit->code() == 128 + SIGKILL)
    problem = "the guest killed the connection's process, most likely for want of memory";
  return WithDetail(absl::UnavailableError(absl::StrCat("pod ", pod_id_, ", port ", port_, ": ", problem)),
                    {v1::ERROR_REASON_AGENT_UNAVAILABLE, {{"pod_id", pod_id_}}});
}

void DialProcess::End() {
  if (!key_.process_id.empty()) runtime_.EndPortForward(pod_id_, key_);
}

}  // namespace vcd
