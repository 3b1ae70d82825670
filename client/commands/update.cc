// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/choose_container.h"
#include "client/commands/commands.h"
#include "client/pod/resource_options.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class UpdateCommand : public Command {
 public:
  std::string name() const override { return "update"; }
  std::string summary() const override { return "Change what a container may use, while it runs"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->OptionalPositional("CONTAINER", &container_id_, "Id of the container (default: the only one, or main)");
    arguments->Text("-c,--container", &container_id_, "ID", "The same");
    resources_.Declare(arguments);
    arguments->Footer(
        "What is not named stays as it is; none takes a limit away. All of it is done or nothing, and it holds for\n"
        "later lives of the container too. Prints the container's id.\nExample: vc update web --memory 256m --cpus "
        "0.5 --pids-limit none");
  }

  int Run(Invocation& invocation) override {
    v1::UpdateContainerRequest request;
    if (!resources_.given()) {
      invocation.Complain(pod_id_, "names no limit; see \"vc update --help\"");
      return kUsageError;
    }
    if (const absl::Status status = resources_.Apply(request.mutable_resources()); !status.ok()) {
      invocation.Complain(pod_id_, status);
      return kUsageError;
    }
    const auto container = ChooseContainer(&invocation.daemon(), pod_id_, container_id_);
    absl::Status status = container.status();
    if (status.ok()) {
      request.set_pod_id(pod_id_);
      request.set_container_id(*container);
      v1::UpdateContainerResponse response;
      status = invocation.daemon().UpdateContainer(request, &response);
    }
    if (status.ok()) return invocation.Print(absl::StrCat(*container, "\n"));
    invocation.Complain(pod_id_, status);
    return kFailure;
  }

 private:
  std::string pod_id_;
  std::string container_id_;
  ResourceOptions resources_{/*short_names=*/true};
};

}  // namespace

std::unique_ptr<Command> NewUpdateCommand() { return std::make_unique<UpdateCommand>(); }

}  // namespace vcd::client
