// SPDX-License-Identifier: Apache-2.0
#include "core/model/process_validation.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/model/field_checks.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "proto/vcd/v1/linux_names.h"

namespace vcd {
namespace {

using Strings = google::protobuf::RepeatedPtrField<std::string>;

absl::Status CheckEnvs(const google::protobuf::RepeatedPtrField<v1::EnvVar>& envs, const std::string& field) {
  for (int i = 0; i < envs.size(); ++i) {
    const std::string& name = envs[i].name();
    const std::string name_field = absl::StrCat(Element(field, i), ".name");
    if (name.empty()) return InvalidField(name_field, "is empty");
    VCD_RETURN_IF_ERROR(CheckText(name_field, name, kMaxArgumentBytes));
    if (absl::StrContains(name, '=')) {
      return InvalidField(name_field, absl::StrCat("\"", absl::CHexEscape(name), "\" holds '='"));
    }
    const std::string value_field = absl::StrCat(Element(field, i), ".value");
    VCD_RETURN_IF_ERROR(CheckText(value_field, envs[i].value(), kMaxArgumentBytes));
    if (name.size() + 1 + envs[i].value().size() > kMaxArgumentBytes) {
      return InvalidField(value_field, absl::StrCat("is too long: name and value have more than ", kMaxArgumentBytes,
                                                    " bytes together"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTotal(const v1::Cmd& cmd, const std::string& field) {
  size_t bytes = 0;
  for (const std::string& argument : cmd.args()) bytes += argument.size();
  for (const v1::EnvVar& variable : cmd.envs()) bytes += variable.name().size() + 1 + variable.value().size();
  if (bytes > kMaxCommandBytes) {
    return InvalidField(field, absl::StrCat("has ", bytes, " bytes of arguments and environment; at most ",
                                            kMaxCommandBytes, " are possible"));
  }
  if (cmd.args_size() + cmd.envs_size() > kMaxCommandStrings) {
    return InvalidField(field, absl::StrCat("has ", cmd.args_size() + cmd.envs_size(),
                                            " arguments and variables; at most ", kMaxCommandStrings, " are possible"));
  }
  return absl::OkStatus();
}

absl::Status CheckContained(const Strings& set, absl::string_view set_name, const Strings& in,
                            absl::string_view in_name, const std::string& field) {
  for (int i = 0; i < set.size(); ++i) {
    if (std::find(in.begin(), in.end(), set[i]) != in.end()) continue;
    return InvalidField(Element(absl::StrCat(field, ".", set_name), i),
                        absl::StrCat(set[i], " is not in the ", in_name, " set, so it cannot be ", set_name));
  }
  return absl::OkStatus();
}

absl::Status CheckCapabilities(const v1::LinuxCapabilities& capabilities, const std::string& field) {
  const std::pair<const char*, const Strings*> sets[] = {{"bounding", &capabilities.bounding()},
                                                         {"effective", &capabilities.effective()},
                                                         {"inheritable", &capabilities.inheritable()},
                                                         {"permitted", &capabilities.permitted()},
                                                         {"ambient", &capabilities.ambient()}};
  for (const auto& [name, set] : sets) {
    for (int i = 0; i < set->size(); ++i) {
      const std::string& capability = set->Get(i);
      const std::string element = Element(absl::StrCat(field, ".", name), i);
      VCD_RETURN_IF_ERROR(CheckWord(element, capability, kMaxNameBytes));
      if (std::find(std::begin(kCapabilityNames), std::end(kCapabilityNames), capability) ==
          std::end(kCapabilityNames)) {
        return InvalidField(element,
                            absl::StrCat("\"", capability, "\" is no capability; they are like CAP_NET_ADMIN"));
      }
    }
  }
  // What the kernel would refuse, without a word of why.
  VCD_RETURN_IF_ERROR(
      CheckContained(capabilities.effective(), "effective", capabilities.permitted(), "permitted", field));
  VCD_RETURN_IF_ERROR(
      CheckContained(capabilities.inheritable(), "inheritable", capabilities.bounding(), "bounding", field));
  VCD_RETURN_IF_ERROR(CheckContained(capabilities.ambient(), "ambient", capabilities.permitted(), "permitted", field));
  return CheckContained(capabilities.ambient(), "ambient", capabilities.inheritable(), "inheritable", field);
}

absl::Status CheckRlimits(const v1::Cmd& cmd, const std::string& field) {
  std::set<std::string> types;
  for (int i = 0; i < cmd.rlimits_size(); ++i) {
    const v1::Rlimit& limit = cmd.rlimits(i);
    const std::string element = Element(field, i);
    const std::string type = absl::StrCat(element, ".type");
    if (std::find(std::begin(kRlimitNames), std::end(kRlimitNames), limit.type()) == std::end(kRlimitNames)) {
      return InvalidField(type, absl::StrCat("\"", absl::CHexEscape(limit.type()),
                                             "\" is no resource limit; they are like RLIMIT_NOFILE"));
    }
    if (!types.insert(limit.type()).second) {
      return InvalidField(type, absl::StrCat(limit.type(), " is limited before; name each once"));
    }
    if (limit.soft() > limit.hard()) {
      return InvalidField(absl::StrCat(element, ".soft"),
                          absl::StrCat(limit.soft(), " is above the hard limit of ", limit.hard()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTerminal(const v1::Cmd& cmd, const std::string& field) {
  const std::string size = absl::StrCat(field, ".terminal_size");
  if (!cmd.terminal()) {
    return cmd.has_terminal_size() ? InvalidField(size, "is for a command with `terminal` only") : absl::OkStatus();
  }
  if (cmd.detach()) {
    return InvalidField(absl::StrCat(field, ".terminal"), "and `detach` exclude each other: nobody reads the terminal");
  }
  return cmd.has_terminal_size() ? CheckTerminalSize(size, cmd.terminal_size()) : absl::OkStatus();
}

}  // namespace

absl::Status CheckCmd(const v1::Cmd& cmd, const std::string& field) {
  const std::string args = absl::StrCat(field, ".args");
  if (cmd.args().empty()) return InvalidField(args, "is empty; it needs the program to run");
  if (cmd.args(0).empty()) return InvalidField(Element(args, 0), "is empty; it names the program to run");
  for (int i = 0; i < cmd.args_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckText(Element(args, i), cmd.args(i), kMaxArgumentBytes));
  }
  VCD_RETURN_IF_ERROR(CheckEnvs(cmd.envs(), absl::StrCat(field, ".envs")));
  VCD_RETURN_IF_ERROR(CheckTotal(cmd, field));
  VCD_RETURN_IF_ERROR(CheckOptionalPath(absl::StrCat(field, ".work_dir"), cmd.work_dir()));
  if (!cmd.user().empty()) VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(field, ".user"), cmd.user(), kMaxNameBytes));
  if (!cmd.primary_group().empty()) {
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(field, ".primary_group"), cmd.primary_group(), kMaxNameBytes));
  }
  for (int i = 0; i < cmd.supplementary_groups_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckWord(Element(absl::StrCat(field, ".supplementary_groups"), i), cmd.supplementary_groups(i),
                                  kMaxNameBytes));
  }
  VCD_RETURN_IF_ERROR(CheckRlimits(cmd, absl::StrCat(field, ".rlimits")));
  if (cmd.oom_score_adj() < -1000 || cmd.oom_score_adj() > 1000) {
    return InvalidField(absl::StrCat(field, ".oom_score_adj"),
                        absl::StrCat(cmd.oom_score_adj(), " is out of range; possible are -1000 to 1000"));
  }
  if (cmd.umask() > 0777) {
    return InvalidField(absl::StrCat(field, ".umask"),
                        absl::StrCat(cmd.umask(), " is out of range; at most 511 (0777)"));
  }
  VCD_RETURN_IF_ERROR(CheckTerminal(cmd, field));
  return CheckCapabilities(cmd.capabilities(), absl::StrCat(field, ".capabilities"));
}

absl::Status CheckTerminalSize(const std::string& field, const v1::TerminalSize& size) {
  const auto fits = [](uint32_t extent) { return extent >= 1 && extent <= UINT16_MAX; };
  if (fits(size.columns()) && fits(size.rows())) return absl::OkStatus();
  return InvalidField(
      field, absl::StrCat("is ", size.columns(), " columns × ", size.rows(), " rows; each must be 1 … 65535"));
}

}  // namespace vcd
