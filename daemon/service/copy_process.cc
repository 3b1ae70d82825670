// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/copy_process.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"
#include "core/link/link_limits.h"

namespace vcd {
namespace {

// Of what the guest says on standard error.
constexpr size_t kMaxComplaint = 4096;

}  // namespace

CopyProcess::CopyProcess(PodRuntime& runtime, std::string pod_id, std::string container_id)
    : runtime_(runtime), pod_id_(std::move(pod_id)), key_{std::move(container_id), ""} {}

void CopyProcess::Start(GuestArchive archive, absl::Time deadline,
                        std::function<void(absl::StatusOr<std::unique_ptr<OutputReader>>)> done) {
  path_ = archive.path;
  step_ = archive.write ? "unpack below " : "pack ";
  runtime_.ExecArchive(pod_id_, key_.container_id, std::move(archive), {deadline, ""},
                       [this, done = std::move(done)](absl::StatusOr<ExecResult> started) {
                         if (!started.ok()) return done(started.status());
                         key_.process_id = started->process_id;
                         done(runtime_.Attach(pod_id_, key_, OutputStart::kBeginning));
                       });
}

void CopyProcess::NoteComplaint(const std::string& text) {
  complaint_.append(text, 0, kMaxComplaint - std::min(kMaxComplaint, complaint_.size()));
}

absl::Status CopyProcess::StatusOf(const absl::StatusOr<v1::ExitStatus>& exit) {
  ended_ = true;
  if (!exit.ok()) return exit.status();
  if (exit->code() == 0) return absl::OkStatus();
  const std::string step = absl::StrCat(step_, path_);
  const ProcessKey container{key_.container_id, ""};
  if (exit->code() == kArchivePathNotFound) {
    return GuestErrorStatus(GuestError::kPathNotFound, container, step, complaint_);
  }
  if (exit->code() == kArchiveInvalid) {
    return GuestErrorStatus(GuestError::kInvalid, container, step, complaint_);
  }
  if (complaint_.empty()) complaint_ = absl::StrCat("it ended with code ", exit->code());
  return absl::FailedPreconditionError(
      absl::StrCat(DescribeProcess(container), ": ", step, ": ", CleanGuestText(complaint_)));
}

void CopyProcess::End() {
  if (ended_ || key_.process_id.empty()) return;
  runtime_.Signal(pod_id_, key_, SIGKILL, /*all=*/false, {absl::Now() + absl::Seconds(30), ""},
                  [](const absl::Status&) {});
}

}  // namespace vcd
