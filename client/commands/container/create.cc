// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/container/commands.h"
#include "client/pod/pod_options.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerCreateCommand : public Command {
 public:
  std::string name() const override { return "create"; }
  std::string group() const override { return "container"; }
  std::string summary() const override { return "Make one more container in a pod, held"; }

  void Declare(Arguments* arguments) override {
    arguments->Text("--id", &id_, "ID", "Id of the container; otherwise one is made up");
    options_.Declare(arguments);
    arguments->Positional("POD", &pod_id_, "Id of a pod that is ready or running");
    arguments->Footer(
        "All words after -- are the command. Prints the container's id; \"vc container start\" then lets it run.\n"
        "Example: vc container create --id logger --rootfs /srv/rootfs web -- /bin/logger --follow");
  }

  int Run(Invocation& invocation) override {
    v1::CreateContainerRequest request;
    request.set_pod_id(pod_id_);
    request.mutable_config()->set_id(id_);
    if (const absl::Status status = options_.Apply(invocation.environment(), request.mutable_config()); !status.ok()) {
      invocation.Complain("", status);
      return kUsageError;
    }
    v1::CreateContainerResponse response;
    if (const absl::Status status = invocation.daemon().CreateContainer(request, &response); !status.ok()) {
      invocation.Complain(absl::StrCat(pod_id_, id_.empty() ? "" : " ", id_), status);
      return kFailure;
    }
    return invocation.Print(absl::StrCat(response.container().id(), "\n"));
  }

 private:
  std::string pod_id_;
  std::string id_;
  ContainerOptions options_;
};

}  // namespace

std::unique_ptr<Command> NewContainerCreateCommand() { return std::make_unique<ContainerCreateCommand>(); }

}  // namespace vcd::client
