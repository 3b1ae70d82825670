// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/check/checks.h"

namespace vcd {
namespace {

constexpr char kAcceleratorCheck[] = "accelerator";
constexpr char kKvmDevice[] = "/dev/kvm";
constexpr size_t kMaxCpuInfoBytes = 64 << 10;  // The first CPU is enough.

// `-machine …,i8042=off` came with it.
constexpr int kLeastQemu[] = {7, 0};

// What every machine is made of (qemu_command_line.h), and what disks are plugged in as.
const char* const kDevices[] = {"virtio-serial-pci", "virtserialport", "virtio-scsi-pci",
                                "scsi-hd",           "virtio-rng-pci", "pcie-root-port"};
const char* const kObjects[] = {"memory-backend-ram", "memory-backend-memfd"};
constexpr char kShareDevice[] = "vhost-user-fs-pci";

bool HasWord(absl::string_view line, absl::string_view word) {
  for (const absl::string_view part : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    if (part == word) return true;
  }
  return false;
}

// The words behind `flags` of the first CPU.
std::string CpuFlags(const Host& host) {
  const absl::StatusOr<std::string> info = host.Read("/proc/cpuinfo", 0, kMaxCpuInfoBytes);
  if (!info.ok()) return "";
  for (const absl::string_view line : absl::StrSplit(*info, '\n')) {
    if (absl::StartsWith(line, "flags")) return std::string(line);
  }
  return "";
}

Fault WhyNoKvm(const Host& host) {
  if (!host.Stat(kKvmDevice).ok()) {
    const std::string flags = CpuFlags(host);
    if (HasWord(flags, "vmx") || HasWord(flags, "svm")) return Fault::kKvmMissing;
    return HasWord(flags, "hypervisor") ? Fault::kNestingOff : Fault::kNoVirtualization;
  }
  if (!host.Access(kKvmDevice, R_OK | W_OK).ok()) return Fault::kKvmDenied;
  return host.Stat("/sys/module/kvm_pvm").ok() ? Fault::kKvmPvm : Fault::kKvmBroken;
}

// Names in what `-device help` and its like print: `name "x", bus …`, or a word at the beginning of a line.
bool Lists(const std::string& help, const std::string& name) {
  if (absl::StrContains(help, absl::StrCat("name \"", name, "\""))) return true;
  for (absl::string_view line : absl::StrSplit(help, '\n')) {
    line = absl::StripLeadingAsciiWhitespace(line);
    if (line == name || absl::StartsWith(line, absl::StrCat(name, " "))) return true;
  }
  return false;
}

// What QEMU has none of, as "device x"; an error when it does not answer.
absl::StatusOr<std::vector<std::string>> MissingParts(const CheckSubject& subject, bool* shares) {
  const std::string& qemu = subject.config.qemu().path();
  std::vector<std::string> missing;
  const auto help = [&](const char* kind) {
    return subject.answers.Ask(subject.host, {qemu, absl::StrCat("-", kind), "help"}, subject.deadline);
  };
  const absl::StatusOr<std::string> devices = help("device");
  if (!devices.ok()) return devices.status();
  for (const char* device : kDevices) {
    if (!Lists(*devices, device)) missing.push_back(absl::StrCat("device ", device));
  }
  *shares = Lists(*devices, kShareDevice);
  const absl::StatusOr<std::string> objects = help("object");
  if (!objects.ok()) return objects.status();
  for (const char* object : kObjects) {
    if (!Lists(*objects, object)) missing.push_back(absl::StrCat("object ", object));
  }
  const absl::StatusOr<std::string> machines = help("machine");
  if (!machines.ok()) return machines.status();
  const std::string& machine = subject.config.qemu().machine_type();
  if (!Lists(*machines, machine)) missing.push_back(absl::StrCat("machine ", machine));
  return missing;
}

bool IsOldQemu(const std::string& version, std::string* number) {
  int major = 0;
  int minor = 0;
  const size_t at = version.find("version ");
  if (at == std::string::npos || std::sscanf(version.c_str() + at, "version %d.%d", &major, &minor) != 2) return false;
  *number = absl::StrCat(major, ".", minor);
  return major < kLeastQemu[0] || (major == kLeastQemu[0] && minor < kLeastQemu[1]);
}

void CheckQemuAnswers(const CheckSubject& subject, Findings& findings) {
  const std::string& path = subject.config.qemu().path();
  const absl::StatusOr<std::string> version = subject.answers.Ask(subject.host, {path, "-version"}, subject.deadline);
  std::string number;
  if (!version.ok()) return findings.Bad(Fault::kQemuBroken, std::string(version.status().message()));
  const bool old = IsOldQemu(*version, &number);
  if (number.empty()) return findings.Bad(Fault::kQemuBroken, absl::StrCat(path, " is no QEMU"));
  if (old) return findings.Bad(Fault::kQemuOld, absl::StrCat(path, " is version ", number));
  bool shares = false;
  const absl::StatusOr<std::vector<std::string>> missing = MissingParts(subject, &shares);
  if (!missing.ok()) return findings.Bad(Fault::kQemuBroken, std::string(missing.status().message()));
  if (!missing->empty()) return findings.Bad(Fault::kQemuPartMissing, absl::StrJoin(*missing, ", "));
  if (!shares) findings.Bad(Fault::kQemuWithoutShares, path);
  findings.Good("qemu", absl::StrCat(path, ", version ", number));
}

}  // namespace

void CheckAccelerator(const CheckSubject& subject, Findings& findings) {
  const std::string& wanted = subject.config.qemu().accelerator();
  if (wanted == "tcg") return findings.Good(kAcceleratorCheck, "tcg: configured");
  const absl::Status kvm = subject.host.TryKvm();
  if (kvm.ok()) return findings.Good(kAcceleratorCheck, absl::StrCat("kvm: a test guest ran under ", kKvmDevice));
  const std::string why(kvm.message());
  if (wanted == "kvm") findings.Bad(Fault::kKvmConfigured, why);
  findings.Bad(WhyNoKvm(subject.host), why);
}

void CheckQemu(const CheckSubject& subject, Findings& findings) {
  const std::string& path = subject.config.qemu().path();
  const absl::StatusOr<struct stat> file = subject.host.Stat(path);
  if (!file.ok()) return findings.Bad(Fault::kQemuMissing, std::string(file.status().message()));
  if (!S_ISREG(file->st_mode)) return findings.Bad(Fault::kQemuNotExecutable, absl::StrCat(path, " is no file"));
  const absl::Status access = subject.host.Access(path, X_OK);
  if (!access.ok()) return findings.Bad(Fault::kQemuNotExecutable, std::string(access.message()));
  CheckQemuAnswers(subject, findings);
}

void CheckVirtiofsd(const CheckSubject& subject, Findings& findings) {
  const std::string& path = subject.config.qemu().virtiofsd_path();
  const absl::StatusOr<struct stat> file = subject.host.Stat(path);
  if (!file.ok()) return findings.Bad(Fault::kVirtiofsdMissing, std::string(file.status().message()));
  const absl::Status access = subject.host.Access(path, X_OK);
  if (!S_ISREG(file->st_mode) || !access.ok()) return findings.Bad(Fault::kVirtiofsdNotExecutable, path);
  findings.Good("virtiofsd", path);
}

void CheckFirmware(const CheckSubject& subject, Findings& findings) {
  const std::string& path = subject.config.qemu().firmware_path();
  const absl::StatusOr<std::string> start = subject.host.Read(path, 0, 1);
  if (!start.ok()) return findings.Bad(Fault::kFirmwareMissing, std::string(start.status().message()));
  if (start->empty()) return findings.Bad(Fault::kFirmwareMissing, absl::StrCat(path, " is empty"));
  findings.Good("firmware", path);
}

}  // namespace vcd
