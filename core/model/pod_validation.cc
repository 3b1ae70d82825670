// SPDX-License-Identifier: Apache-2.0
#include "core/model/pod_validation.h"

#include <arpa/inet.h>

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/hypervisor/machine_size.h"
#include "core/model/container_validation.h"
#include "core/model/field_checks.h"
#include "core/model/hook_validation.h"
#include "core/model/ids.h"
#include "core/model/mounts.h"
#include "core/model/process_validation.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kMaxHostnameBytes = 253;  // Of a DNS name; the guest cuts it to 64.
constexpr int kMaxDnsServers = 3;          // MAXNS of <resolv.h>.

absl::Status CheckSize(const google::protobuf::Message& message, const std::string& field) {
  const size_t bytes = message.ByteSizeLong();
  if (bytes <= static_cast<size_t>(kMaxConfigBytes)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("has ", bytes, " bytes; at most ", kMaxConfigBytes, " are possible"));
}

absl::Status CheckHostname(const std::string& field, const std::string& hostname) {
  VCD_RETURN_IF_ERROR(CheckText(field, hostname, kMaxHostnameBytes));
  for (const char c : hostname) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_') continue;
    return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(hostname),
                                            "\" is no host name: letters, digits, '-', '.' and '_' are possible"));
  }
  return absl::OkStatus();
}

absl::Status CheckAddress(const std::string& field, const std::string& address) {
  in6_addr parsed;
  if (::inet_pton(AF_INET, address.c_str(), &parsed) == 1 || ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1) {
    return CheckText(field, address, INET6_ADDRSTRLEN);
  }
  return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(address), "\" is no IPv4 or IPv6 address"));
}

absl::Status CheckNames(const v1::PodConfig& config, const std::string& field) {
  const v1::DnsConfig& dns = config.dns();
  const std::string servers = absl::StrCat(field, ".dns.servers");
  if (dns.servers_size() > kMaxDnsServers) {
    return InvalidField(servers,
                        absl::StrCat("has ", dns.servers_size(), " addresses; programs look at ", kMaxDnsServers));
  }
  for (int i = 0; i < dns.servers_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckAddress(Element(servers, i), dns.servers(i)));
  }
  for (int i = 0; i < dns.searches_size(); ++i) {
    const std::string element = Element(absl::StrCat(field, ".dns.searches"), i);
    VCD_RETURN_IF_ERROR(CheckWord(element, dns.searches(i), kMaxHostnameBytes));
    VCD_RETURN_IF_ERROR(CheckHostname(element, dns.searches(i)));
  }
  for (int i = 0; i < dns.options_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckWord(Element(absl::StrCat(field, ".dns.options"), i), dns.options(i), kMaxNameBytes));
  }
  for (int i = 0; i < config.host_aliases_size(); ++i) {
    const v1::HostAlias& alias = config.host_aliases(i);
    const std::string element = Element(absl::StrCat(field, ".host_aliases"), i);
    VCD_RETURN_IF_ERROR(CheckAddress(absl::StrCat(element, ".ip"), alias.ip()));
    const std::string hostnames = absl::StrCat(element, ".hostnames");
    if (alias.hostnames().empty()) return InvalidField(hostnames, "is empty; an address needs a name");
    for (int n = 0; n < alias.hostnames_size(); ++n) {
      VCD_RETURN_IF_ERROR(CheckWord(Element(hostnames, n), alias.hostnames(n), kMaxHostnameBytes));
      VCD_RETURN_IF_ERROR(CheckHostname(Element(hostnames, n), alias.hostnames(n)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSockets(const v1::PodConfig& config, const std::string& field) {
  for (int i = 0; i < config.sockets_size(); ++i) {
    const v1::Socket& socket = config.sockets(i);
    const std::string element = Element(field, i);
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(element, ".device_id"), socket.device_id(), kMaxNameBytes));
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(element, ".id"), socket.id(), kMaxNameBytes));
    VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(element, ".host_path"), socket.host_path()));
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(element, ".name"), socket.name(), kMaxNameBytes));
  }
  return absl::OkStatus();
}

absl::Status CheckMachine(const v1::HypervisorConfig& config, const std::string& field) {
  const std::pair<const char*, const std::string*> paths[] = {{"kernel_path", &config.kernel_path()},
                                                              {"initrd_path", &config.initrd_path()},
                                                              {"image_path", &config.image_path()},
                                                              {"firmware_path", &config.firmware_path()},
                                                              {"hypervisor_path", &config.hypervisor_path()}};
  for (const auto& [name, path] : paths) {
    VCD_RETURN_IF_ERROR(CheckOptionalPath(absl::StrCat(field, ".", name), *path));
  }
  for (int i = 0; i < config.kernel_params_size(); ++i) {
    const v1::Param& param = config.kernel_params(i);
    const std::string element = Element(absl::StrCat(field, ".kernel_params"), i);
    if (param.key().empty() && param.value().empty()) return InvalidField(element, "is empty");
    // Parameters are joined by blanks, so a blank inside one would make two of it.
    if (!param.key().empty()) VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(element, ".key"), param.key(), kMaxKeyBytes));
    if (!param.value().empty()) {
      VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(element, ".value"), param.value(), kMaxKeyBytes));
    }
  }
  const std::string& accelerator = config.accelerator();
  if (!accelerator.empty() && accelerator != "kvm" && accelerator != "tcg") {
    return InvalidField(
        absl::StrCat(field, ".accelerator"),
        absl::StrCat("\"", absl::CHexEscape(accelerator), "\" is unknown; known are kvm, tcg, or empty to choose"));
  }
  if (!config.machine_type().empty()) {
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(field, ".machine_type"), config.machine_type(), kMaxNameBytes));
  }
  return absl::OkStatus();
}

// Of what is given; what is not gets its default later, and the whole is checked again then.
absl::Status CheckGivenSize(const std::string& field, const std::string& memory, uint32_t memory_mib,
                            const std::string& cpus, uint32_t vcpus) {
  VCD_RETURN_IF_ERROR(CheckMostMemory(absl::StrCat(field, memory), memory_mib));
  return vcpus != 0 ? CheckVcpus(absl::StrCat(field, cpus), vcpus) : absl::OkStatus();
}

absl::Status CheckGivenSizes(const v1::PodConfig& config, const std::string& field) {
  const v1::HypervisorConfig& machine = config.hypervisor_config();
  VCD_RETURN_IF_ERROR(CheckGivenSize(absl::StrCat(field, ".resources."), "memory_mib", config.resources().memory_mib(),
                                     "vcpus", config.resources().vcpus()));
  return CheckGivenSize(absl::StrCat(field, ".hypervisor_config."), "default_memory_mib", machine.default_memory_mib(),
                        "default_vcpus", machine.default_vcpus());
}

}  // namespace

absl::Status CheckConfigSize(const v1::PodConfig& config) { return CheckSize(config, "config"); }

absl::Status ValidateCmd(const v1::Cmd& cmd, const std::string& field) {
  VCD_RETURN_IF_ERROR(CheckSize(cmd, field));
  return CheckCmd(cmd, field);
}

absl::Status ValidateContainerConfig(const v1::ContainerConfig& config, bool runs_processes, const std::string& field) {
  VCD_RETURN_IF_ERROR(CheckSize(config, field));
  VCD_RETURN_IF_ERROR(CheckContainer(config, runs_processes, field));
  return CheckContainerIsImplemented(config, runs_processes, field);
}

absl::Status ValidatePodConfig(const v1::PodConfig& config, bool runs_processes, const std::string& field) {
  const auto path = [&field](absl::string_view name) { return absl::StrCat(field, ".", name); };
  VCD_RETURN_IF_ERROR(CheckSize(config, field));
  if (!config.id().empty()) VCD_RETURN_IF_ERROR(ValidateId(path("id"), config.id()));
  if (!config.trust_domain().empty()) VCD_RETURN_IF_ERROR(ValidateId(path("trust_domain"), config.trust_domain()));
  VCD_RETURN_IF_ERROR(CheckHostname(path("hostname"), config.hostname()));
  VCD_RETURN_IF_ERROR(CheckNames(config, field));
  VCD_RETURN_IF_ERROR(CheckHooks(config.hooks(), path("hooks")));
  VCD_RETURN_IF_ERROR(CheckMachine(config.hypervisor_config(), path("hypervisor_config")));
  VCD_RETURN_IF_ERROR(CheckGivenSizes(config, field));
  VCD_RETURN_IF_ERROR(CheckOptionalPath(path("network_config.netns_path"), config.network_config().netns_path()));
  VCD_RETURN_IF_ERROR(CheckVolumes(config, path("volumes")));
  VCD_RETURN_IF_ERROR(CheckSockets(config, path("sockets")));
  VCD_RETURN_IF_ERROR(ValidateAnnotations(config.annotations(), path("annotations")));
  std::set<std::string> ids;
  for (int i = 0; i < config.containers_size(); ++i) {
    const v1::ContainerConfig& container = config.containers(i);
    const std::string element = Element(path("containers"), i);
    VCD_RETURN_IF_ERROR(CheckContainer(container, runs_processes, element));
    VCD_RETURN_IF_ERROR(CheckVolumeTags(container, config, element));
    if (!container.id().empty() && !ids.insert(container.id()).second) {
      return InvalidField(absl::StrCat(element, ".id"),
                          absl::StrCat("\"", container.id(), "\" is the id of an earlier container too"));
    }
  }

  if (!config.sockets().empty()) return NotImplementedField(path("sockets"), "sockets");
  if (!config.hypervisor_config().image_path().empty()) {
    return NotImplementedField(path("hypervisor_config.image_path"), "guest root images");
  }
  for (int i = 0; i < config.containers_size(); ++i) {
    VCD_RETURN_IF_ERROR(
        CheckContainerIsImplemented(config.containers(i), runs_processes, Element(path("containers"), i)));
  }
  return absl::OkStatus();
}

}  // namespace vcd
