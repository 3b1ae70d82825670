// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "core/cni/cni_configuration.h"
#include "core/cni/cni_json.h"
#include "core/cni/cni_result.h"
#include "test/fuzz/fuzz_target.h"

namespace {

void Check(bool good) {
  if (!good) std::abort();
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  return {
      "",
      R"({"cniVersion": "1.0.0", "name": "lan", "type": "bridge", "ipam": {"type": "host-local"}})",
      R"({"cniVersion": "0.4.0", "name": "lan", "disableCheck": true, "plugins": [
          {"type": "bridge", "ipam": {"type": "host-local"}}, {"type": "portmap", "capabilities": {"portMappings": true}}]})",
      R"({"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/x"}], "routes": [{"dst": "::/0"}],
          "ips": [{"address": "10.0.0.2/24", "gateway": "10.0.0.1", "interface": 0}],
          "dns": {"nameservers": ["10.0.0.1"], "domain": "lan", "search": ["lan"], "options": ["ndots:2"]}})",
      R"({"cniVersion": "1.0.0", "code": 11, "msg": "later", "details": "the store is locked"})",
  };
}

// Whatever a plugin prints or a file of networks holds, it is read to an end; a configuration that is taken is the same
// when it is written and read again, which is how it is kept for the pod's end.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto result = vcd::ParseCniResult(text, "1.0.0");
  if (result.ok()) {
    vcd::v1::DnsConfig dns;
    vcd::MergeDns(result->dns, dns);
    Check(dns.servers_size() <= 3);
    Check(vcd::ParseCniResult(vcd::CniText(result->document), "1.0.0").ok());
  }
  Check(!vcd::ParseCniError(text, "bridge", "it failed").ok());
  const auto configuration = vcd::ParseCniConfiguration(text, "a file");
  if (!configuration.ok()) return 0;
  (void)configuration->Programs();
  const std::string written = vcd::CniText(configuration->ToJson());
  const auto again = vcd::ParseCniConfiguration(written, "a file");
  Check(again.ok());
  Check(vcd::CniText(again->ToJson()) == written);
  return 0;
}
