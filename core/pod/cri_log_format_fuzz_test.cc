// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "core/pod/cri_log_format.h"
#include "test/fuzz/fuzz_target.h"

namespace {

const absl::Time kTime = absl::FromUnixNanos(1700000000123456789);

void Check(bool good) {
  if (!good) std::abort();
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  using vcd::StdStream;
  size_t used = 0;
  const vcd::LogMark mark{3, {1, 4096}, 4711, 12};
  return {"",
          "\n",
          vcd::FormatCriRecord(StdStream::kStdout, "a line\n", kTime, &used),
          vcd::FormatCriRecord(StdStream::kStderr, "a part", kTime, &used),
          vcd::FormatLogMark(mark, kTime),
          vcd::FormatLostBytes(StdStream::kStdout, 512, "the disk was full", kTime)};
}

// A log may have been written to by anybody, and be cut anywhere: reading it comes to an end. What a process prints is
// what is read back, whatever it is.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  for (absl::string_view left = input; !left.empty();) {
    const auto record = vcd::ParseCriRecord(left);
    if (!record.has_value()) break;
    Check(record->size > 0 && record->size <= left.size());
    left.remove_prefix(record->size);
  }
  std::string log;
  for (absl::string_view left = input; !left.empty();) {
    size_t used = 0;
    log += vcd::FormatCriRecord(vcd::StdStream::kStderr, left, kTime, &used);
    Check(used > 0 && used <= left.size());
    left.remove_prefix(used);
  }
  std::string read;
  for (absl::string_view left = log; !left.empty();) {
    const auto record = vcd::ParseCriRecord(left);
    Check(record.has_value() && !record->is_mark && record->chunk.stream == vcd::StdStream::kStderr);
    read += record->chunk.data;
    left.remove_prefix(record->size);
  }
  Check(read == input);
  return 0;
}
