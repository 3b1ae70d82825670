// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "client/commands/commands.h"
#include "client/commands/for_each_pod.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class StartCommand : public Command {
 public:
  std::string name() const override { return "start"; }
  std::string summary() const override { return "Start pods that are ready or stopped"; }

  void Declare(Arguments* arguments) override {
    arguments->Positionals("POD", &pod_ids_, "Ids of pods");
    arguments->Footer("Prints the ids of the pods that now run.\nExample: vc start web");
  }

  int Run(Invocation& invocation) override {
    return ForEachPod(&invocation, pod_ids_, [&](const std::string& pod_id) {
      v1::StartPodRequest request;
      request.set_pod_id(pod_id);
      v1::StartPodResponse response;
      return invocation.daemon().StartPod(request, &response);
    });
  }

 private:
  std::vector<std::string> pod_ids_;
};

}  // namespace

std::unique_ptr<Command> NewStartCommand() { return std::make_unique<StartCommand>(); }

}  // namespace vcd::client
