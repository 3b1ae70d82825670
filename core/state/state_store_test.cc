// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_store.h"

#include <unistd.h>

#include <cerrno>

#include "core/os/posix_filesystem.h"
#include "core/os/testing/bounded_filesystem.h"
#include "core/os/testing/fault_injection_filesystem.h"
#include "core/os/testing/memory_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::PodConfig Config(const std::string& id) {
  v1::PodConfig config;
  config.set_id(id);
  return config;
}

state::v1::PodRecord Record(const std::string& id, state::v1::Intent intent = state::v1::INTENT_UNSPECIFIED) {
  state::v1::PodRecord record;
  record.set_pod_id(id);
  record.mutable_under_way()->set_intent(intent);
  return record;
}

// As CreatePod does it.
absl::Status Create(StateStore& store, const std::string& id) {
  absl::Status status = store.CreatePodDirectories(id);
  if (status.ok()) status = store.SaveRecord(Record(id, state::v1::INTENT_CREATE));
  if (status.ok()) status = store.SaveConfig(Config(id));
  if (status.ok()) status = store.SaveRecord(Record(id));
  return status;
}

class StateStoreTest : public testing::Test {
 protected:
  StateStoreTest() {
    EXPECT_TRUE(memory_.CreateDirectory("/var").ok());
    EXPECT_TRUE(memory_.CreateDirectory("/run").ok());
    EXPECT_TRUE(memory_.SyncDirectory("/").ok());
    EXPECT_TRUE(store_.CreateRoots().ok());
    // What a real run directory forgets at a reboot is tested by name; here it forgets what was not synced.
    EXPECT_TRUE(memory_.SyncDirectory("/run").ok());
    EXPECT_TRUE(memory_.SyncDirectory("/run/vcd").ok());
  }

  // The host restarts: the disk has what was synced, the run directory nothing.
  void Reboot() {
    memory_.DropUnsynced();
    ASSERT_TRUE(memory_.RemoveTree("/run/vcd").ok());
    ASSERT_TRUE(store_.CreateRoots().ok());
  }

  MemoryFilesystem memory_;
  FaultInjectionFilesystem faults_{memory_};
  StateStore store_{faults_, "/var/vcd", "/run/vcd"};
};

TEST_F(StateStoreTest, StartsEmpty) {
  const absl::StatusOr<StoredPods> pods = store_.ListPodIds();
  ASSERT_TRUE(pods.ok()) << pods.status();
  EXPECT_THAT(pods->pod_ids, IsEmpty());
  EXPECT_THAT(pods->foreign_paths, IsEmpty());
  EXPECT_TRUE(store_.CreateRoots().ok());
}

TEST_F(StateStoreTest, LoadsWhatWasSavedAlsoAfterPowerLoss) {
  ASSERT_TRUE(Create(store_, "web").ok());
  memory_.DropUnsynced();
  EXPECT_EQ(store_.LoadConfig("web")->id(), "web");
  EXPECT_EQ(store_.LoadRecord("web")->pod_id(), "web");
}

TEST_F(StateStoreTest, AfterARebootThereIsAConfigAndNoRecord) {
  ASSERT_TRUE(Create(store_, "web").ok());
  Reboot();
  EXPECT_TRUE(store_.LoadConfig("web").ok());
  EXPECT_EQ(store_.LoadRecord("web").status().code(), absl::StatusCode::kNotFound);
  // And it can be written again.
  ASSERT_TRUE(store_.CreatePodDirectories("web").ok());
  EXPECT_TRUE(store_.SaveRecord(Record("web")).ok());
}

TEST_F(StateStoreTest, ListsBothRootsInOrderAndForeignNamesApart) {
  ASSERT_TRUE(Create(store_, "b").ok());
  ASSERT_TRUE(memory_.CreateDirectory("/run/vcd/pods/a").ok());
  ASSERT_TRUE(memory_.CreateDirectory("/var/vcd/pods/c").ok());
  ASSERT_TRUE(memory_.CreateDirectory("/var/vcd/pods/.lost").ok());
  const absl::StatusOr<StoredPods> pods = store_.ListPodIds();
  ASSERT_TRUE(pods.ok());
  EXPECT_THAT(pods->pod_ids, ElementsAre("a", "b", "c"));
  EXPECT_THAT(pods->foreign_paths, ElementsAre("/var/vcd/pods/.lost"));
}

TEST_F(StateStoreTest, DamageAndForeignRecordsAreDataLossWithTheirPath) {
  ASSERT_TRUE(Create(store_, "web").ok());
  ASSERT_TRUE(memory_.WriteFile("/run/vcd/pods/web/state.json", "{").ok());
  ASSERT_TRUE(memory_.WriteFile("/var/vcd/pods/web/config.json", "{\"id\": \"db\"}").ok());
  EXPECT_EQ(store_.LoadRecord("web").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(store_.LoadRecord("web").status().message()), HasSubstr("/run/vcd/pods/web/state.json"));
  EXPECT_EQ(store_.LoadConfig("web").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(store_.LoadConfig("web").status().message()), HasSubstr("is of pod \"db\", not of web"));
}

TEST_F(StateStoreTest, AFailureOfWritingNamesPodFileAndReason) {
  ASSERT_TRUE(Create(store_, "web").ok());
  faults_.Reset();
  faults_.FailCall(1, ENOSPC);
  const absl::Status status = store_.SaveRecord(Record("web"));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod web"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/run/vcd/pods/web/state.json"));
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_STORAGE);
  EXPECT_EQ(DetailOf(status)->metadata.at("pod_id"), "web");
  EXPECT_TRUE(store_.LoadRecord("web").ok());
}

TEST_F(StateStoreTest, ReserveIsForWhatEndsAndComesBack) {
  BoundedFilesystem disk(memory_);
  StateStore store(disk, "/var/vcd", "/run/vcd");
  for (const std::string& reserve : {store.layout().StateReserve(), store.layout().RunReserve()}) {
    ASSERT_TRUE(memory_.RemoveFile(reserve).ok());
  }
  ASSERT_TRUE(store.CreateRoots().ok());
  ASSERT_TRUE(Create(store, "web").ok());
  disk.BeFull();
  EXPECT_EQ(store.SaveRecord(Record("web")).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(store.SaveConfig(Config("web")).code(), absl::StatusCode::kResourceExhausted);
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(store.SaveRecord(Record("web"), DiskRoom::kReserve), absl::OkStatus());
    EXPECT_EQ(store.SaveConfig(Config("web"), DiskRoom::kReserve), absl::OkStatus());
    for (const std::string& reserve : {store.layout().StateReserve(), store.layout().RunReserve()}) {
      EXPECT_EQ(*memory_.Look(reserve), FileKind::kFile) << reserve;
    }
  }
}

TEST_F(StateStoreTest, ACreationThatStopsAnywhereNeverLooksLikeAPodFromBefore) {
  for (int stop = 1;; ++stop) {
    faults_.Reset();
    faults_.StopAtCall(stop);
    const absl::Status created = Create(store_, "web");
    const bool done = created.ok();
    faults_.Reset();
    // The daemon was killed, and started again.
    if (store_.LoadConfig("web").ok()) {
      const absl::StatusOr<state::v1::PodRecord> record = store_.LoadRecord("web");
      ASSERT_TRUE(record.ok()) << stop << record.status();
      EXPECT_TRUE(!done || record->under_way().intent() == state::v1::INTENT_UNSPECIFIED);
    }
    ASSERT_TRUE(store_.RemovePod("web").ok()) << stop;
    EXPECT_THAT(store_.ListPodIds()->pod_ids, IsEmpty()) << stop;
    if (done) break;
  }
}

TEST_F(StateStoreTest, ARemovalThatStopsAnywhereIsRecognisedAndFinished) {
  for (int stop = 1;; ++stop) {
    for (const bool power_loss : {false, true}) {
      ASSERT_TRUE(Create(store_, "web").ok());
      ASSERT_TRUE(store_.SaveRecord(Record("web", state::v1::INTENT_DELETE)).ok());
      faults_.Reset();
      faults_.StopAtCall(stop);
      const absl::Status removed = store_.RemovePod("web");
      faults_.Reset();
      if (power_loss) memory_.DropUnsynced();
      // Either still a pod that says it is being deleted, or no pod.
      if (store_.LoadConfig("web").ok()) {
        ASSERT_TRUE(store_.LoadRecord("web").ok()) << stop;
        EXPECT_EQ(store_.LoadRecord("web")->under_way().intent(), state::v1::INTENT_DELETE) << stop;
      }
      if (removed.ok()) {
        EXPECT_THAT(store_.ListPodIds()->pod_ids, IsEmpty()) << stop;
        if (power_loss) return;
      }
      ASSERT_TRUE(store_.RemovePod("web").ok()) << stop;
      EXPECT_THAT(store_.ListPodIds()->pod_ids, IsEmpty()) << stop;
    }
  }
}

TEST_F(StateStoreTest, ARemovedPodDoesNotComeBackWithAReboot) {
  ASSERT_TRUE(Create(store_, "web").ok());
  ASSERT_TRUE(store_.RemovePod("web").ok());
  Reboot();
  EXPECT_THAT(store_.ListPodIds()->pod_ids, IsEmpty());
}

TEST_F(StateStoreTest, QuarantineKeepsACopyOfBothRecordsOnce) {
  ASSERT_TRUE(Create(store_, "web").ok());
  ASSERT_TRUE(memory_.WriteFile("/run/vcd/pods/web/state.json", "broken").ok());
  for (int again = 0; again < 2; ++again) {
    const absl::StatusOr<std::string> directory = store_.Quarantine("web", "state.json: cannot be read");
    ASSERT_TRUE(directory.ok()) << directory.status();
    EXPECT_EQ(*directory, "/var/vcd/quarantine/web-1");
  }
  memory_.DropUnsynced();
  EXPECT_EQ(*memory_.ReadFile("/var/vcd/quarantine/web-1/state.json"), "broken");
  EXPECT_THAT(*memory_.ReadFile("/var/vcd/quarantine/web-1/config.json"), HasSubstr("web"));
  EXPECT_EQ(*memory_.ReadFile("/var/vcd/quarantine/web-1/reason.txt"), "state.json: cannot be read\n");

  ASSERT_TRUE(store_.RemovePod("web").ok());
  ASSERT_TRUE(Create(store_, "web").ok());
  EXPECT_EQ(*store_.Quarantine("web", "other bytes"), "/var/vcd/quarantine/web-2");
}

TEST_F(StateStoreTest, ADirectoryInThePlaceOfARecordDoesNotKeepAPod) {
  ASSERT_TRUE(Create(store_, "web").ok());
  for (const std::string& path : {store_.layout().ConfigFile("web"), store_.layout().StateFile("web")}) {
    ASSERT_TRUE(memory_.RemoveFile(path).ok());
    ASSERT_TRUE(memory_.CreateDirectory(path).ok());
  }
  EXPECT_FALSE(store_.LoadConfig("web").ok());
  ASSERT_TRUE(store_.RemovePod("web").ok());
  EXPECT_THAT(store_.ListPodIds()->pod_ids, IsEmpty());
}

TEST_F(StateStoreTest, WhatANewerReleaseWroteIsWrittenBack) {
  ASSERT_TRUE(Create(store_, "web").ok());
  const std::string path = store_.layout().ConfigFile("web");
  ASSERT_TRUE(memory_.WriteFile(path, R"({"id": "web", "affinity": "rack 7"})").ok());
  v1::PodConfig config = *store_.LoadConfig("web");
  config.set_hostname("db");
  ASSERT_TRUE(store_.SaveConfig(config).ok());
  EXPECT_THAT(*memory_.ReadFile(path), HasSubstr("rack 7"));
  EXPECT_THAT(*memory_.ReadFile(path), HasSubstr("db"));
  ASSERT_TRUE(store_.RemovePod("web").ok());
  ASSERT_TRUE(Create(store_, "web").ok());
  EXPECT_THAT(*memory_.ReadFile(path), Not(HasSubstr("rack 7")));
}

// Of a link the link is removed; what it leads to is another pod's.
TEST(StateStoreOnDiskTest, LinksInThePlaceOfAPodLeadNowhere) {
  TemporaryDirectory directory;
  PosixFilesystem filesystem;
  StateStore store(filesystem, directory.path() + "/state", directory.path() + "/run");
  ASSERT_TRUE(store.CreateRoots().ok());
  for (const char* id : {"web", "db"}) ASSERT_TRUE(Create(store, id).ok());
  const StateLayout& layout = store.layout();
  ASSERT_EQ(symlink("web", layout.PodStateDir("link").c_str()), 0);
  ASSERT_EQ(symlink("web", layout.RunDir("link").c_str()), 0);
  EXPECT_THAT(store.ListPodIds()->pod_ids, ElementsAre("db", "web"));
  EXPECT_THAT(store.ListPodIds()->foreign_paths, ElementsAre(layout.RunDir("link"), layout.PodStateDir("link")));

  ASSERT_TRUE(filesystem.RemoveTree(layout.RunDir("db")).ok());
  ASSERT_EQ(symlink("web", layout.RunDir("db").c_str()), 0);
  StoredPods stored = *store.ListPodIds();
  EXPECT_TRUE(stored.IsForeign(layout.RunDir("db")));
  ASSERT_TRUE(store.RemoveUnfinished("db", stored).ok());
  EXPECT_EQ(store.LoadRecord("db").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(filesystem.RemoveTree(layout.PodStateDir("db")).ok());
  ASSERT_EQ(symlink("web", layout.PodStateDir("db").c_str()), 0);
  ASSERT_EQ(symlink("/nonexistent/thing", layout.RunDir("db").c_str()), 0);
  stored = *store.ListPodIds();
  EXPECT_TRUE(stored.IsForeign(layout.PodStateDir("db")));
  EXPECT_TRUE(stored.IsForeign(layout.RunDir("db")));
  EXPECT_FALSE(stored.IsForeign(layout.PodStateDir("web")));
  ASSERT_TRUE(store.RemovePod("db").ok());
  EXPECT_THAT(store.ListPodIds()->foreign_paths, ElementsAre(layout.RunDir("link"), layout.PodStateDir("link")));
  EXPECT_EQ(store.LoadConfig("web")->id(), "web");
  EXPECT_EQ(store.LoadRecord("web")->pod_id(), "web");
}

TEST(StateStoreOnDiskTest, WorksOnTheHostsOwnFileSystem) {
  TemporaryDirectory directory;
  PosixFilesystem filesystem;
  StateStore store(filesystem, directory.path() + "/lib", directory.path() + "/run");
  ASSERT_TRUE(store.CreateRoots().ok());
  ASSERT_TRUE(Create(store, "web").ok());
  EXPECT_THAT(store.ListPodIds()->pod_ids, ElementsAre("web"));
  EXPECT_EQ(*filesystem.Look(store.layout().LogDir("web")), FileKind::kDirectory);
  EXPECT_TRUE(store.Quarantine("web", "test").ok());
  EXPECT_TRUE(store.RemovePod("web").ok());
  EXPECT_TRUE(store.RemovePod("web").ok());
  EXPECT_THAT(store.ListPodIds()->pod_ids, IsEmpty());
}

}  // namespace
}  // namespace vcd
