// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_OUTCOME_H_
#define VCD_GUEST_AGENT_OUTCOME_H_

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

#include "proto/vcd/agent/v1/agent.pb.h"

// Results of the agent's steps. absl::Status would double the size of this binary, and the wire has codes of its own.
namespace vcd::guest {

using ::vcd::agent::v1::ErrorCode;

// Success, or what the host is told: a code for the program and a sentence for the person.
class [[nodiscard]] Outcome {
 public:
  Outcome() = default;
  Outcome(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == ErrorCode::ERROR_CODE_OK; }
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  ErrorCode code_ = ErrorCode::ERROR_CODE_OK;
  std::string message_;
};

// "`step`: <what errno says>". The kernel refused something that ought to work.
inline Outcome SystemFailure(const std::string& step, int error = errno) {
  return Outcome(ErrorCode::ERROR_CODE_SYSTEM, step + ": " + std::strerror(error));
}

inline Outcome Invalid(std::string message) { return Outcome(ErrorCode::ERROR_CODE_INVALID, std::move(message)); }

// A value, or why there is none.
template <typename T>
class [[nodiscard]] OutcomeOr {
 public:
  OutcomeOr(T value) : state_(std::move(value)) {}            // NOLINT: implicit, as StatusOr is.
  OutcomeOr(Outcome failure) : state_(std::move(failure)) {}  // NOLINT

  bool ok() const { return std::holds_alternative<T>(state_); }
  Outcome outcome() const { return ok() ? Outcome() : std::get<Outcome>(state_); }
  const T& operator*() const { return std::get<T>(state_); }
  T& operator*() { return std::get<T>(state_); }
  T* operator->() { return &std::get<T>(state_); }

 private:
  std::variant<T, Outcome> state_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_OUTCOME_H_
