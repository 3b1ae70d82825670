// SPDX-License-Identifier: Apache-2.0
// Containers of the pods of FakePodRuntime, and what they use.
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/service/testing/fake_pod_runtime.h"

namespace vcd {

void FakePodRuntime::CreateContainer(const std::string& pod_id, v1::ContainerConfig config,
                                     const MutationOptions& options, ContainerCallback done) {
  AnswerContainer(absl::StrCat("CreateContainer ", pod_id, " ", config.id()), pod_id, config.id(), options.deadline,
                  done);
}

void FakePodRuntime::StartContainer(const std::string& pod_id, const std::string& container_id,
                                    const MutationOptions& options, ContainerCallback done) {
  AnswerContainer(absl::StrCat("StartContainer ", pod_id, " ", container_id), pod_id, container_id, options.deadline,
                  done);
}

void FakePodRuntime::StopContainer(const std::string& pod_id, const std::string& container_id, const StopOptions& stop,
                                   const MutationOptions& options, ContainerCallback done) {
  AnswerContainer(absl::StrCat("StopContainer ", pod_id, " ", container_id, " force=", stop.force,
                               " grace=", absl::FormatDuration(stop.grace)),
                  pod_id, container_id, options.deadline, done);
}

void FakePodRuntime::DeleteContainer(const std::string& pod_id, const std::string& container_id, bool force,
                                     const MutationOptions& options, DoneCallback done) {
  done(Note(absl::StrCat("DeleteContainer ", pod_id, " ", container_id, " force=", force), options.deadline));
}

void FakePodRuntime::UpdateContainer(const std::string& pod_id, const std::string& container_id,
                                     const v1::ContainerResources& change, const MutationOptions& options,
                                     ContainerCallback done) {
  AnswerContainer(absl::StrCat("UpdateContainer ", pod_id, " ", container_id, " ", change.ShortDebugString()), pod_id,
                  container_id, options.deadline, done);
}

void FakePodRuntime::ListProcesses(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                                   ProcessesCallback done) {
  const absl::Status answer = Note(absl::StrCat("ListProcesses ", pod_id, " ", container_id), deadline);
  if (!answer.ok()) return done(answer);
  v1::ProcessInfo info;
  info.set_pid(42);
  done(std::vector<v1::ProcessInfo>{info});
}

void FakePodRuntime::GetContainerStats(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                                       ContainerStatsCallback done) {
  const absl::Status answer = Note(absl::StrCat("GetContainerStats ", pod_id, " ", container_id), deadline);
  if (!answer.ok()) return done(answer);
  v1::ContainerStats stats;
  stats.set_container_id(container_id);
  done(std::move(stats));
}

void FakePodRuntime::GetPodStats(const std::string& pod_id, absl::Time deadline, PodStatsCallback done) {
  const absl::Status answer = Note(absl::StrCat("GetPodStats ", pod_id), deadline);
  if (!answer.ok()) return done(answer);
  v1::PodStats stats;
  stats.set_pod_id(pod_id);
  done(std::move(stats));
}

}  // namespace vcd
