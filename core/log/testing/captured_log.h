// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_LOG_TESTING_CAPTURED_LOG_H_
#define VCD_CORE_LOG_TESTING_CAPTURED_LOG_H_

#include <memory>
#include <string>
#include <vector>

#include "core/log/logger.h"

namespace vcd {

// Takes the process's log while it lives. One at a time.
class CapturedLog {
 public:
  explicit CapturedLog(LogLevel level = LogLevel::kDebug, LogFormat format = LogFormat::kText);
  // The log goes to standard error again.
  ~CapturedLog();
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  // Lines so far, without their newlines.
  std::vector<std::string> lines() const;

 private:
  class Sink;
  std::shared_ptr<Sink> sink_;
};

}  // namespace vcd

#endif  // VCD_CORE_LOG_TESTING_CAPTURED_LOG_H_
