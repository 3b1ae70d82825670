// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/format/text.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd::client {
namespace {

bool IsError(const v1::CheckResult& result) { return !result.ok() && result.level() == v1::CHECK_LEVEL_ERROR; }

const char* LevelWord(const v1::CheckResult& result) {
  if (result.ok()) return "ok";
  if (IsError(result)) return "error";
  return result.level() == v1::CHECK_LEVEL_WARNING ? "warning" : "info";
}

class CheckCommand : public Command {
 public:
  std::string name() const override { return "check"; }
  std::string summary() const override { return "Say what this host can do and what stands in the way"; }

  void Declare(Arguments* arguments) override {
    output_.Declare(arguments);
    arguments->Footer(
        "Ends with 0 when pods can run, and 1 otherwise. Without a daemon: vcd --check.\nExample: vc check -o json");
  }

  int Run(Invocation& invocation) override {
    v1::CheckResponse found;
    if (const absl::Status status = invocation.daemon().Check({}, &found); !status.ok()) {
      invocation.Complain("", status);
      return kFailure;
    }
    const int printed = invocation.Print(output_.table() ? AsText(found) : output_.Render(found));
    return printed == kSuccess && !CanRunPods(found) ? kFailure : printed;
  }

 private:
  static bool CanRunPods(const v1::CheckResponse& found) {
    for (const v1::CheckResult& result : found.results()) {
      if (IsError(result)) return false;
    }
    return true;
  }

  static std::string AsText(const v1::CheckResponse& found) {
    std::string text;
    for (const v1::CheckResult& result : found.results()) {
      absl::StrAppendFormat(&text, "%-8s %-15s %s\n", LevelWord(result), Printable(result.name()),
                            Printable(result.detail()));
      if (!result.remedy().empty()) absl::StrAppendFormat(&text, "%24s %s\n", "->", Printable(result.remedy()));
    }
    return absl::StrCat(text, CanRunPods(found) ? "pods can run here\n" : "pods cannot run here\n");
  }

  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewCheckCommand() { return std::make_unique<CheckCommand>(); }

}  // namespace vcd::client
