// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qmp_devices.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

// For the guest to let a device go.
constexpr absl::Duration kReleaseTime = absl::Seconds(30);
constexpr absl::Duration kAskAgainAfter = absl::Seconds(1);

bool Says(const absl::Status& status, absl::string_view words) {
  return status.code() == absl::StatusCode::kFailedPrecondition && absl::StrContains(status.message(), words);
}

// Runs a query that answers with a list, and collects what stands under `key` in its elements.
absl::Status Collect(QmpClient& qmp, const std::string& command, const json& arguments, const char* key,
                     const std::string& prefix, std::set<std::string>* names, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const json list, qmp.Execute(command, arguments, Step(context)));
  if (!list.is_array()) return absl::OkStatus();
  for (const json& element : list) {
    const std::string name = StringField(element, key);
    if (absl::StartsWith(name, prefix)) names->insert(name);
  }
  return absl::OkStatus();
}

}  // namespace

CallContext Step(const CallContext& context) { return context.Within(absl::Seconds(10)); }

CallContext CleanupContext() { return {absl::Now() + absl::Seconds(5), nullptr}; }

absl::Status IgnoreMissing(const absl::Status& status) {
  // "Failed to find node with node-name='x'", "Chardev 'x' not found", "File descriptor named 'x' not found".
  const bool missing = absl::IsNotFound(status) || Says(status, "not found") || Says(status, "Failed to find");
  return missing ? absl::OkStatus() : status;
}

absl::Status RemoveDevice(QmpClient& qmp, const std::string& id, const CallContext& context) {
  const CallContext limit = context.Within(kReleaseTime);
  // Two events come, one for the device's virtio half, which has no `device`.
  const QmpClient::Expectation deleted = qmp.Expect("DEVICE_DELETED", "device", id);
  for (bool first = true;; first = false) {
    const absl::Status asked = qmp.Execute("device_del", {{"id", id}}, Step(limit)).status();
    if (absl::IsNotFound(asked)) {
      if (first) return absl::OkStatus();
      // It has its name no more, but lives until the event: the guest's last request is under way.
      return deleted.Wait(limit).status();
    }
    // Asked before, by this call or one that gave up: "Device x is already in the process of unplug". Or a guest that
    // boots is at work on the port: "Hot-unplug failed: guest is busy (power indicator blinking)".
    if (!asked.ok() && !Says(asked, "in the process of unplug") && !Says(asked, "guest is busy")) return asked;
    const absl::StatusOr<json> gone = deleted.Wait(limit.Within(kAskAgainAfter));
    if (gone.ok()) return absl::OkStatus();
    // A kernel that boots throws away the requests made before it listened; so ask again until it does.
    if (!absl::IsDeadlineExceeded(gone.status()) || !limit.Check("").ok()) return gone.status();
  }
}

absl::Status RemoveBackend(QmpClient& qmp, const std::string& command, const json& arguments, const std::string& device,
                           const CallContext& context) {
  const CallContext limit = Step(context);
  const QmpClient::Expectation deleted = qmp.Expect("DEVICE_DELETED", "device", device);
  for (bool free = false;;) {
    const absl::Status removed = IgnoreMissing(qmp.Execute(command, arguments, limit).status());
    // "Node x is in use", "Chardev 'x' is busy": by a device that a call before unplugged without waiting for its end.
    if (!Says(removed, "in use") && !Says(removed, "busy")) return removed;
    if (free || !limit.Check("").ok()) return removed;
    free = deleted.Wait(limit.Within(kAskAgainAfter)).ok();
  }
}

absl::Status ListDevices(QmpClient& qmp, const std::string& prefix, std::set<std::string>* names,
                         const CallContext& context) {
  return Collect(qmp, "qom-list", {{"path", "/machine/peripheral"}}, "name", prefix, names, context);
}

absl::Status ListBlockNodes(QmpClient& qmp, const std::string& prefix, std::set<std::string>* names,
                            const CallContext& context) {
  return Collect(qmp, "query-named-block-nodes", {{"flat", true}}, "node-name", prefix, names, context);
}

absl::Status ListCharacterDevices(QmpClient& qmp, const std::string& prefix, std::set<std::string>* names,
                                  const CallContext& context) {
  return Collect(qmp, "query-chardev", nullptr, "label", prefix, names, context);
}

}  // namespace vcd
