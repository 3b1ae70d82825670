// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/container/commands.h"
#include "client/commands/output_options.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerLsCommand : public Command {
 public:
  std::string name() const override { return "ls"; }
  std::string group() const override { return "container"; }
  std::string summary() const override { return "List the containers of a pod"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    output_.DeclareWithNames(arguments);
    arguments->Footer(
        "In the order of their creation. PID is of the guest's own numbering, EXIT how it last ended.\n"
        "Example: vc container ls -q web");
  }

  int Run(Invocation& invocation) override {
    v1::ListContainersRequest request;
    request.set_pod_id(pod_id_);
    v1::ListContainersResponse response;
    if (const absl::Status status = invocation.daemon().ListContainers(request, &response); !status.ok()) {
      invocation.Complain(pod_id_, status);
      return kFailure;
    }
    return invocation.Print(Render(response, invocation.environment().now()));
  }

 private:
  std::string Render(const v1::ListContainersResponse& response, absl::Time now) const {
    if (output_.names()) {
      std::string names;
      for (const v1::Container& container : response.containers()) {
        absl::StrAppend(&names, Printable(container.id()), "\n");
      }
      return names;
    }
    // Protobuf leaves an empty list away, and then `.containers[]` would be an error for scripts.
    if (!output_.table() && response.containers().empty()) return output_.RenderJson("{\n \"containers\": []\n}\n");
    if (!output_.table()) return output_.Render(response);
    Table table({"CONTAINER", "STATE", "PID", "EXIT", "CREATED", "COMMAND", "REASON"});
    for (const v1::Container& container : response.containers()) {
      const std::string created =
          container.has_created_at() ? absl::StrCat(Age(now - ToTime(container.created_at())), " ago") : "-";
      table.AddRow({container.id(), Word(container.state()),
                    container.guest_pid() == 0 ? "-" : absl::StrCat(container.guest_pid()),
                    container.has_exit_status() ? ExitWord(container.exit_status()) : "-", created,
                    absl::StrJoin(container.config().cmd().args(), " "), Brief(container.reason())});
    }
    return table.Render();
  }

  std::string pod_id_;
  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewContainerLsCommand() { return std::make_unique<ContainerLsCommand>(); }

}  // namespace vcd::client
