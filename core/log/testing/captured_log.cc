// SPDX-License-Identifier: Apache-2.0
#include "core/log/testing/captured_log.h"

#include "core/os/mutex.h"
#include "spdlog/sinks/sink.h"

namespace vcd {

// Locks for itself: the mutex of spdlog's own sinks is locked inside its library, where ThreadSanitizer does not look.
class CapturedLog::Sink : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    MutexLock lock(&mu_);
    lines_.emplace_back(message.payload.data(), message.payload.size());
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  std::vector<std::string> lines() const {
    MutexLock lock(&mu_);
    return lines_;
  }

 private:
  mutable Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

CapturedLog::CapturedLog(LogLevel level, LogFormat format) : sink_(std::make_shared<Sink>()) {
  ConfigureLogging(level, format, sink_);
}

CapturedLog::~CapturedLog() { ConfigureLogging(LogLevel::kInfo, LogFormat::kText); }

std::vector<std::string> CapturedLog::lines() const { return sink_->lines(); }

}  // namespace vcd
