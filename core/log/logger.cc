// SPDX-License-Identifier: Apache-2.0
#include "core/log/logger.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace vcd {
namespace {

// The names of spdlog's loggers, which tell the format as well: the log has no other state of its own.
constexpr char kTextName[] = "vcd-text";
constexpr char kJsonName[] = "vcd-json";

constexpr struct {
  LogLevel level;
  const char* word;
  spdlog::level::level_enum spdlog_level;
} kLevels[] = {{LogLevel::kDebug, "debug", spdlog::level::debug},
               {LogLevel::kInfo, "info", spdlog::level::info},
               {LogLevel::kWarning, "warning", spdlog::level::warn},
               {LogLevel::kError, "error", spdlog::level::err}};

const auto& RowOf(LogLevel level) { return kLevels[static_cast<int>(level)]; }

std::string Now() { return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()); }

// Bytes that could end the line or move the cursor are escaped; text in other scripts stays readable.
std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppend(&line, absl::CEscape(std::string(1, c)));
    } else {
      line.push_back(c);
    }
  }
  return line;
}

// As it is when that cannot be misread, else in quotes.
std::string TextValue(const std::string& value) {
  bool plain = !value.empty();
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    plain = plain && byte > ' ' && byte != 0x7f && c != '"' && c != '=' && c != '\\';
  }
  return plain ? value : absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
}

std::string TextLine(LogLevel level, const std::string& message, const Logger::Fields& all) {
  std::string line = absl::StrCat(Now(), " ", RowOf(level).word, " ", OneLine(message));
  for (const auto& [key, value] : all) absl::StrAppend(&line, " ", OneLine(key), "=", TextValue(value));
  return line;
}

std::string JsonLine(LogLevel level, const std::string& message, const Logger::Fields& all) {
  nlohmann::ordered_json line;
  line["time"] = Now();
  line["level"] = RowOf(level).word;
  line["message"] = message;
  for (const auto& [key, value] : all) line[key] = value;
  // Bytes that are not UTF-8 become U+FFFD; by default dump() throws on them.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text) {
  for (const auto& row : kLevels) {
    if (text == row.word) return row.level;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("log level \"", absl::CHexEscape(text), "\" is unknown; known are debug, info, warning, error"));
}

absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return absl::InvalidArgumentError(
      absl::StrCat("log format \"", absl::CHexEscape(text), "\" is unknown; known are text, json"));
}

void ConfigureLogging(LogLevel level, LogFormat format, std::shared_ptr<spdlog::sinks::sink> sink) {
  if (sink == nullptr) sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>(format == LogFormat::kJson ? kJsonName : kTextName, std::move(sink));
  logger->set_level(RowOf(level).spdlog_level);
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

Logger Logger::With(std::string key, std::string value) const {
  Logger more = *this;
  more.fields_.emplace_back(std::move(key), std::move(value));
  return more;
}

void Logger::Log(LogLevel level, const std::string& message, const Fields& fields) const {
  spdlog::logger* sink = spdlog::default_logger_raw();
  const spdlog::level::level_enum spdlog_level = RowOf(level).spdlog_level;
  if (sink == nullptr || !sink->should_log(spdlog_level)) return;
  Fields all = fields_;
  all.insert(all.end(), fields.begin(), fields.end());
  const bool json = sink->name() == kJsonName;
  sink->log(spdlog_level, json ? JsonLine(level, message, all) : TextLine(level, message, all));
}

namespace {

void LogAbout(LogLevel level, const std::string& pod_id, const std::string& message) {
  (pod_id.empty() ? Logger() : PodLogger(pod_id)).Log(level, message);
}

}  // namespace

void LogDebug(const std::string& pod_id, const std::string& message) { LogAbout(LogLevel::kDebug, pod_id, message); }
void LogInfo(const std::string& pod_id, const std::string& message) { LogAbout(LogLevel::kInfo, pod_id, message); }
void LogWarning(const std::string& pod_id, const std::string& message) {
  LogAbout(LogLevel::kWarning, pod_id, message);
}
void LogError(const std::string& pod_id, const std::string& message) { LogAbout(LogLevel::kError, pod_id, message); }

}  // namespace vcd
