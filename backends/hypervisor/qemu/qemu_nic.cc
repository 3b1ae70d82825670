// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_nic.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "core/os/unix_socket.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

// Interrupts for control and for the configuration.
constexpr uint32_t kVectorsBesideQueues = 2;

std::string Name(uint32_t slot) { return absl::StrCat("nic-", slot); }

// Names for getfd must not begin with a digit. The connection to a program that serves the interface is number 0.
std::string DescriptorName(uint32_t slot, const char* kind, size_t number) {
  return absl::StrCat(Name(slot), "-", kind, "-", number);
}

// Gives QEMU the descriptors under names, which it returns joined as `netdev_add` has them, and closes them here: an
// open copy would keep a tap alive that QEMU has given back.
absl::StatusOr<std::string> SendDescriptors(QmpClient& qmp, uint32_t slot, const char* kind, std::vector<UniqueFd> fds,
                                            const CallContext& context) {
  std::vector<std::string> names;
  for (const UniqueFd& fd : fds) {
    names.push_back(DescriptorName(slot, kind, names.size()));
    VCD_RETURN_IF_ERROR(qmp.ExecuteWithFd("getfd", {{"fdname", names.back()}}, fd.get(), Step(context)).status());
  }
  return absl::StrJoin(names, ":");
}

absl::Status AddTap(QmpClient& qmp, uint32_t slot, NicSpec nic, const CallContext& context) {
  json backend = {{"type", "tap"}, {"id", Name(slot)}, {"vhost", !nic.vhost.empty()}};
  VCD_ASSIGN_OR_RETURN(backend["fds"], SendDescriptors(qmp, slot, "tap", std::move(nic.taps), context));
  if (!nic.vhost.empty()) {
    VCD_ASSIGN_OR_RETURN(backend["vhostfds"], SendDescriptors(qmp, slot, "vhost", std::move(nic.vhost), context));
  }
  return qmp.Execute("netdev_add", backend, Step(context)).status();
}

// Connected here: QEMU's own user may not be allowed to.
absl::Status AddVhostUser(QmpClient& qmp, uint32_t slot, const std::string& path, const CallContext& context) {
  const size_t slash = path.rfind('/');
  std::vector<UniqueFd> connection(1);
  VCD_ASSIGN_OR_RETURN(connection[0], ConnectUnix(path.substr(0, slash), path.substr(slash + 1)));
  VCD_ASSIGN_OR_RETURN(const std::string name, SendDescriptors(qmp, slot, "tap", std::move(connection), context));
  const json chardev = {{"type", "socket"},
                        {"data", {{"addr", {{"type", "fd"}, {"data", {{"str", name}}}}}, {"server", false}}}};
  VCD_RETURN_IF_ERROR(qmp.Execute("chardev-add", {{"id", Name(slot)}, {"backend", chardev}}, Step(context)).status());
  const json backend = {{"type", "vhost-user"}, {"id", Name(slot)}, {"chardev", Name(slot)}};
  return qmp.Execute("netdev_add", backend, Step(context)).status();
}

// Of descriptors that were sent and not taken by a netdev.
absl::Status CloseDescriptors(QmpClient& qmp, uint32_t slot, size_t queues, const CallContext& context) {
  const auto close = [&](const std::string& name, bool* existed) {
    const absl::Status closed = qmp.Execute("closefd", {{"fdname", name}}, Step(context)).status();
    *existed |= closed.ok();
    return IgnoreMissing(closed);
  };
  bool existed = true;
  for (size_t i = 0; i < kMaxNicQueues && (existed || i < queues); ++i) {
    existed = false;
    for (const char* kind : {"tap", "vhost"}) VCD_RETURN_IF_ERROR(close(DescriptorName(slot, kind, i), &existed));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckNic(const NicSpec& nic) {
  const auto wrong = [&nic](const auto&... why) {
    return absl::InvalidArgumentError(absl::StrCat("network interface ", nic.id, ": ", why...));
  };
  if (nic.taps.empty() == nic.vhost_user_socket.empty())
    return wrong("needs taps or a vhost-user socket, and not both");
  if (nic.taps.size() > kMaxNicQueues)
    return wrong("has ", nic.taps.size(), " taps; a tap has ", kMaxNicQueues, " queues");
  if (!nic.vhost.empty() && nic.vhost.size() != nic.taps.size()) {
    return wrong("has ", nic.taps.size(), " taps, and vhost for ", nic.vhost.size());
  }
  if (!nic.vhost_user_socket.empty() && nic.vhost_user_socket.front() != '/') {
    return wrong("the vhost-user socket ", nic.vhost_user_socket, " is no absolute path");
  }
  return absl::OkStatus();
}

absl::Status PlugNic(QmpClient& qmp, uint32_t slot, const std::string& device_id, const json& address, NicSpec nic,
                     const CallContext& context) {
  const size_t queues = nic.taps.size();
  // The guest's firmware does not boot from it, so there need be no ROM of that on the host.
  json device = {
      {"driver", "virtio-net-pci"}, {"id", device_id}, {"netdev", Name(slot)}, {"mac", nic.mac}, {"romfile", ""}};
  device.update(address);
  if (nic.mtu != 0) device["host_mtu"] = nic.mtu;
  // An interrupt for each half of a pair.
  if (queues > 1) device.update({{"mq", true}, {"vectors", 2 * queues + kVectorsBesideQueues}});
  VCD_RETURN_IF_ERROR(nic.taps.empty() ? AddVhostUser(qmp, slot, nic.vhost_user_socket, context)
                                       : AddTap(qmp, slot, std::move(nic), context));
  return qmp.Execute("device_add", device, Step(context)).status();
}

absl::StatusOr<SavedNic> DescribeNic(QmpClient& qmp, uint32_t slot, const std::string& device_id,
                                     const CallContext& context) {
  std::set<std::string> served;
  VCD_RETURN_IF_ERROR(ListCharacterDevices(qmp, Name(slot), &served, context));
  if (served.count(Name(slot)) != 0) {
    return absl::FailedPreconditionError(
        "another program serves it (vhost-user), which no image holds; detach it first");
  }
  const auto property = [&](const char* name) -> absl::StatusOr<uint32_t> {
    const json path = {{"path", absl::StrCat("/machine/peripheral/", device_id)}, {"property", name}};
    VCD_ASSIGN_OR_RETURN(const json value, qmp.Execute("qom-get", path, Step(context)));
    if (value.is_number_unsigned() && value <= UINT16_MAX) return value.get<uint32_t>();
    return absl::InternalError(absl::StrCat("qemu tells no ", name, " of ", device_id));
  };
  SavedNic nic;
  nic.slot = slot;
  VCD_ASSIGN_OR_RETURN(nic.mtu, property("host_mtu"));
  VCD_ASSIGN_OR_RETURN(const uint32_t vectors, property("vectors"));
  // As in PlugNic.
  if (vectors > kVectorsBesideQueues) nic.queues = (vectors - kVectorsBesideQueues) / 2;
  return nic;
}

absl::Status RemoveNicBackend(QmpClient& qmp, uint32_t slot, const std::string& device_id, size_t queues,
                              const CallContext& context) {
  const json id = {{"id", Name(slot)}};
  VCD_RETURN_IF_ERROR(RemoveBackend(qmp, "netdev_del", id, device_id, context));
  VCD_RETURN_IF_ERROR(RemoveBackend(qmp, "chardev-remove", id, device_id, context));
  return CloseDescriptors(qmp, slot, queues, context);
}

}  // namespace vcd
