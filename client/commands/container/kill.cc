// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/container/commands.h"
#include "client/commands/for_each_pod.h"
#include "client/posix/signals.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

class ContainerKillCommand : public Command {
 public:
  std::string name() const override { return "kill"; }
  std::string group() const override { return "container"; }
  std::string summary() const override { return "Send a signal to containers of a pod"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Positionals("CONTAINER", &container_ids_, "Ids of containers");
    arguments->Text("-s,--signal", &signal_, "SIGNAL", "Name or number (default: KILL)");
    arguments->Flag("-a,--all", &all_, "Every process of a container, not only its first");
    arguments->Footer(
        "Prints the ids of the containers that were sent it.\nExample: vc container kill -s HUP web logger");
  }

  int Run(Invocation& invocation) override {
    const auto signal = ParseSignal(signal_);
    if (!signal.ok()) {
      invocation.Complain("", absl::StrCat("--signal: ", std::string(signal.status().message())));
      return kUsageError;
    }
    return ForEachContainer(&invocation, pod_id_, container_ids_, [&](const std::string& container_id) {
      v1::KillContainerRequest request;
      request.set_pod_id(pod_id_);
      request.set_container_id(container_id);
      request.set_signal(*signal);
      request.set_all(all_);
      v1::KillContainerResponse response;
      return invocation.daemon().KillContainer(request, &response);
    });
  }

 private:
  std::string pod_id_;
  std::vector<std::string> container_ids_;
  std::string signal_ = "KILL";
  bool all_ = false;
};

}  // namespace

std::unique_ptr<Command> NewContainerKillCommand() { return std::make_unique<ContainerKillCommand>(); }

}  // namespace vcd::client
