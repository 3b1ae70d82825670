// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/commands/commands.h"
#include "client/commands/for_each_pod.h"
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
    arguments->Number("-t,--time", &grace_seconds_, "SECONDS",
                      "How long containers have between SIGTERM and SIGKILL (default: the daemon's, 10)");
    arguments->Footer(
        "Prints the ids of the pods that now are stopped; they can be started again.\nExample: vc stop web");
  }

  int Run(Invocation& invocation) override {
    return ForEachPod(&invocation, pod_ids_, [&](const std::string& pod_id) {
      v1::StopPodRequest request;
      request.set_pod_id(pod_id);
      request.set_force(force_);
      // 0 on the wire is the daemon's default, and one second is as near to none as the API can say.
      if (grace_seconds_) request.set_grace_seconds(*grace_seconds_ == 0 ? 1 : *grace_seconds_);
      v1::StopPodResponse response;
      CallOptions options;
      // The grace is time that was asked for, not time in which vcd does not answer.
      options.timeout = invocation.daemon().timeout() + absl::Seconds(grace_seconds_.value_or(0));
      absl::Status status = invocation.daemon().StopPod(request, &response, options);
      if (status.ok() && !response.existed() && !force_) status = NoSuchPod();
      return status;
    });
  }

 private:
  std::vector<std::string> pod_ids_;
  bool force_ = false;
  std::optional<uint32_t> grace_seconds_;
};

}  // namespace

std::unique_ptr<Command> NewStopCommand() { return std::make_unique<StopCommand>(); }

}  // namespace vcd::client
