// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_PODS_H_
#define VCD_CLIENT_TESTING_PODS_H_

#include <string>
#include <vector>

#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// A pod as the daemon tells of it, with containers of these ids.
inline v1::Pod PodOf(const std::string& id, v1::PodState state, const std::vector<std::string>& container_ids = {}) {
  v1::Pod pod;
  pod.set_id(id);
  pod.set_state(state);
  for (const std::string& container_id : container_ids) pod.add_containers()->set_id(container_id);
  return pod;
}

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_PODS_H_
