// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/commands/choose_container.h"
#include "client/commands/commands.h"
#include "client/process/memory_note.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {
namespace {

class WaitCommand : public Command {
 public:
  std::string name() const override { return "wait"; }
  std::string summary() const override { return "Wait until a container's first process has ended"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Text("-c,--container", &container_id_, "ID", "Which container (default: the only one, else main)");
    arguments->Footer("Prints its exit code, 128 + n when signal n ended it.\nExample: vc wait web");
  }

  int Run(Invocation& invocation) override {
    v1::WaitRequest request;
    const auto container_id = ChooseContainer(&invocation.daemon(), pod_id_, container_id_);
    if (!container_id.ok()) return Fail(&invocation, container_id.status());
    request.set_pod_id(pod_id_);
    request.set_container_id(*container_id);
    v1::WaitResponse response;
    CallOptions options;
    options.timeout = absl::InfiniteDuration();
    if (const absl::Status status = invocation.daemon().Wait(request, &response, options); !status.ok()) {
      return Fail(&invocation, status);
    }
    TellOfMemory(&invocation, pod_id_, *container_id, "", response.exit_status());
    return invocation.Print(absl::StrCat(response.exit_status().code(), "\n"));
  }

 private:
  int Fail(Invocation* invocation, const absl::Status& status) {
    invocation->Complain(pod_id_, status);
    return kFailure;
  }

  std::string pod_id_;
  std::string container_id_;
};

}  // namespace

std::unique_ptr<Command> NewWaitCommand() { return std::make_unique<WaitCommand>(); }

}  // namespace vcd::client
