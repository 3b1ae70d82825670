// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_state_machine.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/pod/pod_record.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Pods and containers share the machine, so their state numbers must agree.
static_assert(static_cast<int>(v1::POD_STATE_CREATING) == static_cast<int>(v1::CONTAINER_STATE_CREATING));
static_assert(static_cast<int>(v1::POD_STATE_READY) == static_cast<int>(v1::CONTAINER_STATE_READY));
static_assert(static_cast<int>(v1::POD_STATE_RUNNING) == static_cast<int>(v1::CONTAINER_STATE_RUNNING));
static_assert(static_cast<int>(v1::POD_STATE_PAUSED) == static_cast<int>(v1::CONTAINER_STATE_PAUSED));
static_assert(static_cast<int>(v1::POD_STATE_STOPPING) == static_cast<int>(v1::CONTAINER_STATE_STOPPING));
static_assert(static_cast<int>(v1::POD_STATE_STOPPED) == static_cast<int>(v1::CONTAINER_STATE_STOPPED));
static_assert(static_cast<int>(v1::POD_STATE_FAILED) == static_cast<int>(v1::CONTAINER_STATE_FAILED));

// Bit sets of states, by number.
constexpr unsigned Bit(int state) { return 1u << state; }
constexpr unsigned kUnspecified = Bit(v1::POD_STATE_UNSPECIFIED), kCreating = Bit(v1::POD_STATE_CREATING),
                   kReady = Bit(v1::POD_STATE_READY), kRunning = Bit(v1::POD_STATE_RUNNING),
                   kPaused = Bit(v1::POD_STATE_PAUSED), kStopping = Bit(v1::POD_STATE_STOPPING),
                   kStopped = Bit(v1::POD_STATE_STOPPED), kFailed = Bit(v1::POD_STATE_FAILED);

// Indexed by the state moved from.
constexpr unsigned kTransitions[] = {
    /* unspecified */ kCreating,
    /* creating */ kReady | kRunning | kStopping | kStopped | kFailed,  // Running: restored from a checkpoint.
    /* ready */ kRunning | kStopping | kStopped | kFailed,
    /* running */ kPaused | kStopping | kStopped | kFailed,
    /* paused */ kRunning | kStopping | kStopped | kFailed,
    /* stopping */ kStopped | kFailed,
    /* stopped */ kRunning | kCreating | kStopping | kFailed,
    /* failed */ kStopping | kStopped,
};
static_assert(std::size(kTransitions) == v1::PodState_ARRAYSIZE);

bool InTable(int from, int to) {
  return from >= 0 && from < static_cast<int>(std::size(kTransitions)) && to >= 0 &&
         to < static_cast<int>(std::size(kTransitions)) && (kTransitions[from] & Bit(to)) != 0;
}

absl::Status BadMove(absl::string_view what, v1::PodState from, v1::PodState to) {
  return absl::InternalError(absl::StrCat(what, " cannot become ", StateWord(to), ": it is ", StateWord(from),
                                          "; this is a defect of vcd, please report it with the log"));
}

struct Guard {
  PodOperation operation;
  const char* verb;
  unsigned pod_states;
  unsigned container_states;  // Of the container that it is about.
  const char* when_paused = "resume it first";
};

// `failed` pods may be stopped, which releases what they hold, and deleted.
constexpr Guard kGuards[] = {
    {PodOperation::kStart, "start", kReady | kStopped, 0},
    {PodOperation::kStop, "stop", kReady | kRunning | kPaused | kStopping | kStopped | kFailed, 0},
    {PodOperation::kPause, "pause", kRunning, 0},
    {PodOperation::kResume, "resume", kPaused, 0},
    {PodOperation::kDelete, "delete", kReady | kStopped | kFailed, 0},
    {PodOperation::kAnnotate, "annotate", ~(kUnspecified | kCreating), 0},
    {PodOperation::kCreateContainer, "create a container in", kReady | kRunning, 0},
    {PodOperation::kStartContainer, "start a container of", kRunning, kReady | kStopped},
    {PodOperation::kStopContainer, "stop a container of", kReady | kRunning | kStopped,
     kReady | kRunning | kStopped | kFailed, "resume it first, or use force"},
    {PodOperation::kDeleteContainer, "delete a container of", kReady | kRunning | kStopped, kReady | kStopped | kFailed,
     "resume it first, or use force"},
    {PodOperation::kForceStopContainer, "stop a container of", kReady | kRunning | kPaused | kStopped,
     kReady | kRunning | kPaused | kStopped | kFailed},
    {PodOperation::kForceDeleteContainer, "delete a container of", kReady | kRunning | kPaused | kStopped,
     kReady | kRunning | kPaused | kStopped | kFailed},
    {PodOperation::kUpdate, "resize", kReady | kRunning | kStopped, 0},
    {PodOperation::kAttachInterface, "attach a network interface to", kReady | kRunning, 0},
    {PodOperation::kDetachInterface, "detach a network interface from", kReady | kRunning, 0},
    {PodOperation::kUpdateContainer, "change the limits of a container of", kReady | kRunning, kReady | kRunning},
    {PodOperation::kInspect, "look into a container of", kReady | kRunning, kReady | kRunning},
    {PodOperation::kMeasure, "measure", kReady | kRunning | kPaused, 0},
    {PodOperation::kExec, "exec in", kRunning, kRunning},
    {PodOperation::kSignal, "send a signal to", kReady | kRunning | kStopping, kReady | kRunning,
     "resume it first, or stop the container with force"},
    {PodOperation::kPortForward, "connect to a port of", kRunning, 0},
    {PodOperation::kCheckpoint, "checkpoint", kReady | kRunning | kPaused, 0},
};

const Guard& GuardOf(PodOperation operation) {
  return *std::find_if(std::begin(kGuards), std::end(kGuards),
                       [operation](const Guard& guard) { return guard.operation == operation; });
}

// What gets an object out of a state that an operation does not take.
const char* NextStep(const Guard& guard, int state) {
  switch (state) {
    case v1::POD_STATE_CREATING:
    case v1::POD_STATE_STOPPING:
      return "wait until that is done, or delete it with force";
    case v1::POD_STATE_PAUSED:
      return guard.operation == PodOperation::kPause ? "that is what was asked for" : guard.when_paused;
    case v1::POD_STATE_READY:
    case v1::POD_STATE_STOPPED:
      return "start it first";
    case v1::POD_STATE_RUNNING:
      if (guard.operation == PodOperation::kResume || guard.operation == PodOperation::kStartContainer) {
        return "that is what was asked for";
      }
      // Deletions, which both know force.
      return "stop it first, or use force";
    case v1::POD_STATE_FAILED:
      return "stop it to release what it holds, or delete it";
    default:
      return "look at its state";
  }
}

absl::Status WrongState(const Guard& guard, absl::string_view verb, absl::string_view what, absl::string_view pod_id,
                        int state) {
  const std::string word = StateWord(static_cast<v1::PodState>(state));
  return WithDetail(absl::FailedPreconditionError(
                        absl::StrCat("cannot ", verb, " ", what, ": it is ", word, "; ", NextStep(guard, state))),
                    {v1::ERROR_REASON_WRONG_STATE, {{"pod_id", std::string(pod_id)}, {"state", word}}});
}

}  // namespace

bool CanMove(v1::PodState from, v1::PodState to) { return InTable(from, to); }

bool CanMove(v1::ContainerState from, v1::ContainerState to) {
  // One that is started again is made anew in the guest in one step with the record.
  if (from == v1::CONTAINER_STATE_STOPPED && to == v1::CONTAINER_STATE_READY) return true;
  return InTable(from, to);
}

absl::Status CheckMoves(const state::v1::PodRecord& from, const state::v1::PodRecord& to) {
  if (from.state() != to.state() && !CanMove(from.state(), to.state())) {
    return BadMove(absl::StrCat("pod ", to.pod_id()), from.state(), to.state());
  }
  for (const state::v1::ContainerRecord& container : to.containers()) {
    const state::v1::ContainerRecord* before = FindContainer(from, container.id());
    const v1::ContainerState was = before == nullptr ? v1::CONTAINER_STATE_UNSPECIFIED : before->state();
    if (was == container.state() || CanMove(was, container.state())) continue;
    return BadMove(absl::StrCat("container ", container.id(), " of pod ", to.pod_id()), static_cast<v1::PodState>(was),
                   static_cast<v1::PodState>(container.state()));
  }
  return absl::OkStatus();
}

absl::Status CheckOperation(PodOperation operation, absl::string_view pod_id, v1::PodState state) {
  const Guard& guard = GuardOf(operation);
  if ((guard.pod_states & Bit(state)) != 0) return absl::OkStatus();
  if (operation == PodOperation::kStart && state == v1::POD_STATE_RUNNING) {
    return WithDetail(
        absl::FailedPreconditionError(absl::StrCat("cannot start pod ", pod_id, ": it is running already")),
        {v1::ERROR_REASON_WRONG_STATE, {{"pod_id", std::string(pod_id)}, {"state", "running"}}});
  }
  return WrongState(guard, guard.verb, absl::StrCat("pod ", pod_id), pod_id, state);
}

absl::Status CheckOperation(PodOperation operation, absl::string_view pod_id, absl::string_view container_id,
                            v1::ContainerState state) {
  const Guard& guard = GuardOf(operation);
  if ((guard.container_states & Bit(state)) != 0) return absl::OkStatus();
  return WithMetadata(
      WrongState(guard, absl::StripSuffix(absl::StripSuffix(guard.verb, " a container of"), " a container in"),
                 absl::StrCat("container ", container_id, " of pod ", pod_id), pod_id, state),
      "container_id", std::string(container_id));
}

std::string StateWord(v1::PodState state) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::PodState_Name(state), "POD_STATE_"));
}

std::string StateWord(v1::ContainerState state) { return StateWord(static_cast<v1::PodState>(state)); }

}  // namespace vcd
