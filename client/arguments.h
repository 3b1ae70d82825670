// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_ARGUMENTS_H_
#define VCD_CLIENT_ARGUMENTS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace vcd::client {

// What a verb takes on its command line. A thin layer over CLI11, which so is compiled in one place only. Targets must
// live until the command line was read; they keep their value when the option is not given.
class Arguments {
 public:
  explicit Arguments(CLI::App* app) : app_(app) {}

  // Names as CLI11 has them: "-q,--quiet". `type` is what the help shows for the value: "MIB".
  void Flag(const std::string& names, bool* target, const std::string& help);
  // An empty text is refused: it comes of a variable that is not set, and would mean something wider, as all
  // containers.
  void Text(const std::string& names, std::string* target, const std::string& type, const std::string& help);
  // Of an option for which no text is a value too.
  void TextOrEmpty(const std::string& names, std::string* target, const std::string& type, const std::string& help);
  void Number(const std::string& names, std::optional<uint32_t>* target, const std::string& type,
              const std::string& help);
  void Number(const std::string& names, std::optional<uint64_t>* target, const std::string& type,
              const std::string& help);
  // A number of things, not 0.
  void Count(const std::string& names, std::optional<uint32_t>* target, const std::string& type,
             const std::string& help);
  // Memory of a machine, in MiB, or with an M or G behind it in that; not 0.
  void Mebibytes(const std::string& names, std::optional<uint32_t>* target, const std::string& help);
  // One of a few words.
  void Choice(const std::string& names, std::string* target, const std::vector<std::string>& choices,
              const std::string& help);
  // May be given several times, one value each, taken as it stands.
  void Repeated(const std::string& names, std::vector<std::string>* target, const std::string& type,
                const std::string& help);
  // A required word, and one or more.
  void Positional(const std::string& name, std::string* target, const std::string& help);
  void Positionals(const std::string& name, std::vector<std::string>* target, const std::string& help);
  // A word, or any number of them, after those that must be there.
  void OptionalPositional(const std::string& name, std::string* target, const std::string& help);
  void OptionalPositionals(const std::string& name, std::vector<std::string>* target, const std::string& help);
  // All words after `--`, or from the first that is no option of the verb, as they stand. May be none.
  void CommandWords(std::vector<std::string>* target);
  // Options that are declared from here on stand below this heading in the help; empty: below the first one.
  void Heading(const std::string& heading) { heading_ = heading; }
  // More for the help: what CLI11 cannot know, such as an example.
  void Footer(const std::string& text);

  // Where CommandWords go; null for verbs that take none.
  std::vector<std::string>* command_words() const { return command_words_; }

 private:
  // An option whose value `convert` makes a number of; where it makes none the complaint says what it must be.
  template <typename Value>
  CLI::Option* Converted(const std::string& names, std::optional<Value>* target, const std::string& help,
                         const std::function<std::optional<Value>(const std::string&)>& convert,
                         const std::string& complaint);
  // Puts an option below the heading.
  CLI::Option* Place(CLI::Option* option) const;

  CLI::App* const app_;
  std::string heading_;
  std::vector<std::string>* command_words_ = nullptr;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_ARGUMENTS_H_
