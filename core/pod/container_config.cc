// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_config.h"

#include "absl/strings/str_cat.h"
#include "core/model/ids.h"
#include "core/model/rootfs_image.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

absl::Status CompleteImage(v1::ImageRootfs& image, const std::string& field) {
  absl::StatusOr<std::string> fs_type = DetectRootfsImage(image.path());
  if (!fs_type.ok()) return InvalidField(absl::StrCat(field, ".path"), fs_type.status().message());
  if (!image.fs_type().empty() && image.fs_type() != *fs_type) {
    return InvalidField(absl::StrCat(field, ".fs_type"),
                        absl::StrCat("\"", image.fs_type(), "\", but ", image.path(), " holds ", *fs_type));
  }
  image.set_fs_type(*fs_type);
  return absl::OkStatus();
}

}  // namespace

absl::Status CompleteContainerConfig(v1::ContainerConfig& config, bool reads_rootfs, const std::string& field) {
  if (config.id().empty()) config.set_id(GenerateId());
  if (!reads_rootfs) return absl::OkStatus();
  v1::Rootfs& rootfs = *config.mutable_rootfs();
  if (rootfs.has_image()) return CompleteImage(*rootfs.mutable_image(), absl::StrCat(field, ".rootfs.image"));
  return CheckRootfsDirectory(rootfs.directory().path(), absl::StrCat(field, ".rootfs.directory.path"));
}

}  // namespace vcd
