// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/pod/pod_options.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class CreateCommand : public Command {
 public:
  std::string name() const override { return "create"; }
  std::string summary() const override { return "Boot a pod's virtual machine and make its container, held"; }

  void Declare(Arguments* arguments) override {
    options_.Declare(arguments);
    arguments->Footer(
        "All words after -- are the command. Prints the pod's id; \"vc start\" then lets it run.\n"
        "Example: vc create --id web --rootfs /srv/rootfs -- /bin/server --port 80\n"
        "Example: vc create -f pod.yaml");
  }

  int Run(Invocation& invocation) override {
    v1::CreatePodRequest request;
    auto config = options_.Build(invocation.environment());
    if (!config.ok()) {
      invocation.Complain("", config.status());
      return kUsageError;
    }
    *request.mutable_config() = *std::move(config);
    v1::CreatePodResponse response;
    if (const absl::Status status = invocation.daemon().CreatePod(request, &response); !status.ok()) {
      invocation.Complain(request.config().id(), status);
      return kFailure;
    }
    return invocation.Print(absl::StrCat(response.pod().id(), "\n"));
  }

 private:
  PodOptions options_;
};

}  // namespace

std::unique_ptr<Command> NewCreateCommand() { return std::make_unique<CreateCommand>(); }

}  // namespace vcd::client
