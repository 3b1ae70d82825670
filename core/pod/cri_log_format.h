// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CRI_LOG_FORMAT_H_
#define VCD_CORE_POD_CRI_LOG_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/pod/process_output.h"

namespace vcd {

// The log format of the Kubernetes container runtime interface: one record a line,
// `<RFC 3339 time with nanoseconds> <stdout|stderr> <P|F> <bytes>\n`, where F ends a line of output and P is a part of
// one. A record therefore stands for its bytes, plus a newline when it is F, and the file holds the output byte for
// byte. A line of the file begins with a time, whatever the container prints: only we begin lines.
//
// The format lets tags follow the first one after colons, and readers pass over those that they do not know:
//
//   `P:file=3:run=1@0:offset=4711`  a mark: no output, but where the stream stands here (LogMark). To other readers it
//   is
//                                   a part of a line that has no bytes.
//   `F:lost=512`                    so many bytes of the stream are missing here. Its text tells other readers.

// A place in a log that consists of numbered files.
struct LogPosition {
  uint64_t file = 0;
  uint64_t at = 0;  // Bytes from the file's beginning; always a record's.

  bool operator<(const LogPosition& other) const { return std::tie(file, at) < std::tie(other.file, other.at); }
  bool operator==(const LogPosition& other) const { return file == other.file && at == other.at; }
};

// What a log says of itself, so that not all of it must be read to know: one mark for each stream begins every file,
// begins what a container prints after each start, and comes again every so often.
struct LogMark {
  uint64_t file = 0;                              // Number of the file that it is in.
  LogPosition run;                                // Where the output of this run of the container begins.
  uint64_t stdout_offset = 0, stderr_offset = 0;  // Bytes of the run that come before, stored or lost.
};

// One piece of output as a record: up to and with its first newline, or all of it, as a P record, when it has none, so
// that nothing waits for a newline to come. `used` is what was taken of `data`, which must not be empty.
std::string FormatCriRecord(StdStream stream, absl::string_view data, absl::Time time, size_t* used);

// The two records of a mark.
std::string FormatLogMark(const LogMark& mark, absl::Time time);

// The record of bytes that are missing.
std::string FormatLostBytes(StdStream stream, uint64_t bytes, absl::string_view why, absl::Time time);

// One record read back.
struct CriRecord {
  OutputChunk chunk;
  bool ends_line = false;
  bool is_mark = false;
  LogMark mark;     // When it is one: of the chunk's stream the offset; the other's is 0.
  size_t size = 0;  // Bytes of the file that it takes.

  // Nothing to be shown: a mark, or damaged.
  bool empty() const { return chunk.data.empty() && chunk.lost_bytes == 0; }
};

// The record that `text` begins with. Nothing when the text holds no whole record; damaged records come back without
// data.
std::optional<CriRecord> ParseCriRecord(absl::string_view text);

}  // namespace vcd

#endif  // VCD_CORE_POD_CRI_LOG_FORMAT_H_
