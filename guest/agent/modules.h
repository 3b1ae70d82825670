// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_MODULES_H_
#define VCD_GUEST_AGENT_MODULES_H_

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "guest/agent/outcome.h"

namespace vcd::guest {

// Loads kernel modules out of the initramfs. Which modules there are, in which order they must be loaded and what they
// are good for stands in a list that the image's build wrote: lines "GROUP FILE", a file after the files it needs,
// groups in the order in which they are wanted, an empty line before those that few want. Loading all takes a third of
// a second on an emulated CPU, so a group is loaded when it is needed, and those before the empty line when nothing
// else is to be done. Without a list, as with a kernel that has everything built in, all groups are there.
class ModuleLoader {
 public:
  explicit ModuleLoader(const std::string& list_path);

  // Loads what is missing of `group`. Fine if the list has no such group. The first failure is given after the others
  // were tried.
  Outcome Ensure(const std::string& group);

  // Loads one more module of a group that is likely to be wanted. False when there is none left.
  bool LoadNext();

 private:
  Outcome Load(const std::string& file);

  std::vector<std::pair<std::string, std::string>> modules_;  // Group, file.
  std::set<std::string> loaded_;                              // Tried, that is.
  size_t likely_ = 0;                                         // How many of them are.
  size_t next_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_MODULES_H_
