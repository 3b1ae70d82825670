// SPDX-License-Identifier: Apache-2.0
#include "core/template/template_store.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class TemplateStoreTest : public testing::Test {
 protected:
  static TemplateInfo Info() {
    TemplateInfo info;
    info.key = "c0ffee";
    info.trust_domain = "team-a";
    info.vcpus = 2;
    info.memory_mib = 256;
    info.kernel_path = "/boot/\xff";  // Not UTF-8.
    info.machine_type = "q35";
    info.created_at = absl::FromUnixSeconds(1700000000);
    return info;
  }

  // A whole template with one page of image.
  std::string Make() {
    const std::string directory = store_.Begin("c0ffee").value();
    std::ofstream(directory + "/memory") << std::string(4096, 'x');
    EXPECT_EQ(store_.Complete(directory, Info()), absl::OkStatus());
    return directory;
  }

  TemporaryDirectory directory_;
  const std::string root_ = directory_.path() + "/templates";
  PosixFilesystem filesystem_;
  TemplateStore store_{filesystem_, root_};
};

TEST_F(TemplateStoreTest, KeepsWhatItIsTold) {
  const std::string directory = Make();
  const auto loaded = store_.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(*loaded, SizeIs(1));
  EXPECT_EQ(loaded->front().directory, directory);
  const TemplateInfo& info = loaded->front().info;
  EXPECT_EQ(info.key, "c0ffee");
  EXPECT_EQ(info.trust_domain, "team-a");
  EXPECT_EQ(info.vcpus, 2u);
  EXPECT_EQ(info.memory_mib, 256u);
  EXPECT_EQ(info.machine_type, "q35");
  EXPECT_EQ(info.created_at, Info().created_at);
  EXPECT_EQ(info.state, TemplateState::kReady);
  EXPECT_GE(info.memory_bytes, 4096u);
}

TEST_F(TemplateStoreTest, TwoOfOneKeyAreApart) { EXPECT_NE(Make(), Make()); }

TEST_F(TemplateStoreTest, RemovesWhatIsNoTemplate) {
  const std::string whole = Make();
  ASSERT_TRUE(store_.Begin("00").ok());
  const std::string damaged = Make();
  std::ofstream(damaged + "/template.json") << "{\"key\": 7, \"trust_domain\": \"x\"";
  const std::string another_shape = Make();
  std::ofstream(another_shape + "/template.json") << "[1, 2]";
  const std::string without_domain = Make();
  std::ofstream(without_domain + "/template.json") << "{\"key\": \"c0ffee\", \"vcpus\": \"many\"}";
  std::ofstream(root_ + "/ab.12") << "a file";
  std::filesystem::create_symlink("/etc", root_ + "/cd.34");
  const std::vector<std::string> others = {"/lost+found", "/notes.txt", "/ab", "/ab.", "/.12", "/AB.12", "/ab.1x"};
  for (const std::string& other : others) std::filesystem::create_directory(root_ + other);

  const auto loaded = store_.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(*loaded, SizeIs(1));
  EXPECT_EQ(loaded->front().directory, whole);
  for (const std::string& other : others) EXPECT_TRUE(std::filesystem::is_empty(root_ + other)) << other;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root_), {}), 1 + static_cast<int>(others.size()));
  EXPECT_TRUE(std::filesystem::exists("/etc/passwd"));
}

TEST_F(TemplateStoreTest, RemovesOneWhoseImageIsNotWhole) {
  const std::string whole = Make();
  std::filesystem::resize_file(Make() + "/memory", 4095);
  std::filesystem::remove(Make() + "/memory");
  // Of a vcd that did not tell which files there are.
  const std::string old = Make();
  std::ofstream(old + "/template.json") << "{\"key\": \"c0ffee\", \"trust_domain\": \"x\"}";
  const auto loaded = store_.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  std::vector<std::string> directories;
  for (const StoredTemplate& stored : *loaded) directories.push_back(stored.directory);
  EXPECT_THAT(directories, UnorderedElementsAre(whole, old));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root_), {}), 2);
}

TEST_F(TemplateStoreTest, RemovedOnesAreGone) {
  const std::string directory = Make();
  EXPECT_EQ(store_.Remove(directory), absl::OkStatus());
  EXPECT_EQ(store_.Remove(directory), absl::OkStatus());
  EXPECT_THAT(store_.Load().value(), IsEmpty());
}

}  // namespace
}  // namespace vcd
