// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/commands/network/commands.h"
#include "client/commands/output_options.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

// Of a virtual one the word of --network-join, "physical" of another.
std::string Kind(const v1::PodInterface& interface) {
  if (interface.join() == v1::INTERFACE_JOIN_TC_REDIRECT && interface.kind() == v1::INTERFACE_KIND_VIRTUAL) return "tc";
  std::string word = interface.kind() == v1::INTERFACE_KIND_VIRTUAL ? v1::InterfaceJoin_Name(interface.join())
                                                                    : v1::InterfaceKind_Name(interface.kind());
  for (const char* prefix : {"INTERFACE_JOIN_", "INTERFACE_KIND_"}) word = std::string(absl::StripPrefix(word, prefix));
  return word == "UNSPECIFIED" ? "-" : absl::AsciiStrToLower(word);
}

class NetworkLsCommand : public Command {
 public:
  std::string name() const override { return "ls"; }
  std::string group() const override { return "network"; }
  std::string summary() const override { return "List the network interfaces of a pod"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    output_.DeclareWithNames(arguments);
    arguments->Footer("Example: vc network ls web");
  }

  int Run(Invocation& invocation) override {
    v1::GetPodRequest request;
    request.set_pod_id(pod_id_);
    v1::GetPodResponse response;
    if (const absl::Status status = invocation.daemon().GetPod(request, &response); !status.ok()) {
      invocation.Complain(pod_id_, status);
      return kFailure;
    }
    return invocation.Print(Render(response.pod().network()));
  }

 private:
  std::string Render(const v1::NetworkStatus& network) const {
    if (output_.names()) {
      std::string names;
      for (const v1::PodInterface& interface : network.interfaces()) {
        absl::StrAppend(&names, Printable(interface.name()), "\n");
      }
      return names;
    }
    // Protobuf leaves an empty list away, and then `.interfaces[]` would be an error for scripts.
    if (!output_.table() && network.interfaces().empty()) return output_.RenderJson("{\n \"interfaces\": []\n}\n");
    if (!output_.table()) return output_.Render(network);
    Table table({"INTERFACE", "NETWORK", "ADDRESSES", "MAC", "MTU", "JOIN"});
    for (const v1::PodInterface& interface : network.interfaces()) {
      table.AddRow({interface.name(), OrDash(interface.network()), OrDash(absl::StrJoin(interface.addresses(), ",")),
                    OrDash(interface.mac()), interface.mtu() == 0 ? "-" : absl::StrCat(interface.mtu()),
                    Kind(interface)});
    }
    return table.Render();
  }

  std::string pod_id_;
  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewNetworkLsCommand() { return std::make_unique<NetworkLsCommand>(); }

}  // namespace vcd::client
