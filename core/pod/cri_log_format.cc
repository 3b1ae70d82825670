// SPDX-License-Identifier: Apache-2.0
#include "core/pod/cri_log_format.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace vcd {
namespace {

constexpr char kTimeFormat[] = "%Y-%m-%d%ET%H:%M:%E9SZ";

// All before the bytes.
std::string Head(StdStream stream, absl::string_view tags, absl::Time time) {
  return absl::StrCat(absl::FormatTime(kTimeFormat, time, absl::UTCTimeZone()),
                      stream == StdStream::kStdout ? " stdout " : " stderr ", tags, " ");
}

std::string FormatStreamMark(StdStream stream, const LogMark& mark, absl::Time time) {
  const uint64_t offset = stream == StdStream::kStdout ? mark.stdout_offset : mark.stderr_offset;
  return absl::StrCat(
      Head(stream, absl::StrCat("P:file=", mark.file, ":run=", mark.run.file, "@", mark.run.at, ":offset=", offset),
           time),
      "\n");
}

bool ParseRun(absl::string_view text, LogPosition* run) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '@');
  return parts.size() == 2 && absl::SimpleAtoi(parts[0], &run->file) && absl::SimpleAtoi(parts[1], &run->at);
}

// The tags after the first one. False when the record is damaged.
bool ParseTags(absl::string_view tags, CriRecord* record) {
  uint64_t offset = 0;
  bool has_file = false, has_run = false, has_offset = false;
  for (absl::string_view tag : absl::StrSplit(tags, ':')) {
    if (absl::ConsumePrefix(&tag, "lost=")) {
      if (!absl::SimpleAtoi(tag, &record->chunk.lost_bytes)) return false;
    } else if (absl::ConsumePrefix(&tag, "file=")) {
      has_file = absl::SimpleAtoi(tag, &record->mark.file);
    } else if (absl::ConsumePrefix(&tag, "run=")) {
      has_run = ParseRun(tag, &record->mark.run);
    } else if (absl::ConsumePrefix(&tag, "offset=")) {
      has_offset = absl::SimpleAtoi(tag, &offset);
    }
  }
  record->is_mark = has_file && has_run && has_offset;
  (record->chunk.stream == StdStream::kStdout ? record->mark.stdout_offset : record->mark.stderr_offset) = offset;
  return true;
}

}  // namespace

std::string FormatCriRecord(StdStream stream, absl::string_view data, absl::Time time, size_t* used) {
  const size_t newline = data.find('\n');
  const bool whole = newline != absl::string_view::npos;
  const absl::string_view part = data.substr(0, newline);
  *used = part.size() + (whole ? 1 : 0);
  return absl::StrCat(Head(stream, whole ? "F" : "P", time), part, "\n");
}

std::string FormatLogMark(const LogMark& mark, absl::Time time) {
  return absl::StrCat(FormatStreamMark(StdStream::kStdout, mark, time),
                      FormatStreamMark(StdStream::kStderr, mark, time));
}

std::string FormatLostBytes(StdStream stream, uint64_t bytes, absl::string_view why, absl::Time time) {
  return absl::StrCat(Head(stream, absl::StrCat("F:lost=", bytes), time), "[vcd: ", bytes,
                      " bytes are missing here: ", why, "]\n");
}

std::optional<CriRecord> ParseCriRecord(absl::string_view text) {
  const size_t end = text.find('\n');
  if (end == absl::string_view::npos) return std::nullopt;
  CriRecord record;
  record.size = end + 1;
  const absl::string_view line = text.substr(0, end);
  const size_t time_end = line.find(' ');
  if (time_end == absl::string_view::npos) return record;
  // "<stream> " has one length.
  constexpr size_t kStreamSize = 7;
  const absl::string_view rest = line.substr(time_end + 1);
  const bool is_stdout = absl::StartsWith(rest, "stdout ");
  if (!is_stdout && !absl::StartsWith(rest, "stderr ")) return record;
  record.chunk.stream = is_stdout ? StdStream::kStdout : StdStream::kStderr;
  const size_t tags_end = rest.find(' ', kStreamSize);
  if (tags_end == absl::string_view::npos || tags_end == kStreamSize) return record;
  const absl::string_view tags = rest.substr(kStreamSize, tags_end - kStreamSize);
  std::string ignored;
  if (!absl::ParseTime(absl::RFC3339_full, std::string(line.substr(0, time_end)), &record.chunk.time, &ignored)) {
    record.chunk.time = absl::UnixEpoch();
  }
  if (tags.size() > 2 && tags[1] == ':' && !ParseTags(tags.substr(2), &record)) return record;
  record.ends_line = tags[0] == 'F';
  if (record.is_mark || record.chunk.lost_bytes != 0) return record;
  record.chunk.data = std::string(rest.substr(tags_end + 1));
  if (record.ends_line) record.chunk.data.push_back('\n');
  return record;
}

}  // namespace vcd
