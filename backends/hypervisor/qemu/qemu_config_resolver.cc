// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_config_resolver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/guest_kernel.h"
#include "backends/hypervisor/qemu/guest_memory_need.h"
#include "backends/hypervisor/qemu/kernel_parameters.h"
#include "backends/hypervisor/qemu/machine_options.h"
#include "core/asset/asset_digests.h"
#include "core/hypervisor/machine_size.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

struct NeededFile {
  const char* field;
  const std::string& path;
  int access_mode;
  const char* advice;
};

// What stands in the way of using the file; empty when nothing does.
std::string ProblemOf(const NeededFile& file) {
  if (file.path.empty() || file.path[0] != '/') return "is not an absolute path";
  if (file.path.find('\0') != std::string::npos) return "holds a zero byte";
  struct stat info;
  if (stat(file.path.c_str(), &info) != 0) return strerror(errno);
  if (S_ISDIR(info.st_mode)) return "is a directory";
  if (!S_ISREG(info.st_mode)) return "is not a regular file";
  if (info.st_size == 0) return "is empty";
  if (faccessat(AT_FDCWD, file.path.c_str(), file.access_mode, AT_EACCESS) != 0) return strerror(errno);
  return "";
}

absl::Status CheckProblem(const NeededFile& file, const std::string& problem) {
  if (problem.empty()) return absl::OkStatus();
  return InvalidField(absl::StrCat("hypervisor_config.", file.field),
                      absl::StrCat(file.path, ": ", problem, "; ", file.advice));
}

absl::Status CheckFile(const NeededFile& file) { return CheckProblem(file, ProblemOf(file)); }

// A root image is not something this backend boots, but a wrong path is worth more than "not implemented".
absl::Status CheckImage(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CheckFile(
      {"image_path", path, R_OK, "the guest runs from its initramfs: leave image_path out, or set initrd_path"}));
  return WithDetail(
      absl::UnimplementedError(absl::StrCat("`hypervisor_config.image_path`: ", path,
                                            ": the guest runs from its initramfs; use hypervisor_config.initrd_path")),
      {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"field", "hypervisor_config.image_path"}}});
}

}  // namespace

absl::Status CheckQemuFiles(const v1::HypervisorConfig& config, const char* advice) {
  const auto or_else = [advice](const char* other) { return advice != nullptr ? advice : other; };
  VCD_RETURN_IF_ERROR(CheckFile({"hypervisor_path", config.hypervisor_path(), X_OK,
                                 or_else("install the package qemu-system-x86 or set qemu.path")}));
  VCD_RETURN_IF_ERROR(CheckFile({"firmware_path", config.firmware_path(), R_OK,
                                 or_else("install the package qemu-system-data or set qemu.firmware_path")}));
  const NeededFile kernel = {"kernel_path", config.kernel_path(), R_OK,
                             or_else("build one with `bazel build //guest/image` or set qemu.kernel_path")};
  VCD_RETURN_IF_ERROR(CheckFile(kernel));
  VCD_RETURN_IF_ERROR(CheckProblem(kernel, ReadGuestKernel(kernel.path).problem));
  return CheckFile({"initrd_path", config.initrd_path(), R_OK,
                    or_else("build one with `bazel build //guest/image` or set qemu.initrd_path")});
}

absl::Status CheckSizeForGuest(const v1::HypervisorConfig& config) {
  return CheckMachineSize(config, GuestMemoryNeedMib(config.kernel_path(), config.initrd_path()));
}

absl::StatusOr<v1::HypervisorConfig> ResolveQemuConfig(const v1::HypervisorConfig& config, const QemuOptions& options) {
  v1::HypervisorConfig resolved = config;
  if (resolved.hypervisor_path().empty()) resolved.set_hypervisor_path(options.path);
  if (resolved.kernel_path().empty()) resolved.set_kernel_path(options.kernel_path);
  if (resolved.initrd_path().empty()) resolved.set_initrd_path(options.initrd_path);
  if (resolved.firmware_path().empty()) resolved.set_firmware_path(options.firmware_path);
  if (resolved.machine_type().empty()) resolved.set_machine_type(options.machine_type);
  if (resolved.default_vcpus() == 0) resolved.set_default_vcpus(options.default_vcpus);
  if (resolved.default_memory_mib() == 0) resolved.set_default_memory_mib(options.default_memory_mib);
  FillMachineOptions(options.max_vcpus, options.max_memory_mib, &resolved);

  VCD_RETURN_IF_ERROR(CheckSizeForGuest(resolved));
  VCD_RETURN_IF_ERROR(CheckMachineOptions(resolved));
  VCD_RETURN_IF_ERROR(CheckKernelParameters(resolved));
  VCD_RETURN_IF_ERROR(CheckImage(resolved.image_path()));
  VCD_RETURN_IF_ERROR(CheckAssetDigests(resolved));
  VCD_RETURN_IF_ERROR(CheckQemuFiles(resolved));
  return resolved;
}

}  // namespace vcd
