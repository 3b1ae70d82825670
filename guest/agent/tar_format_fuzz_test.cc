// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "guest/agent/tar_format.h"
#include "test/fuzz/fuzz_target.h"

std::vector<std::string> FuzzSeeds() {
  using vcd::guest::TarType;
  std::vector<std::string> seeds;
  for (const TarType type : {TarType::kFile, TarType::kHardLink, TarType::kSymlink, TarType::kDirectory}) {
    vcd::guest::TarEntry entry;
    entry.type = type;
    entry.name = "dir/" + std::string(type == TarType::kFile ? 200 : 10, 'n');
    entry.link = type == TarType::kSymlink ? std::string(300, 'l') : "";
    entry.size = type == TarType::kFile ? 700 : 0;
    entry.mode = 0644;
    entry.mtime_seconds = 1700000000;
    entry.mtime_nanoseconds = 5;
    const std::string content(entry.size, 'c');
    seeds.push_back(vcd::guest::FormatTarEntry(entry) + content +
                    std::string(vcd::guest::TarPadding(content.size()), '\0'));
  }
  return seeds;
}

// Any bytes are read to an end, and what was read is the same after it was written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using vcd::guest::TarEntry;
  using vcd::guest::TarReader;
  size_t at = 0;
  TarReader reader([&](char* buffer, size_t wanted) {
    const size_t step = std::min(wanted, size - at);
    if (step > 0) std::memcpy(buffer, data + at, step);
    at += step;
    return static_cast<ssize_t>(step);
  });
  while (true) {
    TarEntry entry;
    auto more = reader.Next(&entry);
    if (!more.ok() || !*more) return 0;
    const std::string blocks = vcd::guest::FormatTarEntry(entry);
    size_t again_at = 0;
    TarReader again([&](char* buffer, size_t wanted) {
      const size_t step = std::min(wanted, blocks.size() - again_at);
      std::memcpy(buffer, blocks.data() + again_at, step);
      again_at += step;
      return static_cast<ssize_t>(step);
    });
    TarEntry same;
    auto read = again.Next(&same);
    // A name that says "directory" by its slash makes one of a file.
    if (!read.ok() || same.name != entry.name || same.link != entry.link || same.size != entry.size ||
        same.mtime_seconds != entry.mtime_seconds || same.mtime_nanoseconds != entry.mtime_nanoseconds) {
      std::abort();
    }
    char content[4096];
    while (true) {
      auto got = reader.Read(content, sizeof(content));
      if (!got.ok() || *got == 0) break;
    }
  }
}
