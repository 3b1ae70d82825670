// SPDX-License-Identifier: Apache-2.0
#include "client/pod/resource_options.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace vcd::client {
namespace {

constexpr int64_t kPeriodUs = 100000;
constexpr double kMaxBytes = 1e18;
constexpr double kMaxCpus = 1e6;

bool IsNone(const std::string& text) { return text == "none" || text == "-1"; }

absl::Status SetSize(const std::string& option, const std::string& text, v1::ContainerResources* resources,
                     void (v1::ContainerResources::*set)(int64_t)) {
  if (text.empty()) return absl::OkStatus();
  const auto bytes = ParseSize(option, text);
  if (!bytes.ok()) return bytes.status();
  (resources->*set)(*bytes);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int64_t> ParseSize(const std::string& option, const std::string& text) {
  if (IsNone(text)) return -1;
  std::string number = absl::AsciiStrToLower(text);
  double factor = 1;
  const size_t unit = number.empty() ? std::string::npos : std::string("kmgt").find(number.back());
  if (unit != std::string::npos) {
    factor = std::pow(1024.0, static_cast<double>(unit + 1));
    number.pop_back();
  }
  double value = 0;
  if (number.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(number[0])) ||
      !absl::SimpleAtod(number, &value) || !(value * factor >= 1) || value * factor > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " \"", text, "\": must be bytes, such as 512m or 2g, or none"));
  }
  return static_cast<int64_t>(value * factor);
}

void ResourceOptions::Declare(Arguments* arguments) {
  arguments->Text(short_names_ ? "-m,--memory-limit,--memory" : "-m,--memory-limit", &memory_, "SIZE",
                  "Memory the container may use: 512m, 2g, none");
  arguments->Text("--memory-reservation", &memory_reservation_, "SIZE", "Memory that is left to it when it gets short");
  arguments->Text("--memory-swap", &memory_swap_, "SIZE", "Swap it may use beside its memory");
  arguments->Text(short_names_ ? "--cpu-limit,--cpus" : "--cpu-limit", &cpus_, "N", "CPUs' time it may use: 1.5, none");
  arguments->Number("--cpu-shares", &cpu_shares_, "N", "Its weight when CPUs are short, 2 to 262144 (default: 1024)");
  arguments->Text("--cpuset-cpus", &cpuset_cpus_, "LIST", "CPUs of the guest it may run on: 0-1,3");
  arguments->Text("--cpuset-mems", &cpuset_mems_, "LIST", "Memory nodes of the guest it may use");
  arguments->Text("--pids-limit", &pids_, "N", "Processes and threads it may have, or none");
  arguments->Number("--io-weight", &io_weight_, "N", "Its weight when block devices are busy, 1 to 10000");
  arguments->Repeated("--cgroup", &unified_, "FILE=VALUE", "Write this to a file of its control group: memory.high=1g");
}

bool ResourceOptions::given() const {
  return !memory_.empty() || !memory_reservation_.empty() || !memory_swap_.empty() || !cpus_.empty() ||
         !pids_.empty() || cpu_shares_ || !cpuset_cpus_.empty() || !cpuset_mems_.empty() || io_weight_ ||
         !unified_.empty();
}

absl::Status ResourceOptions::Apply(v1::ContainerResources* resources) const {
  using R = v1::ContainerResources;
  absl::Status status = SetSize("--memory-limit", memory_, resources, &R::set_memory_limit_bytes);
  status.Update(SetSize("--memory-reservation", memory_reservation_, resources, &R::set_memory_reservation_bytes));
  status.Update(SetSize("--memory-swap", memory_swap_, resources, &R::set_memory_swap_bytes));
  if (!status.ok()) return status;
  if (IsNone(cpus_)) {
    resources->set_cpu_quota_us(-1);
  } else if (!cpus_.empty()) {
    double cpus = 0;
    if (!absl::SimpleAtod(cpus_, &cpus) || !(cpus >= 0.01 && cpus <= kMaxCpus)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--cpu-limit \"", cpus_, "\": must be a number of CPUs from 0.01 on, such as 1.5, or none"));
    }
    resources->set_cpu_period_us(kPeriodUs);
    resources->set_cpu_quota_us(std::llround(cpus * kPeriodUs));
  }
  if (IsNone(pids_)) {
    resources->set_pids_limit(-1);
  } else if (!pids_.empty()) {
    int64_t pids = 0;
    if (!absl::SimpleAtoi(pids_, &pids) || pids < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--pids-limit \"", pids_, "\": must be a number from 1 on, or none"));
    }
    resources->set_pids_limit(pids);
  }
  if (cpu_shares_) resources->set_cpu_shares(*cpu_shares_);
  if (io_weight_) resources->set_io_weight(*io_weight_);
  if (!cpuset_cpus_.empty()) resources->set_cpuset_cpus(cpuset_cpus_);
  if (!cpuset_mems_.empty()) resources->set_cpuset_mems(cpuset_mems_);
  for (const std::string& text : unified_) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--cgroup \"", text, "\": must be FILE=VALUE"));
    }
    (*resources->mutable_unified())[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return absl::OkStatus();
}

}  // namespace vcd::client
