// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/e2e_test.h"

#include <poll.h>

#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/rootfs_fixture.h"

namespace vcd {
namespace {

// vcd closes sockets on its I/O thread, after the answer; no event tells of it.
constexpr absl::Duration kSettleTimeout = absl::Seconds(60);
constexpr int kSettleStepMs = 20;

constexpr size_t kShownLogBytes = 16384;

std::string End(const std::string& text) {
  return text.size() <= kShownLogBytes ? text : "…" + text.substr(text.size() - kShownLogBytes);
}

}  // namespace

void E2eTest::SetUp() {
  ASSERT_NO_FATAL_FAILURE(daemon_.Start());
  // The first call of a kind may open what stays open.
  Must({"ps"});
  RememberDescriptors();
}

void E2eTest::TearDown() {
  if (HasFailure()) {
    std::printf("log of vcd:\n%s\n", End(daemon_.log()).c_str());
    return;
  }
  if (IsSkipped()) return;
  EXPECT_EQ(Must({"ps", "-a", "-q"}), "") << "the test did not delete its pods";
  const std::vector<std::string> leftovers = SettledLeftovers();
  EXPECT_TRUE(leftovers.empty()) << absl::StrJoin(leftovers, "\n") << "\nlog of vcd:\n" << End(daemon_.log());
  if (daemon_.pid() != 0) daemon_.Terminate();
}

std::string E2eTest::Must(const std::vector<std::string>& words, const std::string& input) {
  const ProgramResult result = Vc(words, input);
  EXPECT_THAT(result, ExitsWith(0)) << "vc " << absl::StrJoin(words, " ");
  return result.out;
}

ProgramResult E2eTest::RunIn(const std::string& rootfs, std::vector<std::string> options,
                             const std::vector<std::string>& command, const std::string& input) {
  std::vector<std::string> words = {"run", "--rm", "--rootfs", rootfs};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back("--");
  words.insert(words.end(), command.begin(), command.end());
  return Vc(words, input);
}

void E2eTest::RunDetached(const std::string& pod_id, const std::vector<std::string>& command) {
  std::vector<std::string> words = {"run", "-d", "--id", pod_id, "--rootfs", image(), "--"};
  words.insert(words.end(), command.begin(), command.end());
  EXPECT_EQ(Must(words), pod_id + "\n");
}

ProgramResult E2eTest::Exec(const std::string& pod_id, const std::vector<std::string>& command,
                            std::vector<std::string> options, const std::string& input) {
  std::vector<std::string> words = {"exec"};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {pod_id, "--"});
  words.insert(words.end(), command.begin(), command.end());
  return Vc(words, input);
}

const std::string& E2eTest::directory() {
  if (rootfs_directory_.empty()) {
    rootfs_directory_ = daemon_.directory() + "/rootfs";
    MakeBusyboxDirectory(rootfs_directory_);
  }
  return rootfs_directory_;
}

const std::string& E2eTest::image(const std::string& fs_type) {
  std::string& path = images_[fs_type];
  if (path.empty()) {
    path = absl::StrCat(daemon_.directory(), "/rootfs.", fs_type);
    MakeImage(directory(), fs_type, path);
  }
  return path;
}

void E2eTest::RemoveAllPods() {
  const std::string pods = Must({"ps", "-a", "-q"});
  std::vector<std::string> words = {"rm", "-f"};
  for (const auto& pod : absl::StrSplit(pods, '\n', absl::SkipEmpty())) words.emplace_back(pod);
  if (words.size() > 2) Must(words);
}

std::vector<std::string> E2eTest::SettledLeftovers() {
  const absl::Time deadline = absl::Now() + kSettleTimeout;
  while (true) {
    std::vector<std::string> found = daemon_.Leftovers();
    if (daemon_.pid() != 0) {
      for (const std::string& added : NewDescriptors(descriptors_, daemon_.Descriptors())) {
        found.push_back("descriptor of vcd: " + added);
      }
    }
    if (found.empty() || absl::Now() >= deadline) return found;
    (void)::poll(nullptr, 0, kSettleStepMs);
  }
}

std::string Trimmed(const std::string& text) { return std::string(absl::StripAsciiWhitespace(text)); }

}  // namespace vcd
