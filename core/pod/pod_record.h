// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_RECORD_H_
#define VCD_CORE_POD_POD_RECORD_H_

#include <string>

#include "google/protobuf/timestamp.pb.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// What operations write into a pod's state record. Pure functions of the message.

// Reasons on record that the next daemon knows again: one, and how the other begins.
inline constexpr char kHostRebooted[] = "HOST_REBOOTED: the host was restarted; start the pod to boot it again";
inline constexpr char kRecordDamaged[] = "RECORD_DAMAGED: ";

// Requests that a pod remembers as done.
inline constexpr int kRequestsRemembered = 16;

// The record of a container; null when there is none.
state::v1::ContainerRecord* FindContainer(state::v1::PodRecord& record, const std::string& container_id);
const state::v1::ContainerRecord* FindContainer(const state::v1::PodRecord& record, const std::string& container_id);
void RemoveContainer(state::v1::PodRecord& record, const std::string& container_id);

// Whether the pod is being created or deleted, so that its records may rightly be missing.
bool IsAppearingOrGoing(const state::v1::PodRecord& record);
// Whether the container's process has ended, or never began and never will.
bool HasEnded(const state::v1::ContainerRecord& container);

// Before the first effect: what is about to be done, and for which request.
void SetUnderWay(state::v1::PodRecord& record, state::v1::Intent intent, const state::v1::Request& request);

// The request, if it has an id, was done.
void Remember(state::v1::PodRecord& record, const state::v1::Request& request);

// With the result: nothing is under way any more, and the request is remembered.
void SetDone(state::v1::PodRecord& record, const state::v1::Request& request);

// The request with this id among those that were done; null when there is none.
const state::v1::Request* FindDone(const state::v1::PodRecord& record, const std::string& request_id);

// Sets a protobuf timestamp to now.
void StampNow(google::protobuf::Timestamp* timestamp);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_RECORD_H_
