// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_IMAGE_TESTING_TEST_MACHINE_H_
#define VCD_GUEST_IMAGE_TESTING_TEST_MACHINE_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/os/unique_fd.h"

namespace vcd::guest {

// The built guest image in a QEMU of its own, emulated, without the daemon. Failures throw std::runtime_error. Not
// thread-safe; needs root, QEMU, and the image among the test's data.
class TestMachine {
 public:
  // Why there can be none here; empty when there can.
  static std::string WhyNot();

  // Starts to boot. What is said to the agent waits until it listens.
  TestMachine();
  // Kills QEMU and what was started beside it, prints the console, and removes the directory.
  ~TestMachine();
  TestMachine(const TestMachine&) = delete;
  TestMachine& operator=(const TestMachine&) = delete;

  // A new connection to the agent's port; it ends the one before.
  UniqueFd ConnectAgent() const;

  // One command of QMP; what it returned.
  std::string Qmp(const std::string& command, const std::string& arguments = "{}");
  // Waits for an event whose line contains `what`; one that came since the last wait is not missed.
  void QmpEvent(const std::string& what);

  // Hot-adds an image as a read-only disk, at target 0 and `lun`.
  void AttachImage(const std::string& image, int lun);
  // Makes an erofs image of a directory.
  std::string MakeImage(const std::string& root, const std::string& name) const;

  // Starts a program that ends with the machine, such as virtiofsd.
  void StartHelper(const std::vector<std::string>& words) { helpers_.push_back(Spawn(words)); }
  // A listening socket that a child inherits; connections wait in its backlog until the child is ready.
  static UniqueFd Listen(const std::string& path);

  // Waits for QEMU's end; the status of waitpid(2).
  int WaitForEnd();

  // A directory of its own in /tmp.
  const std::string& directory() const { return directory_; }

 private:
  static pid_t Spawn(std::vector<std::string> words);
  std::string QmpLine();

  std::string directory_;
  pid_t qemu_ = -1;
  std::vector<pid_t> helpers_;
  UniqueFd qmp_;
  std::vector<std::string> qmp_events_;  // That came while answers were waited for.
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_IMAGE_TESTING_TEST_MACHINE_H_
