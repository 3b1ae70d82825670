// SPDX-License-Identifier: Apache-2.0
#include "client/pod/network_options.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/pod/option_text.h"

namespace vcd::client {
namespace {

constexpr char kNamespacePrefix[] = "netns:";
constexpr char kProcessPrefix[] = "pid:";

// Words that name a model, and no network of one.
bool IsModel(const std::string& word) { return word == "none" || word == "mock" || word == "cni" || word == "cnm"; }

bool ParsePort(absl::string_view text, uint32_t* port) {
  return absl::SimpleAtoi(text, port) && *port >= 1 && *port <= 65535;
}

absl::Status ApplyNetwork(const std::string& text, v1::PodConfig* config) {
  const std::string option = absl::StrCat("--network \"", text, "\"");
  if (IsModel(text)) {
    config->set_network(text);
    return absl::OkStatus();
  }
  v1::NetworkConfig* network = config->mutable_network_config();
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, kNamespacePrefix)) {
    if (rest.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          option, ": must be netns:PATH, with a network namespace of the host, as in netns:/run/netns/NAME"));
    }
    auto path = AbsolutePath("--network netns", std::string(rest));
    if (!path.ok()) return path.status();
    config->set_network("cnm");
    network->set_netns_path(*std::move(path));
    network->clear_netns_pid();
  } else if (absl::ConsumePrefix(&rest, kProcessPrefix)) {
    int32_t pid = 0;
    if (!absl::SimpleAtoi(rest, &pid) || pid < 1) {
      return absl::InvalidArgumentError(absl::StrCat(option, ": must be pid:PID, with a process of the host"));
    }
    config->set_network("cnm");
    network->set_netns_pid(pid);
    network->clear_netns_path();
  } else {
    config->set_network("cni");
    network->clear_networks();
    for (absl::string_view name : absl::StrSplit(text, ',')) {
      if (name.empty()) return absl::InvalidArgumentError(absl::StrCat(option, ": names a network without a name"));
      network->add_networks()->set_name(std::string(name));
    }
  }
  return absl::OkStatus();
}

v1::InterfaceJoin Join(const std::string& word) {
  if (word == "tc") return v1::INTERFACE_JOIN_TC_REDIRECT;
  return word == "bridge" ? v1::INTERFACE_JOIN_BRIDGE : v1::INTERFACE_JOIN_MACVTAP;
}

}  // namespace

absl::StatusOr<v1::PortMapping> ParsePortMapping(const std::string& option, const std::string& text) {
  const auto wrong = [&] {
    return absl::InvalidArgumentError(absl::StrCat(
        option, " \"", text, "\": must be [HOSTIP:]HOSTPORT:PORT[/PROTO], such as 8080:80, 127.0.0.1:5353:53/udp"));
  };
  v1::PortMapping mapping;
  absl::string_view rest = text;
  if (const size_t slash = rest.find('/'); slash != absl::string_view::npos) {
    mapping.set_protocol(std::string(rest.substr(slash + 1)));
    if (mapping.protocol() != "tcp" && mapping.protocol() != "udp" && mapping.protocol() != "sctp") return wrong();
    rest = rest.substr(0, slash);
  }
  const size_t last = rest.rfind(':');
  uint32_t port = 0;
  if (last == absl::string_view::npos || !ParsePort(rest.substr(last + 1), &port)) return wrong();
  mapping.set_container_port(port);
  rest = rest.substr(0, last);
  if (const size_t before = rest.rfind(':'); before != absl::string_view::npos) {
    absl::string_view address = rest.substr(0, before);
    const bool brackets = absl::ConsumePrefix(&address, "[") && absl::ConsumeSuffix(&address, "]");
    if (address.empty() || (!brackets && address.find(':') != absl::string_view::npos)) return wrong();
    mapping.set_host_ip(std::string(address));
    rest = rest.substr(before + 1);
  }
  if (!ParsePort(rest, &port)) return wrong();
  mapping.set_host_port(port);
  return mapping;
}

void AddressOptions::Declare(Arguments* arguments) {
  arguments->Repeated("-p,--publish", &ports_, "[IP:]PORT:PORT[/PROTO]",
                      "Lead a port of the host to one of the pod: 8080:80, 127.0.0.1:5353:53/udp");
  arguments->Repeated("--ip", &ips_, "IP/LEN", "An address to ask the network for");
  arguments->Text("--mac", &mac_, "MAC", "A hardware address to ask the network for");
}

absl::Status AddressOptions::Apply(v1::CniNetwork* network) const {
  for (const std::string& text : ports_) {
    auto mapping = ParsePortMapping("-p", text);
    if (!mapping.ok()) return mapping.status();
    *network->add_port_mappings() = *std::move(mapping);
  }
  for (const std::string& ip : ips_) network->add_ips(ip);
  if (!mac_.empty()) network->set_mac(mac_);
  return absl::OkStatus();
}

void NetworkOptions::Declare(Arguments* arguments) {
  arguments->Heading("Network");
  arguments->Text("--network", &network_, "NETWORK",
                  "none, CNI networks such as default or NAME,NAME, netns:PATH, pid:PID, or a model of \"vc info\"");
  addresses_.Declare(arguments);
  arguments->Choice("--network-join", &join_, {"tc", "bridge", "macvtap"},
                    "How interfaces are joined to the VM's (default: the first that the host can do)");
  arguments->Repeated("--network-passthrough", &passthrough_, "INTERFACE",
                      "An interface of the pod's namespace whose PCI device the VM gets in its place (VFIO)");
  arguments->Heading("");
}

absl::Status NetworkOptions::Apply(v1::PodConfig* config) const {
  if (!network_.empty()) {
    if (absl::Status status = ApplyNetwork(network_, config); !status.ok()) return status;
  }
  if (!join_.empty()) config->mutable_network_config()->set_join(Join(join_));
  for (const std::string& name : passthrough_) config->mutable_network_config()->add_passthrough_interfaces(name);
  if (!addresses_.given()) return absl::OkStatus();
  // A pod of the daemon's default model may turn out to have no network at all.
  if (config->network() != "cni") {
    return absl::InvalidArgumentError(
        "-p, --ip and --mac are asked of a CNI network: name it, as in --network default -p 8080:80");
  }
  v1::NetworkConfig* network = config->mutable_network_config();
  if (network->networks().empty()) network->add_networks();
  return addresses_.Apply(network->mutable_networks(0));
}

}  // namespace vcd::client
