// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "client/commands/container/commands.h"
#include "client/commands/container/containers_command.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerRmCommand : public ContainersCommand {
 public:
  std::string name() const override { return "rm"; }
  std::string summary() const override { return "Delete containers of a pod that do not run"; }

 protected:
  void DeclareMore(Arguments* arguments) override {
    arguments->Flag("-f,--force", &force_,
                    "Also one that runs, or is in a paused pod, all of which then runs for that moment; no complaint\n"
                    "where there is none");
    arguments->Footer("Prints the ids of the containers that are gone.\nExample: vc container rm -f web logger");
  }

  absl::Status Do(DaemonClient& daemon, const std::string& pod_id, const std::string& container_id) override {
    v1::DeleteContainerRequest request;
    request.set_pod_id(pod_id);
    request.set_container_id(container_id);
    request.set_force(force_);
    v1::DeleteContainerResponse response;
    absl::Status status = daemon.DeleteContainer(request, &response);
    if (status.ok() && !response.existed() && !force_) status = NoSuchContainer(pod_id);
    return status;
  }

 private:
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> NewContainerRmCommand() { return std::make_unique<ContainerRmCommand>(); }

}  // namespace vcd::client
