// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/check/checks.h"

namespace vcd {
namespace {

void CheckDevice(const Host& host, const char* check, const char* path, Fault fault, Findings& findings) {
  if (!host.Stat(path).ok()) return findings.Bad(fault, "");
  findings.Good(check, path);
}

bool IsEmpty(const Host& host, const std::string& directory) {
  const auto names = host.List(directory);
  return !names.ok() || names->empty();
}

}  // namespace

void CheckDevices(const CheckSubject& subject, Findings& findings) {
  CheckDevice(subject.host, "tap", "/dev/net/tun", Fault::kNoTap, findings);
  CheckDevice(subject.host, "vhost_net", "/dev/vhost-net", Fault::kNoVhostNet, findings);
  CheckDevice(subject.host, "vsock", "/dev/vhost-vsock", Fault::kNoVsock, findings);
  if (IsEmpty(subject.host, "/sys/kernel/iommu_groups")) return findings.Bad(Fault::kNoIommu, "");
  CheckDevice(subject.host, "vfio", "/dev/vfio/vfio", Fault::kNoVfio, findings);
}

void CheckCni(const CheckSubject& subject, Findings& findings) {
  const auto& directories = subject.config.networks().cni_plugin_dirs();
  for (const std::string& directory : directories) {
    if (!IsEmpty(subject.host, directory)) return findings.Good("cni", directory);
  }
  findings.Bad(Fault::kNoCniPlugins, absl::StrCat("looked in ", absl::StrJoin(directories, ", ")));
}

void CheckImageTools(const CheckSubject& subject, Findings& findings) {
  for (const char* directory : {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin"}) {
    const std::string path = absl::StrCat(directory, "/mkfs.erofs");
    if (subject.host.Stat(path).ok()) return findings.Good("images", path);
  }
  findings.Bad(Fault::kNoErofsUtils, "");
}

}  // namespace vcd
