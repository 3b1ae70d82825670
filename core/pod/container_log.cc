// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_log.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/link/link_limits.h"
#include "core/os/completion.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr LogPosition kNoEnd{UINT64_MAX, UINT64_MAX};

// Of a long batch the guest is told in between, well before it has to wait; readers too.
constexpr uint64_t kTellStep = kOutputWindow / 4;

constexpr StdStream kStreams[] = {StdStream::kStdout, StdStream::kStderr};

size_t Index(StdStream stream) { return stream == StdStream::kStdout ? 0 : 1; }

}  // namespace

ContainerLog::ContainerLog(const Options& options, std::unique_ptr<LogWriter> writer)
    : OutputSource(writer->offset(StdStream::kStdout), writer->offset(StdStream::kStderr)),
      options_(options),
      run_(writer->run()),
      writer_(std::move(writer)),
      received_{std::max(options.stdout_offset, writer_->offset(StdStream::kStdout)),
                std::max(options.stderr_offset, writer_->offset(StdStream::kStderr))},
      stored_{writer_->offset(StdStream::kStdout), writer_->offset(StdStream::kStderr)},
      end_(writer_->end()) {}

ContainerLog::ContainerLog(const std::string& path, LogPosition end)
    : OutputSource(0, 0), options_{path, {}, nullptr, nullptr}, end_(end) {}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Open(const Options& options, bool new_run) {
  VCD_ASSIGN_OR_RETURN(std::unique_ptr<LogWriter> writer, LogWriter::Open(options.path, options.bounds, *options.disk));
  absl::Status full;
  if (new_run) VCD_RETURN_IF_ERROR(writer->BeginRun(absl::Now(), options.stdout_offset, options.stderr_offset, &full));
  std::shared_ptr<ContainerLog> log(new ContainerLog(options, std::move(writer)));
  log->Note(full);
  return log;
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Create(const Options& options) {
  return Open(options, /*new_run=*/true);
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Resume(const Options& options) {
  return Open(options, /*new_run=*/false);
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Open(const Options& options, bool resume,
                                                                 const CallContext& context) {
  LogThreads& threads = *options.threads;
  VCD_RETURN_IF_ERROR(threads.AwaitFree(options.path, context));
  threads.Hold(options.path);
  Completion<std::shared_ptr<ContainerLog>> opened;
  threads.Post(/*filesystem=*/0, [options, resume, opened] {
    absl::StatusOr<std::shared_ptr<ContainerLog>> log = resume ? Resume(options) : Create(options);
    options.threads->Release(options.path);
    opened.Set(std::move(log));
  });
  return opened.Wait(context, absl::StrCat("container log ", options.path,
                                           ": its file system does not answer: see what is wrong with it"));
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

void ContainerLog::Store(StdStream stream, std::string data, uint64_t end_offset) {
  bool wanted = false, idle = false;
  {
    MutexLock lock(&mu_);
    wanted = !ending_ && !ended_;
    if (wanted) {
      received_[Index(stream)] = std::max(received_[Index(stream)], end_offset);
      queue_.push_back({stream, std::move(data), end_offset, absl::Now()});
      ++queued_;
      idle = !std::exchange(writing_, true);
    }
  }
  // What comes after the end must not hold the guest up.
  if (!wanted) return options_.acknowledge(stream, end_offset);
  if (idle) PostWriting();
}

void ContainerLog::Repeated(StdStream stream, uint64_t) {
  uint64_t stored = 0;
  {
    MutexLock lock(&mu_);
    stored = stored_[Index(stream)];
  }
  if (stored != 0) options_.acknowledge(stream, stored);
}

void ContainerLog::PostWriting() {
  options_.threads->Post(writer_->filesystem(), [self = std::static_pointer_cast<ContainerLog>(shared_from_this())] {
    self->WriteReceived();
  });
}

void ContainerLog::WriteReceived() {
  std::vector<Received> batch;
  {
    MutexLock lock(&mu_);
    batch.swap(queue_);
  }
  std::optional<uint64_t> written_to[2];
  uint64_t untold = 0;
  const auto tell = [&] {
    for (const StdStream stream : kStreams) {
      std::optional<uint64_t>& offset = written_to[Index(stream)];
      if (offset.has_value()) options_.acknowledge(stream, *offset);
      offset.reset();
    }
    untold = 0;
    WakeReaders();
  };
  for (Received& chunk : batch) {
    if (!IsWanted()) break;
    Note(writer_->Write(chunk.stream, chunk.data, chunk.end_offset, chunk.time));
    {
      MutexLock lock(&mu_);
      end_ = writer_->end();
      stored_[Index(chunk.stream)] = chunk.end_offset;
      ++written_;
    }
    written_to[Index(chunk.stream)] = chunk.end_offset;
    untold += chunk.data.size();
    std::string().swap(chunk.data);
    if (untold >= kTellStep) tell();
  }
  tell();
  GoOn();
}

void ContainerLog::GoOn() {
  bool more = false, ending = false;
  {
    MutexLock lock(&mu_);
    more = !queue_.empty();
    ending = ending_;
  }
  // Behind the logs that wait for a thread.
  if (more) return PostWriting();
  if (ending) WriteEnd();
  const bool abandoned = !IsWanted();
  if (abandoned) RemoveWhatIsLeft();
  std::vector<std::function<void()>> when_written;
  {
    MutexLock lock(&mu_);
    more = !queue_.empty() || ending_ || abandoned_ != abandoned;
    if (!more) {
      writing_ = false;
      if (std::exchange(held_, false)) options_.threads->Release(options_.path);
      when_written.swap(when_written_);
    }
  }
  if (more) return PostWriting();
  for (const std::function<void()>& done : when_written) done();
}

void ContainerLog::WriteEnd() {
  // Nothing more comes that would tell of what is missing at the end.
  for (const StdStream stream : kStreams) {
    uint64_t end = 0;
    {
      MutexLock lock(&mu_);
      end = received_[Index(stream)];
    }
    if (writer_->offset(stream) < end) Note(writer_->Write(stream, "", end, absl::Now()));
    MutexLock lock(&mu_);
    end_ = writer_->end();
    lost_[Index(stream)] = end - std::min(end, writer_->offset(stream));
    closed_at_ = absl::Now();
  }
  {
    MutexLock lock(&mu_);
    ending_ = false;
    ended_ = true;
  }
  WakeReaders();
}

void ContainerLog::RemoveWhatIsLeft() {
  for (const uint64_t number : FullLogFiles(options_.path)) {
    (void)options_.disk->Remove(FullLogFile(options_.path, number));
  }
  (void)options_.disk->Remove(RunNote(options_.path));
  (void)options_.disk->Remove(options_.path);
}

void ContainerLog::End() {
  bool missing = false;
  {
    MutexLock lock(&mu_);
    if (ending_ || abandoned_) return;
    missing = !writing_ && (IsMissing(StdStream::kStdout) || IsMissing(StdStream::kStderr));
    if (!writing_ && !missing) {
      if (ended_) return;
      closed_at_ = absl::Now();
      ended_ = true;
    } else {
      ending_ = true;
      held_ = true;
      options_.threads->Hold(options_.path);
      if (std::exchange(writing_, true)) return;
    }
  }
  missing ? PostWriting() : WakeReaders();
}

bool ContainerLog::IsMissing(StdStream stream) const {
  return writer_ != nullptr && writer_->offset(stream) < received_[Index(stream)];
}

bool ContainerLog::IsWanted() const {
  MutexLock lock(&mu_);
  return !abandoned_;
}

void ContainerLog::WhenWritten(std::function<void()> done) {
  {
    MutexLock lock(&mu_);
    if (writing_) return when_written_.push_back(std::move(done));
  }
  done();
}

void ContainerLog::Abandon() {
  {
    MutexLock lock(&mu_);
    if (std::exchange(abandoned_, true)) return;
    if (writing_) {
      for (const StdStream stream : kStreams) {
        lost_[Index(stream)] = received_[Index(stream)] - std::min(received_[Index(stream)], stored_[Index(stream)]);
      }
      closed_at_ = absl::Now();
      if (!std::exchange(held_, true)) options_.threads->Hold(options_.path);
    }
    queue_.clear();
    ending_ = false;
  }
  SetEnded();
}

void ContainerLog::Note(const absl::Status& written) {
  if (written.ok() != failing_) return;
  failing_ = !failing_;
  if (!failing_) {
    return options_.report(
        absl::StrCat("container log ", options_.path, " is written again; it tells how much output is missing"));
  }
  writer_->set_why_lost(std::string(written.message()));
  options_.report(absl::StrCat(written.message(), "; output is dropped until it can be written again"));
}

std::optional<StdStream> ContainerLog::Untold(const Position& position) const {
  if (!ended_ || closed_at_ < position.reader->since()) return std::nullopt;
  for (const StdStream stream : kStreams) {
    if (lost_[Index(stream)] != 0 && !position.told[Index(stream)]) return stream;
  }
  return std::nullopt;
}

ContainerLog::Readiness ContainerLog::Look(const Cursor& cursor) const {
  const Position& position = static_cast<const Position&>(cursor);
  if (!position.reader.has_value()) return written_ >= position.after || ended_ ? Readiness::kChunk : Readiness::kWait;
  if (!IsAtEnd(position) || Untold(position).has_value()) return Readiness::kChunk;
  return ended_ || !(position.reader->next() < position.reader->until()) ? Readiness::kEnd : Readiness::kWait;
}

absl::StatusOr<OutputChunk> ContainerLog::Take(Cursor& cursor) {
  Position& position = static_cast<Position&>(cursor);
  if (!position.reader.has_value()) {
    VCD_RETURN_IF_ERROR(Search(position));
    return OutputChunk();
  }
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
  return position.reader->Read(end());
}

absl::Status ContainerLog::Search(Position& position) {
  const LogPosition end = position.end.value_or(this->end());
  const LogSelection& selection = position.selection;
  // Of one that is to go nothing is looked for: its disk may not answer.
  if (!IsWanted()) {
    position.reader.emplace(options_.path, end, end, absl::InfinitePast());
    return absl::OkStatus();
  }
  LogPosition begin = LogBegin(options_.path, end);
  if (selection.tail_lines.has_value()) {
    VCD_ASSIGN_OR_RETURN(begin, FindLastLines(options_.path, end, *selection.tail_lines));
  }
  if (selection.since.has_value()) {
    VCD_ASSIGN_OR_RETURN(const LogPosition since, FindSince(options_.path, end, *selection.since));
    begin = std::max(begin, since);
  }
  position.reader.emplace(options_.path, begin, selection.follow ? kNoEnd : end,
                          selection.since.value_or(absl::InfinitePast()));
  return absl::OkStatus();
}

std::unique_ptr<OutputReader> ContainerLog::NewReader(OutputStart start) {
  auto position = std::make_unique<Position>();
  position->reader.emplace(options_.path, start == OutputStart::kNow ? end() : run_, kNoEnd, absl::InfinitePast());
  return MakeReader(std::move(position));
}

std::unique_ptr<OutputReader> ContainerLog::NewReader(const LogSelection& selection) {
  auto position = std::make_unique<Position>();
  position->selection = selection;
  {
    MutexLock lock(&mu_);
    position->after = queued_;
    if (written_ == queued_) position->end = end_;
  }
  return MakeReader(std::move(position));
}

absl::Status RemoveContainerLog(Filesystem& filesystem, const std::string& path) {
  for (const uint64_t number : FullLogFiles(path)) {
    VCD_RETURN_IF_ERROR(filesystem.RemoveFile(FullLogFile(path, number)));
  }
  VCD_RETURN_IF_ERROR(filesystem.RemoveFile(RunNote(path)));
  return filesystem.RemoveFile(path);
}

}  // namespace vcd
