// SPDX-License-Identifier: Apache-2.0
#include "client/version.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/format/json.h"
#include "client/format/table.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd::client {
namespace {

class VersionCommand : public Command {
 public:
  std::string name() const override { return "version"; }
  std::string summary() const override { return "Print the versions of vc and of the daemon"; }

  void Declare(Arguments* arguments) override {
    output_.Declare(arguments);
    arguments->Footer(
        "When the daemon is not there, prints that of vc, says why, and ends with 1.\nExample: vc version -o json");
  }

  int Run(Invocation& invocation) override {
    v1::GetVersionResponse daemon;
    const absl::Status status = invocation.daemon().GetVersion({}, &daemon);
    const int printed = invocation.Print(output_.table() ? AsTable(status.ok(), daemon)
                                                         : output_.RenderJson(AsJson(status.ok(), daemon)));
    if (!status.ok()) invocation.Complain("", status);
    return printed == kSuccess && !status.ok() ? kFailure : printed;
  }

 private:
  static std::string AsTable(bool reached, const v1::GetVersionResponse& daemon) {
    Table table({"PART", "VERSION", "API"});
    table.AddRow({"vc", kVersion, "v1"});
    if (reached) table.AddRow({"vcd", daemon.version(), daemon.api_version()});
    return table.Render();
  }

  static std::string AsJson(bool reached, const v1::GetVersionResponse& daemon) {
    v1::GetVersionResponse client;
    client.set_version(kVersion);
    client.set_api_version("v1");
    std::string json = absl::StrCat("{\n \"client\": ", absl::StripSuffix(ToJsonLine(client), "\n"));
    if (reached) absl::StrAppend(&json, ",\n \"daemon\": ", absl::StripSuffix(ToJsonLine(daemon), "\n"));
    return absl::StrCat(json, "\n}\n");
  }

  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewVersionCommand() { return std::make_unique<VersionCommand>(); }

}  // namespace vcd::client
