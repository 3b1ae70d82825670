// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/format/text.h"
#include "client/pod/option_text.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class CheckpointCommand : public Command {
 public:
  std::string name() const override { return "checkpoint"; }
  std::string summary() const override { return "Write a pod as it is now to a directory"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Positional("DIR", &directory_, "Directory of vcd's host to make");
    arguments->Flag("--stop", &stop_, "Stop the pod with it, instead of letting it go on");
    arguments->Footer(
        "The pod stands still while its memory is written, and goes on afterwards. DIR is there when this succeeds, "
        "and\n"
        "whole; its parent must exist. \"vc restore\" makes a pod of it. Prints what it takes.\n"
        "Example: vc checkpoint web /srv/checkpoints/web-1");
  }

  int Run(Invocation& invocation) override {
    v1::CheckpointPodRequest request;
    request.set_pod_id(pod_id_);
    request.set_stop(stop_);
    const auto directory = DirectoryPath("DIR", directory_);
    if (!directory.ok()) {
      invocation.Complain(pod_id_, directory.status());
      return kUsageError;
    }
    request.set_directory(*directory);
    v1::CheckpointPodResponse response;
    if (const absl::Status status = invocation.daemon().CheckpointPod(request, &response); !status.ok()) {
      invocation.Complain(pod_id_, status);
      return kFailure;
    }
    return invocation.Print(absl::StrCat(*directory, "  ", Bytes(response.size_bytes()), "\n"));
  }

 private:
  std::string pod_id_;
  std::string directory_;
  bool stop_ = false;
};

}  // namespace

std::unique_ptr<Command> NewCheckpointCommand() { return std::make_unique<CheckpointCommand>(); }

}  // namespace vcd::client
