// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/commands/pod_table.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class InspectCommand : public Command {
 public:
  std::string name() const override { return "inspect"; }
  std::string summary() const override { return "Print all that is known of pods"; }

  void Declare(Arguments* arguments) override {
    arguments->Positionals("POD", &pod_ids_, "Ids of pods");
    output_.DeclareWithNames(arguments);
    arguments->Footer(
        "Prints JSON unless -o says otherwise: the pod for one id, {\"pods\": [...]} for several. Ids of no pod are\n"
        "reported, and the others printed.\nExample: vc inspect -o yaml web");
  }

  int Run(Invocation& invocation) override {
    std::vector<v1::Pod> pods;
    int exit_status = kSuccess;
    for (const std::string& pod_id : pod_ids_) {
      v1::GetPodRequest request;
      request.set_pod_id(pod_id);
      v1::GetPodResponse response;
      if (const absl::Status status = invocation.daemon().GetPod(request, &response); !status.ok()) {
        invocation.Complain(pod_id, status);
        exit_status = kFailure;
      } else {
        pods.push_back(std::move(*response.mutable_pod()));
      }
    }
    if (pods.empty()) return exit_status;
    const bool single = pod_ids_.size() == 1 && !output_.names() && !output_.table();
    const int printed =
        invocation.Print(single ? output_.Render(pods[0]) : RenderPods(output_, pods, invocation.environment().now()));
    return printed != kSuccess ? printed : exit_status;
  }

 private:
  std::vector<std::string> pod_ids_;
  OutputOptions output_{"json"};
};

}  // namespace

std::unique_ptr<Command> NewInspectCommand() { return std::make_unique<InspectCommand>(); }

}  // namespace vcd::client
