// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_POD_LIST_H_
#define VCD_DAEMON_SERVICE_POD_LIST_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/pod/pod_snapshot.h"
#include "proto/vcd/v1/pod.pb.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd {

// Which pods a caller wants: terms joined by blanks, all of which must hold.
//   state=running        the state, in lower case
//   id=NAME, id=PREFIX*  the id
//   annotation.KEY=VALUE an annotation of the pod
class PodFilter {
 public:
  // kInvalidArgument (`filter`) naming the term that is none.
  static absl::StatusOr<PodFilter> Parse(const std::string& text);

  bool Matches(const PodSnapshot& pod) const;

 private:
  std::vector<v1::PodState> states_;
  std::vector<std::string> ids_;
  std::vector<std::string> id_prefixes_;
  std::vector<std::pair<std::string, std::string>> annotations_;
};

// The bytes of a vcd.v1.GetPodResponse with this pod.
std::string OnePod(const PodSnapshot& pod);

using PodSnapshots = std::vector<std::shared_ptr<const PodSnapshot>>;

// The pods after that id, in order of id, at most so many; fewer only when there are no more.
using PodsAfter = std::function<PodSnapshots(const std::string& id, size_t most)>;

// Picks the page of the pods that the request asks for: the bytes of a vcd.v1.ListPodsResponse, put together out of
// those that the pods are kept as. Looks at no more pods than it takes to fill a page. A page ends early before it
// outgrows what a client of gRPC takes by default (4 MiB). Pods that come or go between two pages, or while one is put
// together, never make others appear twice or be missed. kInvalidArgument (`filter`, `page_token`).
absl::StatusOr<std::string> ListPage(const PodsAfter& pods_after, const v1::ListPodsRequest& request);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_POD_LIST_H_
