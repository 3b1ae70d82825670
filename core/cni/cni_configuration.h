// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_CONFIGURATION_H_
#define VCD_CORE_CNI_CNI_CONFIGURATION_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/cni/cni_json.h"

namespace vcd {

// One plugin of a network, as its configuration has it.
struct CniPluginConfiguration {
  std::string type;  // Name of its program, without directories.
  std::string ipam;  // Name of the program that it leaves addresses to; may be empty.
  std::set<std::string> capabilities;
  CniJson document;
};

// A network of the host: plugins that are called one after the other (CNI 0.3.1, 0.4.0, 1.0.0).
struct CniConfiguration {
  std::string name;
  std::string version;
  bool check = true;  // CHECK is known in that version, and not disabled.
  std::vector<CniPluginConfiguration> plugins;
  std::string source;  // The file, for people.

  bool Can(const std::string& capability) const;
  // Programs that must be there, each once.
  std::vector<std::string> Programs() const;
  // As a list, from which DecodeCniConfiguration makes the same again.
  CniJson ToJson() const;
};

// Versions of the protocol that are spoken, for people.
inline constexpr char kCniVersions[] = "0.3.1, 0.4.0, 1.0.0";
bool IsKnownCniVersion(const std::string& version);
// Whether plugins of that version know CHECK, and get the last result for DEL.
bool KnowsCniCheck(const std::string& version);

// A list of plugins, or the configuration of a single one. kInvalidArgument naming `source` and the field.
absl::StatusOr<CniConfiguration> ParseCniConfiguration(const std::string& text, const std::string& source);
// The same, of what is parsed already.
absl::StatusOr<CniConfiguration> DecodeCniConfiguration(const CniJson& document, const std::string& source);

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_CONFIGURATION_H_
