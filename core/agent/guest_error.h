// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_GUEST_ERROR_H_
#define VCD_CORE_AGENT_GUEST_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/agent/agent.h"

namespace vcd {

// Why a guest refuses, whatever agent speaks for it.
enum class GuestError {
  kInvalid,               // The request makes no sense to it.
  kNotFound,              // No such container or process.
  kExists,                // The id is taken.
  kWrongState,            // Such as starting what runs.
  kCommandNotFound,       // The container has no such program.
  kCommandNotExecutable,  // It has, but it cannot be run.
  kUserNotFound,          // No such user or group in the container.
  kPathNotFound,          // The container has no such file or directory.
  kConnectionRefused,     // Nobody listens at the port.
  kUnreachable,           // No way leads to the address, or nobody answers there.
  kHookFailed,            // A program that runs in the container before its own did not succeed.
  kExhausted,             // It has as many of them as there may be.
  kSystem,                // The guest's kernel refused.
};

// The refusal as the one status that every agent returns for it, with its reason: "container c1: create: <words>". The
// words are the guest's own, for people; they are not trusted, so they are cut and cleaned (CleanGuestText).
absl::Status GuestErrorStatus(GuestError error, const ProcessKey& process, absl::string_view step,
                              absl::string_view words);

// kUnavailable with AGENT_UNAVAILABLE: "guest of pod p1: <why>".
absl::Status GuestGoneStatus(absl::string_view pod_id, absl::string_view why);

// "container c1", "process p1 of container c1", "connection p1" for one in no container, or "the guest".
std::string DescribeProcess(const ProcessKey& process);

// A guest's text fit for messages and terminals: at most `max_bytes`, control characters replaced.
std::string CleanGuestText(absl::string_view text, size_t max_bytes = 1024);

}  // namespace vcd

#endif  // VCD_CORE_AGENT_GUEST_ERROR_H_
