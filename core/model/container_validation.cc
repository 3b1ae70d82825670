// SPDX-License-Identifier: Apache-2.0
#include "core/model/container_validation.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/model/container_limits.h"
#include "core/model/field_checks.h"
#include "core/model/hook_validation.h"
#include "core/model/ids.h"
#include "core/model/linux_validation.h"
#include "core/model/mounts.h"
#include "core/model/process_validation.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status CheckDiskType(const std::string& field, const std::string& type) {
  if (type.empty() || IsDiskFilesystem(type)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(type), "\" is unknown; known are ", kDiskFilesystems,
                                          ", or empty to look into it"));
}

absl::Status CheckRootfs(const v1::ContainerConfig& config, bool runs_processes, const std::string& field) {
  const v1::Rootfs& rootfs = config.rootfs();
  switch (rootfs.source_case()) {
    case v1::Rootfs::kImage:
      VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(field, ".image.path"), rootfs.image().path()));
      return CheckDiskType(absl::StrCat(field, ".image.fs_type"), rootfs.image().fs_type());
    case v1::Rootfs::kDirectory:
      return CheckAbsolutePath(absl::StrCat(field, ".directory.path"), rootfs.directory().path());
    case v1::Rootfs::kBlock: {
      VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(field, ".block.path"), rootfs.block().path()));
      const std::string options = absl::StrCat(field, ".block.options");
      for (int i = 0; i < rootfs.block().options_size(); ++i) {
        VCD_RETURN_IF_ERROR(CheckWord(Element(options, i), rootfs.block().options(i), kMaxPathBytes));
      }
      return CheckDiskType(absl::StrCat(field, ".block.fs_type"), rootfs.block().fs_type());
    }
    case v1::Rootfs::SOURCE_NOT_SET:
      if (!runs_processes) return absl::OkStatus();
      return InvalidField(
          field,
          "is missing; set rootfs.image.path, rootfs.directory.path or rootfs.block.path, or with vc --rootfs PATH");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckContainer(const v1::ContainerConfig& config, bool runs_processes, const std::string& field) {
  if (!config.id().empty()) VCD_RETURN_IF_ERROR(ValidateId(absl::StrCat(field, ".id"), config.id()));
  VCD_RETURN_IF_ERROR(CheckRootfs(config, runs_processes, absl::StrCat(field, ".rootfs")));
  VCD_RETURN_IF_ERROR(ValidateAnnotations(config.annotations(), absl::StrCat(field, ".annotations")));
  VCD_RETURN_IF_ERROR(CheckMounts(config, absl::StrCat(field, ".mounts")));
  VCD_RETURN_IF_ERROR(CheckDevices(config, absl::StrCat(field, ".devices")));
  VCD_RETURN_IF_ERROR(ValidateContainerResources(config.resources(), absl::StrCat(field, ".resources")));
  VCD_RETURN_IF_ERROR(CheckLinuxSettings(config.linux(), absl::StrCat(field, ".linux")));
  VCD_RETURN_IF_ERROR(CheckHooks(config.hooks(), absl::StrCat(field, ".hooks")));
  // A pretend guest runs nothing, so it may be given nothing to run.
  if (!runs_processes && config.cmd().args().empty()) return absl::OkStatus();
  return CheckCmd(config.cmd(), absl::StrCat(field, ".cmd"));
}

absl::Status CheckContainerIsImplemented(const v1::ContainerConfig& config, bool runs_processes,
                                         const std::string& field) {
  if (!runs_processes && config.resources().ByteSizeLong() != 0) {
    return NotImplementedField(absl::StrCat(field, ".resources"), "limits of containers without processes");
  }
  return absl::OkStatus();
}

}  // namespace vcd
