// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/commands/for_each_pod.h"
#include "client/posix/signals.h"
#include "proto/vcd/v1/container_service.pb.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class KillCommand : public Command {
 public:
  std::string name() const override { return "kill"; }
  std::string summary() const override { return "Send a signal to the containers of pods"; }

  void Declare(Arguments* arguments) override {
    arguments->Positionals("POD", &pod_ids_, "Ids of pods");
    arguments->Text("-s,--signal", &signal_, "SIGNAL", "Name or number (default: KILL)");
    arguments->Text("-c,--container", &container_id_, "ID", "Only this container (default: all that run)");
    arguments->Flag("-a,--all", &all_, "Every process of a container, not only its first");
    arguments->Footer("Prints the ids of the pods whose containers were sent it.\nExample: vc kill -s HUP -c main web");
  }

  int Run(Invocation& invocation) override {
    const auto signal = ParseSignal(signal_);
    if (!signal.ok()) {
      invocation.Complain("", absl::StrCat("--signal: ", std::string(signal.status().message())));
      return kUsageError;
    }
    return ForEachPod(&invocation, pod_ids_, [&](const std::string& pod_id) {
      if (!container_id_.empty()) return Kill(&invocation, pod_id, container_id_, *signal);
      return KillAll(&invocation, pod_id, *signal);
    });
  }

 private:
  absl::Status KillAll(Invocation* invocation, const std::string& pod_id, int signal) {
    v1::GetPodRequest request;
    request.set_pod_id(pod_id);
    v1::GetPodResponse response;
    absl::Status status = invocation->daemon().GetPod(request, &response);
    if (!status.ok()) return status;
    int killed = 0;
    for (const v1::Container& container : response.pod().containers()) {
      const v1::ContainerState state = container.state();
      // That it is paused, and what to do then, is for the daemon to say, as with every verb.
      if (state != v1::CONTAINER_STATE_RUNNING && state != v1::CONTAINER_STATE_STOPPING &&
          state != v1::CONTAINER_STATE_PAUSED) {
        continue;
      }
      ++killed;
      status.Update(Kill(invocation, pod_id, container.id(), signal));
    }
    if (killed > 0) return status;
    return absl::FailedPreconditionError("no container of the pod runs; \"vc ps -a\" shows its state");
  }

  absl::Status Kill(Invocation* invocation, const std::string& pod_id, const std::string& container_id, int signal) {
    v1::KillContainerRequest request;
    request.set_pod_id(pod_id);
    request.set_container_id(container_id);
    request.set_signal(signal);
    request.set_all(all_);
    v1::KillContainerResponse response;
    return invocation->daemon().KillContainer(request, &response);
  }

  std::vector<std::string> pod_ids_;
  std::string signal_ = "KILL";
  std::string container_id_;
  bool all_ = false;
};

}  // namespace

std::unique_ptr<Command> NewKillCommand() { return std::make_unique<KillCommand>(); }

}  // namespace vcd::client
