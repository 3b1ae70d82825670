// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/checkpoint.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/fault_injection_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kId[] = "a1b2c3d4e5f6";

v1::ErrorReason ReasonOf(const absl::Status& status) { return DetailOf(status).value_or(ErrorDetail()).reason; }

std::string Text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    config_.set_id("web");
    config_.add_containers()->set_id("main");
    record_.set_pod_id("web");
    record_.set_state(v1::POD_STATE_RUNNING);
    manifest_.pod_id = "web";
    manifest_.vcd_version = "1.2.3";
    manifest_.image_key = "cafe";
    manifest_.stopped = true;
    manifest_.created_at = absl::FromUnixSeconds(1'700'000'000);
    manifest_.disks = {{"/images/root.erofs", 4096, "00ff"}};
  }

  absl::Status Make(Filesystem& filesystem, const std::string& directory, const std::string& id = kId) {
    auto writer = CheckpointWriter::Begin(filesystem, directory, id);
    if (!writer.ok()) return writer.status();
    std::ofstream((*writer)->image_dir() + "/state") << "devices";
    std::ofstream((*writer)->image_dir() + "/memory") << std::string(10'000, 'm');
    return (*writer)->Finish(manifest_, config_, record_, CallContext());
  }

  // What the directory is refused with after that change of a good checkpoint.
  absl::Status After(const std::function<void(const std::string& directory)>& change) {
    const std::string directory = absl::StrCat(root_, "/changed-", ++changed_);
    EXPECT_EQ(Make(filesystem_, directory), absl::OkStatus());
    change(directory);
    const absl::Status status = ReadCheckpoint(directory, CallContext()).status();
    if (!status.ok()) {
      EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_CHECKPOINT_UNFIT) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(directory));
    }
    return status;
  }

  void Replace(const std::string& path, const std::string& from, const std::string& to) {
    std::string text = Text(path);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << text;
    text.replace(at, from.size(), to);
    // By hand: without the checksum, which would find it first.
    const size_t seal = text.find(",\n \"checksum\"");
    if (seal != std::string::npos) text = text.substr(0, seal) + "\n}\n";
    std::ofstream(path, std::ios::binary) << text;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_)) names.push_back(entry.path().filename());
    return names;
  }

  TemporaryDirectory temporary_;
  const std::string root_ = temporary_.path();
  PosixFilesystem filesystem_;
  CheckpointManifest manifest_;
  v1::PodConfig config_;
  state::v1::PodRecord record_;
  int changed_ = 0;
};

TEST_F(CheckpointTest, IsReadAsItWasWritten) {
  const std::string directory = root_ + "/web";
  ASSERT_EQ(Make(filesystem_, directory), absl::OkStatus());
  EXPECT_THAT(Names(), ElementsAre("web"));
  const auto checkpoint = ReadCheckpoint(directory, CallContext());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->config.SerializeAsString(), config_.SerializeAsString());
  EXPECT_EQ(checkpoint->record.state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(checkpoint->image_dir, directory + "/image");
  const CheckpointManifest& manifest = checkpoint->manifest;
  EXPECT_EQ(manifest.id, kId);
  EXPECT_EQ(manifest.pod_id, "web");
  EXPECT_EQ(manifest.vcd_version, "1.2.3");
  EXPECT_EQ(manifest.image_key, "cafe");
  EXPECT_TRUE(manifest.stopped);
  EXPECT_EQ(manifest.created_at, manifest_.created_at);
  EXPECT_EQ(manifest.files.size(), 4u);
  ASSERT_EQ(manifest.disks.size(), 1u);
  EXPECT_EQ(manifest.disks[0].path, "/images/root.erofs");
  EXPECT_EQ(manifest.disks[0].bytes, 4096u);
  EXPECT_EQ(manifest.disks[0].digest, "00ff");
  EXPECT_FALSE(fs::exists(directory + "/lock"));
}

TEST_F(CheckpointTest, HoldsDisksAsTheyWere) {
  const std::string disk = root_ + "/disk.img", directory = root_ + "/web";
  std::ofstream(disk) << "before";
  auto writer = CheckpointWriter::Begin(filesystem_, directory, kId);
  ASSERT_TRUE(writer.ok()) << writer.status();
  std::ofstream((*writer)->image_dir() + "/state") << "devices";
  ASSERT_EQ((*writer)->AddDisk("rootfs-0", disk, CallContext()), absl::OkStatus());
  EXPECT_EQ((*writer)->AddDisk("rootfs-1", root_ + "/none", CallContext()).code(), absl::StatusCode::kNotFound);
  std::ofstream(disk) << "after";
  ASSERT_EQ((*writer)->Finish(manifest_, config_, record_, CallContext()), absl::OkStatus());
  const auto checkpoint = ReadCheckpoint(directory, CallContext());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->disks_dir, directory + "/disks");
  EXPECT_EQ(Text(directory + "/" + DiskFile("rootfs-0")), "before");
  ASSERT_EQ(checkpoint->manifest.files.size(), 4u);
  EXPECT_EQ(checkpoint->manifest.files[3].path, "disks/rootfs-0");
  EXPECT_EQ(checkpoint->manifest.files[3].bytes, 6u);
  // What was read stays what is copied.
  fs::rename(directory + "/disks", directory + "/away");
  fs::create_directory_symlink(root_, directory + "/disks");
  char read[6] = {};
  ASSERT_EQ(checkpoint->disks.count("disks/rootfs-0"), 1u);
  EXPECT_EQ(::pread(checkpoint->disks.at("disks/rootfs-0").get(), read, sizeof read, 0), 6);
  EXPECT_EQ(std::string(read, sizeof read), "before");
  const absl::Status linked = ReadCheckpoint(directory, CallContext()).status();
  EXPECT_EQ(ReasonOf(linked), v1::ERROR_REASON_CHECKPOINT_UNFIT) << linked;
  EXPECT_THAT(std::string(linked.message()), AllOf(HasSubstr("disks"), HasSubstr("symbolic link")));
  fs::remove(directory + "/disks");
  fs::rename(directory + "/away", directory + "/disks");
  std::ofstream(directory + "/disks/rootfs-0") << "beforE";
  const absl::Status damaged = ReadCheckpoint(directory, CallContext()).status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("disks/rootfs-0"));
}

TEST_F(CheckpointTest, IsForTheOwnerAlone) {
  ASSERT_EQ(Make(filesystem_, root_ + "/web"), absl::OkStatus());
  struct stat info = {};
  ASSERT_EQ(stat((root_ + "/web").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(CheckpointTest, DigestsAreThoseOfSha256sum) {
  ASSERT_EQ(Make(filesystem_, root_ + "/web"), absl::OkStatus());
  // printf devices | sha256sum
  EXPECT_THAT(Text(root_ + "/web/manifest.json"),
              HasSubstr("ade15a1287dabe92c77ad32bbfada2ba4f6593433011b090530bd2fa0d86d8a0"));
}

TEST_F(CheckpointTest, RoomIsWithoutHoles) {
  const std::string directory = root_ + "/web";
  EXPECT_EQ(CheckpointBytes(directory), 0u);
  auto writer = CheckpointWriter::Begin(filesystem_, directory, kId);
  ASSERT_TRUE(writer.ok()) << writer.status();
  std::ofstream((*writer)->image_dir() + "/memory") << "m";
  fs::resize_file((*writer)->image_dir() + "/memory", 64 << 20);
  ASSERT_EQ((*writer)->Finish(manifest_, config_, record_, CallContext()), absl::OkStatus());
  EXPECT_GT(CheckpointBytes(directory), 0u);
  EXPECT_LT(CheckpointBytes(directory), 1u << 20);
}

TEST_F(CheckpointTest, EachDamageIsFound) {
  for (const char* name : {"image/state", "image/memory", "pod.json", "record.json"}) {
    const absl::Status flipped = After([&](const std::string& directory) {
      const std::string path = directory + "/" + name;
      std::string text = Text(path);
      text[text.size() / 2] ^= 1;
      std::ofstream(path, std::ios::binary) << text;
    });
    EXPECT_EQ(flipped.code(), absl::StatusCode::kDataLoss) << flipped;
    EXPECT_THAT(std::string(flipped.message()), AllOf(HasSubstr(name), HasSubstr("is not what was written")));

    const absl::Status truncated = After([&](const std::string& directory) {
      fs::resize_file(directory + "/" + name, fs::file_size(directory + "/" + name) - 1);
    });
    EXPECT_EQ(truncated.code(), absl::StatusCode::kDataLoss) << truncated;
    EXPECT_THAT(std::string(truncated.message()), AllOf(HasSubstr(name), HasSubstr("bytes instead of")));

    const absl::Status missing = After([&](const std::string& directory) { fs::remove(directory + "/" + name); });
    EXPECT_EQ(missing.code(), absl::StatusCode::kDataLoss) << missing;
    EXPECT_THAT(std::string(missing.message()), AllOf(HasSubstr(name), HasSubstr("is missing")));
  }
}

// By whoever may write to it: nothing is followed, waited for, or taken for another thing.
TEST_F(CheckpointTest, WhatIsNoRegularFileIsRefusedByName) {
  const std::vector<std::pair<std::string, std::function<void(const std::string& path)>>> replacements = {
      {"symbolic link",
       [](const std::string& path) {
         // Not in the directory of the image, where it would be found first.
         const std::string away = fs::path(path).parent_path().parent_path() / "away";
         fs::rename(path, away);
         fs::create_symlink(away, path);
       }},
      {"no regular file",
       [](const std::string& path) {
         fs::remove(path);
         ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
       }},
      {"no regular file",
       [](const std::string& path) {
         fs::remove(path);
         ASSERT_EQ(mknod(path.c_str(), S_IFSOCK | 0600, 0), 0);
       }},
      {"no regular file",
       [](const std::string& path) {
         fs::remove(path);
         fs::create_directory(path);
       }},
  };
  for (const char* name : {"image/state", "pod.json", "record.json", "manifest.json"}) {
    for (const auto& [what, replace] : replacements) {
      const absl::Status status =
          After([&, &replace = replace](const std::string& directory) { replace(directory + "/" + name); });
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
      EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(name), HasSubstr(what)));
    }
  }
}

TEST_F(CheckpointTest, DirectoriesThatAreNoneAreRefusedByName) {
  for (const char* name : {"image", "disks"}) {
    for (const bool link : {true, false}) {
      const absl::Status status = After([&](const std::string& directory) {
        const std::string path = directory + "/" + name;
        if (fs::exists(path)) fs::rename(path, directory + "/away");
        if (link) {
          fs::create_directory_symlink("away", path);
        } else {
          std::ofstream(path) << "x";
        }
      });
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name << status;
      EXPECT_THAT(std::string(status.message()),
                  AllOf(HasSubstr(name), HasSubstr(link ? "symbolic link" : "no directory")));
    }
  }
  std::ofstream(root_ + "/file") << "x";
  const absl::Status file = ReadCheckpoint(root_ + "/file", CallContext()).status();
  EXPECT_EQ(ReasonOf(file), v1::ERROR_REASON_CHECKPOINT_UNFIT) << file;
  // The path to it is its owner's.
  ASSERT_EQ(Make(filesystem_, root_ + "/web"), absl::OkStatus());
  fs::create_directory_symlink(root_ + "/web", root_ + "/link");
  EXPECT_TRUE(ReadCheckpoint(root_ + "/link", CallContext()).ok());
}

TEST_F(CheckpointTest, TextsThatAreTooLargeAreNotRead) {
  for (const char* name : {"manifest.json", "record.json"}) {
    const absl::Status status = After([&](const std::string& directory) {
      const std::string path = directory + "/" + name, bytes = std::to_string(fs::file_size(path));
      fs::resize_file(path, uint64_t{1} << 40);
      // The manifest agrees.
      if (path.find("record") == std::string::npos) return;
      Replace(directory + "/manifest.json", "\"record.json\",\n   \"bytes\": " + bytes,
              "\"record.json\",\n   \"bytes\": 1099511627776");
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(name), HasSubstr("is larger than")));
  }
}

TEST_F(CheckpointTest, ManifestTellsOfAllThatIsThere) {
  const auto forget = [&](const std::string& directory, const std::string& name) {
    const std::string path = directory + "/manifest.json", text = Text(path);
    const size_t at = text.find("\"" + name + "\"");
    // It is not the first, and so there is a comma before it.
    const size_t begin = text.rfind(',', text.rfind('{', at));
    Replace(path, text.substr(begin, text.find('}', at) + 1 - begin), "");
  };
  for (const char* name : {"image/state", "image/memory"}) {
    const absl::Status left_out = After([&](const std::string& directory) { forget(directory, name); });
    EXPECT_EQ(left_out.code(), absl::StatusCode::kDataLoss) << left_out;
    EXPECT_THAT(std::string(left_out.message()), AllOf(HasSubstr(name), HasSubstr("is not in the manifest")));
  }
  const absl::Status none = After([&](const std::string& directory) {
    forget(directory, "image/state");
    forget(directory, "image/memory");
    fs::remove_all(directory + "/image");
  });
  EXPECT_THAT(std::string(none.message()), HasSubstr("tells of no file in image"));
  const absl::Status more = After([](const std::string& directory) {
    fs::create_directory(directory + "/disks");
    std::ofstream(directory + "/disks/rootfs-0") << "x";
  });
  EXPECT_THAT(std::string(more.message()), AllOf(HasSubstr("disks/rootfs-0"), HasSubstr("is not in the manifest")));
}

TEST_F(CheckpointTest, ManifestThatNoReleaseWritesIsRefused) {
  struct Case {
    const char* from;
    const char* to;
    absl::StatusCode code;
  };
  for (const Case& change : std::vector<Case>{
           {"\"format\": 1", "\"format\": 2", absl::StatusCode::kFailedPrecondition},
           {"\"format\": 1", "\"format\": \"one\"", absl::StatusCode::kDataLoss},
           {"\"pod_id\": \"web\"", "\"pod_id\": \"../web\"", absl::StatusCode::kDataLoss},
           {"\"pod_id\": \"web\"", "\"pod_id\": \"other\"", absl::StatusCode::kDataLoss},
           {"\"stopped\": true", "\"stopped\": 1", absl::StatusCode::kDataLoss},
           {"\"image_key\"", "\"image_kez\"", absl::StatusCode::kDataLoss},
           {"\"created_at\": \"2", "\"created_at\": \"x", absl::StatusCode::kDataLoss},
           {"image/state", "image/../../x", absl::StatusCode::kDataLoss},
           {"image/state", "/etc/shadow", absl::StatusCode::kDataLoss},
           {"image/state", "pod.json", absl::StatusCode::kDataLoss},
           {"\"record.json\"", "\"image/record\"", absl::StatusCode::kDataLoss},
           {"\"sha256\"", "\"sha1\"", absl::StatusCode::kDataLoss},
           {"\"path\": \"/images", "\"path\": \"images", absl::StatusCode::kDataLoss},
           {"\"bytes\": 4096", "\"bytes\": -1", absl::StatusCode::kDataLoss},
           {"{", "[", absl::StatusCode::kDataLoss},
       }) {
    const absl::Status status =
        After([&](const std::string& directory) { Replace(directory + "/manifest.json", change.from, change.to); });
    EXPECT_EQ(status.code(), change.code) << change.to << ": " << status;
  }
}

TEST_F(CheckpointTest, BitOfTheManifestIsMissed) {
  const absl::Status status = After([](const std::string& directory) {
    const std::string path = directory + "/manifest.json";
    std::string text = Text(path);
    text[text.find("cafe")] = 'd';
    std::ofstream(path, std::ios::binary) << text;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_F(CheckpointTest, WhatIsNoCheckpointIsToldFromNothing) {
  EXPECT_EQ(ReadCheckpoint(root_ + "/none", CallContext()).status().code(), absl::StatusCode::kNotFound);
  const absl::Status empty = ReadCheckpoint(root_, CallContext()).status();
  EXPECT_EQ(empty.code(), absl::StatusCode::kFailedPrecondition) << empty;
  EXPECT_EQ(ReasonOf(empty), v1::ERROR_REASON_CHECKPOINT_UNFIT);
}

TEST_F(CheckpointTest, PlaceMustBeNewAndPlain) {
  for (const std::string& directory :
       std::vector<std::string>{"", "relative", "/", root_ + "/", root_ + "//x", root_ + "/./x", root_ + "/y/../x",
                                root_ + "/" + std::string(250, 'x')}) {
    const absl::Status status = CheckCheckpointPlace(filesystem_, directory, {});
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD) << directory << ": " << status;
  }
  EXPECT_EQ(CheckCheckpointPlace(filesystem_, root_, {}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(CheckCheckpointPlace(filesystem_, root_ + "/a/b", {}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckCheckpointPlace(filesystem_, root_ + "/a", {}), absl::OkStatus());
}

// What vcd does not know there it removes when it starts.
TEST_F(CheckpointTest, PlaceIsNoneOfOurOwn) {
  const std::string state = root_ + "/state", beside = root_ + "/state2", link = root_ + "/link";
  std::filesystem::create_directories(state + "/pods");
  std::filesystem::create_directory(beside);
  std::filesystem::create_symlink(state + "/pods", link);
  for (const std::string& parent : {state, state + "/pods", link}) {
    const absl::Status status = CheckCheckpointPlace(filesystem_, parent + "/web", {root_ + "/none", state});
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD) << parent << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("is in " + state));
  }
  EXPECT_EQ(CheckCheckpointPlace(filesystem_, beside + "/web", {root_ + "/none", state}), absl::OkStatus());
  EXPECT_EQ(CheckCheckpointPlace(filesystem_, root_ + "/web", {root_ + "/none", state}), absl::OkStatus());
}

TEST_F(CheckpointTest, NothingIsThereAfterAnyFailure) {
  const std::string directory = root_ + "/web";
  FaultInjectionFilesystem faulty(filesystem_);
  ASSERT_EQ(Make(faulty, directory), absl::OkStatus());
  const size_t calls = faulty.calls().size();
  fs::remove_all(directory);
  int failures = 0;
  for (size_t call = 1; call <= calls; ++call) {
    faulty.Reset();
    faulty.FailCall(static_cast<int>(call), ENOSPC);
    const absl::Status status = Make(faulty, directory);
    if (status.ok()) {
      // What is only tidied up beforehand.
      fs::remove_all(directory);
    } else {
      ++failures;
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    }
    EXPECT_THAT(Names(), IsEmpty()) << "after call " << call << ": " << faulty.calls()[call - 1];
  }
  EXPECT_GT(failures, 10);
}

TEST_F(CheckpointTest, WhatADaemonLeftIsSettled) {
  const std::string directory = root_ + "/web";
  const std::string making = MakingPath(directory, kId);
  FaultInjectionFilesystem faulty(filesystem_);
  ASSERT_EQ(Make(faulty, directory), absl::OkStatus());
  const size_t calls = faulty.calls().size();
  EXPECT_TRUE(SettleMaking(filesystem_, making).value().has_value());
  // Another one of that name is not the one that was being made.
  EXPECT_FALSE(SettleMaking(filesystem_, MakingPath(directory, "ffffffffffff")).value().has_value());
  fs::remove_all(directory);
  for (size_t call = 1; call <= calls; ++call) {
    faulty.Reset();
    faulty.StopAtCall(static_cast<int>(call));
    const absl::Status status = Make(faulty, directory);
    const auto whole = SettleMaking(filesystem_, making);
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ(whole->has_value(), fs::exists(directory)) << "after call " << call;
    if (whole->has_value()) {
      EXPECT_TRUE(ReadCheckpoint(directory, CallContext()).ok());
    }
    fs::remove_all(directory);
    EXPECT_THAT(Names(), IsEmpty()) << "after call " << call;
  }
  EXPECT_FALSE(SettleMaking(filesystem_, "/etc").ok());
  EXPECT_TRUE(fs::exists("/etc"));
}

TEST_F(CheckpointTest, LaterMakerRemovesWhatTheDeadLeftAndNothingElse) {
  const std::string directory = root_ + "/web";
  auto alive = CheckpointWriter::Begin(filesystem_, directory, "alive");
  ASSERT_TRUE(alive.ok()) << alive.status();
  fs::create_directories(MakingPath(directory, "dead") + "/image");
  fs::create_directories(MakingPath(root_ + "/website", "dead") + "/image");
  ASSERT_EQ(Make(filesystem_, directory), absl::OkStatus());
  EXPECT_FALSE(fs::exists(MakingPath(directory, "dead")));
  EXPECT_TRUE(fs::exists(MakingPath(directory, "alive")));
  EXPECT_TRUE(fs::exists(MakingPath(root_ + "/website", "dead")));
  // The second to finish finds that it is too late.
  EXPECT_FALSE((*alive)->Finish(manifest_, config_, record_, CallContext()).ok());
  alive->reset();
  EXPECT_TRUE(ReadCheckpoint(directory, CallContext()).ok());
  EXPECT_FALSE(fs::exists(MakingPath(directory, "alive")));
}

// Somebody comes before anything gets its name.
class Interrupted : public FaultInjectionFilesystem {
 public:
  Interrupted(Filesystem& inner, std::function<void()> before) : FaultInjectionFilesystem(inner), before_(before) {}
  absl::Status Rename(const std::string& from, const std::string& to) override {
    before_();
    return FaultInjectionFilesystem::Rename(from, to);
  }

 private:
  const std::function<void()> before_;
};

TEST_F(CheckpointTest, LaterMakerLeavesAloneWhatIsAboutToGetItsName) {
  const std::string directory = root_ + "/web";
  int others = 0;
  Interrupted interrupted(filesystem_,
                          [&] { others += CheckpointWriter::Begin(filesystem_, directory, "other").ok() ? 1 : 0; });
  EXPECT_EQ(Make(interrupted, directory), absl::OkStatus());
  EXPECT_EQ(others, 1);
  EXPECT_TRUE(ReadCheckpoint(directory, CallContext()).ok());
  EXPECT_FALSE(fs::exists(directory + "/lock"));
  EXPECT_THAT(Names(), ElementsAre("web"));
}

TEST_F(CheckpointTest, ReadingEndsWithItsContext) {
  ASSERT_EQ(Make(filesystem_, root_ + "/web"), absl::OkStatus());
  const CallContext over{absl::InfinitePast(), nullptr};
  EXPECT_EQ(ReadCheckpoint(root_ + "/web", over).status().code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace vcd
