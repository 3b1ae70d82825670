// SPDX-License-Identifier: Apache-2.0
#include "client/arguments.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vcd::client {

CLI::Option* Arguments::Place(CLI::Option* option) const { return heading_.empty() ? option : option->group(heading_); }

void Arguments::Flag(const std::string& names, bool* target, const std::string& help) {
  Place(app_->add_flag(names, *target, help));
}

void Arguments::Text(const std::string& names, std::string* target, const std::string& type, const std::string& help) {
  Place(app_->add_option(names, *target, help))->type_name(type);
}

void Arguments::Number(const std::string& names, std::optional<uint32_t>* target, const std::string& type,
                       const std::string& help) {
  const auto read = [target](const CLI::results_t& words) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(words.at(0), &number)) return false;
    *target = number;
    return true;
  };
  Place(app_->add_option(names, CLI::callback_t(read), help))->type_name(type);
}

void Arguments::Choice(const std::string& names, std::string* target, const std::vector<std::string>& choices,
                       const std::string& help) {
  const auto check = [choices](const std::string& word) {
    if (std::find(choices.begin(), choices.end(), word) != choices.end()) return std::string();
    return absl::StrCat("\"", word, "\" is none of ", absl::StrJoin(choices, ", "));
  };
  Place(app_->add_option(names, *target, help))
      ->type_name(absl::StrJoin(choices, "|"))
      ->check(CLI::Validator(check, ""));
}

void Arguments::Repeated(const std::string& names, std::vector<std::string>* target, const std::string& type,
                         const std::string& help) {
  // By callback and not by vector, because CLI11 gives values such as "{}" or "[a,b]" for vectors a meaning.
  const auto take = [target](const CLI::results_t& words) {
    *target = words;
    return true;
  };
  Place(app_->add_option(names, CLI::callback_t(take), help))
      ->type_name(type)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Arguments::Positional(const std::string& name, std::string* target, const std::string& help) {
  app_->add_option(name, *target, help)->required()->type_name("");
}

void Arguments::Positionals(const std::string& name, std::vector<std::string>* target, const std::string& help) {
  app_->add_option(name, *target, help)->required()->type_name("");
}

void Arguments::OptionalPositional(const std::string& name, std::string* target, const std::string& help) {
  app_->add_option(name, *target, help)->type_name("");
}

void Arguments::OptionalPositionals(const std::string& name, std::vector<std::string>* target,
                                    const std::string& help) {
  // By callback, for the reason that Repeated has.
  const auto take = [target](const CLI::results_t& words) {
    *target = words;
    return true;
  };
  app_->add_option(name, CLI::callback_t(take), help)
      ->type_name("")
      ->expected(-1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Arguments::CommandWords(std::vector<std::string>* target) {
  command_words_ = target;
  app_->prefix_command();
}

void Arguments::Footer(const std::string& text) { app_->footer(text); }

}  // namespace vcd::client
