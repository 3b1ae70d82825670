// SPDX-License-Identifier: Apache-2.0
// Templates and checkpoints of FakePodRuntime.
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/service/testing/fake_pod_runtime.h"

namespace vcd {

void FakePodRuntime::CheckpointPod(const std::string& pod_id, const std::string& directory, bool stop,
                                   const MutationOptions& options,
                                   std::function<void(absl::StatusOr<CheckpointedPod>)> done) {
  AnswerPod(absl::StrCat("CheckpointPod ", pod_id, " ", directory, stop ? " stop" : ""), pod_id, options.deadline,
            [done](absl::StatusOr<v1::Pod> pod) {
              pod.ok() ? done(CheckpointedPod{*std::move(pod), /*size_bytes=*/7}) : done(pod.status());
            });
}

void FakePodRuntime::RestorePod(const std::string& directory, const std::string& pod_id, const MutationOptions& options,
                                PodCallback done) {
  AnswerPod(absl::StrCat("RestorePod ", directory, " ", pod_id), pod_id, options.deadline, std::move(done));
}

std::vector<TemplateInfo> FakePodRuntime::ListTemplates() const {
  TemplateInfo info;
  info.key = "cafe";
  info.trust_domain = "default";
  info.state = TemplateState::kReady;
  info.last_used_at = absl::InfinitePast();
  return {info};
}

void FakePodRuntime::PrepareTemplate(const v1::PodConfig& config,
                                     std::function<void(absl::StatusOr<TemplateInfo>)> done) {
  const absl::Status answer = Note(absl::StrCat("PrepareTemplate ", config.trust_domain()));
  answer.ok() ? done(ListTemplates().front()) : done(answer);
}

void FakePodRuntime::DeleteTemplate(const std::string& key,
                                    std::function<void(absl::StatusOr<std::vector<std::string>>)> done) {
  const absl::Status answer = Note(absl::StrCat("DeleteTemplate ", key));
  answer.ok() ? done(std::vector<std::string>{"cafe"}) : done(answer);
}

}  // namespace vcd
