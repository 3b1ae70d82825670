// SPDX-License-Identifier: Apache-2.0
#include "core/os/filesystem.h"

#include <cerrno>
#include <functional>
#include <memory>

#include "core/os/posix_filesystem.h"
#include "core/os/testing/fault_injection_filesystem.h"
#include "core/os/testing/memory_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What the host's file system and the one in memory have in common.
struct Kind {
  std::string name;
  std::function<std::unique_ptr<Filesystem>()> make;
};

class FilesystemContract : public testing::TestWithParam<Kind> {
 protected:
  FilesystemContract() : fs_(GetParam().make()) {
    // The same paths in both: the memory is empty but for its root.
    if (GetParam().name == "Memory") {
      EXPECT_TRUE(fs_->CreateDirectory("/tmp").ok());
      EXPECT_TRUE(fs_->CreateDirectory(directory_.path()).ok());
    }
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  TemporaryDirectory directory_;
  std::unique_ptr<Filesystem> fs_;
};

TEST_P(FilesystemContract, WhatWasWrittenIsRead) {
  ASSERT_TRUE(fs_->WriteFile(Path("a"), std::string("1\0002", 3)).ok());
  EXPECT_EQ(*fs_->ReadFile(Path("a")), std::string("1\0002", 3));
  ASSERT_TRUE(fs_->WriteFile(Path("a"), "").ok());
  EXPECT_EQ(*fs_->ReadFile(Path("a")), "");
}

TEST_P(FilesystemContract, MissingThingsAreNotFoundWithTheirPath) {
  EXPECT_EQ(fs_->ReadFile(Path("a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(fs_->ReadFile(Path("a")).status().message()), HasSubstr(Path("a")));
  EXPECT_EQ(fs_->ListDirectory(Path("a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->WriteFile(Path("no/a"), "").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->CreateDirectory(Path("no/a")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->Rename(Path("a"), Path("b")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*fs_->Look(Path("a")), FileKind::kNone);
  EXPECT_EQ(*fs_->Look(Path("a/b")), FileKind::kNone);
}

TEST_P(FilesystemContract, CreatingADirectoryTwiceIsFineButNotOverAFile) {
  EXPECT_TRUE(fs_->CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(fs_->CreateDirectory(Path("d")).ok());
  ASSERT_TRUE(fs_->WriteFile(Path("f"), "").ok());
  EXPECT_THAT(std::string(fs_->CreateDirectory(Path("f")).message()), HasSubstr(Path("f")));
}

TEST_P(FilesystemContract, ListsNamesInOrder) {
  ASSERT_TRUE(fs_->WriteFile(Path("b"), "").ok());
  ASSERT_TRUE(fs_->CreateDirectory(Path("a")).ok());
  EXPECT_THAT(*fs_->ListDirectory(directory_.path()), ElementsAre("a", "b"));
  EXPECT_THAT(*fs_->ListDirectory(Path("a")), IsEmpty());
  EXPECT_FALSE(fs_->ListDirectory(Path("b")).ok());
}

TEST_P(FilesystemContract, RenamesDirectoriesAndReplacesFiles) {
  ASSERT_TRUE(fs_->CreateDirectory(Path("d")).ok());
  ASSERT_TRUE(fs_->WriteFile(Path("d/f"), "x").ok());
  ASSERT_TRUE(fs_->Rename(Path("d"), Path("e")).ok());
  EXPECT_EQ(*fs_->ReadFile(Path("e/f")), "x");
  ASSERT_TRUE(fs_->WriteFile(Path("g"), "y").ok());
  ASSERT_TRUE(fs_->Rename(Path("g"), Path("e/f")).ok());
  EXPECT_EQ(*fs_->ReadFile(Path("e/f")), "y");
  ASSERT_TRUE(fs_->CreateDirectory(Path("h")).ok());
  EXPECT_FALSE(fs_->Rename(Path("h"), Path("e")).ok());
}

TEST_P(FilesystemContract, RemovingIsIdempotent) {
  ASSERT_TRUE(fs_->WriteFile(Path("a"), "").ok());
  EXPECT_TRUE(fs_->RemoveFile(Path("a")).ok());
  EXPECT_TRUE(fs_->RemoveFile(Path("a")).ok());
  ASSERT_TRUE(fs_->CreateDirectory(Path("d")).ok());
  EXPECT_FALSE(fs_->RemoveFile(Path("d")).ok());
  ASSERT_TRUE(fs_->CreateDirectory(Path("d/e")).ok());
  ASSERT_TRUE(fs_->WriteFile(Path("d/e/f"), "").ok());
  EXPECT_TRUE(fs_->RemoveTree(Path("d")).ok());
  EXPECT_TRUE(fs_->RemoveTree(Path("d")).ok());
  EXPECT_EQ(*fs_->Look(Path("d")), FileKind::kNone);
}

TEST_P(FilesystemContract, ReplaceLeavesNoTemporaryFile) {
  EXPECT_TRUE(fs_->ReplaceFile(Path("a"), "1").ok());
  EXPECT_TRUE(fs_->ReplaceFile(Path("a"), "2").ok());
  EXPECT_EQ(*fs_->ReadFile(Path("a")), "2");
  EXPECT_THAT(*fs_->ListDirectory(directory_.path()), ElementsAre("a"));
}

INSTANTIATE_TEST_SUITE_P(All, FilesystemContract,
                         testing::Values(Kind{"Posix", [] { return std::make_unique<PosixFilesystem>(); }},
                                         Kind{"Memory", [] { return std::make_unique<MemoryFilesystem>(); }}),
                         [](const testing::TestParamInfo<Kind>& info) { return info.param.name; });

TEST(ReplaceFileTest, PowerLossAfterAnyStepLeavesTheOldContentOrTheNew) {
  for (int stop = 1; stop <= 5; ++stop) {
    MemoryFilesystem memory;
    ASSERT_TRUE(memory.ReplaceFile("/a", "old").ok());
    FaultInjectionFilesystem faults(memory);
    faults.StopAtCall(stop);
    const absl::Status status = faults.ReplaceFile("/a", "new");
    EXPECT_EQ(status.ok(), stop == 5) << stop;
    memory.DropUnsynced();
    EXPECT_EQ(*memory.ReadFile("/a"), stop == 5 ? "new" : "old") << stop;
  }
}

TEST(ReplaceFileTest, AFullDiskLeavesTheOldContentAndNoRubbish) {
  MemoryFilesystem memory;
  ASSERT_TRUE(memory.ReplaceFile("/a", "old").ok());
  FaultInjectionFilesystem faults(memory);
  faults.ShortWriteCall(1, ENOSPC);
  const absl::Status status = faults.ReplaceFile("/a", "newer");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/a.tmp"));
  EXPECT_THAT(*memory.ListDirectory("/"), ElementsAre("a"));
  EXPECT_EQ(*memory.ReadFile("/a"), "old");
}

TEST(MemoryFilesystemTest, ForgetsWhatWasNotSynced) {
  MemoryFilesystem memory;
  ASSERT_TRUE(memory.CreateDirectory("/d").ok());
  ASSERT_TRUE(memory.SyncDirectory("/").ok());
  ASSERT_TRUE(memory.WriteFile("/d/a", "x").ok());
  ASSERT_TRUE(memory.SyncDirectory("/d").ok());
  ASSERT_TRUE(memory.WriteFile("/d/b", "y").ok());
  ASSERT_TRUE(memory.SyncFile("/d/b").ok());
  memory.DropUnsynced();
  EXPECT_THAT(*memory.ListDirectory("/d"), ElementsAre("a"));
  EXPECT_EQ(*memory.ReadFile("/d/a"), "");
}

TEST(FaultInjectionFilesystemTest, FailsTheChosenCallOnly) {
  MemoryFilesystem memory;
  FaultInjectionFilesystem faults(memory);
  faults.FailCall(2, EACCES);
  EXPECT_TRUE(faults.WriteFile("/a", "x").ok());
  EXPECT_EQ(faults.ReadFile("/a").status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(faults.ReadFile("/a").ok());
  EXPECT_THAT(faults.calls(), ElementsAre("WriteFile /a", "ReadFile /a", "ReadFile /a"));
}

}  // namespace
}  // namespace vcd
