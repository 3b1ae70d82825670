// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_claims.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// A result may have a mebibyte of them.
constexpr size_t kMostTold = 8;
constexpr size_t kMostWordBytes = 200;

std::string Word(const std::string& text) { return absl::CHexEscape(text.substr(0, kMostWordBytes)); }

// The bytes of an address, without its prefix; empty for what is none.
std::string Bytes(const std::string& text) {
  const std::string address = text.substr(0, text.find('/'));
  char bytes[sizeof(in6_addr)];
  if (inet_pton(AF_INET, address.c_str(), bytes) == 1) return std::string(bytes, sizeof(in_addr));
  if (inet_pton(AF_INET6, address.c_str(), bytes) == 1) return std::string(bytes, sizeof(in6_addr));
  return "";
}

// What the result says of interfaces.
std::string Told(const CniResult& result) {
  if (result.interfaces.empty()) return "no interface at all";
  std::vector<std::string> words;
  for (const CniResult::Interface& interface : result.interfaces) {
    if (words.size() == kMostTold) {
      words.push_back(absl::StrCat("and ", result.interfaces.size() - kMostTold, " more"));
      break;
    }
    words.push_back(absl::StrCat(Word(interface.name), interface.sandbox.empty() ? " on the host" : " in ",
                                 Word(interface.sandbox)));
  }
  return absl::StrJoin(words, ", ");
}

absl::Status Failed(const CniAttachment& attachment, const std::string& why) {
  std::vector<std::string> plugins;
  for (const CniPluginConfiguration& plugin : attachment.configuration.plugins) plugins.push_back(plugin.type);
  const std::string& network = attachment.configuration.name;
  return WithDetail(
      absl::FailedPreconditionError(absl::StrCat("network `", network, "`: ADD of its CNI plugins (",
                                                 absl::StrJoin(plugins, ", "), ") succeeded, but ", why, "; see what ",
                                                 attachment.configuration.source, " asks of them, and what they log")),
      {v1::ERROR_REASON_NETWORK, {{"network", network}, {"interface", attachment.interface_name}}});
}

// Whether the result has it that this one is the attachment's.
bool IsOwn(const CniAttachment& attachment, const CniResult::Interface& interface) {
  return interface.name == attachment.interface_name && interface.sandbox == attachment.netns_path;
}

}  // namespace

absl::Status CheckCniClaims(const CniAttachment& attachment, const CniResult& result,
                            const std::vector<v1::PodInterface>& there) {
  const std::string& name = attachment.interface_name;
  const auto found = std::find_if(there.begin(), there.end(),
                                  [&name](const v1::PodInterface& interface) { return interface.name() == name; });
  if (found == there.end()) {
    return Failed(attachment, absl::StrCat("there is no interface ", name, " in the pod's namespace ",
                                           attachment.netns_path, ": their result tells of ", Told(result)));
  }
  for (const CniResult::Address& claimed : result.addresses) {
    if (claimed.interface < 0 || !IsOwn(attachment, result.interfaces[static_cast<size_t>(claimed.interface)]))
      continue;
    const std::string bytes = Bytes(claimed.address);
    const auto& has = found->addresses();
    if (!bytes.empty() &&
        std::any_of(has.begin(), has.end(), [&bytes](const std::string& address) { return Bytes(address) == bytes; })) {
      continue;
    }
    return Failed(attachment,
                  absl::StrCat("interface ", name, " in the pod's namespace ", attachment.netns_path,
                               " does not have the address ", Word(claimed.address), " of their result; it has ",
                               has.empty() ? "none" : absl::StrJoin(has, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace vcd
