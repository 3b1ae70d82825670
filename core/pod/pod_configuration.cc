// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/asset/asset_annotations.h"
#include "core/model/field_checks.h"
#include "core/model/pod_validation.h"
#include "core/model/request_id.h"
#include "core/pod/container_config.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A name out of a map of backends, its default filled in; kInvalidArgument that lists the known ones.
template <typename T>
absl::Status ResolveBackend(absl::string_view field, const std::map<std::string, T>& known,
                            const std::string& default_name, std::string* name) {
  if (name->empty()) *name = default_name;
  if (known.count(*name) != 0) return absl::OkStatus();
  std::string names;
  for (const auto& [candidate, backend] : known) absl::StrAppend(&names, names.empty() ? "" : ", ", candidate);
  return WithDetail(
      absl::InvalidArgumentError(absl::StrCat("`", field, "`: \"", *name, "\" is unknown; known are ", names)),
      {v1::ERROR_REASON_UNKNOWN_BACKEND, {{"field", std::string(field)}, {"known", names}}});
}

// Those that somebody here understands.
absl::Status CheckKnownAnnotations(const Hypervisor& hypervisor,
                                   const google::protobuf::Map<std::string, std::string>& annotations) {
  const std::map<std::string, std::string> sorted(annotations.begin(), annotations.end());
  VCD_RETURN_IF_ERROR(CheckAssetAnnotations(sorted));
  return hypervisor.CheckAnnotations(sorted);
}

// What is wrong with a size is told of the field that it came from.
absl::Status NameGivenSize(const absl::Status& status, const v1::PodConfig& config) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  if (!detail.has_value() || detail->metadata.count("field") == 0) return status;
  const std::string& field = detail->metadata.at("field");
  std::string given;
  if (config.resources().memory_mib() != 0 && field == "hypervisor_config.default_memory_mib") given = "memory_mib";
  if (config.resources().vcpus() != 0 && field == "hypervisor_config.default_vcpus") given = "vcpus";
  absl::string_view problem = status.message();
  if (given.empty() || !absl::ConsumePrefix(&problem, absl::StrCat("`", field, "`: "))) return status;
  return InvalidField(absl::StrCat("config.resources.", given), problem);
}

}  // namespace

absl::StatusOr<v1::PodConfig> LivePodRuntime::Prepare(v1::PodConfig config, const CallContext& context) const {
  VCD_RETURN_IF_ERROR(ResolveBackend("config.hypervisor", backends_.hypervisors, backends_.default_hypervisor,
                                     config.mutable_hypervisor()));
  VCD_RETURN_IF_ERROR(
      ResolveBackend("config.agent", backends_.agents, backends_.default_agent, config.mutable_agent()));
  VCD_RETURN_IF_ERROR(
      ResolveBackend("config.network", backends_.networks, backends_.default_network, config.mutable_network()));
  const AgentCapabilities agent = backends_.agents.at(config.agent())->capabilities();
  VCD_RETURN_IF_ERROR(ValidatePodConfig(config, agent.runs_processes));
  if (agent.ReadsRootfs()) VCD_RETURN_IF_ERROR(CheckVolumeSources(config, "config"));
  for (int i = 0; i < config.containers_size(); ++i) {
    VCD_RETURN_IF_ERROR(CompleteContainerConfig(*config.mutable_containers(i), options_.host, agent.ReadsRootfs(),
                                                absl::StrCat("config.containers[", i, "]")));
  }
  VCD_RETURN_IF_ERROR(CheckHooksRun(config.hooks(), options_, agent, "config.hooks"));
  for (int i = 0; i < config.containers_size(); ++i) {
    VCD_RETURN_IF_ERROR(
        CheckHooksRun(config.containers(i).hooks(), options_, agent, absl::StrCat("config.containers[", i, "].hooks")));
  }
  if (config.hostname().empty()) config.set_hostname(config.id());
  if (config.hostname().size() > 64) config.mutable_hostname()->resize(64);

  const Hypervisor& hypervisor = *backends_.hypervisors.at(config.hypervisor());
  const HypervisorCapabilities machines = hypervisor.capabilities();
  if (agent.simulates_guest && !machines.simulated_guest) {
    return InvalidField("config.agent",
                        absl::StrCat("agent ", config.agent(), " plays the guest of mock machines, and hypervisor ",
                                     config.hypervisor(), " has real ones; use agent native with it"));
  }
  if (agent.runs_processes && !agent.simulates_guest && !machines.agent_channel) {
    return InvalidField("config.agent", absl::StrCat("hypervisor ", config.hypervisor(), " has no channel to agent ",
                                                     config.agent(), "; use agent mock or noop with it"));
  }
  VCD_RETURN_IF_ERROR(CheckKnownAnnotations(hypervisor, config.annotations()));
  v1::HypervisorConfig& machine = *config.mutable_hypervisor_config();
  if (config.resources().memory_mib() != 0) machine.set_default_memory_mib(config.resources().memory_mib());
  if (config.resources().vcpus() != 0) machine.set_default_vcpus(config.resources().vcpus());
  const std::map<std::string, std::string> annotations(config.annotations().begin(), config.annotations().end());
  ApplyAssetAnnotations(annotations, &machine);
  absl::StatusOr<v1::HypervisorConfig> resolved = hypervisor.Resolve(machine, context);
  if (!resolved.ok()) return NameGivenSize(NameAssetAnnotation(resolved.status(), annotations), config);
  machine = *std::move(resolved);
  VCD_RETURN_IF_ERROR(backends_.networks.at(config.network())->Check(config.network_config()));
  return config;
}

void LivePodRuntime::UpdatePodAnnotations(const std::string& pod_id, const std::map<std::string, std::string>& set,
                                          const std::vector<std::string>& remove_keys, const MutationOptions& options,
                                          PodCallback done) {
  Operation operation;
  operation.name = "UpdatePodAnnotations";
  operation.options = options;
  v1::PodConfig asked;
  asked.mutable_annotations()->insert(set.begin(), set.end());
  operation.fingerprint =
      RequestFingerprint({operation.name, pod_id, FingerprintPart(asked), absl::StrJoin(remove_keys, "\n")});
  operation.ceiling = absl::Seconds(30);
  SubmitForPod(
      pod_id, operation,
      [set, remove_keys](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kAnnotate, pod.id(), pod.state()));
        v1::PodConfig merged = *pod.config();
        for (const std::string& key : remove_keys) merged.mutable_annotations()->erase(key);
        for (const auto& [key, value] : set) (*merged.mutable_annotations())[key] = value;
        VCD_RETURN_IF_ERROR(ValidateAnnotations(merged.annotations()));
        if (const absl::Status size = CheckConfigSize(merged); !size.ok()) {
          return InvalidField("annotations", absl::StrCat("are too many with those that the pod has: ", size.message(),
                                                          "; remove some with the same call"));
        }
        VCD_RETURN_IF_ERROR(CheckKnownAnnotations(pod.hypervisor(), merged.annotations()));
        VCD_RETURN_IF_ERROR(pod.ChangeConfig([&merged](v1::PodConfig& config) { config = merged; }));
        // A repetition would do no harm, so this need not be one step with the change.
        return pod.RememberDone(grant.request);
      },
      std::move(done));
}

}  // namespace vcd
