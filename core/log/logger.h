// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_LOG_LOGGER_H_
#define VCD_CORE_LOG_LOGGER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace spdlog {
namespace sinks {
class sink;
}  // namespace sinks
}  // namespace spdlog

namespace vcd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

// The words of the configuration file: `debug`, `info`, `warning`, `error`; `text`, `json`. kInvalidArgument.
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text);
absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view text);

// Sets the process's log up: what is less than `level` is dropped, the rest goes to `sink` (null: standard error) line
// by line, each flushed. Call it once, before there are threads. Without it, text from `info` on goes to standard
// error.
void ConfigureLogging(LogLevel level, LogFormat format, std::shared_ptr<spdlog::sinks::sink> sink = nullptr);

// Writes lines with fields to the process's log. A value: cheap to copy, thread-safe, never fails. Whatever message and
// fields hold, a line stays one line.
//
//   text: 2026-01-31T12:00:00.000Z info  pod stopped pod_id=web operation=StopPod reason="guest powered off"
//   json: {"time":"2026-01-31T12:00:00.000Z","level":"info","message":"pod stopped","pod_id":"web",…}
class Logger {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Logger() = default;

  // The same with one more field on every line.
  Logger With(std::string key, std::string value) const;

  void Debug(const std::string& message, const Fields& fields = {}) const { Log(LogLevel::kDebug, message, fields); }
  void Info(const std::string& message, const Fields& fields = {}) const { Log(LogLevel::kInfo, message, fields); }
  void Warning(const std::string& message, const Fields& fields = {}) const {
    Log(LogLevel::kWarning, message, fields);
  }
  void Error(const std::string& message, const Fields& fields = {}) const { Log(LogLevel::kError, message, fields); }

  void Log(LogLevel level, const std::string& message, const Fields& fields = {}) const;

 private:
  Fields fields_;
};

// A logger whose lines carry the pod's id.
inline Logger PodLogger(std::string pod_id) { return Logger().With("pod_id", std::move(pod_id)); }

// One line about a pod, or about none when `pod_id` is empty.
void LogDebug(const std::string& pod_id, const std::string& message);
void LogInfo(const std::string& pod_id, const std::string& message);
void LogWarning(const std::string& pod_id, const std::string& message);
void LogError(const std::string& pod_id, const std::string& message);

}  // namespace vcd

#endif  // VCD_CORE_LOG_LOGGER_H_
