// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "client/commands/container/commands.h"
#include "client/commands/for_each_pod.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerRmCommand : public Command {
 public:
  std::string name() const override { return "rm"; }
  std::string group() const override { return "container"; }
  std::string summary() const override { return "Delete containers of a pod that do not run"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Positionals("CONTAINER", &container_ids_, "Ids of containers");
    arguments->Flag("-f,--force", &force_,
                    "Also one that runs, or is in a paused pod, all of which then runs for that moment; no complaint\n"
                    "where there is none");
    arguments->Footer("Prints the ids of the containers that are gone.\nExample: vc container rm -f web logger");
  }

  int Run(Invocation& invocation) override {
    return ForEachContainer(&invocation, pod_id_, container_ids_, [&](const std::string& container_id) {
      v1::DeleteContainerRequest request;
      request.set_pod_id(pod_id_);
      request.set_container_id(container_id);
      request.set_force(force_);
      v1::DeleteContainerResponse response;
      absl::Status status = invocation.daemon().DeleteContainer(request, &response);
      if (status.ok() && !response.existed() && !force_) status = NoSuchContainer(pod_id_);
      return status;
    });
  }

 private:
  std::string pod_id_;
  std::vector<std::string> container_ids_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> NewContainerRmCommand() { return std::make_unique<ContainerRmCommand>(); }

}  // namespace vcd::client
