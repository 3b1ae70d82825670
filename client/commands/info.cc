// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd::client {
namespace {

class InfoCommand : public Command {
 public:
  std::string name() const override { return "info"; }
  std::string summary() const override { return "Print what the daemon has and what it can do"; }

  void Declare(Arguments* arguments) override {
    output_.Declare(arguments);
    arguments->Footer("Example: vc info -o yaml");
  }

  int Run(Invocation& invocation) override {
    v1::GetInfoResponse info;
    if (const absl::Status status = invocation.daemon().GetInfo({}, &info); !status.ok()) {
      invocation.Complain("", status);
      return kFailure;
    }
    return invocation.Print(output_.table() ? AsText(info) : output_.Render(info));
  }

 private:
  static std::string AsText(const v1::GetInfoResponse& info) {
    Table backends({"KIND", "NAME", "DEFAULT", "CAPABILITIES"});
    for (const v1::BackendInfo& backend : info.backends()) {
      backends.AddRow({backend.kind(), backend.name(), backend.is_default() ? "yes" : "",
                       absl::StrJoin(backend.capabilities(), ", ")});
    }
    return absl::StrCat(backends.Render(), "\n",  //
                        "Accelerator:      ", Printable(info.accelerator().name()), " (",
                        Printable(info.accelerator().reason()), ")\n",  //
                        "Pods:             ", info.pods(), "\n",        //
                        "Boots at a time:  ", info.max_parallel_boots(), "\n",
                        "State directory:  ", Printable(info.state_dir()), "\n",
                        "Run directory:    ", Printable(info.run_dir()), "\n");
  }

  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewInfoCommand() { return std::make_unique<InfoCommand>(); }

}  // namespace vcd::client
