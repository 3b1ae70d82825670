// SPDX-License-Identifier: Apache-2.0
#include "core/cni/testing/scripted_plugins.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

// A failing ADD has done its work by then, as the worst of plugins do.
constexpr char kScript[] = R"(
name=${0##*/}
cat >/dev/null
echo "$name $CNI_COMMAND $CNI_IFNAME" >>calls
echo "$CNI_NETNS" >>namespaces
if [ $CNI_COMMAND = ADD ]; then >"left/$name $CNI_CONTAINERID"; fi
fail="fail $name $CNI_COMMAND"
if [ -e "$fail" ]; then
  read times <"$fail"
  if [ "$times" = 1 ]; then rm "$fail"; elif [ -n "$times" ]; then echo $((times - 1)) >"$fail"; fi
  echo '{"cniVersion": "1.0.0", "code": 11, "msg": "as told"}'
  exit 1
fi
if [ $CNI_COMMAND = DEL ]; then rm -f "left/$name $CNI_CONTAINERID"; fi
if [ $CNI_COMMAND = ADD ]; then
  echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/16"}], "dns": {"search": ["'$name'"]}}'
fi
)";

}  // namespace

ScriptedPlugins::ScriptedPlugins(const std::vector<std::string>& names) {
  std::filesystem::create_directory(directory());
  std::filesystem::create_directory(absl::StrCat(directory_.path(), "/left"));
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(directory(), "/", name);
    std::ofstream(path) << "#!/bin/sh\ncd " << directory_.path() << "\n" << kScript;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
}

void ScriptedPlugins::Fail(const std::string& plugin, const std::string& command, int times) {
  std::ofstream file(absl::StrCat(directory_.path(), "/fail ", plugin, " ", command));
  if (times != 0) file << times << "\n";
}

void ScriptedPlugins::Mend(const std::string& plugin, const std::string& command) {
  std::filesystem::remove(absl::StrCat(directory_.path(), "/fail ", plugin, " ", command));
}

std::vector<std::string> ScriptedPlugins::Calls() const { return Lines("calls"); }

std::vector<std::string> ScriptedPlugins::Namespaces() const { return Lines("namespaces"); }

std::vector<std::string> ScriptedPlugins::Left() const {
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(absl::StrCat(directory_.path(), "/left"))) {
    left.push_back(entry.path().filename());
  }
  std::sort(left.begin(), left.end());
  return left;
}

std::vector<std::string> ScriptedPlugins::Lines(const std::string& file) const {
  std::vector<std::string> lines;
  std::ifstream stream(absl::StrCat(directory_.path(), "/", file));
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace vcd
