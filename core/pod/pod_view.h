// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_VIEW_H_
#define VCD_CORE_POD_POD_VIEW_H_

#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// What clients see of a pod, out of what it was asked to be and what it is: the only place where that is put together.
v1::Pod MakePodView(const v1::PodConfig& config, const state::v1::PodRecord& record);

// The same for the container of that config; `record` is null when nothing is known of it yet.
v1::Container MakeContainerView(const std::string& pod_id, const v1::ContainerConfig& config,
                                const state::v1::ContainerRecord* record);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_VIEW_H_
