// SPDX-License-Identifier: Apache-2.0
#include "core/template/warm_machines.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <thread>

#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/metric/testing/recorded_metrics.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/fault_injection_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

class WarmMachinesTest : public testing::Test {
 protected:
  WarmMachinesTest() {
    options_.enabled = true;
    options_.warm_dir = directory_.path() + "/warm";
    options_.warm_machines = 2;
    config_.set_kernel_path("/vmlinux");
    MakeImage("one");
    MakeImage("two");
    Start();
  }
  ~WarmMachinesTest() override {
    End();
    EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
  }

  std::string Template(const std::string& name) const { return directory_.path() + "/" + name; }
  WarmKind Kind(const std::string& name = "one", bool shared = false) const { return {name, Template(name), shared}; }

  void MakeImage(const std::string& name) {
    std::filesystem::create_directory(Template(name));
    VmSpec spec;
    spec.pod_id = name;
    spec.config = config_;
    spec.shared_memory = true;
    auto machine = hypervisor_.Boot(spec, Soon());
    ASSERT_TRUE(machine.ok() && (*machine)->SaveImage(Template(name), Soon()).ok());
    ASSERT_TRUE((*machine)->Stop(StopMode::kForce, Soon()).ok());
  }

  void Start(const std::set<std::string>& of_pods = {}) {
    filesystem_.Reset();
    warm_ = std::make_unique<WarmMachines>(options_, filesystem_, gate_, work_, metrics_,
                                           [this](const WarmKind& kind) -> absl::StatusOr<WarmSource> {
                                             MutexLock lock(&mu_);
                                             if (gone_.count(kind.template_key) != 0 || lasts_for_-- == 0) {
                                               return absl::NotFoundError("its template is gone");
                                             }
                                             return WarmSource{&hypervisor_, config_, uint64_t{50} << 20, nullptr};
                                           });
    warm_->EndLeftovers({&hypervisor_}, of_pods);
    warm_->Adopt({&hypervisor_});
  }

  // As a crash does: machines and files stay as they are.
  void Crash() {
    work_.WaitIdle();
    warm_.reset();
    work_.WaitIdle();
  }

  void End() {
    if (warm_ == nullptr) return;
    warm_->BeginShutdown();
    gate_.WithdrawAll();
    work_.WaitIdle();
    warm_.reset();
  }

  // Until all that is wanted is made.
  void Fill(const WarmKind& kind) {
    warm_->Want(kind);
    work_.WaitIdle();
  }

  // Which templates are there no more.
  void SetGone(std::set<std::string> names) {
    MutexLock lock(&mu_);
    gone_ = std::move(names);
  }

  // Names of the directories that there are.
  std::vector<std::string> Directories() const {
    std::set<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(options_.warm_dir, error)) {
      names.insert(entry.path().filename().string());
    }
    return {names.begin(), names.end()};
  }
  bool Waits(const std::string& name) const {
    return std::filesystem::exists(options_.warm_dir + "/" + name + "/machine.json");
  }

  // Each machine that runs has its directory and the other way round.
  void ExpectCount(size_t count) {
    EXPECT_THAT(hypervisor_.live_machines(), SizeIs(count));
    EXPECT_THAT(Directories(), ElementsAreArray(hypervisor_.live_machines()));
    EXPECT_EQ(metrics_.warm_machines(), warm_->Count(Template("one")) + warm_->Count(Template("two")));
  }

  // As a pod does.
  void EndAsAPod(std::unique_ptr<WarmMachine> machine) {
    ASSERT_TRUE(machine->machine->Stop(StopMode::kForce, Soon()).ok());
    EXPECT_TRUE(warm_->RemoveDirectory(machine->name, directory_.path()).ok());
  }

  TemporaryDirectory directory_;
  PosixFilesystem posix_;
  FaultInjectionFilesystem filesystem_{posix_};
  IoThread io_;
  WorkerPool pool_{4};
  BackgroundWork work_{pool_};
  BootGate gate_{{.places = 2}};
  RecordedMetrics metrics_;
  FakeHypervisor hypervisor_{io_};
  TemplateOptions options_;
  v1::HypervisorConfig config_;
  Mutex mu_;
  std::set<std::string> gone_ ABSL_GUARDED_BY(mu_);
  // How many times its template is still found; negative: always.
  int lasts_for_ ABSL_GUARDED_BY(mu_) = -1;
  std::unique_ptr<WarmMachines> warm_;
};

TEST_F(WarmMachinesTest, AsManyWaitAsThereAreToBe) {
  EXPECT_EQ(warm_->Take(Kind()), nullptr);
  Fill(Kind());
  EXPECT_EQ(warm_->Count(Template("one")), 2u);
  ExpectCount(2);
  for (const std::string& name : hypervisor_.live_machines()) {
    EXPECT_TRUE(hypervisor_.paused(name));
    EXPECT_TRUE(Waits(name));
  }
  Fill(Kind());
  ExpectCount(2);
  EXPECT_EQ(metrics_.warm_machine_events(WarmMachineEvent::kMade), 2);
  EXPECT_EQ(metrics_.warm_machine_events(WarmMachineEvent::kMissed), 1);
}

TEST_F(WarmMachinesTest, ATakenOneIsThePodsAndTheNextTakesItsPlace) {
  Fill(Kind());
  std::unique_ptr<WarmMachine> taken = warm_->Take(Kind());
  ASSERT_NE(taken, nullptr);
  EXPECT_TRUE(warm_->Claim(*taken).ok());
  EXPECT_FALSE(Waits(taken->name));
  EXPECT_TRUE(taken->machine->Resume(Soon()).ok());
  Fill(Kind());
  EXPECT_EQ(warm_->Count(Template("one")), 2u);
  ExpectCount(3);
  EndAsAPod(std::move(taken));
  ExpectCount(2);
  EXPECT_EQ(metrics_.warm_machine_events(WarmMachineEvent::kTaken), 1);
}

TEST_F(WarmMachinesTest, NoTwoGetTheSame) {
  options_.warm_machines = 8;
  End();
  Start();
  Fill(Kind());
  std::vector<std::unique_ptr<WarmMachine>> taken(16);
  std::vector<std::thread> pods;
  for (std::unique_ptr<WarmMachine>& mine : taken) pods.emplace_back([&] { mine = warm_->Take(Kind()); });
  for (std::thread& pod : pods) pod.join();
  std::set<std::string> names;
  for (std::unique_ptr<WarmMachine>& one : taken) {
    if (one == nullptr) continue;
    EXPECT_TRUE(names.insert(one->name).second) << one->name;
    warm_->End(std::move(one));
  }
  EXPECT_THAT(names, SizeIs(8));
  ExpectCount(0);
}

TEST_F(WarmMachinesTest, WhatFailsLeavesNothingAndIsTriedAgainWhenItIsWantedAgain) {
  hypervisor_.FailNth("Boot", 1, absl::InternalError("no luck"));
  Fill(Kind());
  ExpectCount(0);
  filesystem_.Reset();
  Fill(Kind());
  const int calls = static_cast<int>(filesystem_.calls().size());
  ExpectCount(2);
  End();
  // Each call of the first one that is made: two directories, and the four of its record.
  for (int call = 1; call <= calls / 2; ++call) {
    Start();
    filesystem_.Reset();
    filesystem_.FailCall(call, ENOSPC);
    Fill(Kind());
    ExpectCount(0);
    filesystem_.Reset();
    Fill(Kind());
    ExpectCount(2);
    End();
    EXPECT_THAT(Directories(), IsEmpty()) << call;
  }
  EXPECT_EQ(metrics_.warm_machine_events(WarmMachineEvent::kFailed), 1 + calls / 2);
  Start();
}

TEST_F(WarmMachinesTest, OneOfTheOtherKindMakesRoomForWhatIsWanted) {
  Fill(Kind());
  EXPECT_EQ(warm_->Take(Kind("one", /*shared=*/true)), nullptr);
  Fill(Kind("one", /*shared=*/true));
  ExpectCount(2);
  std::unique_ptr<WarmMachine> shared = warm_->Take(Kind("one", /*shared=*/true));
  std::unique_ptr<WarmMachine> other = warm_->Take(Kind());
  ASSERT_NE(shared, nullptr);
  ASSERT_NE(other, nullptr) << "not all of them";
  warm_->End(std::move(shared));
  warm_->End(std::move(other));
  ExpectCount(0);
}

TEST_F(WarmMachinesTest, MemoryIsBoundedAndTheLeastRecentlyWantedEnds) {
  // Each is reckoned with 32 MiB.
  options_.max_memory_bytes = uint64_t{100} << 20;
  End();
  Start();
  Fill(Kind("one"));
  EXPECT_EQ(warm_->Count(Template("one")), 2u);
  Fill(Kind("two"));
  EXPECT_EQ(warm_->Count(Template("one")), 1u);
  EXPECT_EQ(warm_->Count(Template("two")), 2u);
  ExpectCount(3);
  options_.max_memory_bytes = 1;
  End();
  Start();
  Fill(Kind());
  ExpectCount(0);
}

TEST_F(WarmMachinesTest, WhereOneWasOfNoUseNoneWaitsForAWhile) {
  options_.retry_after = absl::Hours(1);
  End();
  Start();
  Fill(Kind("one"));
  Fill(Kind("two"));
  std::unique_ptr<WarmMachine> taken = warm_->Take(Kind("one"));
  warm_->End(std::move(taken));
  warm_->OfNoUse(Template("one"));
  work_.WaitIdle();
  EXPECT_EQ(warm_->Count(Template("one")), 0u);
  Fill(Kind("one"));
  EXPECT_EQ(warm_->Count(Template("one")), 0u);
  ExpectCount(2);
}

TEST_F(WarmMachinesTest, NoneIsMadeWhileAPodBoots) {
  const Cancellation never;
  std::unique_ptr<BootGate::Place> pod;
  gate_.Enter("pod", {}, never,
              [&pod](absl::StatusOr<std::unique_ptr<BootGate::Place>> place) { pod = *std::move(place); });
  ASSERT_NE(pod, nullptr);
  warm_->Want(Kind());
  ExpectCount(0);
  EXPECT_EQ(gate_.load().taken, 1u);
  pod.reset();
  work_.WaitIdle();
  ExpectCount(2);
}

TEST_F(WarmMachinesTest, OneThatEndsByItselfIsForgotten) {
  Fill(Kind());
  const std::vector<std::string> names = hypervisor_.live_machines();
  ASSERT_TRUE(hypervisor_.Crash(names[0], "qemu was killed"));
  // What the I/O thread tells, and what follows.
  while (warm_->Count(Template("one")) != 1) std::this_thread::yield();
  work_.WaitIdle();
  EXPECT_THAT(Directories(), ElementsAre(names[1]));
  ExpectCount(1);
}

TEST_F(WarmMachinesTest, ThoseOfATemplateThatIsDroppedEnd) {
  Fill(Kind("one"));
  Fill(Kind("two"));
  SetGone({"one"});
  warm_->Drop(Template("one"));
  work_.WaitIdle();
  EXPECT_EQ(warm_->Count(Template("one")), 0u);
  ExpectCount(2);
  Fill(Kind("one"));
  ExpectCount(2);
}

TEST_F(WarmMachinesTest, OneThatIsMadeWhileItsTemplateIsDroppedEnds) {
  {
    MutexLock lock(&mu_);
    lasts_for_ = 1;
  }
  Fill(Kind());
  EXPECT_EQ(metrics_.warm_machine_events(WarmMachineEvent::kMade), 1);
  EXPECT_EQ(warm_->Count(Template("one")), 0u);
  ExpectCount(0);
}

TEST_F(WarmMachinesTest, OneThatIsTakenOverWhileItsTemplateIsDroppedEnds) {
  options_.warm_machines = 1;
  Crash();
  Start();
  Fill(Kind());
  ExpectCount(1);
  Crash();
  {
    MutexLock lock(&mu_);
    lasts_for_ = 1;
  }
  Start();
  work_.WaitIdle();
  EXPECT_EQ(warm_->Count(Template("one")), 0u);
  ExpectCount(0);
}

TEST_F(WarmMachinesTest, TheDaemonsEndEndsThemAndWhatIsBeingMade) {
  Fill(Kind("one"));
  hypervisor_.HangNth("Boot", 1);
  warm_->Want(Kind("two"));
  ASSERT_TRUE(hypervisor_.WaitUntilHanging("Boot"));
  End();
  EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
  EXPECT_THAT(Directories(), IsEmpty());
  EXPECT_EQ(gate_.load().taken, 0u);
}

TEST_F(WarmMachinesTest, TheNextDaemonTakesThemOver) {
  Fill(Kind());
  const std::vector<std::string> names = hypervisor_.live_machines();
  Crash();
  Start();
  EXPECT_EQ(warm_->Count(Template("one")), 2u);
  EXPECT_THAT(hypervisor_.live_machines(), ElementsAreArray(names));
  std::unique_ptr<WarmMachine> taken = warm_->Take(Kind());
  ASSERT_NE(taken, nullptr);
  EXPECT_TRUE(hypervisor_.paused(taken->name));
  EXPECT_TRUE(taken->machine->Resume(Soon()).ok());
  warm_->End(std::move(taken));
  // One that ends is noticed, too.
  ASSERT_TRUE(hypervisor_.Crash(hypervisor_.live_machines().at(0), "qemu was killed"));
  while (warm_->Count(Template("one")) != 0) std::this_thread::yield();
  work_.WaitIdle();
  ExpectCount(0);
}

TEST_F(WarmMachinesTest, ACrashBeforeThePodsRecordLeavesItWaiting) {
  Fill(Kind());
  { const std::unique_ptr<WarmMachine> taken = warm_->Take(Kind()); }
  Crash();
  Start();
  EXPECT_EQ(warm_->Count(Template("one")), 2u);
}

TEST_F(WarmMachinesTest, ACrashAfterThePodsRecordLeavesItToThePod) {
  for (const bool claimed : {false, true}) {
    Fill(Kind());
    std::string name;
    {
      const std::unique_ptr<WarmMachine> taken = warm_->Take(Kind());
      ASSERT_NE(taken, nullptr);
      name = taken->name;
      ASSERT_TRUE(!claimed || warm_->Claim(*taken).ok());
    }
    Crash();
    Start({name});
    EXPECT_EQ(warm_->Count(Template("one")), 1u) << "claimed " << claimed;
    ExpectCount(2);
    // As its pod does in the end.
    ASSERT_TRUE(hypervisor_.Reap(warm_->RunDir(name), Soon()).ok());
    ASSERT_TRUE(warm_->RemoveDirectory(name, directory_.path()).ok());
    ExpectCount(1);
  }
}

TEST_F(WarmMachinesTest, OneThatNeitherWaitsNorIsAPodsEnds) {
  Fill(Kind());
  {
    const std::unique_ptr<WarmMachine> taken = warm_->Take(Kind());
    ASSERT_TRUE(warm_->Claim(*taken).ok());
  }
  Crash();
  // Nor does one that was only about to be made.
  std::filesystem::create_directory(options_.warm_dir + "/warm@begun");
  Start();
  EXPECT_EQ(warm_->Count(Template("one")), 1u);
  ExpectCount(1);
}

TEST_F(WarmMachinesTest, WhatIsOfNoUseToTheNextDaemonEnds) {
  const auto damage = [this] {
    for (const std::string& name : Directories()) {
      std::ofstream(options_.warm_dir + "/" + name + "/machine.json") << "{ \"vm\": ";
    }
  };
  const auto kill = [this] {
    for (const std::string& name : hypervisor_.live_machines()) hypervisor_.Crash(name, "qemu was killed");
  };
  const std::vector<std::function<void()>> causes = {damage, kill, [this] { SetGone({"one"}); },
                                                     [this] { options_.warm_machines = 0; },
                                                     [this] { options_.enabled = false; }};
  for (const std::function<void()>& cause : causes) {
    Fill(Kind());
    ExpectCount(2);
    Crash();
    cause();
    Start();
    EXPECT_EQ(warm_->Count(Template("one")), 0u);
    ExpectCount(0);
    End();
    SetGone({});
    options_.enabled = true;
    options_.warm_machines = 2;
    Start();
  }
}

TEST_F(WarmMachinesTest, FewerMayWaitThanBefore) {
  Fill(Kind());
  Crash();
  options_.warm_machines = 1;
  Start();
  EXPECT_EQ(warm_->Count(Template("one")), 1u);
  ExpectCount(1);
}

TEST_F(WarmMachinesTest, TheyMayHaveLessMemoryThanBefore) {
  Fill(Kind());
  Crash();
  // Each is reckoned with 32 MiB.
  options_.max_memory_bytes = uint64_t{40} << 20;
  Start();
  EXPECT_EQ(warm_->Count(Template("one")), 1u);
  ExpectCount(1);
}

TEST_F(WarmMachinesTest, KeepsTheConsoleOfAPod) {
  Fill(Kind());
  std::unique_ptr<WarmMachine> taken = warm_->Take(Kind());
  ASSERT_NE(taken, nullptr);
  std::ofstream(taken->run_dir + "/console.log") << "booted\n";
  EndAsAPod(std::move(taken));
  std::string word;
  std::ifstream(directory_.path() + "/console.log") >> word;
  EXPECT_EQ(word, "booted");
}

}  // namespace
}  // namespace vcd
