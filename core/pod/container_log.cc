// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_log.h"

#include <algorithm>
#include <iterator>
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

size_t Index(StdStream stream) { return stream == StdStream::kStdout ? 0 : 1; }

}  // namespace

ContainerLog::ContainerLog(const Options& options, std::unique_ptr<LogWriter> writer)
    : OutputSource(writer->offset(StdStream::kStdout), writer->offset(StdStream::kStderr)),
      options_(options),
      run_(writer->run()),
      writer_(std::move(writer)),
      received_{std::max(options.stdout_offset, writer_->offset(StdStream::kStdout)),
                std::max(options.stderr_offset, writer_->offset(StdStream::kStderr))},
      end_(writer_->end()) {}

ContainerLog::ContainerLog(const std::string& path, LogPosition end)
    : OutputSource(0, 0), options_{path, {}, nullptr, nullptr}, end_(end) {}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Open(const Options& options, bool new_run) {
  VCD_ASSIGN_OR_RETURN(std::unique_ptr<LogWriter> writer, LogWriter::Open(options.path, options.bounds, *options.disk));
  absl::Status full;
  if (new_run) VCD_RETURN_IF_ERROR(writer->BeginRun(absl::Now(), options.stdout_offset, options.stderr_offset, &full));
  std::shared_ptr<ContainerLog> log(new ContainerLog(options, std::move(writer)));
  std::string note;
  {
    MutexLock lock(&log->writing_);
    note = log->Note(full);
  }
  log->Report(note);
  return log;
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
  std::string note;
  {
    MutexLock lock(&writing_);
    received_[Index(stream)] = std::max(received_[Index(stream)], end_offset);
    note = Note(writer_->Write(stream, data, end_offset, absl::Now()));
  }
  Report(note);
  options_.acknowledge(stream, end_offset);
}

void ContainerLog::Close() {
  // Nothing more comes that would tell of what is missing at the end.
  for (const StdStream stream : {StdStream::kStdout, StdStream::kStderr}) {
    std::string note;
    {
      MutexLock writing(&writing_);
      if (writer_ == nullptr) return;
      const uint64_t end = received_[Index(stream)];
      if (writer_->offset(stream) < end) note = Note(writer_->Write(stream, "", end, absl::Now()));
      MutexLock lock(&mu_);
      lost_[Index(stream)] = end - std::min(end, writer_->offset(stream));
      closed_at_ = absl::Now();
    }
    Report(note);
  }
}

std::string ContainerLog::Note(const absl::Status& written) {
  {
    MutexLock lock(&mu_);
    end_ = writer_->end();
  }
  if (written.ok() != failing_) return "";
  failing_ = !failing_;
  if (!failing_) {
    return absl::StrCat("container log ", options_.path, " is written again; it tells how much output is missing");
  }
  writer_->set_why_lost(std::string(written.message()));
  return absl::StrCat(written.message(), "; output is dropped until it can be written again");
}

void ContainerLog::Report(const std::string& note) {
  if (!note.empty()) options_.report(note);
}

std::optional<StdStream> ContainerLog::Untold(const Position& position) const {
  if (!ended_ || closed_at_ < position.reader.since()) return std::nullopt;
  for (const StdStream stream : {StdStream::kStdout, StdStream::kStderr}) {
    if (lost_[Index(stream)] != 0 && !position.told[Index(stream)]) return stream;
  }
  return std::nullopt;
}

ContainerLog::Readiness ContainerLog::Look(const Cursor& cursor) const {
  const Position& position = static_cast<const Position&>(cursor);
  if (!IsAtEnd(position) || Untold(position).has_value()) return Readiness::kChunk;
  return ended_ || !(position.reader.next() < position.reader.until()) ? Readiness::kEnd : Readiness::kWait;
}

absl::StatusOr<OutputChunk> ContainerLog::Take(Cursor& cursor) {
  Position& position = static_cast<Position&>(cursor);
  {
    MutexLock lock(&mu_);
    const std::optional<StdStream> untold = IsAtEnd(position) ? Untold(position) : std::nullopt;
    if (untold.has_value()) {
      position.told[Index(*untold)] = true;
      OutputChunk chunk;
      chunk.stream = *untold;
      chunk.time = closed_at_;
      chunk.lost_bytes = lost_[Index(*untold)];
      return chunk;
    }
  }
  return position.reader.Read(end());
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
  VCD_RETURN_IF_ERROR(filesystem.RemoveFile(RunNote(path)));
  return filesystem.RemoveFile(path);
}

}  // namespace vcd
