// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_memory.h"

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

using nlohmann::json;

constexpr uint64_t kHugePageBytes = 2 << 20;

}  // namespace

json MemoryBackend(const GuestMemory& memory, const std::string& id, uint64_t bytes, bool reserve) {
  const bool memfd = memory.shared || memory.huge_pages;
  json object = {{"qom-type", memfd ? "memory-backend-memfd" : "memory-backend-ram"}, {"id", id}, {"size", bytes}};
  if (memfd) object["share"] = memory.shared;
  if (memory.huge_pages) {
    object["hugetlb"] = true;
    object["hugetlbsize"] = kHugePageBytes;
  }
  if (!reserve) object["reserve"] = false;
  if (memory.prealloc && reserve) object["prealloc"] = true;
  return object;
}

std::string AsOption(const json& object) {
  std::string option = object["qom-type"].get<std::string>();
  for (const auto& [key, value] : object.items()) {
    if (key == "qom-type") continue;
    const std::string text = value.is_boolean()  ? (value.get<bool>() ? "on" : "off")
                             : value.is_string() ? value.get<std::string>()
                                                 : value.dump();
    absl::StrAppend(&option, ",", key, "=", text);
  }
  return option;
}

}  // namespace vcd
