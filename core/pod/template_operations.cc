// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "absl/time/clock.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/machine_start.h"

namespace vcd {

std::vector<TemplateInfo> LivePodRuntime::ListTemplates() const { return templates_.List(); }

void LivePodRuntime::PrepareTemplate(const v1::PodConfig& config,
                                     std::function<void(absl::StatusOr<TemplateInfo>)> done) {
  work_.Post([this, config, done = std::move(done)] {
    const absl::StatusOr<v1::PodConfig> prepared = Prepare(config, {absl::Now() + options_.boot_timeout, &leaving_});
    if (!prepared.ok()) return done(prepared.status());
    if (prepared->disable_template()) {
      return done(absl::FailedPreconditionError("`config.disable_template`: such a pod never starts from a template"));
    }
    Hypervisor& hypervisor = *backends_.hypervisors.at(prepared->hypervisor());
    Agent& agent = *backends_.agents.at(prepared->agent());
    const CallContext context{absl::Now() + options_.boot_timeout, nullptr};
    templates_.Prepare(SubjectOf(hypervisor, agent, *prepared, options_.templates), context, done);
  });
}

void LivePodRuntime::DeleteTemplate(const std::string& key,
                                    std::function<void(absl::StatusOr<std::vector<std::string>>)> done) {
  work_.Post([this, key, done = std::move(done)] { done(templates_.Delete(key)); });
}

}  // namespace vcd
