// SPDX-License-Identifier: Apache-2.0
#include "core/model/pod_validation.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/model/field_checks.h"
#include "core/model/ids.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kMaxHostnameBytes = 253;  // Of a DNS name; the guest cuts it to 64.
constexpr size_t kMaxMountTagBytes = 36;   // virtio-fs.
constexpr size_t kMaxKeyBytes = 1024;
constexpr size_t kMaxNameBytes = 256;        // Users, groups, backends.
constexpr uint32_t kMaxMemoryMib = 1 << 24;  // 16 TiB.
constexpr uint32_t kMaxVcpus = 288;          // What q35 takes at most.

using Strings = google::protobuf::RepeatedPtrField<std::string>;

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

absl::Status CheckEnvs(const google::protobuf::RepeatedPtrField<v1::EnvVar>& envs, const std::string& field) {
  for (int i = 0; i < envs.size(); ++i) {
    const std::string& name = envs[i].name();
    const std::string name_field = absl::StrCat(Element(field, i), ".name");
    if (name.empty()) return InvalidField(name_field, "is empty");
    VCD_RETURN_IF_ERROR(CheckText(name_field, name, kMaxArgumentBytes));
    if (absl::StrContains(name, '=')) {
      return InvalidField(name_field, absl::StrCat("\"", absl::CHexEscape(name), "\" holds '='"));
    }
    const std::string value_field = absl::StrCat(Element(field, i), ".value");
    VCD_RETURN_IF_ERROR(CheckText(value_field, envs[i].value(), kMaxArgumentBytes));
    if (name.size() + 1 + envs[i].value().size() > kMaxArgumentBytes) {
      return InvalidField(value_field, absl::StrCat("is too long: name and value have more than ", kMaxArgumentBytes,
                                                    " bytes together"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCapabilities(const v1::LinuxCapabilities& capabilities, const std::string& field) {
  const std::pair<const char*, const Strings*> sets[] = {{"bounding", &capabilities.bounding()},
                                                         {"effective", &capabilities.effective()},
                                                         {"inheritable", &capabilities.inheritable()},
                                                         {"permitted", &capabilities.permitted()},
                                                         {"ambient", &capabilities.ambient()}};
  for (const auto& [name, set] : sets) {
    for (int i = 0; i < set->size(); ++i) {
      const std::string& capability = set->Get(i);
      const std::string element = Element(absl::StrCat(field, ".", name), i);
      VCD_RETURN_IF_ERROR(CheckWord(element, capability, kMaxNameBytes));
      if (!absl::StartsWith(capability, "CAP_")) {
        return InvalidField(element, absl::StrCat("\"", capability, "\" is no capability; they begin with CAP_"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCmd(const v1::Cmd& cmd, const std::string& field) {
  const std::string args = absl::StrCat(field, ".args");
  if (cmd.args().empty()) return InvalidField(args, "is empty; it needs the program to run");
  if (cmd.args(0).empty()) return InvalidField(Element(args, 0), "is empty; it names the program to run");
  for (int i = 0; i < cmd.args_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckText(Element(args, i), cmd.args(i), kMaxArgumentBytes));
  }
  VCD_RETURN_IF_ERROR(CheckEnvs(cmd.envs(), absl::StrCat(field, ".envs")));
  VCD_RETURN_IF_ERROR(CheckOptionalPath(absl::StrCat(field, ".work_dir"), cmd.work_dir()));
  if (!cmd.user().empty()) VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(field, ".user"), cmd.user(), kMaxNameBytes));
  if (!cmd.primary_group().empty()) {
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(field, ".primary_group"), cmd.primary_group(), kMaxNameBytes));
  }
  for (int i = 0; i < cmd.supplementary_groups_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckWord(Element(absl::StrCat(field, ".supplementary_groups"), i), cmd.supplementary_groups(i),
                                  kMaxNameBytes));
  }
  return CheckCapabilities(cmd.capabilities(), absl::StrCat(field, ".capabilities"));
}

absl::Status CheckCmdIsImplemented(const v1::Cmd& cmd, const std::string& field) {
  if (cmd.terminal()) return NotImplementedField(absl::StrCat(field, ".terminal"), "terminals");
  return absl::OkStatus();
}

absl::Status CheckRootfs(const v1::ContainerConfig& config, bool runs_processes, const std::string& field) {
  const v1::Rootfs& rootfs = config.rootfs();
  switch (rootfs.source_case()) {
    case v1::Rootfs::kImage: {
      VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(field, ".image.path"), rootfs.image().path()));
      const std::string& type = rootfs.image().fs_type();
      if (type.empty() || type == "erofs" || type == "squashfs" || type == "ext4") return absl::OkStatus();
      return InvalidField(absl::StrCat(field, ".image.fs_type"),
                          absl::StrCat("\"", absl::CHexEscape(type),
                                       "\" is unknown; known are erofs, squashfs, ext4, "
                                       "or empty to look into the image"));
    }
    case v1::Rootfs::kDirectory:
      return CheckAbsolutePath(absl::StrCat(field, ".directory.path"), rootfs.directory().path());
    case v1::Rootfs::SOURCE_NOT_SET:
      if (!runs_processes) return absl::OkStatus();
      return InvalidField(field, "is missing; set rootfs.image.path or rootfs.directory.path");
  }
  return absl::OkStatus();
}

absl::Status CheckMounts(const v1::ContainerConfig& config, const std::string& field) {
  for (int i = 0; i < config.mounts_size(); ++i) {
    const v1::Mount& mount = config.mounts(i);
    const std::string element = Element(field, i);
    VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(element, ".destination"), mount.destination()));
    VCD_RETURN_IF_ERROR(CheckText(absl::StrCat(element, ".source"), mount.source(), kMaxPathBytes));
    VCD_RETURN_IF_ERROR(CheckText(absl::StrCat(element, ".type"), mount.type(), kMaxNameBytes));
    for (int o = 0; o < mount.options_size(); ++o) {
      VCD_RETURN_IF_ERROR(CheckText(Element(absl::StrCat(element, ".options"), o), mount.options(o), kMaxPathBytes));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDevices(const v1::ContainerConfig& config, const std::string& field) {
  for (int i = 0; i < config.devices_size(); ++i) {
    const v1::Device& device = config.devices(i);
    const std::string element = Element(field, i);
    VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(element, ".container_path"), device.container_path()));
    const std::string& type = device.type();
    if (type.size() != 1 || !absl::StrContains("cubp", type)) {
      return InvalidField(absl::StrCat(element, ".type"),
                          absl::StrCat("\"", absl::CHexEscape(type), "\" is unknown; known are c, u, b, p"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHooks(const v1::Hooks& hooks, const std::string& field) {
  const std::pair<const char*, const google::protobuf::RepeatedPtrField<v1::Hook>*> lists[] = {
      {"prestart", &hooks.prestart()}, {"poststart", &hooks.poststart()}, {"poststop", &hooks.poststop()}};
  for (const auto& [name, list] : lists) {
    for (int i = 0; i < list->size(); ++i) {
      VCD_RETURN_IF_ERROR(
          CheckAbsolutePath(absl::StrCat(Element(absl::StrCat(field, ".", name), i), ".path"), list->Get(i).path()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckVolumes(const v1::PodConfig& config, const std::string& field) {
  std::set<std::string> tags;
  for (int i = 0; i < config.volumes_size(); ++i) {
    const v1::Volume& volume = config.volumes(i);
    const std::string tag_field = absl::StrCat(Element(field, i), ".mount_tag");
    VCD_RETURN_IF_ERROR(CheckWord(tag_field, volume.mount_tag(), kMaxMountTagBytes));
    if (!tags.insert(volume.mount_tag()).second) {
      return InvalidField(tag_field, absl::StrCat("\"", volume.mount_tag(), "\" is the tag of an earlier volume too"));
    }
    VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(Element(field, i), ".host_path"), volume.host_path()));
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

absl::Status CheckAtMost(const std::string& field, uint32_t value, uint32_t most) {
  if (value <= most) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(value, " is too much; at most ", most, " is possible"));
}

absl::Status CheckMachineSize(const v1::PodConfig& config, const std::string& field) {
  const v1::HypervisorConfig& machine = config.hypervisor_config();
  const std::string machine_field = absl::StrCat(field, ".hypervisor_config");
  VCD_RETURN_IF_ERROR(
      CheckAtMost(absl::StrCat(field, ".resources.memory_mib"), config.resources().memory_mib(), kMaxMemoryMib));
  VCD_RETURN_IF_ERROR(CheckAtMost(absl::StrCat(field, ".resources.vcpus"), config.resources().vcpus(), kMaxVcpus));
  VCD_RETURN_IF_ERROR(
      CheckAtMost(absl::StrCat(machine_field, ".default_memory_mib"), machine.default_memory_mib(), kMaxMemoryMib));
  return CheckAtMost(absl::StrCat(machine_field, ".default_vcpus"), machine.default_vcpus(), kMaxVcpus);
}

// All that does not depend on other containers, except what is not implemented.
absl::Status CheckContainer(const v1::ContainerConfig& config, bool runs_processes, const std::string& field) {
  if (!config.id().empty()) VCD_RETURN_IF_ERROR(ValidateId(absl::StrCat(field, ".id"), config.id()));
  VCD_RETURN_IF_ERROR(CheckRootfs(config, runs_processes, absl::StrCat(field, ".rootfs")));
  VCD_RETURN_IF_ERROR(ValidateAnnotations(config.annotations(), absl::StrCat(field, ".annotations")));
  VCD_RETURN_IF_ERROR(CheckMounts(config, absl::StrCat(field, ".mounts")));
  VCD_RETURN_IF_ERROR(CheckDevices(config, absl::StrCat(field, ".devices")));
  // A pretend guest runs nothing, so it may be given nothing to run.
  if (!runs_processes && config.cmd().args().empty()) return absl::OkStatus();
  return CheckCmd(config.cmd(), absl::StrCat(field, ".cmd"));
}

absl::Status CheckContainerIsImplemented(const v1::ContainerConfig& config, const std::string& field) {
  if (!config.mounts().empty()) return NotImplementedField(absl::StrCat(field, ".mounts"), "mounts");
  if (!config.devices().empty()) return NotImplementedField(absl::StrCat(field, ".devices"), "devices");
  const v1::ContainerResources& limits = config.resources();
  if (limits.ByteSizeLong() != 0) return NotImplementedField(absl::StrCat(field, ".resources"), "container limits");
  return CheckCmdIsImplemented(config.cmd(), absl::StrCat(field, ".cmd"));
}

}  // namespace

absl::Status NotImplementedField(absl::string_view field, absl::string_view what) {
  return WithDetail(absl::UnimplementedError(
                        absl::StrCat("`", field, "`: ", what, " are not implemented in this release; leave it out")),
                    {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"field", std::string(field)}}});
}

absl::Status ValidateAnnotations(const google::protobuf::Map<std::string, std::string>& annotations,
                                 const std::string& field) {
  for (const auto& [key, value] : annotations) {
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(field, " key"), key, kMaxKeyBytes));
    VCD_RETURN_IF_ERROR(CheckText(absl::StrCat(field, "[", key, "]"), value, kMaxConfigBytes));
  }
  return absl::OkStatus();
}

absl::Status CheckConfigSize(const v1::PodConfig& config) { return CheckSize(config, "config"); }

absl::Status ValidateCmd(const v1::Cmd& cmd, const std::string& field) {
  VCD_RETURN_IF_ERROR(CheckSize(cmd, field));
  VCD_RETURN_IF_ERROR(CheckCmd(cmd, field));
  return CheckCmdIsImplemented(cmd, field);
}

absl::Status ValidateContainerConfig(const v1::ContainerConfig& config, bool runs_processes, const std::string& field) {
  VCD_RETURN_IF_ERROR(CheckSize(config, field));
  VCD_RETURN_IF_ERROR(CheckContainer(config, runs_processes, field));
  return CheckContainerIsImplemented(config, field);
}

absl::Status ValidatePodConfig(const v1::PodConfig& config, bool runs_processes, const std::string& field) {
  const auto path = [&field](absl::string_view name) { return absl::StrCat(field, ".", name); };
  VCD_RETURN_IF_ERROR(CheckSize(config, field));
  if (!config.id().empty()) VCD_RETURN_IF_ERROR(ValidateId(path("id"), config.id()));
  VCD_RETURN_IF_ERROR(CheckHostname(path("hostname"), config.hostname()));
  VCD_RETURN_IF_ERROR(CheckHooks(config.hooks(), path("hooks")));
  VCD_RETURN_IF_ERROR(CheckMachine(config.hypervisor_config(), path("hypervisor_config")));
  VCD_RETURN_IF_ERROR(CheckMachineSize(config, field));
  VCD_RETURN_IF_ERROR(CheckOptionalPath(path("network_config.netns_path"), config.network_config().netns_path()));
  VCD_RETURN_IF_ERROR(CheckVolumes(config, path("volumes")));
  VCD_RETURN_IF_ERROR(CheckSockets(config, path("sockets")));
  VCD_RETURN_IF_ERROR(ValidateAnnotations(config.annotations(), path("annotations")));
  std::set<std::string> ids;
  for (int i = 0; i < config.containers_size(); ++i) {
    const v1::ContainerConfig& container = config.containers(i);
    const std::string element = Element(path("containers"), i);
    VCD_RETURN_IF_ERROR(CheckContainer(container, runs_processes, element));
    if (!container.id().empty() && !ids.insert(container.id()).second) {
      return InvalidField(absl::StrCat(element, ".id"),
                          absl::StrCat("\"", container.id(), "\" is the id of an earlier container too"));
    }
  }

  if (config.hooks().ByteSizeLong() != 0) return NotImplementedField(path("hooks"), "hooks");
  if (!config.volumes().empty()) return NotImplementedField(path("volumes"), "volumes");
  if (!config.sockets().empty()) return NotImplementedField(path("sockets"), "sockets");
  if (!config.hypervisor_config().image_path().empty()) {
    return NotImplementedField(path("hypervisor_config.image_path"), "guest root images");
  }
  for (int i = 0; i < config.containers_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckContainerIsImplemented(config.containers(i), Element(path("containers"), i)));
  }
  return absl::OkStatus();
}

}  // namespace vcd
