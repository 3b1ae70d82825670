// SPDX-License-Identifier: Apache-2.0
#include "core/model/container_limits.h"

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {

void PrintTo(const CgroupFile& file, std::ostream* out) {
  *out << file.name << "=" << file.value << (file.optional ? " (optional)" : "");
}

namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using R = v1::ContainerResources;

struct FilesCase {
  std::string name;
  std::function<void(R&)> ask;
  std::vector<CgroupFile> files;
};

void PrintTo(const FilesCase& param, std::ostream* out) { *out << param.name; }

class CgroupFilesTest : public ::testing::TestWithParam<FilesCase> {};

TEST_P(CgroupFilesTest, Converts) {
  R resources;
  GetParam().ask(resources);
  EXPECT_EQ(ValidateContainerResources(resources, "r"), absl::OkStatus());
  EXPECT_THAT(CgroupFiles(resources, ChangedResources({}, resources)), ElementsAreArray(GetParam().files));
}

v1::IoLimit Io(int64_t major, uint64_t read, uint64_t write) {
  v1::IoLimit limit;
  limit.set_major(major);
  limit.set_read_bytes_per_second(read);
  limit.set_write_operations_per_second(write);
  return limit;
}

INSTANTIATE_TEST_SUITE_P(
    Each, CgroupFilesTest,
    ::testing::Values(
        FilesCase{"Nothing", [](R&) {}, {}},
        FilesCase{"SharesLeast", [](R& r) { r.set_cpu_shares(2); }, {{"cpu.weight", "1"}}},
        FilesCase{"SharesDefault", [](R& r) { r.set_cpu_shares(1024); }, {{"cpu.weight", "39"}}},
        FilesCase{"SharesMost", [](R& r) { r.set_cpu_shares(262144); }, {{"cpu.weight", "10000"}}},
        FilesCase{"Quota", [](R& r) { r.set_cpu_quota_us(50000); }, {{"cpu.max", "50000 100000"}}},
        FilesCase{"QuotaAndPeriod",
                  [](R& r) {
                    r.set_cpu_quota_us(5000);
                    r.set_cpu_period_us(20000);
                  },
                  {{"cpu.max", "5000 20000"}}},
        FilesCase{"NoQuota", [](R& r) { r.set_cpu_quota_us(-1); }, {{"cpu.max", "max 100000", true}}},
        FilesCase{"Memory", [](R& r) { r.set_memory_limit_bytes(1 << 20); }, {{"memory.max", "1048576"}}},
        FilesCase{"NoMemoryLimit", [](R& r) { r.set_memory_limit_bytes(-1); }, {{"memory.max", "max", true}}},
        FilesCase{"Reservation", [](R& r) { r.set_memory_reservation_bytes(5); }, {{"memory.low", "5"}}},
        FilesCase{"NoReservation", [](R& r) { r.set_memory_reservation_bytes(-1); }, {{"memory.low", "0", true}}},
        FilesCase{"Swap", [](R& r) { r.set_memory_swap_bytes(7); }, {{"memory.swap.max", "7"}}},
        FilesCase{"AnySwap", [](R& r) { r.set_memory_swap_bytes(-1); }, {{"memory.swap.max", "max", true}}},
        FilesCase{"Pids", [](R& r) { r.set_pids_limit(9); }, {{"pids.max", "9"}}},
        FilesCase{"Cpuset",
                  [](R& r) {
                    r.set_cpuset_cpus("0-1,3");
                    r.set_cpuset_mems("0");
                  },
                  {{"cpuset.cpus", "0-1,3"}, {"cpuset.mems", "0"}}},
        FilesCase{"IoWeight", [](R& r) { r.set_io_weight(300); }, {{"io.weight", "default 300"}}},
        FilesCase{"IoLimits",
                  [](R& r) {
                    *r.add_io_limits() = Io(8, 100, 0);
                    *r.add_io_limits() = Io(9, 0, 0);
                  },
                  {{"io.max", "8:0 rbps=100 wbps=max riops=max wiops=max"},
                   {"io.max", "9:0 rbps=max wbps=max riops=max wiops=max", true}}},
        FilesCase{"UnifiedComesLastAndInOrder",
                  [](R& r) {
                    (*r.mutable_unified())["memory.oom.group"] = "1";
                    (*r.mutable_unified())["memory.high"] = "5000";
                    r.set_pids_limit(1);
                  },
                  {{"pids.max", "1"}, {"memory.high", "5000"}, {"memory.oom.group", "1"}}}),
    [](const auto& info) { return info.param.name; });

TEST(ContainerLimitsTest, AChangeLeavesWhatItDoesNotName) {
  R before;
  before.set_cpu_quota_us(10000);
  before.set_memory_limit_bytes(5 << 20);
  before.set_cpuset_cpus("0");
  *before.add_io_limits() = Io(8, 1, 1);
  *before.add_io_limits() = Io(9, 2, 2);
  (*before.mutable_unified())["memory.high"] = "1";
  R change;
  change.set_cpu_period_us(50000);
  change.set_memory_limit_bytes(-1);
  *change.add_io_limits() = Io(8, 0, 0);
  *change.add_io_limits() = Io(9, 3, 0);
  const R after = ChangedResources(before, change);
  EXPECT_EQ(after.cpu_quota_us(), 10000);
  EXPECT_EQ(after.cpu_period_us(), 50000u);
  EXPECT_EQ(after.memory_limit_bytes(), 0);
  EXPECT_EQ(after.cpuset_cpus(), "0");
  ASSERT_EQ(after.io_limits_size(), 1);
  EXPECT_EQ(after.io_limits(0).read_bytes_per_second(), 3u);
  EXPECT_EQ(after.unified().at("memory.high"), "1");
  EXPECT_THAT(CgroupFiles(change, after),
              ElementsAreArray(std::vector<CgroupFile>{{"cpu.max", "10000 50000"},
                                                       {"memory.max", "max", true},
                                                       {"io.max", "8:0 rbps=max wbps=max riops=max wiops=max", true},
                                                       {"io.max", "9:0 rbps=3 wbps=max riops=max wiops=max"}}));
}

struct RefusedCase {
  std::string name;
  std::function<void(R&)> ask;
  std::string field;
};

void PrintTo(const RefusedCase& param, std::ostream* out) { *out << param.name; }

class RefusedLimitTest : public ::testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedLimitTest, NamesTheField) {
  R resources;
  GetParam().ask(resources);
  const absl::Status status = ValidateContainerResources(resources, "r");
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(status)->metadata.at("field"), "r." + GetParam().field) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Each, RefusedLimitTest,
    ::testing::Values(
        RefusedCase{"PeriodTooShort", [](R& r) { r.set_cpu_period_us(999); }, "cpu_period_us"},
        RefusedCase{"PeriodTooLong", [](R& r) { r.set_cpu_period_us(1000001); }, "cpu_period_us"},
        RefusedCase{"QuotaTooSmall", [](R& r) { r.set_cpu_quota_us(999); }, "cpu_quota_us"},
        RefusedCase{"QuotaNegative", [](R& r) { r.set_cpu_quota_us(-2); }, "cpu_quota_us"},
        RefusedCase{"SharesTooFew", [](R& r) { r.set_cpu_shares(1); }, "cpu_shares"},
        RefusedCase{"SharesTooMany", [](R& r) { r.set_cpu_shares(262145); }, "cpu_shares"},
        RefusedCase{"MemoryTooSmall", [](R& r) { r.set_memory_limit_bytes(1000); }, "memory_limit_bytes"},
        RefusedCase{"ReservationAboveLimit",
                    [](R& r) {
                      r.set_memory_limit_bytes(1 << 20);
                      r.set_memory_reservation_bytes(1 << 21);
                    },
                    "memory_reservation_bytes"},
        RefusedCase{"SwapNegative", [](R& r) { r.set_memory_swap_bytes(-5); }, "memory_swap_bytes"},
        RefusedCase{"PidsNegative", [](R& r) { r.set_pids_limit(-7); }, "pids_limit"},
        RefusedCase{"CpusetWord", [](R& r) { r.set_cpuset_cpus("all"); }, "cpuset_cpus"},
        RefusedCase{"CpusetBackwards", [](R& r) { r.set_cpuset_cpus("3-1"); }, "cpuset_cpus"},
        RefusedCase{"CpusetEmptyPart", [](R& r) { r.set_cpuset_cpus("0,,1"); }, "cpuset_cpus"},
        RefusedCase{"CpusetMems", [](R& r) { r.set_cpuset_mems("-1"); }, "cpuset_mems"},
        RefusedCase{"IoWeight", [](R& r) { r.set_io_weight(10001); }, "io_weight"},
        RefusedCase{"IoDevice", [](R& r) { *r.add_io_limits() = Io(-1, 1, 1); }, "io_limits[0]"},
        RefusedCase{"IoDeviceTwice",
                    [](R& r) {
                      *r.add_io_limits() = Io(8, 1, 1);
                      *r.add_io_limits() = Io(8, 2, 2);
                    },
                    "io_limits[1]"},
        RefusedCase{"UnifiedPath", [](R& r) { (*r.mutable_unified())["../x.y"] = "1"; }, "unified[../x.y]"},
        RefusedCase{"UnifiedProcs", [](R& r) { (*r.mutable_unified())["cgroup.procs"] = "1"; },
                    "unified[cgroup.procs]"},
        RefusedCase{"UnifiedEmpty", [](R& r) { (*r.mutable_unified())["memory.high"] = ""; }, "unified[memory.high]"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
