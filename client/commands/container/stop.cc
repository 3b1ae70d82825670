// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/commands/container/commands.h"
#include "client/commands/for_each_pod.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerStopCommand : public Command {
 public:
  std::string name() const override { return "stop"; }
  std::string group() const override { return "container"; }
  std::string summary() const override { return "End containers of a pod, and give back what they hold"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Positionals("CONTAINER", &container_ids_, "Ids of containers");
    arguments->Flag("-f,--force", &force_,
                    "SIGKILL at once; also in a paused pod, all of which then runs for that moment");
    arguments->Number("-t,--time", &grace_seconds_, "SECONDS",
                      "How long a container has between SIGTERM and SIGKILL (default: the daemon's, 10)");
    arguments->Footer(
        "Prints the ids of the containers that now are stopped; they can be started again. One that ended by itself\n"
        "keeps its root file system in the guest until it is stopped or deleted.\nExample: vc container stop web "
        "logger");
  }

  int Run(Invocation& invocation) override {
    return ForEachContainer(&invocation, pod_id_, container_ids_, [&](const std::string& container_id) {
      v1::StopContainerRequest request;
      request.set_pod_id(pod_id_);
      request.set_container_id(container_id);
      request.set_force(force_);
      // 0 on the wire is the daemon's default, and one second is as near to none as the API can say.
      if (grace_seconds_) request.set_grace_seconds(*grace_seconds_ == 0 ? 1 : *grace_seconds_);
      v1::StopContainerResponse response;
      CallOptions options;
      // The grace is time that was asked for, not time in which vcd does not answer.
      options.timeout = invocation.daemon().timeout() + absl::Seconds(grace_seconds_.value_or(0));
      absl::Status status = invocation.daemon().StopContainer(request, &response, options);
      if (status.ok() && !response.existed() && !force_) status = NoSuchContainer(pod_id_);
      return status;
    });
  }

 private:
  std::string pod_id_;
  std::vector<std::string> container_ids_;
  bool force_ = false;
  std::optional<uint32_t> grace_seconds_;
};

}  // namespace

std::unique_ptr<Command> NewContainerStopCommand() { return std::make_unique<ContainerStopCommand>(); }

}  // namespace vcd::client
