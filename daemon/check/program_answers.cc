// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/program_answers.h"

#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Another version of the program has other keys; those of the earlier one are of no use any more.
constexpr size_t kMaxAnswers = 16;

}  // namespace

absl::StatusOr<std::string> ProgramAnswers::Ask(const Host& host, const std::vector<std::string>& argv,
                                                absl::Time deadline) {
  VCD_ASSIGN_OR_RETURN(const struct stat file, host.Stat(argv[0]));
  const Key key(file.st_dev, file.st_ino, file.st_size, file.st_ctim.tv_sec, file.st_ctim.tv_nsec, argv);
  const auto known = answers_.find(key);
  if (known != answers_.end()) return known->second;
  VCD_ASSIGN_OR_RETURN(std::string answer, host.Run(argv, deadline));
  if (answers_.size() >= kMaxAnswers) answers_.clear();
  answers_[key] = answer;
  return answer;
}

}  // namespace vcd
