// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_migration.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

constexpr absl::Duration kHangUpTime = absl::Seconds(5);
// Events tell when it is done; this looks for what they may have told too early.
constexpr absl::Duration kLookAgainAfter = absl::Milliseconds(20);
constexpr char kStateFd[] = "image-state";

// Both sides must agree in them.
absl::Status SetCapabilities(QmpClient& qmp, const CallContext& context) {
  const json capabilities =
      json::array({{{"capability", "x-ignore-shared"}, {"state", true}}, {{"capability", "events"}, {"state", true}}});
  return qmp.Execute("migrate-set-capabilities", {{"capabilities", capabilities}}, Step(context)).status();
}

// Whether somebody is at the host's end of the agent's port: QEMU puts a word before the name of an idle socket.
absl::StatusOr<bool> IsConnected(QmpClient& qmp, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const json devices, qmp.Execute("query-chardev", nullptr, Step(context)));
  if (devices.is_array()) {
    for (const json& device : devices) {
      if (StringField(device, "label") == "agent") {
        return !absl::StartsWith(StringField(device, "filename"), "disconnected:");
      }
    }
  }
  return absl::InternalError("query-chardev: QEMU has no `agent`");
}

bool HasEnded(const std::string& status) {
  return status.empty() || status == "none" || status == "completed" || status == "failed" || status == "cancelled";
}

absl::Status WaitUntilSaved(QmpClient& qmp, const QmpClient::Expectation& completed, const CallContext& context) {
  while (true) {
    const absl::Status told = completed.Wait(context.Within(kLookAgainAfter)).status();
    if (told.ok() || !absl::IsDeadlineExceeded(told)) return told;
    VCD_RETURN_IF_ERROR(context.Check("save the machine"));
    VCD_ASSIGN_OR_RETURN(const json progress, qmp.Execute("query-migrate", nullptr, Step(context)));
    const std::string status = StringField(progress, "status");
    if (status == "completed") return absl::OkStatus();
    if (HasEnded(status)) {
      const std::string why = StringField(progress, "error-desc");
      return absl::FailedPreconditionError(
          absl::StrCat("qemu does not save the machine: ", why.empty() ? "it does not say why" : why));
    }
  }
}

// QEMU 7.2 does not do it again otherwise, and a guest that went on for an instant only has been seen not to hear who
// connects to it next.
absl::Status CheckWentOn(QmpClient& qmp, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const json state, qmp.Execute("query-status", nullptr, Step(context)));
  if (StringField(state, "status") != "postmigrate") return absl::OkStatus();
  return absl::FailedPreconditionError(
      "it has stood still since it was last saved, and can be saved again once it has gone on; resume it first");
}

}  // namespace

absl::Status CancelSaving(QmpClient& qmp) {
  const CallContext limit = CleanupContext();
  const QmpClient::Expectation never = qmp.Expect("vcd-never", "", "");
  while (true) {
    VCD_ASSIGN_OR_RETURN(const json progress, qmp.Execute("query-migrate", nullptr, Step(limit)));
    if (HasEnded(StringField(progress, "status"))) return absl::OkStatus();
    VCD_RETURN_IF_ERROR(limit.Check("end the saving of the machine"));
    VCD_RETURN_IF_ERROR(qmp.Execute("migrate_cancel", nullptr, Step(limit)).status());
    const absl::Status waited = never.Wait(limit.Within(kLookAgainAfter)).status();
    if (!absl::IsDeadlineExceeded(waited)) return waited;
  }
}

absl::Status WaitUntilAgentPortIsFree(QmpClient& qmp, const CallContext& context) {
  const CallContext limit = context.Within(kHangUpTime);
  while (true) {
    VCD_ASSIGN_OR_RETURN(const bool connected, IsConnected(qmp, context));
    if (!connected) return absl::OkStatus();
    VCD_RETURN_IF_ERROR(context.Check("wait for the agent's port"));
    if (!limit.Check("").ok()) {
      return absl::FailedPreconditionError("somebody is connected to the agent's port; end that session first");
    }
    // Nothing tells of it: QEMU has an event for the guest's end alone.
    const absl::Status waited = qmp.Expect("vcd-never", "", "").Wait(context.Within(kLookAgainAfter)).status();
    if (!absl::IsDeadlineExceeded(waited)) return waited;
  }
}

absl::Status SaveDevices(QmpClient& qmp, int file, const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckWentOn(qmp, context));
  VCD_RETURN_IF_ERROR(SetCapabilities(qmp, context));
  // As fast as the file takes it.
  VCD_RETURN_IF_ERROR(qmp.Execute("migrate-set-parameters", {{"max-bandwidth", 0}}, Step(context)).status());
  VCD_RETURN_IF_ERROR(qmp.ExecuteWithFd("getfd", {{"fdname", kStateFd}}, file, Step(context)).status());
  const QmpClient::Expectation completed = qmp.Expect("MIGRATION", "status", "completed");
  absl::Status saved = qmp.Execute("migrate", {{"uri", absl::StrCat("fd:", kStateFd)}}, Step(context)).status();
  if (saved.ok()) saved = WaitUntilSaved(qmp, completed, context);
  if (!saved.ok()) CancelSaving(qmp).IgnoreError();
  return saved;
}

absl::Status LoadDevices(QmpClient& qmp, int inherited_fd, const CallContext& context) {
  VCD_RETURN_IF_ERROR(SetCapabilities(qmp, context));
  const QmpClient::Expectation completed = qmp.Expect("MIGRATION", "status", "completed");
  VCD_RETURN_IF_ERROR(
      qmp.Execute("migrate-incoming", {{"uri", absl::StrCat("fd:", inherited_fd)}}, Step(context)).status());
  return completed.Wait(context).status();
}

}  // namespace vcd
