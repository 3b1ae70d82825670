// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class ResizeCommand : public Command {
 public:
  std::string name() const override { return "resize"; }
  std::string summary() const override { return "Give the VM of a pod other vCPUs or memory"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Count("--cpus,--vcpus", &cpus_, "N", "vCPUs of the guest");
    arguments->Mebibytes("--memory", &memory_mib_, "Memory of the guest: MiB, or such as 512M or 2G");
    arguments->Footer(
        "What is not named stays as it is; all of it is done or nothing. A pod that runs has it at once, within what\n"
        "its VM was made for (max_vcpus, max_memory_mib), and not less memory than it booted with; one that is "
        "stopped\n"
        "from its next start on. Limits of its containers stay: see \"vc update\". Prints the pod's id.\n"
        "Example: vc resize web --cpus 2 --memory 512");
  }

  int Run(Invocation& invocation) override {
    v1::UpdatePodRequest request;
    request.set_pod_id(pod_id_);
    if (cpus_) request.mutable_resources()->set_vcpus(*cpus_);
    if (memory_mib_) request.mutable_resources()->set_memory_mib(*memory_mib_);
    if (!cpus_ && !memory_mib_) {
      invocation.Complain(pod_id_, "names neither vCPUs nor memory; see \"vc resize --help\"");
      return kUsageError;
    }
    v1::UpdatePodResponse response;
    const absl::Status status = invocation.daemon().UpdatePod(request, &response);
    if (status.ok()) return invocation.Print(absl::StrCat(pod_id_, "\n"));
    invocation.Complain(pod_id_, status);
    return kFailure;
  }

 private:
  std::string pod_id_;
  std::optional<uint32_t> cpus_;
  std::optional<uint32_t> memory_mib_;
};

}  // namespace

std::unique_ptr<Command> NewResizeCommand() { return std::make_unique<ResizeCommand>(); }

}  // namespace vcd::client
