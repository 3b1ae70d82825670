// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_SNAPSHOT_H_
#define VCD_CORE_POD_POD_SNAPSHOT_H_

#include <string>

#include "core/pod/packed.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// What clients see of a pod at one moment. Most of it is bytes that go to them as they are; what is asked of each pod
// of a long list is beside them. Immutable.
class PodSnapshot {
 public:
  explicit PodSnapshot(const v1::Pod& pod) : id_(pod.id()), state_(pod.state()), pod_(pod) {}

  const std::string& id() const { return id_; }
  v1::PodState state() const { return state_; }
  // All of it.
  v1::Pod Unpack() const { return pod_.Unpack(); }
  // The same, serialized.
  const std::string& bytes() const { return pod_.bytes(); }

 private:
  std::string id_;
  v1::PodState state_;
  Packed<v1::Pod> pod_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_SNAPSHOT_H_
