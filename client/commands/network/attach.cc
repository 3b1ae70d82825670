// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands/network/commands.h"
#include "client/pod/network_options.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class NetworkAttachCommand : public Command {
 public:
  std::string name() const override { return "attach"; }
  std::string group() const override { return "network"; }
  std::string summary() const override { return "Give a pod one more network interface"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of a pod that is ready or running");
    arguments->Positional("NETWORK", &network_,
                          "Name of a CNI network; of a pod whose namespace somebody else prepared, of an interface "
                          "in it");
    arguments->Text("--name", &interface_name_, "NAME", "The interface's name in the pod (default: eth0, eth1 …)");
    addresses_.Declare(arguments);
    arguments->Footer(
        "The pod has it in its later lives too. Prints the interface's name.\n"
        "Example: vc network attach web storage --ip 10.9.0.7/24");
  }

  int Run(Invocation& invocation) override {
    v1::AttachInterfaceRequest request;
    request.set_pod_id(pod_id_);
    v1::CniNetwork& network = *request.mutable_network();
    v1::GetPodRequest get;
    get.set_pod_id(pod_id_);
    v1::GetPodResponse got;
    absl::Status status = addresses_.Apply(&network);
    if (!status.ok()) {
      invocation.Complain(pod_id_, status);
      return kUsageError;
    }
    // Which of the two it is depends on the pod's model.
    status = invocation.daemon().GetPod(get, &got);
    if (status.ok() && got.pod().config().network() == "cnm") {
      if (addresses_.given() || !interface_name_.empty()) {
        invocation.Complain(pod_id_, "takes interfaces as they are in its namespace: leave all options out");
        return kUsageError;
      }
      network.set_interface_name(network_);
    } else {
      network.set_name(network_);
      network.set_interface_name(interface_name_);
    }
    v1::AttachInterfaceResponse response;
    if (status.ok()) status = invocation.daemon().AttachInterface(request, &response);
    if (status.ok()) return invocation.Print(absl::StrCat(response.interface_name(), "\n"));
    invocation.Complain(pod_id_, status);
    return kFailure;
  }

 private:
  std::string pod_id_;
  std::string network_;
  std::string interface_name_;
  AddressOptions addresses_;
};

}  // namespace

std::unique_ptr<Command> NewNetworkAttachCommand() { return std::make_unique<NetworkAttachCommand>(); }

}  // namespace vcd::client
