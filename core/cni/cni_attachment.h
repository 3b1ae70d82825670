// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_ATTACHMENT_H_
#define VCD_CORE_CNI_CNI_ATTACHMENT_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/cni/cni_configuration.h"
#include "core/cni/cni_plugins.h"
#include "core/cni/cni_result.h"
#include "core/os/cancellation.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// One interface of a pod in one network: all that is needed to take it back, also when the network's file is gone by
// then or is another.
struct CniAttachment {
  // Unlike that of any attachment before: what releases this one later can release no other.
  std::string container_id;
  std::string netns_path;
  std::string interface_name;
  std::string args;  // CNI_ARGS
  CniJson runtime;   // By capability: `portMappings`, `bandwidth`, `ips`, `mac`.
  CniConfiguration configuration;
  CniJson result;  // Of the last plugin that was added; null before.

  CniJson ToJson() const;
  // kDataLoss for what ToJson did not make.
  static absl::StatusOr<CniAttachment> FromJson(const CniJson& json);
};

// What is to be done for a pod that asks for `network` as the interface `interface_name`. kInvalidArgument naming a
// field below `field`: one that makes no sense, or that no plugin of the network has the capability for.
absl::StatusOr<CniAttachment> PlanCniAttachment(const std::string& pod_id, const v1::CniNetwork& network,
                                                const CniConfiguration& configuration, const std::string& field);

// Calls the plugins in order, each with the result of the one before. `record` is called after each, with the result,
// before the next: its error ends it. What was added stays after an error: DeleteCniAttachment. Returns the result of
// the last plugin, which is the network's.
absl::StatusOr<CniResult> AddCniAttachment(const CniPlugins& plugins, CniAttachment& attachment,
                                           const std::function<absl::Status()>& record, const CallContext& context);

// Calls all plugins in reverse, also after one has failed, and returns the first error. May be repeated.
absl::Status DeleteCniAttachment(const CniPlugins& plugins, const CniAttachment& attachment,
                                 const CallContext& context);

// Whether it is as it was added, in the words of the plugins. OK where the network does not know how to tell.
absl::Status CheckCniAttachment(const CniPlugins& plugins, const CniAttachment& attachment, const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_ATTACHMENT_H_
