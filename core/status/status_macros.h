// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATUS_STATUS_MACROS_H_
#define VCD_CORE_STATUS_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the function when `expression` is an error.
#define VCD_RETURN_IF_ERROR(expression)               \
  do {                                                \
    ::absl::Status vcd_status_ = (expression);        \
    if (!vcd_status_.ok()) return vcd_status_;        \
  } while (false)

#define VCD_STATUS_CONCAT_INNER_(a, b) a##b
#define VCD_STATUS_CONCAT_(a, b) VCD_STATUS_CONCAT_INNER_(a, b)

// Assigns the value of a StatusOr, or returns its error. `declaration` may declare a variable.
#define VCD_ASSIGN_OR_RETURN(declaration, expression) \
  VCD_ASSIGN_OR_RETURN_INNER_(VCD_STATUS_CONCAT_(vcd_statusor_, __LINE__), declaration, expression)

#define VCD_ASSIGN_OR_RETURN_INNER_(statusor, declaration, expression) \
  auto statusor = (expression);                                        \
  if (!statusor.ok()) return std::move(statusor).status();             \
  declaration = *std::move(statusor)

#endif  // VCD_CORE_STATUS_STATUS_MACROS_H_
