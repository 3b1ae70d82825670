// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_PROCESS_MODEL_CASE_ROWS_H_
#define VCD_TEST_PROCESS_MODEL_CASE_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "test/process_model/process_cases.h"

// The parts that ProcessCases() puts together, each in the file of its subject.
namespace vcd {

// basic_cases.cc: arguments, environment, descriptors, working directory; users and groups.
void AddBasics(std::vector<ProcessCase>* rows);
void AddUsers(std::vector<ProcessCase>* rows);
// privilege_cases.cc: what it may do and use.
void AddCapabilities(std::vector<ProcessCase>* rows);
void AddRestrictions(std::vector<ProcessCase>* rows);
void AddSeccomp(std::vector<ProcessCase>* rows);
// file_cases.cc: what it sees of files and devices.
void AddFiles(std::vector<ProcessCase>* rows);
void AddDevices(std::vector<ProcessCase>* rows);

// One more resource limit.
void AddLimit(v1::Cmd& cmd, const std::string& type, uint64_t soft, uint64_t hard);

}  // namespace vcd

#endif  // VCD_TEST_PROCESS_MODEL_CASE_ROWS_H_
