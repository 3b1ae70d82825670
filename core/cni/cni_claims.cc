// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_claims.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

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

// The length of its prefix; -1 for what is none.
int Prefix(const std::string& text) {
  const size_t slash = text.find('/');
  int prefix = 0;
  return slash != std::string::npos && absl::SimpleAtoi(text.substr(slash + 1), &prefix) ? prefix : -1;
}

bool IsSameAddress(const std::string& claimed, const std::string& has) {
  const std::string bytes = Bytes(claimed);
  return !bytes.empty() && bytes == Bytes(has) && Prefix(claimed) == Prefix(has);
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

// Whether a sandbox is the pod's namespace, which has other paths too.
bool IsPods(const CniAttachment& attachment, const std::string& sandbox) {
  if (sandbox == attachment.netns_path) return true;
  if (sandbox.empty() || sandbox.front() != '/' || sandbox.find('\0') != std::string::npos) return false;
  struct stat theirs, pods;
  return stat(sandbox.c_str(), &theirs) == 0 && stat(attachment.netns_path.c_str(), &pods) == 0 &&
         theirs.st_dev == pods.st_dev && theirs.st_ino == pods.st_ino;
}

// Whether an interface is there. Those of the pod leave out the loopback interface, which every namespace has.
bool IsThere(const std::string& name, const std::vector<v1::PodInterface>& there) {
  return name == "lo" || std::any_of(there.begin(), there.end(),
                                     [&name](const v1::PodInterface& interface) { return interface.name() == name; });
}

// Looks for the interfaces of the result where it says that they are. Those that are the attachment's own, by their
// index.
absl::StatusOr<std::vector<bool>> FindOwn(const CniAttachment& attachment, const CniResult& result,
                                          const std::vector<v1::PodInterface>& there) {
  std::vector<bool> own;
  for (const CniResult::Interface& interface : result.interfaces) {
    const bool pods = IsPods(attachment, interface.sandbox);
    const bool named = interface.name == attachment.interface_name;
    if (pods && !IsThere(interface.name, there)) {
      return Failed(attachment, absl::StrCat("there is no interface ", Word(interface.name), " in the pod's namespace ",
                                             attachment.netns_path, ", where their result has it"));
    }
    if (named && !pods && !interface.sandbox.empty()) {
      return Failed(attachment,
                    absl::StrCat("their result has interface ", interface.name, " in ", Word(interface.sandbox),
                                 ", which is not the pod's namespace ", attachment.netns_path));
    }
    own.push_back(pods && named);
  }
  return own;
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
  VCD_ASSIGN_OR_RETURN(const std::vector<bool> own, FindOwn(attachment, result, there));
  for (const CniResult::Address& claimed : result.addresses) {
    if (claimed.interface < 0 || !own[static_cast<size_t>(claimed.interface)]) continue;
    const auto& has = found->addresses();
    if (std::any_of(has.begin(), has.end(),
                    [&claimed](const std::string& address) { return IsSameAddress(claimed.address, address); })) {
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
