// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "client/commands/commands.h"
#include "client/commands/for_each_pod.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class ResumeCommand : public Command {
 public:
  std::string name() const override { return "resume"; }
  std::string summary() const override { return "Let paused pods go on"; }

  void Declare(Arguments* arguments) override {
    arguments->Positionals("POD", &pod_ids_, "Ids of pods");
    arguments->Footer("Prints the ids of the pods that now run again.\nExample: vc resume web");
  }

  int Run(Invocation& invocation) override {
    return ForEachPod(&invocation, pod_ids_, [&](const std::string& pod_id) {
      v1::ResumePodRequest request;
      request.set_pod_id(pod_id);
      v1::ResumePodResponse response;
      return invocation.daemon().ResumePod(request, &response);
    });
  }

 private:
  std::vector<std::string> pod_ids_;
};

}  // namespace

std::unique_ptr<Command> NewResumeCommand() { return std::make_unique<ResumeCommand>(); }

}  // namespace vcd::client
