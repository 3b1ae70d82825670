// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_TAR_FORMAT_H_
#define VCD_GUEST_AGENT_TAR_FORMAT_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "guest/agent/outcome.h"

// The tar format: ustar blocks, with POSIX pax headers for what does not fit (long names, large files and numbers,
// parts of a second), and GNU's long names when reading. Bytes in, bytes out: knows no files.
namespace vcd::guest {

inline constexpr size_t kTarBlock = 512;

enum class TarType : char {
  kFile = '0',
  kHardLink = '1',
  kSymlink = '2',
  kCharDevice = '3',
  kBlockDevice = '4',
  kDirectory = '5',
  kFifo = '6',
};

struct TarEntry {
  TarType type = TarType::kFile;
  std::string name;  // As it stands in the archive.
  std::string link;  // Of links: what they lead to.
  mode_t mode = 0;   // Permissions alone.
  uint32_t uid = 0, gid = 0;
  uint64_t size = 0;  // Of a file's content; 0 for all others.
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanoseconds = 0;
  uint32_t device_major = 0, device_minor = 0;
};

// The blocks before an entry's content.
std::string FormatTarEntry(const TarEntry& entry);

// Zeros after a content of `size` bytes, up to the next block.
inline size_t TarPadding(uint64_t size) { return (kTarBlock - size % kTarBlock) % kTarBlock; }

// What ends an archive.
inline constexpr size_t kTarEndSize = 2 * kTarBlock;

// Reads an archive that anybody may have made. Names come as they are: whoever uses them checks them. Takes at most a
// few MiB of memory, whatever the archive says.
class TarReader {
 public:
  // As read(2): up to so many bytes; 0 at the end, -1 with errno.
  using Source = std::function<ssize_t(char* buffer, size_t size)>;

  explicit TarReader(Source source) : source_(std::move(source)) {}

  // The next entry; what is left of the content before is passed over. False at the end, after which all of the source
  // was read. ERROR_CODE_INVALID for what is no archive, or stops in the middle.
  OutcomeOr<bool> Next(TarEntry* entry);

  // Up to `size` bytes of the entry's content; 0 at its end.
  OutcomeOr<size_t> Read(char* buffer, size_t size);

 private:
  // What headers before an entry say of it.
  struct Overrides;

  Outcome ReadFully(char* buffer, size_t size);
  Outcome ReadText(uint64_t size, std::string* text);
  Outcome Skip(uint64_t size);

  const Source source_;
  uint64_t content_left_ = 0;
  uint64_t padding_left_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_TAR_FORMAT_H_
