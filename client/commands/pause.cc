// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "client/commands/commands.h"
#include "client/commands/for_each_pod.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class PauseCommand : public Command {
 public:
  std::string name() const override { return "pause"; }
  std::string summary() const override { return "Stop the vCPUs of running pods"; }

  void Declare(Arguments* arguments) override {
    arguments->Positionals("POD", &pod_ids_, "Ids of pods");
    arguments->Footer("Prints the ids of the pods that now are paused.\nExample: vc pause web");
  }

  int Run(Invocation& invocation) override {
    return ForEachPod(&invocation, pod_ids_, [&](const std::string& pod_id) {
      v1::PausePodRequest request;
      request.set_pod_id(pod_id);
      v1::PausePodResponse response;
      return invocation.daemon().PausePod(request, &response);
    });
  }

 private:
  std::vector<std::string> pod_ids_;
};

}  // namespace

std::unique_ptr<Command> NewPauseCommand() { return std::make_unique<PauseCommand>(); }

}  // namespace vcd::client
