// SPDX-License-Identifier: Apache-2.0
#include "client/commands/pod_table.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

// Those that run out of all there are: `1/2`.
std::string Containers(const v1::Pod& pod) {
  const auto running =
      std::count_if(pod.containers().begin(), pod.containers().end(),
                    [](const v1::Container& container) { return container.state() == v1::CONTAINER_STATE_RUNNING; });
  return absl::StrCat(running, "/", pod.containers_size());
}

// The pod's, or that of the first container that has one.
std::string Reason(const v1::Pod& pod) {
  if (!pod.reason().empty()) return pod.reason();
  for (const v1::Container& container : pod.containers()) {
    if (!container.reason().empty()) return absl::StrCat(container.id(), ": ", container.reason());
  }
  return "";
}

}  // namespace

std::string RenderPods(const OutputOptions& output, const std::vector<v1::Pod>& pods, absl::Time now) {
  if (output.names()) {
    std::string names;
    for (const v1::Pod& pod : pods) absl::StrAppend(&names, Printable(pod.id()), "\n");
    return names;
  }
  if (output.table()) {
    Table table({"POD", "STATE", "CONTAINERS", "CREATED", "REASON"});
    for (const v1::Pod& pod : pods) {
      const std::string created =
          pod.has_created_at() ? absl::StrCat(Age(now - ToTime(pod.created_at())), " ago") : "-";
      table.AddRow({pod.id(), Word(pod.state()), Containers(pod), created, Brief(Reason(pod))});
    }
    return table.Render();
  }
  // Protobuf leaves an empty list away, and then `.pods[]` would be an error for scripts.
  if (pods.empty()) return output.RenderJson("{\n \"pods\": []\n}\n");
  v1::ListPodsResponse list;
  *list.mutable_pods() = {pods.begin(), pods.end()};
  return output.Render(list);
}

}  // namespace vcd::client
