// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "client/commands/container/commands.h"
#include "client/commands/for_each_pod.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerStartCommand : public Command {
 public:
  std::string name() const override { return "start"; }
  std::string group() const override { return "container"; }
  std::string summary() const override {
    return "Let containers of a running pod run: held ones, and again stopped ones";
  }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Positionals("CONTAINER", &container_ids_, "Ids of containers");
    arguments->Footer(
        "Prints the ids of the containers that now run. A stopped one is made anew: its log begins again.\n"
        "Example: vc container start web logger");
  }

  int Run(Invocation& invocation) override {
    return ForEachContainer(&invocation, pod_id_, container_ids_, [&](const std::string& container_id) {
      v1::StartContainerRequest request;
      request.set_pod_id(pod_id_);
      request.set_container_id(container_id);
      v1::StartContainerResponse response;
      return invocation.daemon().StartContainer(request, &response);
    });
  }

 private:
  std::string pod_id_;
  std::vector<std::string> container_ids_;
};

}  // namespace

std::unique_ptr<Command> NewContainerStartCommand() { return std::make_unique<ContainerStartCommand>(); }

}  // namespace vcd::client
