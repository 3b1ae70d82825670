// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {
namespace {

class ExecsCommand : public Command {
 public:
  std::string name() const override { return "execs"; }
  std::string summary() const override { return "List the commands that vc exec started in a pod"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Text("-c,--container", &container_id_, "ID", "Of this container only");
    output_.DeclareWithNames(arguments);
    arguments->Footer(
        "Those that run, and the last 64 that have ended. PID is of the guest's own numbering, TTY whether it has a\n"
        "terminal, EXIT how it ended. \"vc attach --process ID\" joins one of them.\nExample: vc execs web");
  }

  int Run(Invocation& invocation) override {
    v1::ListExecsRequest request;
    request.set_pod_id(pod_id_);
    request.set_container_id(container_id_);
    v1::ListExecsResponse response;
    if (const absl::Status status = invocation.daemon().ListExecs(request, &response); !status.ok()) {
      invocation.Complain(pod_id_, status);
      return kFailure;
    }
    return invocation.Print(Render(response));
  }

 private:
  std::string Render(const v1::ListExecsResponse& response) const {
    if (output_.names()) {
      std::string names;
      for (const v1::ExecInfo& exec : response.execs()) absl::StrAppend(&names, Printable(exec.process_id()), "\n");
      return names;
    }
    // Protobuf leaves an empty list away, and then `.execs[]` would be an error for scripts.
    if (!output_.table() && response.execs().empty()) return output_.RenderJson("{\n \"execs\": []\n}\n");
    if (!output_.table()) return output_.Render(response);
    Table table({"PROCESS", "CONTAINER", "PID", "TTY", "EXIT"});
    for (const v1::ExecInfo& exec : response.execs()) {
      table.AddRow({exec.process_id(), exec.container_id(), absl::StrCat(exec.guest_pid()),
                    exec.terminal() ? "yes" : "no", exec.has_exit_status() ? ExitWord(exec.exit_status()) : "-"});
    }
    return table.Render();
  }

  std::string pod_id_;
  std::string container_id_;
  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewExecsCommand() { return std::make_unique<ExecsCommand>(); }

}  // namespace vcd::client
