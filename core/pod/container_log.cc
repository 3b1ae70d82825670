// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_log.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr LogPosition kNoEnd{UINT64_MAX, UINT64_MAX};

}  // namespace

ContainerLog::ContainerLog(const Options& options, std::unique_ptr<LogWriter> writer)
    : OutputSource(writer->offset(StdStream::kStdout), writer->offset(StdStream::kStderr)),
      options_(options),
      writer_(std::move(writer)),
      run_(writer_->run()),
      end_(writer_->end()) {}

ContainerLog::ContainerLog(const std::string& path, LogPosition end)
    : OutputSource(0, 0), options_{path, {}, nullptr, nullptr}, end_(end) {}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Open(const Options& options, bool new_run) {
  VCD_ASSIGN_OR_RETURN(std::unique_ptr<LogWriter> writer, LogWriter::Open(options.path, options.bounds, *options.disk));
  if (new_run) VCD_RETURN_IF_ERROR(writer->BeginRun(absl::Now()));
  return std::shared_ptr<ContainerLog>(new ContainerLog(options, std::move(writer)));
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Create(const Options& options) {
  return Open(options, /*new_run=*/true);
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Resume(const Options& options) {
  return Open(options, /*new_run=*/false);
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::OpenEnded(const std::string& path) {
  const std::vector<uint64_t> full = FullLogFiles(path);
  LogPosition end{full.empty() ? 1 : full.back() + 1, 0};
  absl::StatusOr<UniqueFd> last = OpenLogToRead(path);
  if (last.ok()) {
    VCD_ASSIGN_OR_RETURN(const LogFileEnd file, ReadLogFileEnd(last->get(), path));
    if (file.has_mark) end.file = file.mark.file;
    end.at = file.size;
  } else if (!absl::IsNotFound(last.status()) || full.empty()) {
    return last.status();
  }
  std::shared_ptr<ContainerLog> log(new ContainerLog(path, end));
  log->End();
  return log;
}

void ContainerLog::Store(StdStream stream, const std::string& data, uint64_t end_offset) {
  const absl::Status written = writer_->Write(stream, data, end_offset, absl::Now());
  if (written.ok() == failing_) {
    failing_ = !failing_;
    if (failing_) writer_->set_why_lost(std::string(written.message()));
    options_.report(failing_ ? absl::StrCat(written.message(), "; output is dropped until it can be written again")
                             : absl::StrCat("container log ", options_.path,
                                            " is written again; it tells how much output is missing"));
  }
  {
    MutexLock lock(&mu_);
    end_ = writer_->end();
  }
  options_.acknowledge(stream, end_offset);
}

ContainerLog::Readiness ContainerLog::Look(const Cursor& cursor) const {
  const LogReader& reader = static_cast<const Position&>(cursor).reader;
  if (reader.next() < end_ && reader.next() < reader.until()) return Readiness::kChunk;
  return ended_ || !(reader.next() < reader.until()) ? Readiness::kEnd : Readiness::kWait;
}

absl::StatusOr<OutputChunk> ContainerLog::Take(Cursor& cursor) {
  return static_cast<Position&>(cursor).reader.Read(end());
}

std::unique_ptr<OutputReader> ContainerLog::NewReader(OutputStart start) {
  return MakeReader(std::make_unique<Position>(
      LogReader(options_.path, start == OutputStart::kNow ? end() : run_, kNoEnd, absl::InfinitePast())));
}

absl::StatusOr<std::unique_ptr<OutputReader>> ContainerLog::NewReader(const LogSelection& selection) {
  const LogPosition end = this->end();
  LogPosition begin = LogBegin(options_.path, end);
  if (selection.tail_lines.has_value()) {
    VCD_ASSIGN_OR_RETURN(begin, FindLastLines(options_.path, end, *selection.tail_lines));
  }
  if (selection.since.has_value()) {
    VCD_ASSIGN_OR_RETURN(const LogPosition since, FindSince(options_.path, end, *selection.since));
    begin = std::max(begin, since);
  }
  return MakeReader(std::make_unique<Position>(LogReader(options_.path, begin, selection.follow ? kNoEnd : end,
                                                         selection.since.value_or(absl::InfinitePast()))));
}

absl::Status RemoveContainerLog(Filesystem& filesystem, const std::string& path) {
  for (const uint64_t number : FullLogFiles(path)) {
    VCD_RETURN_IF_ERROR(filesystem.RemoveFile(FullLogFile(path, number)));
  }
  return filesystem.RemoveFile(path);
}

}  // namespace vcd
