// SPDX-License-Identifier: Apache-2.0
// Every operation, in every state that allows it, whose machine or guest hangs in one of its steps: force comes through
// at once, and nothing is left.
#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

constexpr char kPod[] = "pod";

class SickMachineTest;
using Done = std::function<void(absl::Status)>;

// An operation, what comes before it, and the step of it that hangs.
struct Sickness {
  const char* name;
  const char* step;
  bool of_agent;  // Otherwise of the hypervisor.
  std::function<void(SickMachineTest&)> before;
  std::function<void(PodRuntime&, const v1::PodConfig&, Done)> operation;
};

enum class Cure { kForcedDelete, kForcedStop, kDeath };

class SickMachineTest : public PodRuntimeTest, public testing::WithParamInterface<std::tuple<Sickness, Cure>> {
 public:
  void BeReady() { ASSERT_TRUE(Create(Config(kPod)).ok()); }
  void BeRunning() { ASSERT_TRUE(PodClient::Run(Config(kPod)).ok()); }
  void BePaused() {
    ASSERT_NO_FATAL_FAILURE(BeRunning());
    ASSERT_TRUE(Pause(kPod).ok());
  }
  void BeStopped() {
    ASSERT_NO_FATAL_FAILURE(BeRunning());
    ASSERT_TRUE(Stop(kPod, /*force=*/true).ok());
  }

 protected:
  bool Hangs(const Sickness& sickness) {
    return sickness.of_agent ? agent().WaitUntilHanging(sickness.step) : hypervisor().WaitUntilHanging(sickness.step);
  }
};

template <typename T>
std::function<void(absl::StatusOr<T>)> StatusOnly(const Done& done) {
  return [done](const absl::StatusOr<T>& result) { done(result.status()); };
}

void CreateIt(PodRuntime& runtime, const v1::PodConfig& config, const Done& done) {
  runtime.CreatePod(config, Soon(), StatusOnly<v1::Pod>(done));
}
void StartIt(PodRuntime& runtime, const v1::PodConfig&, const Done& done) {
  runtime.StartPod(kPod, Soon(), StatusOnly<v1::Pod>(done));
}
void StopIt(PodRuntime& runtime, const v1::PodConfig&, const Done& done) {
  runtime.StopPod(kPod, {}, Soon(), StatusOnly<v1::Pod>(done));
}
void PauseIt(PodRuntime& runtime, const v1::PodConfig&, const Done& done) {
  runtime.PausePod(kPod, Soon(), StatusOnly<v1::Pod>(done));
}
void ResumeIt(PodRuntime& runtime, const v1::PodConfig&, const Done& done) {
  runtime.ResumePod(kPod, Soon(), StatusOnly<v1::Pod>(done));
}
void ExecIt(PodRuntime& runtime, const v1::PodConfig&, const Done& done) {
  v1::Cmd cmd;
  cmd.add_args("true");
  runtime.Exec(kPod, "main", cmd, Soon(), StatusOnly<ExecResult>(done));
}
void StopContainerIt(PodRuntime& runtime, const v1::PodConfig&, const Done& done) {
  runtime.StopContainer(kPod, "main", {}, Soon(), StatusOnly<v1::Container>(done));
}
void DeleteContainerIt(PodRuntime& runtime, const v1::PodConfig&, const Done& done) {
  runtime.DeleteContainer(kPod, "main", /*force=*/true, Soon(), done);
}

const std::vector<Sickness> kSicknesses = {
    {"BootOfACreation", "Boot", false, [](SickMachineTest&) {}, CreateIt},
    {"ShareOfACreation", "ShareDirectory", false, [](SickMachineTest&) {}, CreateIt},
    {"AnswerOfACreation", "Connect", true, [](SickMachineTest&) {}, CreateIt},
    {"ContainerOfACreation", "CreateContainer", true, [](SickMachineTest&) {}, CreateIt},
    {"StartOfAReadyPod", "StartContainer", true, [](SickMachineTest& test) { test.BeReady(); }, StartIt},
    {"BootOfAStoppedPod", "Boot", false, [](SickMachineTest& test) { test.BeStopped(); }, StartIt},
    {"AnswerOfAStoppedPod", "Connect", true, [](SickMachineTest& test) { test.BeStopped(); }, StartIt},
    {"SignalOfAStop", "Signal", true, [](SickMachineTest& test) { test.BeRunning(); }, StopIt},
    {"ShutdownOfAReadyPod", "Shutdown", true, [](SickMachineTest& test) { test.BeReady(); }, StopIt},
    {"ResumeOfAStop", "Resume", false, [](SickMachineTest& test) { test.BePaused(); }, StopIt},
    {"Pause", "Pause", false, [](SickMachineTest& test) { test.BeRunning(); }, PauseIt},
    {"Resume", "Resume", false, [](SickMachineTest& test) { test.BePaused(); }, ResumeIt},
    {"Exec", "Exec", true, [](SickMachineTest& test) { test.BeRunning(); }, ExecIt},
    {"SignalOfAContainersStop", "Signal", true, [](SickMachineTest& test) { test.BeRunning(); }, StopContainerIt},
    {"RemovalOfAContainer", "RemoveContainer", true, [](SickMachineTest& test) { test.BeRunning(); },
     DeleteContainerIt},
};

void PrintTo(const Sickness& sickness, std::ostream* stream) { *stream << sickness.name; }

TEST_P(SickMachineTest, ForceComesThroughAndNothingIsLeft) {
  const auto& [sickness, cure] = GetParam();
  ASSERT_NO_FATAL_FAILURE(sickness.before(*this));
  if (sickness.of_agent) {
    agent().HangNth(sickness.step, 1);
  } else {
    hypervisor().HangNth(sickness.step, 1);
  }
  const Completion<bool> operation;
  sickness.operation(*runtime_, Config(kPod), [operation](const absl::Status& status) {
    status.ok() ? operation.Set(true) : operation.Set(absl::StatusOr<bool>(status));
  });
  ASSERT_TRUE(Hangs(sickness));
  const absl::Time begin = absl::Now();
  if (cure == Cure::kForcedStop) {
    // A pod that was being created is gone by then.
    const absl::Status stopped = Stop(kPod, /*force=*/true).status();
    EXPECT_TRUE(stopped.ok() || absl::IsNotFound(stopped)) << stopped;
  } else if (cure == Cure::kDeath) {
    // Where no machine is yet, there is none to die.
    const bool died = hypervisor().Crash(kPod, "qemu was killed");
    EXPECT_TRUE(died || Delete(kPod, /*force=*/true).ok());
  } else {
    EXPECT_TRUE(Delete(kPod, /*force=*/true).ok());
  }
  const absl::Status ended = operation.Wait({Soon().deadline, nullptr}, "the operation").status();
  EXPECT_FALSE(absl::IsDeadlineExceeded(ended)) << ended;
  const absl::Status deleted = Delete(kPod, /*force=*/true).status();
  EXPECT_TRUE(deleted.ok() || absl::IsNotFound(deleted)) << deleted;
  EXPECT_LT(absl::Now() - begin, absl::Seconds(15)) << "nobody waited for what hangs";
  ExpectNothingLeft();
}

std::string NameOf(const testing::TestParamInfo<std::tuple<Sickness, Cure>>& info) {
  constexpr const char* kCures[] = {"ForcedDelete", "ForcedStop", "Death"};
  return absl::StrCat(std::get<0>(info.param).name, "Ended", kCures[static_cast<int>(std::get<1>(info.param))]);
}

INSTANTIATE_TEST_SUITE_P(All, SickMachineTest,
                         testing::Combine(testing::ValuesIn(kSicknesses),
                                          testing::Values(Cure::kForcedDelete, Cure::kForcedStop, Cure::kDeath)),
                         NameOf);

using DyingMachineTest = PodRuntimeTest;

// A machine that ends closes the link to its guest a moment before its end is seen.
TEST_F(DyingMachineTest, BootThatLosesItsLinkTellsWhyTheMachineEnded) {
  agent().FailNth("Connect", 1, absl::UnavailableError("Connection reset by peer"));
  const Completion<v1::Pod> created;
  runtime().CreatePod(Config(kPod), Soon(), [created](auto result) { created.Set(std::move(result)); });
  const absl::Time patience = absl::Now() + absl::Minutes(1);
  while (!hypervisor().Crash(kPod, "out of memory") && absl::Now() < patience) std::this_thread::yield();
  const absl::Status status = created.Wait({absl::Now() + absl::Minutes(1), nullptr}, "creation").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_VM_EXITED);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("out of memory"));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace vcd
