// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_TEMPLATE_TEMPLATE_OPTIONS_H_
#define VCD_CORE_TEMPLATE_TEMPLATE_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace vcd {

// How templates are made and used. The directories' parents exist.
struct TemplateOptions {
  bool enabled = false;
  std::string directory;  // Survives a restart of the host, as do the templates.
  std::string run_dir;    // Of the machines that templates are made of.
  std::string warm_dir;   // Of those that are made from templates and wait for pods, and are of pods later.
  std::string trust_domain = "default";  // Of pods that name none.
  uint32_t max_templates = 4;
  uint64_t max_memory_bytes = uint64_t{1} << 30;  // For all of them, and as much for all machines that wait.
  uint32_t warm_machines = 0;                     // How many wait, of each template.
  // A machine that has not answered by then is given up, and booted instead.
  absl::Duration clone_timeout = absl::Seconds(5);
  absl::Duration build_timeout = absl::Minutes(2);
  // A guest that has just answered still loads what containers will want, which each machine made of it would do again;
  // emulated, that takes most of a second.
  absl::Duration settle_time = absl::Seconds(1);
  // One that was used in this time does not make room for another.
  absl::Duration keep_used = absl::Minutes(1);
  // How long one that could not be made, or was of no use, is not made again.
  absl::Duration retry_after = absl::Minutes(2);
};

}  // namespace vcd

#endif  // VCD_CORE_TEMPLATE_TEMPLATE_OPTIONS_H_
