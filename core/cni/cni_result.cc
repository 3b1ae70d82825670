// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_result.h"

#include <algorithm>
#include <functional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr int kMaxServers = 3;  // Programs look at no more (resolv.conf(5)).
constexpr size_t kMaxWordsBytes = 1000;
constexpr size_t kMaxWordBytes = 200;

absl::Status Wrong(absl::string_view problem) {
  return WithDetail(absl::InternalError(absl::StrCat("its result is wrong: ", problem)),
                    {v1::ERROR_REASON_NETWORK, {}});
}

std::string Word(const std::string& text) { return absl::CHexEscape(text.substr(0, kMaxWordBytes)); }

// Each element of an array that may be missing.
absl::Status ForEach(const CniJson& object, const std::string& key, bool objects,
                     const std::function<absl::Status(const CniJson& element)>& visit) {
  const auto array = object.find(key);
  if (array == object.end() || array->is_null()) return absl::OkStatus();
  if (!array->is_array()) return Wrong(absl::StrCat("`", key, "` must be an array"));
  for (const CniJson& element : *array) {
    if (objects ? !element.is_object() : !element.is_string()) {
      return Wrong(absl::StrCat("`", key, "` must hold ", objects ? "objects" : "strings", " alone"));
    }
    VCD_RETURN_IF_ERROR(visit(element));
  }
  return absl::OkStatus();
}

absl::Status ParseDns(const CniJson& dns, v1::DnsConfig& config) {
  if (!dns.is_object()) return Wrong("`dns` must be an object");
  VCD_RETURN_IF_ERROR(ForEach(dns, "nameservers", false, [&](const CniJson& server) {
    config.add_servers(server.get<std::string>());
    return absl::OkStatus();
  }));
  const absl::StatusOr<std::string> domain = CniString(dns, "domain", "dns");
  if (!domain.ok()) return Wrong(domain.status().message());
  if (!domain->empty()) config.add_searches(*domain);
  VCD_RETURN_IF_ERROR(ForEach(dns, "search", false, [&](const CniJson& search) {
    config.add_searches(search.get<std::string>());
    return absl::OkStatus();
  }));
  return ForEach(dns, "options", false, [&](const CniJson& option) {
    config.add_options(option.get<std::string>());
    return absl::OkStatus();
  });
}

absl::StatusCode CodeOf(int64_t code) {
  switch (code) {
    case 3:  // It does not know the container.
      return absl::StatusCode::kNotFound;
    case 5:   // Input or output failed.
    case 11:  // Try again later.
      return absl::StatusCode::kUnavailable;
    case 4:  // It was called wrongly.
    case 6:
      return absl::StatusCode::kInternal;
    default:  // Version, fields or network that it does not take; from 100 on the plugin's own.
      return absl::StatusCode::kFailedPrecondition;
  }
}

void AddOnce(const std::string& value, google::protobuf::RepeatedPtrField<std::string>* values) {
  if (std::find(values->begin(), values->end(), value) == values->end()) *values->Add() = value;
}

}  // namespace

absl::StatusOr<CniResult> ParseCniResult(const std::string& text, const std::string& version) {
  CniResult result;
  absl::StatusOr<CniJson> document = ParseCniObject(text, "what it printed");
  if (!document.ok()) return Wrong(document.status().message());
  result.document = *std::move(document);
  const absl::StatusOr<std::string> answered = CniString(result.document, "cniVersion", "result");
  if (!answered.ok()) return Wrong(answered.status().message());
  if (*answered != version) {
    return Wrong(absl::StrCat("`cniVersion` is \"", absl::CHexEscape(*answered), "\", asked for was ", version));
  }
  VCD_RETURN_IF_ERROR(ForEach(result.document, "interfaces", true, [&](const CniJson& interface) -> absl::Status {
    const absl::StatusOr<std::string> name = CniString(interface, "name", "interfaces");
    const absl::StatusOr<std::string> sandbox = CniString(interface, "sandbox", "interfaces");
    if (!name.ok() || !sandbox.ok()) return Wrong("`interfaces[].name` and `interfaces[].sandbox` must be strings");
    result.interfaces.push_back({*name, *sandbox});
    return absl::OkStatus();
  }));
  VCD_RETURN_IF_ERROR(ForEach(result.document, "routes", true, [](const CniJson&) { return absl::OkStatus(); }));
  VCD_RETURN_IF_ERROR(ForEach(result.document, "ips", true, [&](const CniJson& ip) -> absl::Status {
    const absl::StatusOr<std::string> address = CniString(ip, "address", "ips");
    if (!address.ok() || address->empty()) return Wrong("`ips[].address` must be a string");
    const auto index = ip.find("interface");
    const bool said = index != ip.end() && !index->is_null();
    if (said && !(index->is_number_unsigned() && index->get<uint64_t>() < uint64_t{result.interfaces.size()})) {
      return Wrong(absl::StrCat("`ips[].interface` of ", Word(*address), " is ", Word(CniText(*index)),
                                ", which is no index in `interfaces`; there are ", result.interfaces.size()));
    }
    result.addresses.push_back({*address, said ? index->get<int>() : -1});
    return absl::OkStatus();
  }));
  const auto dns = result.document.find("dns");
  if (dns != result.document.end() && !dns->is_null()) VCD_RETURN_IF_ERROR(ParseDns(*dns, result.dns));
  return result;
}

absl::Status ParseCniError(const std::string& text, const std::string& plugin, const std::string& otherwise) {
  const ErrorDetail detail = {v1::ERROR_REASON_NETWORK, {{"plugin", plugin}}};
  const absl::StatusOr<CniJson> document = ParseCniObject(text, "");
  const CniJson* code = nullptr;
  if (document.ok() && document->contains("code")) code = &document->at("code");
  if (code == nullptr || !code->is_number_integer()) {
    return WithDetail(absl::FailedPreconditionError(otherwise), detail);
  }
  std::string message = CniString(*document, "msg", "").value_or("");
  const std::string details = CniString(*document, "details", "").value_or("");
  if (!details.empty()) absl::StrAppend(&message, message.empty() ? "" : ": ", details);
  if (message.size() > kMaxWordsBytes) message.resize(kMaxWordsBytes);
  const int64_t number = code->get<int64_t>();
  return WithDetail(absl::Status(CodeOf(number), absl::StrCat(message.empty() ? "no words" : message, " (code ", number,
                                                              number == 11 ? ": try again later)" : ")")),
                    detail);
}

void MergeDns(const v1::DnsConfig& from, v1::DnsConfig& into) {
  for (const std::string& server : from.servers()) {
    if (absl::StartsWith(server, "127.") || server == "::1" || into.servers_size() >= kMaxServers) continue;
    AddOnce(server, into.mutable_servers());
  }
  for (const std::string& search : from.searches()) AddOnce(search, into.mutable_searches());
  for (const std::string& option : from.options()) AddOnce(option, into.mutable_options());
}

}  // namespace vcd
