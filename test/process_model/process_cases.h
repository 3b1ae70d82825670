// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_PROCESS_MODEL_PROCESS_CASES_H_
#define VCD_TEST_PROCESS_MODEL_PROCESS_CASES_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"
#include "proto/vcd/v1/process.pb.h"

// The process model as a table: a configuration, and what a program inside the container finds. Whoever can run
// containers goes through it: the agent on this machine, and a pod in a virtual machine.
namespace vcd {

// One row. The program is `probe` (probe.cc), as the container's first process or, with `exec`, as another one of a
// container that sleeps.
struct ProcessCase {
  std::string name;
  std::vector<std::string> probe;
  // What the probe prints.
  ::testing::Matcher<std::string> out = ::testing::_;
  // Changes to a plain container, and to a plain exec.
  std::function<void(v1::ContainerConfig&)> container = nullptr;
  std::function<void(v1::Cmd&)> exec = nullptr;
  // Set: it is refused before anything runs, with these words.
  std::string refusal = "";
  // The kernel of a machine with few privileges may refuse with these words instead.
  std::string may_be_refused = "";
  int exit_code = 0;
  // Has a meaning too for processes without namespaces, users and roots of their own.
  bool without_isolation = false;
};

// For gtest's messages.
inline void PrintTo(const ProcessCase& row, std::ostream* out) { *out << row.name; }

std::vector<ProcessCase> ProcessCases();

// What the rows count on in the pod: names and addresses.
v1::PodConfig ProcessCasesPod();

// The container of a row, without id and with a root file system of no source; the command of its exec, if it has one.
v1::ContainerConfig ContainerOf(const ProcessCase& row);
v1::Cmd ExecOf(const ProcessCase& row);

// What came of a row.
struct ProcessOutcome {
  absl::Status refused;  // Of whatever made the process.
  v1::ExitStatus exit;
  std::string out;
  std::string err;
};

// Tells through gtest whether it is as it should be.
void ExpectOutcome(const ProcessCase& row, const ProcessOutcome& outcome);

// Makes the root file system that the rows are written for: that of the end-to-end tests, the program at `probe`, and
// links that lead where they should not.
void MakeProcessCasesRoot(const std::string& directory, const std::string& probe);

}  // namespace vcd

#endif  // VCD_TEST_PROCESS_MODEL_PROCESS_CASES_H_
