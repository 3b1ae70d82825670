// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_TESTING_SCRIPTED_PLUGINS_H_
#define VCD_CORE_CNI_TESTING_SCRIPTED_PLUGINS_H_

#include <string>
#include <vector>

#include "core/os/testing/temporary_directory.h"

namespace vcd {

// Plugins of CNI that do nothing but remember: what was added and not deleted, by plugin and container id. They fail as
// told.
class ScriptedPlugins {
 public:
  // Each answers to ADD with an address of its own, and its name as a domain to search.
  explicit ScriptedPlugins(const std::vector<std::string>& names);

  // Where the plugins are.
  std::string directory() const { return directory_.path() + "/bin"; }

  // Calls of that kind fail from now on (`ADD`, `DEL`, `CHECK`): so many times, or until told otherwise.
  void Fail(const std::string& plugin, const std::string& command, int times = 0);
  void Mend(const std::string& plugin, const std::string& command);

  // "bridge ADD eth0", …, in order, the failed ones too.
  std::vector<std::string> Calls() const;
  // What was added, by a call that failed or not, and not deleted: "bridge ID".
  std::vector<std::string> Left() const;
  // Namespaces that the calls got, in order.
  std::vector<std::string> Namespaces() const;

 private:
  std::vector<std::string> Lines(const std::string& file) const;

  TemporaryDirectory directory_;
};

}  // namespace vcd

#endif  // VCD_CORE_CNI_TESTING_SCRIPTED_PLUGINS_H_
