// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_RESULT_H_
#define VCD_CORE_CNI_CNI_RESULT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/cni/cni_json.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// What a plugin answers to ADD. Interfaces, addresses and routes are found in the namespace; what is read of it is what
// cannot be seen there, and what is to be found there (CheckCniClaims).
struct CniResult {
  struct Interface {
    std::string name;
    std::string sandbox;  // The namespace that it is in; empty is the host's.
  };
  struct Address {
    std::string address;  // `10.88.0.7/16`
    int interface = -1;   // Which of `interfaces` has it; -1 when the plugin does not say.
  };

  CniJson document;  // Verbatim, for the next plugin, CHECK and DEL.
  std::vector<Interface> interfaces;
  std::vector<Address> addresses;
  v1::DnsConfig dns;
};

// kInternal for what is no result of that version, naming the member.
absl::StatusOr<CniResult> ParseCniResult(const std::string& text, const std::string& version);

// The error that a plugin printed ({code, msg, details}), as a status with the reason NETWORK; `otherwise` tells of it
// when it printed none.
absl::Status ParseCniError(const std::string& text, const std::string& plugin, const std::string& otherwise);

// Adds what a network says of name servers. Servers on the loopback interface are none for a pod; no more than three
// are kept.
void MergeDns(const v1::DnsConfig& from, v1::DnsConfig& into);

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_RESULT_H_
