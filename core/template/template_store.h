// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_TEMPLATE_TEMPLATE_STORE_H_
#define VCD_CORE_TEMPLATE_TEMPLATE_STORE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/filesystem.h"
#include "core/template/template_info.h"

namespace vcd {

// A template on disk.
struct StoredTemplate {
  std::string directory;
  TemplateInfo info;  // `ready`.
};

// Templates on disk, each in a directory of its own:
//
//   <root>/<key>.<time>/template.json  what it is; written last, so that a directory with one is a whole template
//                      /…              the image of its machine (VirtualMachine::SaveImage)
//
// The time, in microseconds of the Unix epoch, tells a template from one of the same key before it. Calls block on the
// disk. Thread-safe for different directories.
class TemplateStore {
 public:
  TemplateStore(Filesystem& filesystem, std::string root) : filesystem_(filesystem), root_(std::move(root)) {}

  // All that are whole, in no order; removes those that are not, and leaves alone what is named as none is. The root is
  // made.
  absl::StatusOr<std::vector<StoredTemplate>> Load();

  // A new directory with nothing in it. The entry is not durable.
  absl::StatusOr<std::string> Begin(const std::string& key);

  // Completes the template in a directory; durable.
  absl::Status Complete(const std::string& directory, const TemplateInfo& info);

  // Removes one, whole or not. OK when there is none.
  absl::Status Remove(const std::string& directory);

  // What its files take on disk: about what the host's memory holds of it while it is used.
  static uint64_t SizeOf(const std::string& directory);

 private:
  absl::StatusOr<TemplateInfo> Read(const std::string& directory);

  Filesystem& filesystem_;
  const std::string root_;
};

}  // namespace vcd

#endif  // VCD_CORE_TEMPLATE_TEMPLATE_STORE_H_
