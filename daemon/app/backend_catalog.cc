// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/backend_catalog.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/agent/mock/mock_agent.h"
#include "backends/agent/native/native_agent.h"
#include "backends/agent/noop/noop_agent.h"
#include "backends/hypervisor/mock/mock_hypervisor.h"
#include "backends/hypervisor/qemu/qemu_hypervisor.h"
#include "backends/mock/mock_control.h"
#include "backends/network/cni/cni_network.h"
#include "backends/network/cnm/cnm_network.h"
#include "backends/network/mock/mock_network.h"
#include "backends/network/none/none_network.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

ConfinementOptions ToConfinementOptions(const config::v1::DaemonConfig& config) {
  ConfinementOptions options;
  options.private_users = config.confinement().user() == "private";
  options.uids_dir = absl::StrCat(config.run_dir(), "/uids");
  options.first_uid = config.confinement().first_uid();
  options.uid_count = config.confinement().uid_count();
  if (config.confinement().cgroup() != "none") options.cgroup = config.confinement().cgroup();
  options.memory_overhead_mib = config.confinement().memory_overhead_mib();
  options.pids_limit = config.confinement().pids_limit();
  return options;
}

QemuOptions ToQemuOptions(const config::v1::DaemonConfig& daemon) {
  const config::v1::QemuConfig& config = daemon.qemu();
  QemuOptions options;
  options.path = config.path();
  options.kernel_path = config.kernel_path();
  options.initrd_path = config.initrd_path();
  options.firmware_path = config.firmware_path();
  options.machine_type = config.machine_type();
  options.accelerator = config.accelerator();
  options.virtiofsd_path = config.virtiofsd_path();
  options.default_vcpus = config.default_vcpus();
  options.default_memory_mib = config.default_memory_mib();
  options.max_console_bytes = config.max_console_bytes();
  options.confinement = ToConfinementOptions(daemon);
  options.max_vcpus = config.max_vcpus();
  options.max_memory_mib = config.max_memory_mib();
  return options;
}

CniNetwork::Options ToCniOptions(const config::v1::DaemonConfig& daemon) {
  const config::v1::NetworksConfig& config = daemon.networks();
  CniNetwork::Options options;
  options.config_dir = config.cni_config_dir();
  options.plugin_dirs = {config.cni_plugin_dirs().begin(), config.cni_plugin_dirs().end()};
  options.plugin_timeout = absl::Seconds(config.cni_timeout_seconds());
  options.default_network.bridge = config.default_bridge();
  options.default_network.subnet = config.default_subnet();
  options.default_network.subnet6 = config.default_subnet6();
  options.default_network.addresses_dir = absl::StrCat(daemon.state_dir(), "/cni/ipam");
  options.queue.directory = absl::StrCat(daemon.state_dir(), "/cni/pending");
  options.queue.netns_dir = absl::StrCat(daemon.run_dir(), "/cni");
  return options;
}

template <typename Backend>
absl::Status CheckDefault(const std::string& kind, const std::string& name,
                          const std::map<std::string, std::unique_ptr<Backend>>& backends) {
  if (backends.count(name) != 0) return absl::OkStatus();
  const std::string known =
      absl::StrJoin(backends, ", ", [](std::string* out, const auto& entry) { out->append(entry.first); });
  return WithDetail(
      absl::InvalidArgumentError(absl::StrCat("`", kind, "`: there is no ", kind, " `", name, "`; known are: ", known)),
      {v1::ERROR_REASON_UNKNOWN_BACKEND, {{"field", kind}, {"known", known}}});
}

v1::BackendInfo Describe(const std::string& kind, const std::string& name, const std::string& default_name,
                         const std::vector<std::pair<bool, const char*>>& capabilities) {
  v1::BackendInfo info;
  info.set_kind(kind);
  info.set_name(name);
  info.set_is_default(name == default_name);
  for (const auto& [has, capability] : capabilities) {
    if (has) info.add_capabilities(capability);
  }
  return info;
}

}  // namespace

absl::StatusOr<BackendCatalog> MakeBackendCatalog(const config::v1::DaemonConfig& config, IoThread& io) {
  BackendCatalog catalog;
  VCD_ASSIGN_OR_RETURN(std::unique_ptr<QemuHypervisor> qemu, QemuHypervisor::Create(io, ToQemuOptions(config)));
  catalog.accelerator.set_name(qemu->accelerator().name);
  catalog.accelerator.set_reason(qemu->accelerator().reason);
  Backends& backends = catalog.backends;
  backends.hypervisors["qemu"] = std::move(qemu);
  VCD_ASSIGN_OR_RETURN(catalog.mock, MockControl::Create(io, config.mock()));
  backends.hypervisors["mock"] = std::make_unique<MockHypervisor>(io, catalog.mock);
  backends.agents["mock"] = std::make_unique<MockAgent>(io, catalog.mock);
  backends.networks["mock"] = std::make_unique<MockNetwork>(catalog.mock);
  backends.agents["native"] = std::make_unique<NativeAgent>(io);
  backends.agents["noop"] = std::make_unique<NoopAgent>(io);
  backends.networks["cnm"] = std::make_unique<CnmNetwork>(PodEndpoints::Options());
  backends.networks["cni"] = std::make_unique<CniNetwork>(ToCniOptions(config));
  backends.networks["none"] = std::make_unique<NoneNetwork>();
  backends.default_hypervisor = config.hypervisor();
  backends.default_agent = config.agent();
  backends.default_network = config.network();
  return catalog;
}

absl::Status CheckDefaults(const Backends& backends) {
  VCD_RETURN_IF_ERROR(CheckDefault("hypervisor", backends.default_hypervisor, backends.hypervisors));
  VCD_RETURN_IF_ERROR(CheckDefault("agent", backends.default_agent, backends.agents));
  return CheckDefault("network", backends.default_network, backends.networks);
}

std::vector<v1::BackendInfo> DescribeBackends(const Backends& backends) {
  std::vector<v1::BackendInfo> infos;
  for (const auto& [name, hypervisor] : backends.hypervisors) {
    const HypervisorCapabilities can = hypervisor->capabilities();
    infos.push_back(Describe("hypervisor", name, backends.default_hypervisor,
                             {{can.agent_channel, "agent_channel"},
                              {can.simulated_guest, "simulated_guest"},
                              {can.disk_hotplug, "disk_hotplug"},
                              {can.directory_sharing, "directory_sharing"},
                              {can.pause, "pause"}}));
  }
  for (const auto& [name, agent] : backends.agents) {
    const AgentCapabilities can = agent->capabilities();
    infos.push_back(Describe("agent", name, backends.default_agent,
                             {{can.runs_processes, "runs_processes"},
                              {can.simulates_guest, "simulates_guest"},
                              {can.archives, "archives"}}));
  }
  for (const auto& [name, network] : backends.networks) {
    infos.push_back(Describe("network", name, backends.default_network, {}));
  }
  return infos;
}

}  // namespace vcd
