// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "client/commands/container/commands.h"
#include "client/commands/container/containers_command.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerStartCommand : public ContainersCommand {
 public:
  std::string name() const override { return "start"; }
  std::string summary() const override {
    return "Let containers of a running pod run: held ones, and again stopped ones";
  }

 protected:
  void DeclareMore(Arguments* arguments) override {
    arguments->Footer(
        "Prints the ids of the containers that now run. A stopped one is made anew: its log begins again.\n"
        "Example: vc container start web logger");
  }

  absl::Status Do(DaemonClient& daemon, const std::string& pod_id, const std::string& container_id) override {
    v1::StartContainerRequest request;
    request.set_pod_id(pod_id);
    request.set_container_id(container_id);
    v1::StartContainerResponse response;
    return daemon.StartContainer(request, &response);
  }
};

}  // namespace

std::unique_ptr<Command> NewContainerStartCommand() { return std::make_unique<ContainerStartCommand>(); }

}  // namespace vcd::client
