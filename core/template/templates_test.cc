// SPDX-License-Identifier: Apache-2.0
#include "core/template/templates.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include "core/agent/testing/fake_agent.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/os/completion.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

class TemplatesTest : public testing::Test {
 protected:
  TemplatesTest() {
    options_.enabled = true;
    options_.directory = directory_.path() + "/templates";
    options_.run_dir = directory_.path() + "/run";
    options_.keep_used = absl::ZeroDuration();
    options_.settle_time = absl::ZeroDuration();
    options_.retry_after = absl::Hours(1);
    Restart();
  }
  ~TemplatesTest() override { End(); }

  void End() {
    if (templates_ == nullptr) return;
    templates_->BeginShutdown();
    gate_.WithdrawAll();
    work_.WaitIdle();
    templates_.reset();
  }

  void Restart() {
    End();
    templates_ = std::make_unique<Templates>(options_, filesystem_, gate_, work_, metrics_);
    templates_->Open({&hypervisor_});
  }

  TemplateSubject Subject(uint32_t memory_mib = 128, const std::string& domain = "default") {
    TemplateSubject subject;
    subject.hypervisor = &hypervisor_;
    subject.agent = &agent_;
    subject.trust_domain = domain;
    subject.config.set_default_memory_mib(memory_mib);
    return subject;
  }

  absl::StatusOr<TemplateInfo> Prepare(const TemplateSubject& subject) {
    const Completion<TemplateInfo> made;
    templates_->Prepare(subject, Soon(), [made](absl::StatusOr<TemplateInfo> info) { made.Set(std::move(info)); });
    return made.Wait(Soon(), "a template");
  }

  // Directories on disk.
  size_t Stored() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(options_.directory), {}));
  }

  TemporaryDirectory directory_;
  PosixFilesystem filesystem_;
  IoThread io_;
  WorkerPool pool_{4};
  BackgroundWork work_{pool_};
  uint64_t host_bytes_ = uint64_t{1} << 40;
  BootGate gate_{{.places = 1, .memory = [this] { return HostMemory{host_bytes_, host_bytes_}; }}};
  NullRuntimeMetrics metrics_;
  FakeHypervisor hypervisor_{io_};
  FakeAgent agent_{io_};
  TemplateOptions options_;
  std::unique_ptr<Templates> templates_;
};

TEST_F(TemplatesTest, IsMadeWhenOneIsMissed) {
  const auto missed = templates_->Use(Subject(), Soon());
  EXPECT_EQ(missed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(missed.status().message(), HasSubstr("no template"));
  work_.WaitIdle();
  const auto lease = templates_->Use(Subject(), Soon());
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_TRUE(std::filesystem::exists(lease->directory() + "/fake-image"));
  const std::vector<TemplateInfo> list = templates_->List();
  ASSERT_THAT(list, SizeIs(1));
  EXPECT_EQ(list[0].key, lease->key());
  EXPECT_EQ(list[0].state, TemplateState::kReady);
  EXPECT_EQ(list[0].memory_mib, 128u);
  // The machine that it was made of is gone, with what it had.
  EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
  EXPECT_EQ(agent_.live_sessions(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(options_.run_dir));
}

TEST_F(TemplatesTest, OfAnotherDomainOrMachineIsAnother) {
  ASSERT_TRUE(Prepare(Subject()).ok());
  EXPECT_FALSE(templates_->Use(Subject(128, "other"), Soon()).ok());
  EXPECT_FALSE(templates_->Use(Subject(256), Soon()).ok());
  work_.WaitIdle();
  EXPECT_THAT(templates_->List(), SizeIs(3));
  EXPECT_NE(templates_->Use(Subject(128, "other"), Soon())->directory(),
            templates_->Use(Subject(), Soon())->directory());
}

TEST_F(TemplatesTest, SaysWhyAMachineHasNone) {
  HypervisorCapabilities without = hypervisor_.capabilities();
  without.images = false;
  hypervisor_.set_capabilities(without);
  EXPECT_THAT(templates_->Use(Subject(), Soon()).status().message(), HasSubstr("saves no machines"));
  EXPECT_EQ(Prepare(Subject()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(templates_->List(), IsEmpty());
  options_.enabled = false;
  Restart();
  EXPECT_THAT(templates_->Use(Subject(), Soon()).status().message(), HasSubstr("turned off"));
}

TEST_F(TemplatesTest, AreThereAfterARestart) {
  ASSERT_TRUE(Prepare(Subject()).ok());
  const std::string directory = templates_->Use(Subject(), Soon())->directory();
  Restart();
  const auto lease = templates_->Use(Subject(), Soon());
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->directory(), directory);
}

TEST_F(TemplatesTest, WhatACrashLeftIsCleanedUp) {
  // A daemon that ended while it made one: a machine, its directory, and half an image.
  const std::string run_dir = options_.run_dir + "/template-left";
  std::filesystem::create_directories(run_dir);
  VmSpec spec;
  spec.pod_id = "template-left";
  spec.run_dir = run_dir;
  ASSERT_TRUE(hypervisor_.Boot(spec, Soon()).ok());
  std::filesystem::create_directories(options_.directory + "/abcd.1");
  ASSERT_THAT(hypervisor_.live_machines(), SizeIs(1));
  Restart();
  EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(options_.run_dir));
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(TemplatesTest, OneThatCannotBeMadeIsNotTriedAtOnceAgain) {
  for (const char* step : {"Boot", "SaveImage"}) {
    hypervisor_.FailNth(step, 1, absl::InternalError("no luck"));
    EXPECT_THAT(Prepare(Subject()).status().message(), HasSubstr("no luck")) << step;
    EXPECT_EQ(templates_->List().at(0).state, TemplateState::kFailed);
    EXPECT_THAT(templates_->Use(Subject(), Soon()).status().message(), HasSubstr("no luck"));
    work_.WaitIdle();
    EXPECT_EQ(templates_->List().at(0).state, TemplateState::kFailed) << "not made again unasked";
    EXPECT_EQ(Stored(), 0u);
    EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
    EXPECT_TRUE(std::filesystem::is_empty(options_.run_dir));
  }
  agent_.FailNth("Connect", 1, absl::UnavailableError("silent"));
  EXPECT_THAT(Prepare(Subject()).status().message(), HasSubstr("silent"));
  EXPECT_TRUE(Prepare(Subject()).ok()) << "who asks by name gets another try";
}

TEST_F(TemplatesTest, AFailureThatIsDeletedIsForgotten) {
  for (const std::string& all : {std::string("*"), std::string()}) {
    hypervisor_.FailNth("Boot", 1, absl::InternalError("no luck"));
    EXPECT_FALSE(Prepare(Subject()).ok());
    const std::string key = templates_->List().at(0).key;
    EXPECT_THAT(templates_->Delete(all.empty() ? key.substr(0, 12) : all).value(), ElementsAre(key));
    EXPECT_THAT(templates_->List(), IsEmpty());
  }
  EXPECT_THAT(templates_->Use(Subject(), Soon()).status().message(), HasSubstr("no template of such a machine yet"));
  work_.WaitIdle();
  EXPECT_TRUE(templates_->Use(Subject(), Soon()).ok()) << "which had it made";
}

TEST_F(TemplatesTest, AFailureGoesByItselfWithItsTime) {
  options_.retry_after = absl::ZeroDuration();
  Restart();
  hypervisor_.FailNth("Boot", 1, absl::InternalError("no luck"));
  EXPECT_FALSE(Prepare(Subject()).ok());
  EXPECT_THAT(templates_->List(), IsEmpty());
  EXPECT_THAT(templates_->Delete("*").value(), IsEmpty());
  EXPECT_THAT(templates_->Use(Subject(), Soon()).status().message(), HasSubstr("no template of such a machine yet"));
  work_.WaitIdle();
  EXPECT_TRUE(templates_->Use(Subject(), Soon()).ok());
}

TEST_F(TemplatesTest, NoMoreThanSomeFailuresAreRemembered) {
  ASSERT_TRUE(Prepare(Subject(1000)).ok());
  std::string first;
  for (uint32_t memory_mib = 1; memory_mib <= 17; ++memory_mib) {
    hypervisor_.FailNth("Boot", 1, absl::InternalError("no luck"));
    EXPECT_FALSE(Prepare(Subject(memory_mib)).ok());
    if (first.empty()) {
      for (const TemplateInfo& info : templates_->List()) first = info.memory_mib == 1 ? info.key : first;
    }
  }
  EXPECT_THAT(templates_->List(), SizeIs(17)) << "one is ready";
  EXPECT_THAT(templates_->Delete(first).value(), IsEmpty()) << "the oldest is forgotten";
  EXPECT_TRUE(templates_->Use(Subject(1000), Soon()).ok());
}

TEST_F(TemplatesTest, ADamagedOneIsDroppedAtOnceAndMadeAnew) {
  ASSERT_TRUE(Prepare(Subject()).ok());
  std::string directory;
  {
    auto lease = templates_->Use(Subject(), Soon());
    ASSERT_TRUE(lease.ok());
    directory = lease->directory();
    lease->Failed(absl::DataLossError("bits have flipped"));
    EXPECT_TRUE(std::filesystem::exists(directory)) << "as long as somebody may read it";
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
  work_.WaitIdle();
  EXPECT_TRUE(templates_->Use(Subject(), Soon()).ok());
}

TEST_F(TemplatesTest, OneThatIsOfNoUseTwiceIsDropped) {
  ASSERT_TRUE(Prepare(Subject()).ok());
  const absl::Status late = absl::DeadlineExceededError("no answer");
  templates_->Use(Subject(), Soon())->Failed(late);
  templates_->Use(Subject(), Soon())->Succeeded();
  templates_->Use(Subject(), Soon())->Failed(late);
  EXPECT_EQ(templates_->List().at(0).state, TemplateState::kReady) << "not twice in a row";
  templates_->Use(Subject(), Soon())->Failed(late);
  const TemplateInfo info = templates_->List().at(0);
  EXPECT_EQ(info.state, TemplateState::kFailed);
  EXPECT_EQ(info.clones, 1u);
  EXPECT_EQ(info.fallbacks, 3u);
  EXPECT_THAT(templates_->Use(Subject(), Soon()).status().message(), HasSubstr("no answer"));
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(TemplatesTest, TheLeastRecentlyUsedMakesRoom) {
  options_.max_templates = 2;
  Restart();
  ASSERT_TRUE(Prepare(Subject(1)).ok());
  ASSERT_TRUE(Prepare(Subject(2)).ok());
  ASSERT_TRUE(templates_->Use(Subject(2), Soon()).ok());
  ASSERT_TRUE(templates_->Use(Subject(1), Soon()).ok());
  ASSERT_TRUE(Prepare(Subject(3)).ok());
  EXPECT_TRUE(templates_->Use(Subject(1), Soon()).ok());
  EXPECT_TRUE(templates_->Use(Subject(3), Soon()).ok());
  EXPECT_EQ(Stored(), 2u);
}

TEST_F(TemplatesTest, OnesInUseAreKept) {
  options_.max_templates = 1;
  Restart();
  ASSERT_TRUE(Prepare(Subject(1)).ok());
  const auto lease = templates_->Use(Subject(1), Soon());
  ASSERT_TRUE(lease.ok());
  const absl::Status refused = Prepare(Subject(2)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("max_templates"));
  EXPECT_TRUE(templates_->Use(Subject(1), Soon()).ok());
}

TEST_F(TemplatesTest, MemoryIsBounded) {
  options_.max_memory_bytes = 1;
  Restart();
  EXPECT_THAT(Prepare(Subject()).status().message(), HasSubstr("max_memory_mib"));
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(TemplatesTest, DeletedByTheBeginningOfTheirKey) {
  const std::string key = Prepare(Subject())->key;
  ASSERT_TRUE(Prepare(Subject(256)).ok());
  EXPECT_EQ(templates_->Delete("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(templates_->Delete("none").value(), IsEmpty());
  ASSERT_TRUE(Prepare(Subject(128, "other")).ok());
  EXPECT_THAT(templates_->Delete(key).value(), ElementsAre(key)) << "not that of the other domain";
  EXPECT_EQ(Stored(), 2u);
  EXPECT_THAT(templates_->Delete("*").value(), SizeIs(2));
  EXPECT_EQ(Stored(), 0u);
  EXPECT_THAT(templates_->List(), IsEmpty());
}

TEST_F(TemplatesTest, OneThatIsDeletedWhileItIsMadeIsGivenUp) {
  hypervisor_.HangNth("Boot", 1);
  EXPECT_FALSE(templates_->Use(Subject(), Soon()).ok());
  ASSERT_TRUE(hypervisor_.WaitUntilHanging("Boot"));
  EXPECT_EQ(gate_.load().taken, 1u);
  EXPECT_THAT(templates_->Delete("*").value(), SizeIs(1));
  work_.WaitIdle();
  EXPECT_EQ(gate_.load().taken, 0u);
  EXPECT_THAT(templates_->List(), IsEmpty());
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(TemplatesTest, IsNotMadeWithoutTheMemoryForItsMachine) {
  host_bytes_ = 100 << 20;
  const absl::Status refused = Prepare(Subject(128)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("make the template: a machine of 128 MiB"));
  EXPECT_THAT(hypervisor_.calls(), IsEmpty());
  EXPECT_TRUE(Prepare(Subject(64)).ok());
}

TEST_F(TemplatesTest, WhatACloneTakesIsKnownOnceOneWasMeasured) {
  EXPECT_EQ(templates_->CloneMemory(Subject(128)), std::nullopt) << "there is no template";
  const absl::StatusOr<TemplateInfo> made = Prepare(Subject(128));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(templates_->CloneMemory(Subject(128)), uint64_t{128} << 20);
  EXPECT_EQ(templates_->CloneMemory(Subject(64)), std::nullopt) << "it is another machine";
  EXPECT_EQ(templates_->CloneMemory(Subject(128, "other")), std::nullopt);

  templates_->MeasureClone("none", [] { return uint64_t{1}; });
  templates_->MeasureClone(made->key, [] { return uint64_t{0}; });
  EXPECT_EQ(templates_->CloneMemory(Subject(128)), uint64_t{128} << 20) << "nothing was learned";
  templates_->MeasureClone(made->key, [] { return uint64_t{30} << 20; });
  EXPECT_EQ(templates_->CloneMemory(Subject(128)), uint64_t{30} << 20);
  templates_->MeasureClone(made->key, []() -> uint64_t {
    ADD_FAILURE() << "it is known";
    return 1;
  });

  // The next daemon knows neither who used it nor what that took.
  Restart();
  EXPECT_EQ(templates_->CloneMemory(Subject(128)), std::nullopt);
  {
    const auto lease = templates_->Use(Subject(128), Soon());
    ASSERT_TRUE(lease.ok()) << lease.status();
  }
  EXPECT_EQ(templates_->CloneMemory(Subject(128)), uint64_t{128} << 20);
}

TEST_F(TemplatesTest, TheDaemonsEndGivesUpWhatIsBeingMade) {
  hypervisor_.HangNth("Boot", 1);
  const Completion<TemplateInfo> first, second;
  templates_->Prepare(Subject(1), Soon(), [first](absl::StatusOr<TemplateInfo> info) { first.Set(std::move(info)); });
  templates_->Prepare(Subject(2), Soon(), [second](absl::StatusOr<TemplateInfo> info) { second.Set(std::move(info)); });
  ASSERT_TRUE(hypervisor_.WaitUntilHanging("Boot"));
  End();
  EXPECT_EQ(first.Wait(Soon(), "the first").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.Wait(Soon(), "the second").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
}

}  // namespace
}  // namespace vcd
