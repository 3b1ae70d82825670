// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_MOCK_MOCK_BEHAVIOR_H_
#define VCD_BACKENDS_MOCK_MOCK_BEHAVIOR_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "backends/mock/mock_fault.h"
#include "proto/vcd/v1/mock.pb.h"

namespace vcd {

// An operation that may go wrong: the number of its field in v1::MockBehavior.
enum class MockOperation : int {
  kBoot = v1::MockBehavior::kBootFieldNumber,
  kAdopt = v1::MockBehavior::kAdoptFieldNumber,
  kPause = v1::MockBehavior::kPauseFieldNumber,
  kResume = v1::MockBehavior::kResumeFieldNumber,
  kAttachDisk = v1::MockBehavior::kAttachDiskFieldNumber,
  kDetachDisk = v1::MockBehavior::kDetachDiskFieldNumber,
  kShareDirectory = v1::MockBehavior::kShareDirectoryFieldNumber,
  kUnshareDirectory = v1::MockBehavior::kUnshareDirectoryFieldNumber,
  kStop = v1::MockBehavior::kStopFieldNumber,
  kConnect = v1::MockBehavior::kConnectFieldNumber,
  kCreateContainer = v1::MockBehavior::kCreateContainerFieldNumber,
  kStartContainer = v1::MockBehavior::kStartContainerFieldNumber,
  kRemoveContainer = v1::MockBehavior::kRemoveContainerFieldNumber,
  kExec = v1::MockBehavior::kExecFieldNumber,
  kSignal = v1::MockBehavior::kSignalFieldNumber,
  kRemoveProcess = v1::MockBehavior::kRemoveProcessFieldNumber,
  kWriteInput = v1::MockBehavior::kWriteInputFieldNumber,
  kShutdown = v1::MockBehavior::kShutdownFieldNumber,
  kListProcesses = v1::MockBehavior::kListProcessesFieldNumber,
  kGetStats = v1::MockBehavior::kGetStatsFieldNumber,
  kUpdateResources = v1::MockBehavior::kUpdateResourcesFieldNumber,
  kAttachNetwork = v1::MockBehavior::kAttachNetworkFieldNumber,
  kDetachNetwork = v1::MockBehavior::kDetachNetworkFieldNumber,
};

// Done by the guest rather than the machine.
bool IsGuestOperation(MockOperation operation);

// The field's name: "create_container".
std::string MockOperationName(MockOperation operation);

// A v1::MockBehavior, checked and understood.
struct MockBehavior {
  v1::MockBehavior message;
  std::map<MockOperation, MockFault> faults;
  std::optional<absl::Duration> die_after;
  std::optional<absl::Duration> silent_after;
};

// kInvalidArgument (INVALID_FIELD) naming the field after `prefix`: "`mock.boot`: …".
absl::StatusOr<MockBehavior> ParseMockBehavior(const v1::MockBehavior& message, const std::string& prefix);

// Annotations that begin with this are for the mock backends.
inline constexpr char kMockAnnotationPrefix[] = "vcd.mock/";

// The behaviour that a pod's annotations ask for. kInvalidArgument (INVALID_FIELD) naming the annotation, for unknown
// names and for values as above.
absl::StatusOr<MockBehavior> ParseMockAnnotations(const std::map<std::string, std::string>& annotations);

}  // namespace vcd

#endif  // VCD_BACKENDS_MOCK_MOCK_BEHAVIOR_H_
