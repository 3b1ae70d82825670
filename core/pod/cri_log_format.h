// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CRI_LOG_FORMAT_H_
#define VCD_CORE_POD_CRI_LOG_FORMAT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/pod/process_output.h"

namespace vcd {

// The log format of the Kubernetes container runtime interface: one record a line,
// `<RFC 3339 time with nanoseconds> <stdout|stderr> <P|F> <bytes>\n`, where F ends a line of output and P is a part of
// one. A record therefore stands for its bytes, plus a newline when it is F, and the file holds the output byte for
// byte.

// Bytes as records; bytes after the last newline become a P record, so that nothing waits for a newline to come.
std::string FormatCriLog(StdStream stream, absl::string_view data, absl::Time time);

// One record read back.
struct CriRecord {
  OutputChunk chunk;
  bool ends_line = false;
  size_t size = 0;  // Bytes of the file that it takes.
};

// The record that `text` begins with. Nothing when the text holds no whole record; damaged records come back without
// data.
std::optional<CriRecord> ParseCriRecord(absl::string_view text);

}  // namespace vcd

#endif  // VCD_CORE_POD_CRI_LOG_FORMAT_H_
