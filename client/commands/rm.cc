// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/commands/for_each_pod.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class RmCommand : public Command {
 public:
  std::string name() const override { return "rm"; }
  std::string summary() const override { return "Delete pods that do not run"; }

  void Declare(Arguments* arguments) override {
    arguments->Positionals("POD", &pod_ids_, "Ids of pods");
    arguments->Flag("-f,--force", &force_,
                    "Also pods that run: their virtual machine is ended first; no complaint where there is none");
    arguments->Footer("Prints the ids of the pods that are gone.\nExample: vc rm -f web db");
  }

  int Run(Invocation& invocation) override {
    return ForEachPod(&invocation, pod_ids_, [&](const std::string& pod_id) {
      v1::DeletePodRequest request;
      request.set_pod_id(pod_id);
      request.set_force(force_);
      v1::DeletePodResponse response;
      absl::Status status = invocation.daemon().DeletePod(request, &response);
      if (status.ok() && !response.existed() && !force_) status = NoSuchPod();
      for (const std::string& kept : response.not_released()) {
        invocation.Complain(pod_id, absl::StrCat("deleted, but not given back: ", kept));
      }
      return status;
    });
  }

 private:
  std::vector<std::string> pod_ids_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> NewRmCommand() { return std::make_unique<RmCommand>(); }

}  // namespace vcd::client
