// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_E2E_E2E_TEST_H_
#define VCD_TEST_E2E_E2E_TEST_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/e2e/program.h"
#include "test/e2e/real_daemon.h"

namespace vcd {

// A test with a vcd of its own, root file systems, and a check at the end that nothing is left of its pods: no process,
// socket, mount, file, record or descriptor of vcd. A test deletes its pods itself.
class E2eTest : public ::testing::Test {
 protected:
  // `flags` are added to vcd's command line.
  explicit E2eTest(std::vector<std::string> flags = {}) : daemon_(std::move(flags)) {}

  void SetUp() override;
  void TearDown() override;

  RealDaemon& daemon() { return daemon_; }
  ProgramResult Vc(const std::vector<std::string>& words, const std::string& input = "") {
    return daemon_.Vc(words, input);
  }
  // `vc` that must succeed; returns its standard output.
  std::string Must(const std::vector<std::string>& words, const std::string& input = "");

  // `vc run --rm --rootfs …` with further options, then the command.
  ProgramResult RunIn(const std::string& rootfs, std::vector<std::string> options,
                      const std::vector<std::string>& command, const std::string& input = "");
  // Starts a pod that runs `command` in the background.
  void RunDetached(const std::string& pod_id, const std::vector<std::string>& command);
  ProgramResult Exec(const std::string& pod_id, const std::vector<std::string>& command,
                     std::vector<std::string> options = {}, const std::string& input = "");

  // The root file system as a directory of the host, and as an image; made when first asked for.
  const std::string& directory();
  const std::string& image(const std::string& fs_type = "erofs");

  // Deletes what there is, whatever its state.
  void RemoveAllPods();
  // vcd's descriptors now become those that TearDown expects, for a test that starts vcd anew.
  void RememberDescriptors() { descriptors_ = daemon_.Descriptors(); }
  // What is left, waited for a little: some of it ends in its own time after the answer.
  std::vector<std::string> SettledLeftovers();

 private:
  RealDaemon daemon_;
  std::map<std::string, int> descriptors_;
  std::string rootfs_directory_;
  std::map<std::string, std::string> images_;
};

// Sharing a directory of the host takes virtiofsd, and that takes root.
#define VCD_SKIP_UNLESS_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "virtiofsd shares a directory only when it runs as root"

MATCHER_P(ExitsWith, code, "") { return arg.exit_code == code; }

// The text without the blanks and newlines around it.
std::string Trimmed(const std::string& text);

}  // namespace vcd

#endif  // VCD_TEST_E2E_E2E_TEST_H_
