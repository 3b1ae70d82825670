// SPDX-License-Identifier: Apache-2.0
#include "core/model/container_limits.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/model/field_checks.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr uint64_t kDefaultPeriodUs = 100000;
constexpr uint64_t kMinPeriodUs = 1000;
constexpr uint64_t kMaxPeriodUs = 1000000;
constexpr int64_t kMinQuotaUs = 1000;
constexpr int64_t kMaxQuotaUs = int64_t{1} << 40;
constexpr uint64_t kMinShares = 2;
constexpr uint64_t kMaxShares = 262144;
// With less not even the agent's part of the start fits.
constexpr int64_t kMinMemoryBytes = int64_t{1} << 20;
constexpr int64_t kMaxPids = int64_t{1} << 22;  // PID_MAX_LIMIT.
constexpr uint32_t kMaxIoWeight = 10000;
constexpr int64_t kMaxMajor = (1 << 12) - 1;
constexpr int64_t kMaxMinor = (1 << 20) - 1;
constexpr int kMaxDevices = 64;
constexpr size_t kMaxUnified = 64;
constexpr size_t kMaxValueBytes = 1024;
constexpr uint64_t kMaxCpu = 8191;

absl::Status CheckNumber(const std::string& field, int64_t value, int64_t least, int64_t most, absl::string_view unit) {
  if (value == 0 || value == -1 || (value >= least && value <= most)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(value, unit, " is not possible; it can be ", least, " … ", most,
                                          ", 0 to leave it, or -1 for no limit"));
}

// Such as "0-1,3" (cpuset(7), list format).
absl::Status CheckCpuList(const std::string& field, const std::string& list) {
  if (list.empty()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CheckText(field, list, kMaxValueBytes));
  for (const absl::string_view part : absl::StrSplit(list, ',')) {
    const std::pair<absl::string_view, absl::string_view> range = absl::StrSplit(part, absl::MaxSplits('-', 1));
    uint64_t first = 0;
    uint64_t last = 0;
    const bool good = absl::SimpleAtoi(range.first, &first) &&
                      (absl::StrContains(part, '-') ? absl::SimpleAtoi(range.second, &last) : (last = first, true)) &&
                      absl::ascii_isdigit(static_cast<unsigned char>(part[0])) && first <= last && last <= kMaxCpu;
    if (good) continue;
    return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(list), "\" is no list of numbers such as 0-1,3"));
  }
  return absl::OkStatus();
}

absl::Status CheckIoLimits(const v1::ContainerResources& resources, const std::string& field) {
  if (resources.io_limits_size() > kMaxDevices) {
    return InvalidField(field, absl::StrCat("has more than ", kMaxDevices, " devices"));
  }
  std::set<std::pair<int64_t, int64_t>> devices;
  for (int i = 0; i < resources.io_limits_size(); ++i) {
    const v1::IoLimit& limit = resources.io_limits(i);
    if (limit.major() < 0 || limit.major() > kMaxMajor || limit.minor() < 0 || limit.minor() > kMaxMinor) {
      return InvalidField(Element(field, i),
                          absl::StrCat(limit.major(), ":", limit.minor(), " is no device number; major can be 0 … ",
                                       kMaxMajor, ", minor 0 … ", kMaxMinor));
    }
    if (!devices.emplace(limit.major(), limit.minor()).second) {
      return InvalidField(Element(field, i),
                          absl::StrCat("names device ", limit.major(), ":", limit.minor(), " twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckUnified(const v1::ContainerResources& resources, const std::string& field) {
  if (resources.unified().size() > kMaxUnified) {
    return InvalidField(field, absl::StrCat("has more than ", kMaxUnified, " files"));
  }
  for (const auto& [name, value] : resources.unified()) {
    const std::string element = absl::StrCat(field, "[", absl::CHexEscape(name.substr(0, kMaxValueBytes)), "]");
    const bool word = std::all_of(name.begin(), name.end(), [](const unsigned char c) {
      return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '_';
    });
    if (!word || name.size() > 128 || name.find('.') == std::string::npos || name[0] == '.') {
      return InvalidField(element, "is no file of a control group; they are named as memory.high is");
    }
    if (absl::StartsWith(name, "cgroup.")) {
      return InvalidField(element, "says who is in the control group and how it is divided, which is not a limit");
    }
    VCD_RETURN_IF_ERROR(CheckText(element, value, kMaxValueBytes));
    if (value.empty()) return InvalidField(element, "is empty; give it the value to write");
  }
  return absl::OkStatus();
}

std::string IoRate(absl::string_view key, uint64_t rate) {
  return absl::StrCat(" ", key, "=", rate == 0 ? "max" : absl::StrCat(rate));
}

bool LimitsNothing(const v1::IoLimit& limit) {
  return limit.read_bytes_per_second() == 0 && limit.write_bytes_per_second() == 0 &&
         limit.read_operations_per_second() == 0 && limit.write_operations_per_second() == 0;
}

// Of the range of cgroup v1, in which 1024 is the default, to that of v2, with 100: as the OCI runtimes do it.
uint64_t WeightOfShares(uint64_t shares) { return 1 + (shares - kMinShares) * 9999 / (kMaxShares - kMinShares); }

CgroupFile LimitFile(const char* name, int64_t value, const char* none) {
  return value > 0 ? CgroupFile{name, absl::StrCat(value)} : CgroupFile{name, none, true};
}

void Change(int64_t change, int64_t before, void (v1::ContainerResources::*set)(int64_t), v1::ContainerResources& to) {
  (to.*set)(change == 0 ? before : std::max<int64_t>(change, 0));
}

}  // namespace

absl::Status ValidateContainerResources(const v1::ContainerResources& resources, const std::string& field) {
  const auto path = [&field](absl::string_view name) { return absl::StrCat(field, ".", name); };
  const uint64_t period = resources.cpu_period_us();
  if (period != 0 && (period < kMinPeriodUs || period > kMaxPeriodUs)) {
    return InvalidField(path("cpu_period_us"), absl::StrCat(period, " is not possible; it can be ", kMinPeriodUs, " … ",
                                                            kMaxPeriodUs, ", or 0 for ", kDefaultPeriodUs));
  }
  const uint64_t shares = resources.cpu_shares();
  if (shares != 0 && (shares < kMinShares || shares > kMaxShares)) {
    return InvalidField(path("cpu_shares"), absl::StrCat(shares, " is not possible; it can be ", kMinShares, " … ",
                                                         kMaxShares, ", or 0 for 1024"));
  }
  constexpr int64_t kMost = int64_t{1} << 60;
  VCD_RETURN_IF_ERROR(CheckNumber(path("cpu_quota_us"), resources.cpu_quota_us(), kMinQuotaUs, kMaxQuotaUs, " µs"));
  VCD_RETURN_IF_ERROR(
      CheckNumber(path("memory_limit_bytes"), resources.memory_limit_bytes(), kMinMemoryBytes, kMost, " bytes"));
  VCD_RETURN_IF_ERROR(
      CheckNumber(path("memory_reservation_bytes"), resources.memory_reservation_bytes(), 1, kMost, " bytes"));
  VCD_RETURN_IF_ERROR(CheckNumber(path("memory_swap_bytes"), resources.memory_swap_bytes(), 1, kMost, " bytes"));
  VCD_RETURN_IF_ERROR(CheckNumber(path("pids_limit"), resources.pids_limit(), 1, kMaxPids, ""));
  if (resources.memory_limit_bytes() > 0 && resources.memory_reservation_bytes() > resources.memory_limit_bytes()) {
    return InvalidField(path("memory_reservation_bytes"), "is more than memory_limit_bytes");
  }
  VCD_RETURN_IF_ERROR(CheckCpuList(path("cpuset_cpus"), resources.cpuset_cpus()));
  VCD_RETURN_IF_ERROR(CheckCpuList(path("cpuset_mems"), resources.cpuset_mems()));
  if (resources.io_weight() > kMaxIoWeight) {
    return InvalidField(path("io_weight"), absl::StrCat(resources.io_weight(), " is not possible; it can be 1 … ",
                                                        kMaxIoWeight, ", or 0 for 100"));
  }
  VCD_RETURN_IF_ERROR(CheckIoLimits(resources, path("io_limits")));
  return CheckUnified(resources, path("unified"));
}

v1::ContainerResources ChangedResources(const v1::ContainerResources& before, const v1::ContainerResources& change) {
  using R = v1::ContainerResources;
  R all = before;
  if (change.cpu_period_us() != 0) all.set_cpu_period_us(change.cpu_period_us());
  if (change.cpu_shares() != 0) all.set_cpu_shares(change.cpu_shares());
  if (change.io_weight() != 0) all.set_io_weight(change.io_weight());
  if (!change.cpuset_cpus().empty()) all.set_cpuset_cpus(change.cpuset_cpus());
  if (!change.cpuset_mems().empty()) all.set_cpuset_mems(change.cpuset_mems());
  Change(change.cpu_quota_us(), before.cpu_quota_us(), &R::set_cpu_quota_us, all);
  Change(change.memory_limit_bytes(), before.memory_limit_bytes(), &R::set_memory_limit_bytes, all);
  Change(change.memory_reservation_bytes(), before.memory_reservation_bytes(), &R::set_memory_reservation_bytes, all);
  Change(change.memory_swap_bytes(), before.memory_swap_bytes(), &R::set_memory_swap_bytes, all);
  Change(change.pids_limit(), before.pids_limit(), &R::set_pids_limit, all);
  for (const v1::IoLimit& limit : change.io_limits()) {
    auto& limits = *all.mutable_io_limits();
    limits.erase(std::remove_if(limits.begin(), limits.end(),
                                [&](const v1::IoLimit& old) {
                                  return old.major() == limit.major() && old.minor() == limit.minor();
                                }),
                 limits.end());
    if (!LimitsNothing(limit)) *limits.Add() = limit;
  }
  for (const auto& [name, value] : change.unified()) (*all.mutable_unified())[name] = value;
  return all;
}

std::vector<CgroupFile> CgroupFiles(const v1::ContainerResources& change, const v1::ContainerResources& all) {
  std::vector<CgroupFile> files;
  if (change.cpu_shares() != 0) files.push_back({"cpu.weight", absl::StrCat(WeightOfShares(all.cpu_shares()))});
  if (change.cpu_quota_us() != 0 || change.cpu_period_us() != 0) {
    const bool limited = all.cpu_quota_us() > 0;
    const uint64_t period = all.cpu_period_us() == 0 ? kDefaultPeriodUs : all.cpu_period_us();
    files.push_back(
        {"cpu.max", absl::StrCat(limited ? absl::StrCat(all.cpu_quota_us()) : "max", " ", period), !limited});
  }
  if (!change.cpuset_cpus().empty()) files.push_back({"cpuset.cpus", all.cpuset_cpus()});
  if (!change.cpuset_mems().empty()) files.push_back({"cpuset.mems", all.cpuset_mems()});
  if (change.memory_swap_bytes() != 0) files.push_back(LimitFile("memory.swap.max", all.memory_swap_bytes(), "max"));
  if (change.memory_limit_bytes() != 0) files.push_back(LimitFile("memory.max", all.memory_limit_bytes(), "max"));
  if (change.memory_reservation_bytes() != 0) {
    files.push_back(LimitFile("memory.low", all.memory_reservation_bytes(), "0"));
  }
  if (change.pids_limit() != 0) files.push_back(LimitFile("pids.max", all.pids_limit(), "max"));
  if (change.io_weight() != 0) files.push_back({"io.weight", absl::StrCat("default ", all.io_weight())});
  for (const v1::IoLimit& limit : change.io_limits()) {
    files.push_back({"io.max",
                     absl::StrCat(limit.major(), ":", limit.minor(), IoRate("rbps", limit.read_bytes_per_second()),
                                  IoRate("wbps", limit.write_bytes_per_second()),
                                  IoRate("riops", limit.read_operations_per_second()),
                                  IoRate("wiops", limit.write_operations_per_second())),
                     LimitsNothing(limit)});
  }
  const std::map<std::string, std::string> unified(change.unified().begin(), change.unified().end());
  for (const auto& [name, value] : unified) files.push_back({name, value});
  return files;
}

}  // namespace vcd
