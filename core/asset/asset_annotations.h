// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ASSET_ASSET_ANNOTATIONS_H_
#define VCD_CORE_ASSET_ASSET_ANNOTATIONS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// virtcontainers' annotations that say which files a pod's machine is made of: `KernelPath`, `KernelHash`, `ImagePath`,
// `ImageHash`, `FirmwarePath`, `FirmwareHash`, `HypervisorPath`, `HypervisorHash`, `AssetHashType`, and in their manner
// `InitrdPath` and `InitrdHash`, all with this before them. Keys that go on with a part of their own (`pkg.oci.…`) are
// others' and are left alone.
inline constexpr char kAssetAnnotationPrefix[] = "com.github.containers.virtcontainers.";

// kInvalidArgument (INVALID_FIELD, `annotations["…"]`) naming the one that is unknown or wrong.
absl::Status CheckAssetAnnotations(const std::map<std::string, std::string>& annotations);

// Puts them over the fields of the configuration, one by one: an annotation wins over it. Empty ones say nothing. To be
// checked before.
void ApplyAssetAnnotations(const std::map<std::string, std::string>& annotations, v1::HypervisorConfig* config);

// An error about one of these fields, with the annotation named when the field came from one.
absl::Status NameAssetAnnotation(const absl::Status& status, const std::map<std::string, std::string>& annotations);

}  // namespace vcd

#endif  // VCD_CORE_ASSET_ASSET_ANNOTATIONS_H_
