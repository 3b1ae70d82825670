// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_attachment.h"

#include <arpa/inet.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/model/field_checks.h"
#include "core/model/ids.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr uint32_t kMaxPort = 65535;
constexpr int kMaxPortMappings = 1024;

bool IsAddress(const std::string& address) {
  in6_addr parsed;
  return inet_pton(AF_INET, address.c_str(), &parsed) == 1 || inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

absl::Status CheckMac(const std::string& mac, const std::string& field) {
  bool is_mac = mac.size() == 17;
  for (size_t i = 0; is_mac && i < mac.size(); ++i) {
    is_mac = i % 3 == 2 ? mac[i] == ':' : absl::ascii_isxdigit(static_cast<unsigned char>(mac[i]));
  }
  if (!is_mac)
    return InvalidField(
        field, absl::StrCat("\"", absl::CHexEscape(mac), "\" is no hardware address, such as 02:00:5e:00:53:01"));
  // The lowest bit of the first byte (IEEE 802) says that it is of many interfaces.
  const char bits = mac[1];
  const int nibble = bits <= '9' ? bits - '0' : (bits | 0x20) - 'a' + 10;
  if ((nibble & 1) != 0) {
    return InvalidField(field, absl::StrCat(mac,
                                            " is a multicast address, which no interface can have; give one whose "
                                            "first byte is even, such as 02:00:5e:00:53:01"));
  }
  if (mac == "00:00:00:00:00:00") {
    return InvalidField(field, absl::StrCat(mac, " is no interface's; leave it out, and the network chooses one"));
  }
  return absl::OkStatus();
}

absl::StatusOr<CniJson> PortMappings(const v1::CniNetwork& network, const std::string& field) {
  CniJson mappings = CniJson::array();
  std::set<std::string> taken;
  if (network.port_mappings_size() > kMaxPortMappings) {
    return InvalidField(field,
                        absl::StrCat("has ", network.port_mappings_size(), " ports; at most ", kMaxPortMappings));
  }
  for (int i = 0; i < network.port_mappings_size(); ++i) {
    const v1::PortMapping& mapping = network.port_mappings(i);
    const std::string element = Element(field, i);
    const std::string protocol = mapping.protocol().empty() ? "tcp" : mapping.protocol();
    for (const auto& [name, port] :
         {std::pair("host_port", mapping.host_port()), std::pair("container_port", mapping.container_port())}) {
      if (port >= 1 && port <= kMaxPort) continue;
      return InvalidField(absl::StrCat(element, ".", name), absl::StrCat(port, " is no port; 1 … ", kMaxPort, " are"));
    }
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
      return InvalidField(absl::StrCat(element, ".protocol"), "must be tcp, udp or sctp");
    }
    if (!mapping.host_ip().empty() && !IsAddress(mapping.host_ip())) {
      return InvalidField(absl::StrCat(element, ".host_ip"), "is no IPv4 or IPv6 address");
    }
    if (!taken.insert(absl::StrCat(protocol, " ", mapping.host_port(), " ", mapping.host_ip())).second) {
      return InvalidField(absl::StrCat(element, ".host_port"), absl::StrCat(mapping.host_port(), " is there twice"));
    }
    CniJson json = {
        {"hostPort", mapping.host_port()}, {"containerPort", mapping.container_port()}, {"protocol", protocol}};
    if (!mapping.host_ip().empty()) json["hostIP"] = mapping.host_ip();
    mappings.push_back(std::move(json));
  }
  return mappings;
}

absl::StatusOr<CniJson> BandwidthOf(const v1::Bandwidth& bandwidth, const std::string& field) {
  // A token bucket of no size lets nothing through, and one that is never filled neither.
  if ((bandwidth.ingress_rate() == 0) != (bandwidth.ingress_burst() == 0)) {
    return InvalidField(field, "`ingress_rate` and `ingress_burst` go together");
  }
  if ((bandwidth.egress_rate() == 0) != (bandwidth.egress_burst() == 0)) {
    return InvalidField(field, "`egress_rate` and `egress_burst` go together");
  }
  CniJson json = CniJson::object();
  if (bandwidth.ingress_rate() != 0) {
    json["ingressRate"] = bandwidth.ingress_rate();
    json["ingressBurst"] = bandwidth.ingress_burst();
  }
  if (bandwidth.egress_rate() != 0) {
    json["egressRate"] = bandwidth.egress_rate();
    json["egressBurst"] = bandwidth.egress_burst();
  }
  return json;
}

// Address and prefix, `10.88.0.7/16`.
absl::Status CheckAddressAndPrefix(const std::string& text, const std::string& field) {
  const size_t slash = text.find('/');
  uint32_t prefix = 0;
  if (slash != std::string::npos && IsAddress(text.substr(0, slash)) &&
      absl::SimpleAtoi(text.substr(slash + 1), &prefix) && prefix <= (absl::StrContains(text, ':') ? 128 : 32)) {
    return absl::OkStatus();
  }
  return InvalidField(
      field, absl::StrCat("\"", absl::CHexEscape(text), "\" is no address with a prefix, such as 10.88.0.7/16"));
}

absl::StatusOr<CniJson> Runtime(const v1::CniNetwork& network, const std::string& field) {
  CniJson runtime = CniJson::object();
  if (network.port_mappings_size() > 0) {
    VCD_ASSIGN_OR_RETURN(runtime["portMappings"], PortMappings(network, absl::StrCat(field, ".port_mappings")));
  }
  if (network.has_bandwidth()) {
    VCD_ASSIGN_OR_RETURN(CniJson bandwidth, BandwidthOf(network.bandwidth(), absl::StrCat(field, ".bandwidth")));
    if (!bandwidth.empty()) runtime["bandwidth"] = std::move(bandwidth);
  }
  for (int i = 0; i < network.ips_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckAddressAndPrefix(network.ips(i), Element(absl::StrCat(field, ".ips"), i)));
    runtime["ips"].push_back(network.ips(i));
  }
  if (!network.mac().empty()) {
    VCD_RETURN_IF_ERROR(CheckMac(network.mac(), absl::StrCat(field, ".mac")));
    runtime["mac"] = network.mac();
  }
  return runtime;
}

const char* FieldOf(const std::string& capability) {
  return capability == "portMappings" ? "port_mappings" : capability.c_str();
}

// What common plugins look at, and what they do not know to be passed over. The pod's own words win, but for its id.
absl::StatusOr<std::string> Args(const std::string& pod_id, const std::string& container_id,
                                 const v1::CniNetwork& network, const std::string& field) {
  std::map<std::string, std::string> args = {{"IgnoreUnknown", "1"},
                                             {"K8S_POD_NAMESPACE", "default"},
                                             {"K8S_POD_NAME", pod_id},
                                             {"K8S_POD_INFRA_CONTAINER_ID", container_id},
                                             {"VCD_POD_ID", pod_id}};
  for (const auto& [key, value] : network.args()) {
    const auto is_word = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    if (key.empty() || !std::all_of(key.begin(), key.end(), is_word)) {
      return InvalidField(absl::StrCat(field, ".args"), "keys hold letters, digits and '_' alone");
    }
    if (key == "VCD_POD_ID") return InvalidField(absl::StrCat(field, ".args"), "VCD_POD_ID is set by vcd");
    if (absl::StrContains(value, ';') ||
        std::any_of(value.begin(), value.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); })) {
      return InvalidField(absl::StrCat(field, ".args"), absl::StrCat("the value of ", key, " holds ';' or controls"));
    }
    args[key] = value;
  }
  std::string text;
  for (const auto& [key, value] : args) absl::StrAppend(&text, text.empty() ? "" : ";", key, "=", value);
  return text;
}

// What a plugin gets on its standard input.
CniJson Request(const CniAttachment& attachment, const CniPluginConfiguration& plugin, bool with_result) {
  CniJson request = plugin.document;
  request.erase("capabilities");
  request["cniVersion"] = attachment.configuration.version;
  request["name"] = attachment.configuration.name;
  request.erase("runtimeConfig");
  for (const auto& [capability, value] : attachment.runtime.items()) {
    if (plugin.capabilities.count(capability) != 0) request["runtimeConfig"][capability] = value;
  }
  request.erase("prevResult");
  if (with_result && !attachment.result.is_null()) request["prevResult"] = attachment.result;
  return request;
}

CniCall CallOf(const CniAttachment& attachment, const std::string& command) {
  return {command, attachment.container_id, attachment.netns_path, attachment.interface_name, attachment.args};
}

absl::Status Name(const CniAttachment& attachment, const absl::Status& status) {
  return status.ok() ? status : Annotate(status, absl::StrCat("network `", attachment.configuration.name, "`"));
}

}  // namespace

absl::StatusOr<CniAttachment> PlanCniAttachment(const std::string& pod_id, const v1::CniNetwork& network,
                                                const CniConfiguration& configuration, const std::string& field) {
  CniAttachment attachment;
  attachment.container_id = absl::StrCat(pod_id, "-", GenerateId());
  attachment.interface_name = network.interface_name();
  attachment.configuration = configuration;
  VCD_ASSIGN_OR_RETURN(attachment.runtime, Runtime(network, field));
  for (const auto& [capability, value] : attachment.runtime.items()) {
    if (configuration.Can(capability)) continue;
    return InvalidField(absl::StrCat(field, ".", FieldOf(capability)),
                        absl::StrCat("no plugin of network `", configuration.name, "` has the capability `", capability,
                                     "`; see ", configuration.source));
  }
  VCD_ASSIGN_OR_RETURN(attachment.args, Args(pod_id, attachment.container_id, network, field));
  return attachment;
}

absl::StatusOr<CniResult> AddCniAttachment(const CniPlugins& plugins, CniAttachment& attachment,
                                           const std::function<absl::Status()>& record, const CallContext& context) {
  CniResult last;
  for (const CniPluginConfiguration& plugin : attachment.configuration.plugins) {
    const absl::StatusOr<std::string> answer = plugins.Call(plugin.type, CallOf(attachment, "ADD"),
                                                            Request(attachment, plugin, /*with_result=*/true), context);
    if (!answer.ok()) return Name(attachment, answer.status());
    absl::StatusOr<CniResult> result = ParseCniResult(*answer, attachment.configuration.version);
    if (!result.ok()) {
      return Name(attachment,
                  WithMetadata(Annotate(result.status(), absl::StrCat("CNI plugin `", plugin.type, "`, ADD")), "plugin",
                               plugin.type));
    }
    last = *std::move(result);
    attachment.result = last.document;
    VCD_RETURN_IF_ERROR(record());
  }
  return last;
}

absl::Status DeleteCniAttachment(const CniPlugins& plugins, const CniAttachment& attachment,
                                 const CallContext& context) {
  absl::Status first;
  const auto& list = attachment.configuration.plugins;
  const bool with_result = KnowsCniCheck(attachment.configuration.version);
  for (auto plugin = list.rbegin(); plugin != list.rend(); ++plugin) {
    first.Update(
        plugins.Call(plugin->type, CallOf(attachment, "DEL"), Request(attachment, *plugin, with_result), context)
            .status());
  }
  return Name(attachment, first);
}

absl::Status CheckCniAttachment(const CniPlugins& plugins, const CniAttachment& attachment,
                                const CallContext& context) {
  if (!attachment.configuration.check) return absl::OkStatus();
  for (const CniPluginConfiguration& plugin : attachment.configuration.plugins) {
    VCD_RETURN_IF_ERROR(Name(attachment, plugins
                                             .Call(plugin.type, CallOf(attachment, "CHECK"),
                                                   Request(attachment, plugin, /*with_result=*/true), context)
                                             .status()));
  }
  return absl::OkStatus();
}

CniJson CniAttachment::ToJson() const {
  return {{"container_id", container_id},
          {"netns_path", netns_path},
          {"interface_name", interface_name},
          {"args", args},
          {"runtime", runtime},
          {"configuration", configuration.ToJson()},
          {"source", configuration.source},
          {"result", result}};
}

absl::StatusOr<CniAttachment> CniAttachment::FromJson(const CniJson& json) {
  CniAttachment attachment;
  for (const auto& [key, value] :
       {std::pair("container_id", &attachment.container_id), std::pair("netns_path", &attachment.netns_path),
        std::pair("interface_name", &attachment.interface_name), std::pair("args", &attachment.args),
        std::pair("source", &attachment.configuration.source)}) {
    const auto member = json.find(key);
    if (member == json.end() || !member->is_string()) {
      return absl::DataLossError(absl::StrCat("record of a network: `", key, "` must be a string"));
    }
    *value = member->get<std::string>();
  }
  const auto configuration = json.find("configuration");
  if (configuration == json.end() || !configuration->is_object() || attachment.container_id.empty()) {
    return absl::DataLossError("record of a network: incomplete");
  }
  absl::StatusOr<CniConfiguration> parsed = DecodeCniConfiguration(*configuration, attachment.configuration.source);
  if (!parsed.ok()) return absl::DataLossError(absl::StrCat("record of a network: ", parsed.status().message()));
  attachment.configuration = *std::move(parsed);
  attachment.runtime = json.value("runtime", CniJson::object());
  attachment.result = json.value("result", CniJson());
  if (!attachment.runtime.is_object() || !(attachment.result.is_null() || attachment.result.is_object())) {
    return absl::DataLossError("record of a network: `runtime` and `result` must be objects");
  }
  return attachment;
}

}  // namespace vcd
