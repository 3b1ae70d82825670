// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/commands/choose_container.h"
#include "client/commands/commands.h"
#include "client/format/text.h"
#include "client/posix/output.h"
#include "proto/vcd/v1/pod_service.pb.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {
namespace {

class LogsCommand : public Command {
 public:
  std::string name() const override { return "logs"; }
  std::string summary() const override { return "Print what a container has printed"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Flag("-f,--follow", &follow_, "Go on with what is printed later, until the process ends");
    arguments->Number("--tail", &tail_lines_, "N", "Of what is there only the last lines (default: all)");
    arguments->Text(
        "--since", &since_, "TIME",
        "Only what was printed then or later: a time such as 2026-01-31T08:00:00Z, or how long ago, as 10m");
    arguments->Flag("-t,--timestamps", &timestamps_, "The time, in UTC, before each line");
    arguments->Flag("--console", &console_,
                    "What the guest's kernel wrote on its console instead; with -f until its end");
    arguments->Text("-c,--container", &container_id_, "ID", "Which container (default: the only one, else main)");
    arguments->Footer(
        "Prints what the container printed in all its runs, as far as it is kept; its standard error comes out on\n"
        "standard error. With --tail and --since both count. What is missing is told on standard error: output that\n"
        "found a full disk, or that was removed before it was read. Times are those at which vcd had it.\n"
        "Example: vc logs -f --tail 20 web\n"
        "         vc logs --since 1h30m -t web\n"
        "         vc logs --console web");
  }

  int Run(Invocation& invocation) override {
    if (console_) return ReadConsole(invocation);
    v1::ReadLogsRequest request;
    if (!since_.empty()) {
      const absl::StatusOr<absl::Time> since = ParseSince(since_, invocation.environment().now());
      if (!since.ok()) {
        invocation.Complain(pod_id_, since.status());
        return kUsageError;
      }
      *request.mutable_since() = ToTimestamp(*since);
    }
    const auto container_id = ChooseContainer(&invocation.daemon(), pod_id_, container_id_);
    if (!container_id.ok()) {
      invocation.Complain(pod_id_, container_id.status());
      return kFailure;
    }
    request.set_pod_id(pod_id_);
    request.set_container_id(*container_id);
    request.set_follow(follow_);
    if (tail_lines_) request.set_tail_lines(*tail_lines_);
    int write_errno = 0;
    const absl::Status status = invocation.daemon().ReadLogs(request, [&](const v1::ReadLogsResponse& log) {
      if (log.lost_bytes() != 0) {
        invocation.Complain(
            pod_id_, absl::StrCat(log.lost_bytes(), " bytes of standard ",
                                  log.stream() == v1::OUTPUT_STREAM_STDERR ? "error" : "output", " are missing here"));
      }
      write_errno = Write(invocation.environment().streams, log);
      return write_errno == 0;
    });
    return Answer(invocation, status, write_errno);
  }

 private:
  int ReadConsole(Invocation& invocation) {
    if (tail_lines_ || !since_.empty() || timestamps_ || !container_id_.empty()) {
      invocation.Complain(pod_id_,
                          "--console goes with -f alone: a console is the guest's, and has neither lines nor times");
      return kUsageError;
    }
    v1::ReadConsoleRequest request;
    request.set_pod_id(pod_id_);
    request.set_follow(follow_);
    int write_errno = 0;
    const absl::Status status = invocation.daemon().ReadConsole(request, [&](const v1::ReadConsoleResponse& console) {
      write_errno = WriteFully(invocation.environment().streams.out, console.data());
      return write_errno == 0;
    });
    return Answer(invocation, status, write_errno);
  }

  // How it ended.
  int Answer(Invocation& invocation, const absl::Status& status, int write_errno) const {
    if (write_errno == EPIPE) return kOutputClosed;
    if (write_errno != 0) {
      invocation.Complain(pod_id_, absl::StrCat("write standard output: ", strerror(write_errno)));
      return kFailure;
    }
    if (status.ok()) return kSuccess;
    invocation.Complain(pod_id_, status);
    return kFailure;
  }

  static absl::StatusOr<absl::Time> ParseSince(const std::string& text, absl::Time now) {
    absl::Duration ago;
    if (absl::ParseDuration(text, &ago) && ago >= absl::ZeroDuration() && ago < absl::InfiniteDuration()) {
      return now - ago;
    }
    absl::Time time;
    std::string ignored;
    if (absl::ParseTime(absl::RFC3339_full, text, &time, &ignored) && time != absl::InfiniteFuture() &&
        time != absl::InfinitePast()) {
      return time;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "--since ", text, ": neither a time, such as 2026-01-31T08:00:00Z, nor how long ago, such as 10m or 1h30m"));
  }

  int Write(const Streams& streams, const v1::ReadLogsResponse& log) {
    const bool is_stderr = log.stream() == v1::OUTPUT_STREAM_STDERR;
    bool& at_line_start = is_stderr ? stderr_at_line_start_ : stdout_at_line_start_;
    const int error =
        WriteFully(is_stderr ? streams.err : streams.out, timestamps_ ? WithTime(log, &at_line_start) : log.data());
    // A closed standard error ends nothing, as with `run`.
    return is_stderr ? 0 : error;
  }

  // A message may be a part of a line, or hold several.
  static std::string WithTime(const v1::ReadLogsResponse& log, bool* at_line_start) {
    const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ ", ToTime(log.time()), absl::UTCTimeZone());
    std::string text;
    for (const char c : log.data()) {
      if (*at_line_start) absl::StrAppend(&text, time);
      text.push_back(c);
      *at_line_start = c == '\n';
    }
    return text;
  }

  std::string pod_id_;
  bool follow_ = false;
  std::optional<uint32_t> tail_lines_;
  std::string since_;
  bool timestamps_ = false;
  bool console_ = false;
  std::string container_id_;
  bool stdout_at_line_start_ = true;
  bool stderr_at_line_start_ = true;
};

}  // namespace

std::unique_ptr<Command> NewLogsCommand() { return std::make_unique<LogsCommand>(); }

}  // namespace vcd::client
