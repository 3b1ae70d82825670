// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_RUN_VC_H_
#define VCD_CLIENT_TESTING_RUN_VC_H_

#include <map>
#include <string>
#include <vector>

#include "client/testing/fake_server.h"
#include "client/testing/fake_signals.h"

namespace vcd::client {

struct RunOptions {
  std::string stdin_text;
  std::map<std::string, std::string> variables;
  // Null: none come.
  FakeSignals* signals = nullptr;
  // In place of a file that takes all; borrowed.
  int stdout_fd = -1;
};

struct RunResult {
  int exit_status = -1;
  std::string out;
  std::string err;
};

// Runs `vc WORDS...` in this process with all its verbs, VCD_ADDRESS set to the socket. It is 2023-11-14T22:13:20Z.
RunResult RunVc(const std::string& socket_path, const std::vector<std::string>& words, const RunOptions& options = {});
RunResult RunVc(const FakeServer& server, const std::vector<std::string>& words, const RunOptions& options = {});

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_RUN_VC_H_
