// SPDX-License-Identifier: Apache-2.0
// Interfaces and ports of the pods of FakePodRuntime.
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/service/testing/fake_pod_runtime.h"

namespace vcd {

void FakePodRuntime::AttachInterface(const std::string& pod_id, const v1::CniNetwork& network,
                                     const MutationOptions& options,
                                     std::function<void(absl::StatusOr<AttachedInterface>)> done) {
  AnswerPod(absl::StrCat("AttachInterface ", pod_id, " ", network.ShortDebugString()), pod_id, options.deadline,
            [done](absl::StatusOr<v1::Pod> pod) {
              pod.ok() ? done(AttachedInterface{*std::move(pod), "eth1"}) : done(pod.status());
            });
}

void FakePodRuntime::DetachInterface(const std::string& pod_id, const std::string& interface_name,
                                     const MutationOptions& options,
                                     std::function<void(absl::StatusOr<DetachedInterface>)> done) {
  AnswerPod(absl::StrCat("DetachInterface ", pod_id, " ", interface_name), pod_id, options.deadline,
            [done, existed = interface_name == "eth0"](absl::StatusOr<v1::Pod> pod) {
              pod.ok() ? done(DetachedInterface{*std::move(pod), existed}) : done(pod.status());
            });
}

void FakePodRuntime::PortForward(const std::string& pod_id, const GuestDial& dial, absl::Time deadline,
                                 std::function<void(absl::StatusOr<ProcessKey>)> done) {
  const absl::Status answer = Note(absl::StrCat("PortForward ", pod_id, " ", dial.address, ":", dial.port), deadline);
  if (!answer.ok()) return done(answer);
  done(ProcessKey{"", "dial-1"});
}

void FakePodRuntime::EndPortForward(const std::string& pod_id, const ProcessKey& process) {
  (void)Note(absl::StrCat("EndPortForward ", pod_id, " ", NameOf(process)));
}

}  // namespace vcd
