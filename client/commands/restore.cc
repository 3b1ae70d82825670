// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/pod/option_text.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class RestoreCommand : public Command {
 public:
  std::string name() const override { return "restore"; }
  std::string summary() const override { return "Make a pod that goes on from a checkpoint"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("DIR", &directory_, "Directory of vcd's host that \"vc checkpoint\" made");
    arguments->Text("--id", &pod_id_, "ID", "Id of the pod; without it the one that it had");
    arguments->Footer(
        "One checkpoint may be restored many times, under different ids. Prints the pod's id.\n"
        "Example: vc restore /srv/checkpoints/web-1 --id web-2");
  }

  int Run(Invocation& invocation) override {
    v1::RestorePodRequest request;
    request.set_pod_id(pod_id_);
    const auto directory = DirectoryPath("DIR", directory_);
    if (!directory.ok()) {
      invocation.Complain(pod_id_, directory.status());
      return kUsageError;
    }
    request.set_directory(*directory);
    v1::RestorePodResponse response;
    if (const absl::Status status = invocation.daemon().RestorePod(request, &response); !status.ok()) {
      invocation.Complain(pod_id_, status);
      return kFailure;
    }
    return invocation.Print(absl::StrCat(response.pod().id(), "\n"));
  }

 private:
  std::string directory_;
  std::string pod_id_;
};

}  // namespace

std::unique_ptr<Command> NewRestoreCommand() { return std::make_unique<RestoreCommand>(); }

}  // namespace vcd::client
