// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "client/commands/commands.h"
#include "client/commands/for_each_pod.h"
#include "client/commands/grace_option.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class StopCommand : public Command {
 public:
  std::string name() const override { return "stop"; }
  std::string summary() const override { return "End the containers and the virtual machine of pods"; }

  void Declare(Arguments* arguments) override {
    arguments->Positionals("POD", &pod_ids_, "Ids of pods");
    arguments->Flag("-f,--force", &force_, "End the virtual machine at once, without asking containers or guest");
    grace_.Declare(arguments, "How long containers have between SIGTERM and SIGKILL");
    arguments->Footer(
        "Prints the ids of the pods that now are stopped; they can be started again.\nExample: vc stop web");
  }

  int Run(Invocation& invocation) override {
    return ForEachPod(&invocation, pod_ids_, [&](const std::string& pod_id) {
      v1::StopPodRequest request;
      request.set_pod_id(pod_id);
      request.set_force(force_);
      request.set_grace_seconds(grace_.seconds());
      v1::StopPodResponse response;
      absl::Status status = invocation.daemon().StopPod(request, &response, grace_.OptionsFor(invocation.daemon()));
      if (status.ok() && !response.existed() && !force_) status = NoSuchPod();
      return status;
    });
  }

 private:
  std::vector<std::string> pod_ids_;
  bool force_ = false;
  GraceOption grace_;
};

}  // namespace

std::unique_ptr<Command> NewStopCommand() { return std::make_unique<StopCommand>(); }

}  // namespace vcd::client
