// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/network/commands.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class NetworkDetachCommand : public Command {
 public:
  std::string name() const override { return "detach"; }
  std::string group() const override { return "network"; }
  std::string summary() const override { return "Take a network interface away from a pod"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of a pod that is ready or running");
    arguments->Positional("INTERFACE", &interface_name_, "The interface's name in the pod");
    arguments->Footer(
        "What the network has reserved for it is given back. Prints the interface's name; one that is not there is\n"
        "an error.\n"
        "Example: vc network detach web eth1");
  }

  int Run(Invocation& invocation) override {
    v1::DetachInterfaceRequest request;
    request.set_pod_id(pod_id_);
    request.set_interface_name(interface_name_);
    v1::DetachInterfaceResponse response;
    const absl::Status status = invocation.daemon().DetachInterface(request, &response);
    if (status.ok() && response.existed()) return invocation.Print(absl::StrCat(interface_name_, "\n"));
    if (status.ok()) {
      invocation.Complain(pod_id_, absl::StrCat("has no network interface ", interface_name_, "; \"vc network ls ",
                                                pod_id_, "\" shows those that it has"));
    } else {
      invocation.Complain(pod_id_, status);
    }
    return kFailure;
  }

 private:
  std::string pod_id_;
  std::string interface_name_;
};

}  // namespace

std::unique_ptr<Command> NewNetworkDetachCommand() { return std::make_unique<NetworkDetachCommand>(); }

}  // namespace vcd::client
