// SPDX-License-Identifier: Apache-2.0
#include "client/command_line.h"

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/daemon/address.h"
#include "client/format/text.h"
#include "client/posix/output.h"
#include "client/version.h"
#include "nlohmann/json.hpp"

namespace vcd::client {
namespace {

// Of every verb, before or after it.
struct GlobalOptions {
  std::string address;
  std::string timeout = "2m";
};

struct Verb {
  Command* command;
  CLI::App* app;
  std::vector<std::string>* command_words;  // Null when it takes none.
};

// Shows where the command goes, which CLI11 knows nothing of.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    if (app->get_prefix_command()) usage.insert(usage.find_last_not_of('\n') + 1, " -- COMMAND [ARGS...]");
    return usage;
  }
};

void DeclareGlobals(GlobalOptions* options, CLI::App* app) {
  app->add_option("--address", options->address,
                  absl::StrCat("Where vcd listens: unix:///PATH or tcp://127.0.0.1:PORT (default: $VCD_ADDRESS, else ",
                               kDefaultAddress, ")"))
      ->type_name("ADDRESS")
      ->group("Connection");
  app->add_option("--timeout", options->timeout,
                  "How long an answer of vcd may take, such as 30s; 0 is without limit (default: 2m)")
      ->type_name("DURATION")
      ->group("Connection");
}

absl::StatusOr<absl::Duration> ParseTimeout(const std::string& text) {
  absl::Duration timeout;
  if (!absl::ParseDuration(text, &timeout) || timeout < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--timeout: \"", text, "\" is no duration: give a number with its unit, such as 30s, 500ms or 2m"));
  }
  // Beyond a year a deadline means nothing, and would overflow gRPC's clock.
  if (timeout == absl::ZeroDuration() || timeout > absl::Hours(24 * 365)) return absl::InfiniteDuration();
  return timeout;
}

std::string FullName(const Command& command) {
  return absl::StrCat(command.group(), command.group().empty() ? "" : " ", command.name());
}

// The group's own word on the command line, made when its first verb is declared.
CLI::App* DeclareGroup(const std::string& name, CLI::App* root) {
  if (name.empty()) return root;
  const auto declared = root->get_subcommands([&name](const CLI::App* app) { return app->get_name() == name; });
  if (!declared.empty()) return declared.at(0);
  CLI::App* group = root->add_subcommand(name, absl::StrCat("Verbs about ", name, "s: vc ", name, " --help"));
  group->require_subcommand(1, 1);
  group->footer(absl::StrCat("More about a verb: vc ", name, " VERB --help"));
  return group;
}

std::vector<Verb> DeclareVerbs(const std::vector<std::unique_ptr<Command>>& commands, GlobalOptions* globals,
                               CLI::App* root) {
  std::vector<Verb> verbs;
  for (const auto& command : commands) {
    CLI::App* app = DeclareGroup(command->group(), root)->add_subcommand(command->name(), command->summary());
    Arguments arguments(app);
    command->Declare(&arguments);
    DeclareGlobals(globals, app);
    verbs.push_back({command.get(), app, arguments.command_words()});
  }
  return verbs;
}

// Whether a protobuf string can hold it. JSON's strings are of the same kind, and its library tells.
bool IsUtf8(const std::string& word) {
  try {
    (void)nlohmann::json(word).dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

// What of the parser's words does not tell what is wrong.
std::string Explain(const CLI::ParseError& error) {
  const std::string message = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) == nullptr) return message;
  const std::string option = message.substr(0, message.find(": "));
  if (absl::StrContains(message, "At Most 1 ")) return absl::StrCat(option, ": is given more than once");
  if (absl::EndsWith(message, " missing")) return absl::StrCat(option, ": needs a value");
  return message;
}

// The first words that name a verb. Good enough before the words are parsed: a verb's name may be an option's value.
const Verb* FindVerb(const std::vector<Verb>& verbs, const std::vector<std::string>& words) {
  std::string group;
  for (const std::string& word : words) {
    for (const Verb& verb : verbs) {
      if (verb.command->group() == group && verb.command->name() == word) return &verb;
    }
    if (!group.empty()) continue;
    for (const Verb& verb : verbs) {
      if (verb.command->group() == word) group = word;
    }
  }
  return nullptr;
}

class Reader {
 public:
  Reader(const std::vector<std::unique_ptr<Command>>& commands, const Environment& environment)
      : environment_(environment),
        root_("vc runs every pod in a virtual machine of its own, through the daemon vcd.", "vc") {
    root_.set_version_flag("--version", absl::StrCat("vc ", kVersion), "Print the version of vc and leave");
    root_.formatter(std::make_shared<HelpFormatter>());
    root_.require_subcommand(1, 1);
    root_.footer("Example: vc run --rm --rootfs /srv/rootfs -- uname -r\nMore about a verb: vc VERB --help");
    DeclareGlobals(&globals_, &root_);
    verbs_ = DeclareVerbs(commands, &globals_, &root_);
  }

  int Run(const std::vector<std::string>& words) {
    const Verb* verb = FindVerb(verbs_, words);
    for (const std::string& word : words) {
      if (IsUtf8(word)) continue;
      return Refuse(absl::StrCat("\"", absl::CHexEscape(word), "\" is not UTF-8, which all that vcd is told must be"),
                    verb);
    }
    if (const std::string option = OptionWithoutValue(words, verb); !option.empty()) {
      return Refuse(absl::StrCat(option, ": needs a value; an empty one is a word of its own: ", option, " \"\""),
                    verb);
    }
    try {
      Parse(words, verb);
    } catch (const CLI::ParseError& error) {
      return Leave(error, verb);
    }
    verb = Chosen();
    const std::string address =
        !globals_.address.empty() ? globals_.address : environment_.variable("VCD_ADDRESS").value_or("");
    const auto parsed = ParseAddress(address.empty() ? kDefaultAddress : address);
    if (!parsed.ok()) return Refuse(parsed.status().message(), verb);
    const auto timeout = ParseTimeout(globals_.timeout);
    if (!timeout.ok()) return Refuse(timeout.status().message(), verb);
    Invocation invocation(environment_, FullName(*verb->command), *parsed, *timeout);
    return verb->command->Run(invocation);
  }

 private:
  // The first option that is given as `--option=`, for which CLI11 would take the next word; empty when there is none.
  // Not looked for where words may be those of a command.
  static std::string OptionWithoutValue(const std::vector<std::string>& words, const Verb* verb) {
    if (verb == nullptr || verb->command_words != nullptr) return "";
    for (const std::string& word : words) {
      const std::string name = word.substr(0, word.find('='));
      if (absl::StartsWith(word, "--") && word.size() == name.size() + 1 &&
          verb->app->get_option_no_throw(name) != nullptr) {
        return name;
      }
    }
    return "";
  }

  // What follows the first `--` of a verb that takes a command is not for CLI11, which would drop or read some of it.
  void Parse(const std::vector<std::string>& words, const Verb* verb) {
    auto end = words.end();
    if (verb != nullptr && verb->command_words != nullptr) end = std::find(words.begin(), words.end(), "--");
    std::vector<std::string> reversed(std::make_reverse_iterator(end), words.rend());
    root_.parse(reversed);
    if (verb == nullptr || verb->command_words == nullptr) return;
    *verb->command_words = verb->app->remaining();
    if (HasUnknownOption(*verb)) throw CLI::ExtrasError(FullName(*verb->command), *verb->command_words);
    if (end == words.end()) return;
    // A command that began before `--` owns that word too.
    if (verb->command_words->empty()) ++end;
    verb->command_words->insert(verb->command_words->end(), end, words.end());
  }

  int Leave(const CLI::ParseError& error, const Verb* verb) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      std::ostringstream out;
      root_.exit(error, out, out);
      return WriteFully(environment_.streams.out, out.str()) == 0 ? kSuccess : kFailure;
    }
    // An unknown option hides the words after it, and then CLI11 misses those.
    if (verb != nullptr && verb->command_words != nullptr && HasUnknownOption(*verb)) {
      return Refuse(absl::StrCat("unknown option ", verb->app->remaining().at(0),
                                 "; a command that begins with a dash goes after --"),
                    verb);
    }
    if (root_.get_subcommands().empty() && !root_.remaining().empty()) {
      return Refuse(absl::StrCat("\"", root_.remaining().at(0), "\" is no verb or option of vc"), nullptr);
    }
    if (verb == nullptr && !root_.get_subcommands().empty()) {
      const CLI::App& group = *root_.get_subcommands().at(0);
      const std::string what = group.remaining().empty()
                                   ? "a verb is needed"
                                   : absl::StrCat("\"", group.remaining().at(0), "\" is no verb or option");
      return Refuse(absl::StrCat(what, "; \"vc ", group.get_name(), " --help\" lists them"), nullptr);
    }
    return Refuse(Explain(error), verb);
  }

  // The verb that was parsed.
  const Verb* Chosen() const {
    const CLI::App* app = root_.get_subcommands().at(0);
    if (!app->get_subcommands().empty()) app = app->get_subcommands().at(0);
    return &*std::find_if(verbs_.begin(), verbs_.end(), [app](const Verb& verb) { return verb.app == app; });
  }

  static bool HasUnknownOption(const Verb& verb) {
    const std::vector<std::string> rest = verb.app->remaining();
    return !rest.empty() && rest[0].size() > 1 && rest[0][0] == '-';
  }

  int Refuse(absl::string_view message, const Verb* verb) {
    const std::string name = verb == nullptr ? "" : absl::StrCat(" ", FullName(*verb->command));
    (void)WriteFully(environment_.streams.err,
                     absl::StrCat("vc:", name, name.empty() ? " " : ": ", Printable(std::string(message)), "\nSee \"vc",
                                  name, " --help\".\n"));
    return verb == nullptr ? kUsageError : verb->command->usage_exit_code();
  }

  const Environment& environment_;
  CLI::App root_;
  GlobalOptions globals_;
  std::vector<Verb> verbs_;
};

}  // namespace

int RunCommandLine(const std::vector<std::string>& words, const std::vector<std::unique_ptr<Command>>& commands,
                   const Environment& environment) {
  return Reader(commands, environment).Run(words);
}

}  // namespace vcd::client
