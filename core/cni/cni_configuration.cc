// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_configuration.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status Wrong(const std::string& where, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", problem));
}

// What the specification lets names be.
bool IsName(const std::string& name) {
  return !name.empty() && absl::ascii_isalnum(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-'; });
}

absl::StatusOr<std::string> Program(const CniJson& object, const std::string& where) {
  VCD_ASSIGN_OR_RETURN(std::string type, CniString(object, "type", where));
  if (type.empty()) return Wrong(where, "`type` is missing: the name of the plugin's program");
  // A path would reach programs that are no plugins.
  if (!IsName(type)) {
    return Wrong(where, absl::StrCat("`type` is \"", absl::CHexEscape(type),
                                     "\"; it must be the name of a program, without directories"));
  }
  return type;
}

absl::StatusOr<CniPluginConfiguration> ParsePlugin(const CniJson& document, const std::string& where) {
  if (!document.is_object()) return Wrong(where, "must be an object");
  CniPluginConfiguration plugin;
  VCD_ASSIGN_OR_RETURN(plugin.type, Program(document, where));
  const auto ipam = document.find("ipam");
  if (ipam != document.end() && !ipam->is_null()) {
    if (!ipam->is_object()) return Wrong(where, "`ipam` must be an object");
    if (!ipam->empty()) {
      VCD_ASSIGN_OR_RETURN(plugin.ipam, Program(*ipam, absl::StrCat(where, ": ipam")));
    }
  }
  const auto capabilities = document.find("capabilities");
  if (capabilities != document.end() && !capabilities->is_null()) {
    if (!capabilities->is_object()) return Wrong(where, "`capabilities` must be an object");
    for (const auto& [name, has] : capabilities->items()) {
      if (!has.is_boolean()) return Wrong(where, absl::StrCat("`capabilities.", name, "` must be true or false"));
      if (has.get<bool>()) plugin.capabilities.insert(name);
    }
  }
  plugin.document = document;
  return plugin;
}

absl::StatusOr<bool> IsCheckDisabled(const CniJson& document, const std::string& where) {
  const auto disabled = document.find("disableCheck");
  if (disabled == document.end()) return false;
  if (disabled->is_boolean()) return disabled->get<bool>();
  // The specification knows it as a string, too.
  if (disabled->is_string() && (*disabled == "true" || *disabled == "false")) return *disabled == "true";
  return Wrong(where, "`disableCheck` must be true or false");
}

}  // namespace

bool IsKnownCniVersion(const std::string& version) {
  return version == "0.3.1" || version == "0.4.0" || version == "1.0.0";
}

bool KnowsCniCheck(const std::string& version) { return version != "0.3.1"; }

bool CniConfiguration::Can(const std::string& capability) const {
  return std::any_of(plugins.begin(), plugins.end(),
                     [&](const CniPluginConfiguration& plugin) { return plugin.capabilities.count(capability) != 0; });
}

std::vector<std::string> CniConfiguration::Programs() const {
  std::vector<std::string> programs;
  for (const CniPluginConfiguration& plugin : plugins) {
    for (const std::string& program : {plugin.type, plugin.ipam}) {
      if (program.empty() || std::find(programs.begin(), programs.end(), program) != programs.end()) continue;
      programs.push_back(program);
    }
  }
  return programs;
}

CniJson CniConfiguration::ToJson() const {
  CniJson list = {{"cniVersion", version}, {"name", name}, {"disableCheck", !check}};
  CniJson& documents = list["plugins"] = CniJson::array();
  for (const CniPluginConfiguration& plugin : plugins) documents.push_back(plugin.document);
  return list;
}

absl::StatusOr<CniConfiguration> ParseCniConfiguration(const std::string& text, const std::string& source) {
  VCD_ASSIGN_OR_RETURN(const CniJson document, ParseCniObject(text, source));
  return DecodeCniConfiguration(document, source);
}

absl::StatusOr<CniConfiguration> DecodeCniConfiguration(const CniJson& document, const std::string& source) {
  CniConfiguration configuration;
  configuration.source = source;
  VCD_ASSIGN_OR_RETURN(configuration.name, CniString(document, "name", source));
  if (configuration.name.empty()) return Wrong(source, "`name` is missing");
  if (!IsName(configuration.name)) {
    return Wrong(source, absl::StrCat("`name` is \"", absl::CHexEscape(configuration.name),
                                      "\"; it must start with a letter or digit and hold only letters, digits, '_', "
                                      "'.' and '-'"));
  }
  VCD_ASSIGN_OR_RETURN(configuration.version, CniString(document, "cniVersion", source));
  if (!IsKnownCniVersion(configuration.version)) {
    return Wrong(source, absl::StrCat("`cniVersion` is ",
                                      configuration.version.empty()
                                          ? "missing"
                                          : absl::StrCat("\"", absl::CHexEscape(configuration.version), "\""),
                                      "; known are ", kCniVersions));
  }
  VCD_ASSIGN_OR_RETURN(const bool disabled, IsCheckDisabled(document, source));
  configuration.check = !disabled && KnowsCniCheck(configuration.version);

  const auto plugins = document.find("plugins");
  if (plugins == document.end()) {
    VCD_ASSIGN_OR_RETURN(CniPluginConfiguration plugin, ParsePlugin(document, source));
    configuration.plugins.push_back(std::move(plugin));
    return configuration;
  }
  if (!plugins->is_array() || plugins->empty())
    return Wrong(source, "`plugins` must be an array of one plugin or more");
  for (size_t i = 0; i < plugins->size(); ++i) {
    VCD_ASSIGN_OR_RETURN(CniPluginConfiguration plugin,
                         ParsePlugin((*plugins)[i], absl::StrCat(source, ": plugins[", i, "]")));
    configuration.plugins.push_back(std::move(plugin));
  }
  return configuration;
}

}  // namespace vcd
