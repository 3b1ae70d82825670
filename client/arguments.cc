// SPDX-License-Identifier: Apache-2.0
#include "client/arguments.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vcd::client {
namespace {

std::optional<uint32_t> MebibytesOf(const std::string& word) {
  absl::string_view number = word;
  uint64_t factor = 1;
  if (absl::EndsWithIgnoreCase(number, "g")) factor = 1024;
  if (factor != 1 || absl::EndsWithIgnoreCase(number, "m")) number.remove_suffix(1);
  uint32_t value = 0;
  if (!absl::SimpleAtoi(number, &value) || value == 0) return std::nullopt;
  if (value * factor > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return static_cast<uint32_t>(value * factor);
}

// Any from 0 to the greatest.
template <typename Value>
std::optional<Value> NumberOf(const std::string& word) {
  Value number = 0;
  return absl::SimpleAtoi(word, &number) ? std::optional<Value>(number) : std::nullopt;
}

std::optional<uint32_t> CountOf(const std::string& word) {
  const auto number = NumberOf<uint32_t>(word);
  return number.value_or(0) > 0 ? number : std::nullopt;
}

}  // namespace

CLI::Option* Arguments::Place(CLI::Option* option) const { return heading_.empty() ? option : option->group(heading_); }

void Arguments::Flag(const std::string& names, bool* target, const std::string& help) {
  Place(app_->add_flag(names, *target, help));
}

void Arguments::Text(const std::string& names, std::string* target, const std::string& type, const std::string& help) {
  const auto check = [](const std::string& word) {
    return word.empty() ? std::string("is empty; give it a value, or leave it out") : std::string();
  };
  Place(app_->add_option(names, *target, help))->type_name(type)->check(CLI::Validator(check, ""));
}

void Arguments::TextOrEmpty(const std::string& names, std::string* target, const std::string& type,
                            const std::string& help) {
  Place(app_->add_option(names, *target, help))->type_name(type);
}

void Arguments::Number(const std::string& names, std::optional<uint32_t>* target, const std::string& type,
                       const std::string& help) {
  Converted<uint32_t>(names, target, help, NumberOf<uint32_t>, "must be a number from 0 to 4294967295")
      ->type_name(type);
}

void Arguments::Number(const std::string& names, std::optional<uint64_t>* target, const std::string& type,
                       const std::string& help) {
  Converted<uint64_t>(names, target, help, NumberOf<uint64_t>, "must be a number from 0 to 18446744073709551615")
      ->type_name(type);
}

void Arguments::Count(const std::string& names, std::optional<uint32_t>* target, const std::string& type,
                      const std::string& help) {
  Converted<uint32_t>(names, target, help, CountOf, "must be a number from 1 to 4294967295")->type_name(type);
}

void Arguments::Mebibytes(const std::string& names, std::optional<uint32_t>* target, const std::string& help) {
  Converted<uint32_t>(names, target, help, MebibytesOf, "must be MiB, or a size such as 512M or 2G, and not 0")
      ->type_name("SIZE");
}

template <typename Value>
CLI::Option* Arguments::Converted(const std::string& names, std::optional<Value>* target, const std::string& help,
                                  const std::function<std::optional<Value>(const std::string&)>& convert,
                                  const std::string& complaint) {
  const auto check = [convert, complaint](const std::string& word) {
    return convert(word).has_value() ? std::string() : absl::StrCat("\"", word, "\" ", complaint);
  };
  const auto read = [target, convert](const CLI::results_t& words) {
    *target = convert(words.at(0));
    return true;
  };
  return Place(app_->add_option(names, CLI::callback_t(read), help))->check(CLI::Validator(check, ""));
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
      ->expected(1, -1)
      ->allow_extra_args()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Arguments::CommandWords(std::vector<std::string>* target) {
  command_words_ = target;
  app_->prefix_command();
}

void Arguments::Footer(const std::string& text) { app_->footer(text); }

}  // namespace vcd::client
