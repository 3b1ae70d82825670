// SPDX-License-Identifier: Apache-2.0
// Every call of the file system fails in turn, in every way that it can, during every operation.
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/os/testing/fault_injection_filesystem.h"
#include "test/recovery/scenario_test.h"

namespace vcd {
namespace {

struct Fault {
  const char* name;
  int error_number;
  bool short_write;
};
constexpr Fault kFaults[] = {
    {"ENOSPC", ENOSPC, false}, {"EIO", EIO, false}, {"EMFILE", EMFILE, false}, {"short-write", ENOSPC, true}};

class FilesystemFailureTest : public ScenarioTest {
 protected:
  // Returns whether the operation came so far.
  bool FailCall(const Fault& fault, int call) {
    PosixFilesystem posix;
    FaultInjectionFilesystem disk(posix);
    RecoveryWorld world(&disk);
    Prepare(world);
    disk.Reset();
    if (fault.short_write) {
      disk.ShortWriteCall(call, fault.error_number);
    } else {
      disk.FailCall(call, fault.error_number);
    }
    const absl::Status status = scenario().operation(world, kRequest);
    const std::vector<std::string> calls = disk.calls();
    disk.Reset();
    const bool failed = static_cast<int>(calls.size()) >= call;
    SCOPED_TRACE(absl::StrCat(scenario().name, ": ", fault.name, " of ",
                              failed ? absl::StrReplaceAll(calls[call - 1], {{world.root(), ""}}) : "nothing"));
    std::vector<std::string> allowed = Allowed(status.ok());
    // What could not be finished is taken down rather than left half way. A pod is listed until all of it is gone, so
    // one whose directories could not be removed may lack them.
    if (!status.ok())
      allowed.insert(allowed.end(), {"stopped main=stopped net.eth0", "stopped main=stopped side=stopped net.eth0"});
    const bool half_deleted = !status.ok() && Line(after_, "web").empty();
    Judge(world, status.ok(), allowed, Line(before_, "other"), /*leaks=*/!half_deleted);
    JudgeRepetition(world);
    EXPECT_THAT(world.Leaks(), testing::IsEmpty());
    // What the daemon says is what the next one says.
    EXPECT_TRUE(world.Boot());
    Judge(world, true, {Line(after_, "web")}, Line(before_, "other"));
    JudgeDeletion(world);
    return failed;
  }
};

TEST_P(FilesystemFailureTest, OfEveryCallOfTheOperation) {
  for (const Fault& fault : kFaults) {
    for (int call = 1; !HasFailure() && FailCall(fault, call); ++call) {
    }
  }
  Report("failing-disk");
}

INSTANTIATE_TEST_SUITE_P(All, FilesystemFailureTest, testing::ValuesIn(Scenarios()), ScenarioName);

}  // namespace
}  // namespace vcd
