// SPDX-License-Identifier: Apache-2.0
#include "core/model/linux_validation.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/model/field_checks.h"
#include "core/model/seccomp_program.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kMaxSysctlValueBytes = 4095;
constexpr int64_t kMaxDeviceMajor = (1 << 12) - 1;
constexpr int64_t kMaxDeviceMinor = (1 << 20) - 1;

absl::Status CheckPaths(const v1::PathList& list, const std::string& field) {
  for (int i = 0; i < list.paths_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckBelowRoot(Element(absl::StrCat(field, ".paths"), i), list.paths(i)));
  }
  return absl::OkStatus();
}

// The parameters of namespaces that a container, or its pod, has for itself.
bool IsNamespaced(const std::string& sysctl) {
  if (sysctl == "kernel.sem") return true;
  return absl::StartsWith(sysctl, "kernel.shm") || absl::StartsWith(sysctl, "kernel.msg") ||
         absl::StartsWith(sysctl, "fs.mqueue.") || absl::StartsWith(sysctl, "net.");
}

absl::Status CheckSysctls(const v1::LinuxSettings& settings, const std::string& field) {
  for (const auto& [name, value] : settings.sysctls()) {
    const std::string key = absl::StrCat(field, " key");
    VCD_RETURN_IF_ERROR(CheckWord(key, name, kMaxNameBytes));
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
    });
    if (!plain || absl::StrContains(name, "..") || name.back() == '.') {
      return InvalidField(key, absl::StrCat("\"", absl::CHexEscape(name), "\" is no dotted name of a parameter"));
    }
    if (name == "kernel.hostname" || name == "kernel.domainname") {
      return InvalidField(key, absl::StrCat("\"", name, "\" is set by the pod's `hostname`"));
    }
    if (!IsNamespaced(name)) {
      return InvalidField(key, absl::StrCat("\"", name,
                                            "\" is one for the whole guest; possible are kernel.shm*, kernel.msg*, "
                                            "kernel.sem, fs.mqueue.* and net.*"));
    }
    VCD_RETURN_IF_ERROR(CheckText(absl::StrCat(field, "[", name, "]"), value, kMaxSysctlValueBytes));
  }
  return absl::OkStatus();
}

// A device of the host: the guest gives it its number.
absl::Status CheckHostDevice(const v1::Device& device, const std::string& element) {
  VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(element, ".host_path"), device.host_path()));
  if (device.major() != 0 || device.minor() != 0) {
    return InvalidField(absl::StrCat(element, device.major() != 0 ? ".major" : ".minor"),
                        "is the guest's to give for a device of `host_path`; leave it out");
  }
  if (device.type().empty() || device.type() == "b" || device.type() == "c") return absl::OkStatus();
  return InvalidField(
      absl::StrCat(element, ".type"),
      absl::StrCat("\"", absl::CHexEscape(device.type()), "\" is no type of a device of `host_path`; leave it out"));
}

absl::Status CheckDevice(const v1::Device& device, const std::string& element) {
  const std::string path_field = absl::StrCat(element, ".container_path");
  const std::string& path = device.container_path();
  VCD_RETURN_IF_ERROR(CheckAbsolutePath(path_field, path));
  if (!absl::StartsWith(path, "/dev/") || path.back() == '/' || absl::StrContains(path, "/..")) {
    return InvalidField(path_field, absl::StrCat("\"", absl::CHexEscape(path), "\" is not below /dev"));
  }
  if (device.file_mode() > 0777) {
    return InvalidField(absl::StrCat(element, ".file_mode"),
                        absl::StrCat(device.file_mode(), " is more than permission bits, at most 511 (0777)"));
  }
  if (!device.host_path().empty()) return CheckHostDevice(device, element);
  if (device.readonly()) return InvalidField(absl::StrCat(element, ".readonly"), "is for a disk of `host_path`");
  const std::string& type = device.type();
  if (type.size() != 1 || !absl::StrContains("cubp", type)) {
    return InvalidField(absl::StrCat(element, ".type"),
                        absl::StrCat("\"", absl::CHexEscape(type), "\" is unknown; known are c, u, b, p"));
  }
  if (device.major() < 0 || device.major() > kMaxDeviceMajor) {
    return InvalidField(absl::StrCat(element, ".major"),
                        absl::StrCat(device.major(), " is no device number; at most ", kMaxDeviceMajor));
  }
  if (device.minor() < 0 || device.minor() > kMaxDeviceMinor) {
    return InvalidField(absl::StrCat(element, ".minor"),
                        absl::StrCat(device.minor(), " is no device number; at most ", kMaxDeviceMinor));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLinuxSettings(const v1::LinuxSettings& settings, const std::string& field) {
  VCD_RETURN_IF_ERROR(CheckPaths(settings.masked_paths(), absl::StrCat(field, ".masked_paths")));
  VCD_RETURN_IF_ERROR(CheckPaths(settings.readonly_paths(), absl::StrCat(field, ".readonly_paths")));
  VCD_RETURN_IF_ERROR(CheckSysctls(settings, absl::StrCat(field, ".sysctls")));
  if (!settings.has_seccomp()) return absl::OkStatus();
  return CompileSeccompProfile(settings.seccomp(), absl::StrCat(field, ".seccomp")).status();
}

absl::Status CheckDevices(const v1::ContainerConfig& config, const std::string& field) {
  std::set<std::string> paths;
  for (int i = 0; i < config.devices_size(); ++i) {
    const std::string element = Element(field, i);
    VCD_RETURN_IF_ERROR(CheckDevice(config.devices(i), element));
    if (!paths.insert(config.devices(i).container_path()).second) {
      return InvalidField(absl::StrCat(element, ".container_path"),
                          absl::StrCat("\"", config.devices(i).container_path(), "\" is that of an earlier one too"));
    }
  }
  return absl::OkStatus();
}

}  // namespace vcd
