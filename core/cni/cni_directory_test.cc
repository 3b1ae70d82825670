// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_directory.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

class CniDirectoryTest : public testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    std::ofstream(absl::StrCat(temporary_.path(), "/", file)) << text;
  }
  void WriteNetwork(const std::string& file, const std::string& name) {
    Write(file, absl::StrCat(R"({"cniVersion": "1.0.0", "type": "ptp", "name": ")", name, "\"}"));
  }

  TemporaryDirectory temporary_;
  PosixFilesystem filesystem_;
  CniDirectory directory_{
      filesystem_, temporary_.path(),
      *ParseCniConfiguration(R"({"cniVersion": "1.0.0", "name": "default", "type": "bridge"})", "built in")};
};

TEST_F(CniDirectoryTest, WithoutFilesThereIsTheBuiltInOne) {
  EXPECT_EQ(directory_.Find("")->source, "built in");
  EXPECT_EQ(directory_.Find("default")->source, "built in");
  CniDirectory nowhere(filesystem_, "/nonexistent/net.d", std::nullopt);
  EXPECT_EQ(nowhere.Find("").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CniDirectoryTest, TheFirstByFileNameIsTakenUnasked) {
  WriteNetwork("20-b.conf", "b");
  WriteNetwork("10-c.json", "c");
  WriteNetwork("00-no.txt", "no");
  EXPECT_EQ(directory_.Find("")->name, "c");
  EXPECT_EQ(directory_.Find("b")->name, "b");
}

TEST_F(CniDirectoryTest, AFileWinsOverTheBuiltInOne) {
  WriteNetwork("90-mine.conflist", "default");
  EXPECT_THAT(directory_.Find("default")->source, HasSubstr("90-mine.conflist"));
}

TEST_F(CniDirectoryTest, WrongFilesHideNoGoodOnesButTheirOwnName) {
  Write("00-broken.conf", "{");
  Write("10-old.conf", R"({"cniVersion": "0.2.0", "name": "default", "type": "ptp"})");
  WriteNetwork("20-b.conf", "b");
  EXPECT_EQ(directory_.Find("")->name, "b");
  const absl::Status old = directory_.Find("default").status();
  EXPECT_EQ(old.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(old.message()), HasSubstr("10-old.conf: `cniVersion` is \"0.2.0\""));
  const std::string unknown(directory_.Find("x").status().message());
  EXPECT_THAT(unknown, HasSubstr("no network `x`"));
  EXPECT_THAT(unknown, HasSubstr("known are: b, default"));
  EXPECT_THAT(unknown, HasSubstr("00-broken.conf: is not JSON"));
}

}  // namespace
}  // namespace vcd
