// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "client/commands/container/commands.h"
#include "client/commands/container/containers_command.h"
#include "client/commands/grace_option.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerStopCommand : public ContainersCommand {
 public:
  std::string name() const override { return "stop"; }
  std::string summary() const override { return "End containers of a pod, and give back what they hold"; }

 protected:
  void DeclareMore(Arguments* arguments) override {
    arguments->Flag("-f,--force", &force_,
                    "SIGKILL at once; also in a paused pod, all of which then runs for that moment");
    grace_.Declare(arguments, "How long a container has between SIGTERM and SIGKILL");
    arguments->Footer(
        "Prints the ids of the containers that now are stopped; they can be started again. One that ended by itself\n"
        "keeps its root file system in the guest until it is stopped or deleted.\nExample: vc container stop web "
        "logger");
  }

  absl::Status Do(DaemonClient& daemon, const std::string& pod_id, const std::string& container_id) override {
    v1::StopContainerRequest request;
    request.set_pod_id(pod_id);
    request.set_container_id(container_id);
    request.set_force(force_);
    request.set_grace_seconds(grace_.seconds());
    v1::StopContainerResponse response;
    absl::Status status = daemon.StopContainer(request, &response, grace_.OptionsFor(daemon));
    if (status.ok() && !response.existed() && !force_) status = NoSuchContainer(pod_id);
    return status;
  }

 private:
  bool force_ = false;
  GraceOption grace_;
};

}  // namespace

std::unique_ptr<Command> NewContainerStopCommand() { return std::make_unique<ContainerStopCommand>(); }

}  // namespace vcd::client
