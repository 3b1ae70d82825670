// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_image_key.h"

#include <sys/utsname.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backends/hypervisor/qemu/image_digest.h"
#include "core/os/proc_file.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Of how images are made: an older vcd's are not for this one.
constexpr char kGeneration[] = "vcd-qemu-image-1";

// Of the first CPU: what it is, what it can do, its microcode. Others of the host may have other clocks, and no more.
std::string HostCpu() {
  std::string cpuinfo;
  std::string cpu;
  if (!ReadProcFile("/proc/cpuinfo", &cpuinfo)) return cpu;
  for (const absl::string_view line : absl::StrSplit(cpuinfo.substr(0, cpuinfo.find("\n\n")), '\n')) {
    for (const char* key : {"vendor_id", "cpu family", "model", "stepping", "microcode", "flags"}) {
      if (absl::StartsWith(line, key)) absl::StrAppend(&cpu, line, "\n");
    }
  }
  return cpu;
}

}  // namespace

absl::Status CheckImageable(const v1::HypervisorConfig& config) {
  const auto refuse = [](const char* why) {
    return absl::FailedPreconditionError(absl::StrCat("hypervisor_config.", why));
  };
  if (config.huge_pages()) return refuse("huge_pages: no image is made of memory of huge pages");
  if (config.memory_prealloc())
    return refuse("memory_prealloc: memory that is taken at once does not come from an image");
  if (config.memory_lock()) return refuse("memory_lock: memory that is locked does not come from an image");
  if (config.hypervisor_params_size() > 0) {
    return refuse("hypervisor_params: nobody knows whether what they add can be saved");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> QemuImageKey(const std::vector<std::string>& argv, const v1::HypervisorConfig& config,
                                         FileDigestCache& digests, const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckImageable(config));
  ImageDigest key;
  key.Add(kGeneration);
  for (const std::string& argument : argv) key.Add(argument);
  for (const std::string& path :
       {config.hypervisor_path(), config.firmware_path(), config.kernel_path(), config.initrd_path()}) {
    VCD_ASSIGN_OR_RETURN(const std::string digest, digests.Sha512(path, context));
    key.Add(digest);
  }
  utsname host{};
  if (::uname(&host) == 0) key.Add(absl::StrCat(host.release, " ", host.version));
  key.Add(HostCpu());
  return key.Finish();
}

}  // namespace vcd
