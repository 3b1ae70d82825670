// SPDX-License-Identifier: Apache-2.0
#include "core/agent/simulation/simulated_program.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vcd {
namespace {

using Kind = SimulatedStep::Kind;

// A program that writes without an end must leave others some of the time.
constexpr absl::Duration kShortestRound = absl::Milliseconds(10);

constexpr char kScriptSteps[] = "print TEXT, error TEXT, flood N, sleep SECONDS, copy, hog, exit CODE, again";

std::string ArgumentOf(const v1::Cmd& cmd, int index) { return index < cmd.args_size() ? cmd.args(index) : ""; }

SimulatedStep Print(std::string text) { return {Kind::kPrint, std::move(text)}; }
SimulatedStep Error(std::string text) { return {Kind::kError, std::move(text)}; }
SimulatedStep Sleep(absl::Duration duration) { return {Kind::kSleep, "", 0, duration}; }
SimulatedStep Number(Kind kind, uint64_t number) { return {kind, "", number}; }

// Nothing when the text is no number of seconds.
std::optional<absl::Duration> SecondsOf(const std::string& text) {
  double seconds = 0;
  if (!absl::SimpleAtod(text, &seconds) || !(seconds >= 0)) return std::nullopt;
  return absl::Seconds(seconds);
}

std::optional<uint64_t> CodeOf(const std::string& text) {
  uint64_t code = 0;
  if (!absl::SimpleAtoi(text, &code) || code > 255) return std::nullopt;
  return code;
}

// One argument of `script`; nothing when it is no step.
std::optional<SimulatedStep> ScriptStep(const std::string& line) {
  const size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
  if (word == "print") return Print(rest + "\n");
  if (word == "error") return Error(rest + "\n");
  if (word == "copy" && rest.empty()) return SimulatedStep{Kind::kCopy};
  if (word == "hog" && rest.empty()) return SimulatedStep{Kind::kHog};
  if (word == "again" && rest.empty()) return SimulatedStep{Kind::kAgain};
  if (word == "sleep") {
    const std::optional<absl::Duration> seconds = SecondsOf(rest);
    if (seconds.has_value()) return Sleep(*seconds);
  } else if (word == "exit") {
    const std::optional<uint64_t> code = CodeOf(rest);
    if (code.has_value()) return Number(Kind::kExit, *code);
  } else if (word == "flood") {
    uint64_t bytes = 0;
    if (absl::SimpleAtoi(rest, &bytes)) return Number(Kind::kFlood, bytes);
  }
  return std::nullopt;
}

std::variant<SimulatedProgram, SimulatedRefusal> Script(const v1::Cmd& cmd) {
  SimulatedProgram program;
  for (int i = 1; i < cmd.args_size(); ++i) {
    std::optional<SimulatedStep> step = ScriptStep(cmd.args(i));
    if (!step.has_value()) {
      return SimulatedRefusal{GuestError::kInvalid,
                              absl::StrCat("script: \"", cmd.args(i), "\" is no step; known are ", kScriptSteps)};
    }
    // What begins anew must not do so without a pause.
    if (step->kind == Kind::kAgain) program.steps.push_back(Sleep(kShortestRound));
    program.steps.push_back(*std::move(step));
  }
  return program;
}

SimulatedProgram Tick(const v1::Cmd& cmd) {
  const absl::Duration period = std::max(SecondsOf(ArgumentOf(cmd, 1)).value_or(absl::Seconds(1)), kShortestRound);
  SimulatedProgram program;
  uint64_t count = 0;
  if (!absl::SimpleAtoi(ArgumentOf(cmd, 2), &count)) {
    program.steps = {{Kind::kCount, "tick "}, Sleep(period), {Kind::kAgain}};
    return program;
  }
  // Written out, for there are no counters; more is a slip of the pen.
  for (uint64_t i = 1; i <= std::min<uint64_t>(count, 10000); ++i) {
    if (i > 1) program.steps.push_back(Sleep(period));
    program.steps.push_back(Print(absl::StrCat("tick ", i, "\n")));
  }
  return program;
}

}  // namespace

std::variant<SimulatedProgram, SimulatedRefusal> ParseSimulatedProgram(const v1::Cmd& cmd) {
  if (cmd.user() == "nobody-such") {
    return SimulatedRefusal{GuestError::kUserNotFound, "nobody-such: no such user"};
  }
  const std::string path = ArgumentOf(cmd, 0);
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::string first = ArgumentOf(cmd, 1);
  SimulatedProgram program;
  if (name == "missing") return SimulatedRefusal{GuestError::kCommandNotFound, "missing: No such file or directory"};
  if (name == "locked") return SimulatedRefusal{GuestError::kCommandNotExecutable, "locked: Permission denied"};
  if (name == "script") return Script(cmd);
  if (name == "tick") return Tick(cmd);
  if (name == "cat") {
    program.steps = {{Kind::kCopy}};
  } else if (name == "size") {
    program.steps = {{Kind::kSizes}};
  } else if (name == "print") {
    program.steps = {Print(first), Error(ArgumentOf(cmd, 2))};
  } else if (name == "echo") {
    const auto words = cmd.args().begin() + 1;
    program.steps = {Print(absl::StrCat(absl::StrJoin(words, cmd.args().end(), " "), "\n"))};
  } else if (name == "env") {
    for (const v1::EnvVar& env : cmd.envs()) {
      program.steps.push_back(Print(absl::StrCat(env.name(), "=", env.value(), "\n")));
    }
  } else if (name == "flood") {
    uint64_t bytes = 0;
    if (absl::SimpleAtoi(first, &bytes)) program.steps = {Number(Kind::kFlood, bytes)};
  } else if (name == "exit") {
    program.steps = {Number(Kind::kExit, CodeOf(first).value_or(0))};
  } else if (name == "hog") {
    program.steps = {{Kind::kHog}};
  } else if (name == "false") {
    program.steps = {Number(Kind::kExit, 1)};
  } else if (name == "sleep" || name == "stubborn") {
    program.stubborn = name == "stubborn";
    program.steps = {Sleep(SecondsOf(first).value_or(absl::InfiniteDuration()))};
  } else if (name != "true") {
    program.steps = {Sleep(absl::InfiniteDuration())};
  }
  return program;
}

}  // namespace vcd
