// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tar_format.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

namespace vcd::guest {
namespace {

// The header block, POSIX.1-2017, pax, "ustar Interchange Format".
struct Header {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[6];
  char version[2];
  char user_name[32];
  char group_name[32];
  char device_major[8];
  char device_minor[8];
  char prefix[155];
  char unused[12];
};
static_assert(sizeof(Header) == kTarBlock);

constexpr char kPax = 'x';
constexpr char kPaxGlobal = 'g';
constexpr char kGnuLongName = 'L';
constexpr char kGnuLongLink = 'K';

// Of all extended headers and long names of one entry.
constexpr uint64_t kMaxText = 1 << 20;

// Content and padding together must not overflow.
constexpr uint64_t kMaxSize = uint64_t{1} << 62;

template <size_t size>
bool PutOctal(char (&field)[size], uint64_t value) {
  if (value >> (3 * (size - 1)) != 0) return false;
  for (size_t i = size - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
  return true;
}

unsigned Checksum(const Header& header) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof(header); ++i) {
    const bool is_field = i >= offsetof(Header, checksum) && i < offsetof(Header, type);
    sum += is_field ? ' ' : bytes[i];
  }
  return sum;
}

// Seals a header and puts it into bytes.
std::string Sealed(Header* header) {
  std::memcpy(header->magic, "ustar", 6);
  std::memcpy(header->version, "00", 2);
  std::memset(header->checksum, ' ', sizeof(header->checksum));
  std::snprintf(header->checksum, 7, "%06o", Checksum(*header));
  return std::string(reinterpret_cast<const char*>(header), sizeof(*header));
}

// "<length> <key>=<value>\n", where the length counts its own digits.
void AddPaxRecord(std::string* records, const std::string& key, const std::string& value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) length = rest + std::to_string(length).size();
  *records += std::to_string(length) + " " + key + "=" + value + "\n";
}

// Puts a name into name and prefix, at a slash. False when it does not fit.
bool PutName(Header* header, const std::string& name) {
  if (name.size() <= sizeof(header->name)) {
    std::memcpy(header->name, name.data(), name.size());
    return true;
  }
  const size_t slash = name.find('/', name.size() - sizeof(header->name) - 1);
  if (slash == std::string::npos || slash == 0 || slash > sizeof(header->prefix) || slash + 1 == name.size()) {
    return false;
  }
  std::memcpy(header->prefix, name.data(), slash);
  std::memcpy(header->name, name.data() + slash + 1, name.size() - slash - 1);
  return true;
}

std::string PaxTime(int64_t seconds, uint32_t nanoseconds) {
  // Towards the past the fraction counts on, as in a timespec; the text's does not.
  const bool negative = seconds < 0 && nanoseconds != 0;
  if (negative) {
    ++seconds;
    nanoseconds = 1000000000 - nanoseconds;
  }
  char text[40];
  std::snprintf(text, sizeof(text), "%s%lld.%09u", negative && seconds == 0 ? "-" : "", static_cast<long long>(seconds),
                nanoseconds);
  return text;
}

std::optional<uint64_t> ParseDecimal(std::string_view text) {
  if (text.empty() || text.size() > 19) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Octal digits between blanks and zero bytes, or GNU's numbers in base 256.
template <size_t size>
std::optional<uint64_t> ParseNumber(const char (&field)[size]) {
  uint64_t value = 0;
  if ((field[0] & 0x80) != 0) {
    if ((field[0] & 0x40) != 0) return std::nullopt;  // Negative.
    for (size_t i = 0; i < size; ++i) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | (static_cast<unsigned char>(field[i]) & (i == 0 ? 0x3f : 0xff));
    }
    return value;
  }
  size_t i = 0;
  while (i < size && field[i] == ' ') ++i;
  for (; i < size && field[i] >= '0' && field[i] <= '7'; ++i) value = value << 3 | (field[i] - '0');
  while (i < size && (field[i] == ' ' || field[i] == '\0')) ++i;
  if (i != size) return std::nullopt;
  return value;
}

template <size_t size>
std::string Text(const char (&field)[size]) {
  return std::string(field, strnlen(field, size));
}

// Without what comes after a zero byte, which GNU's long names end with.
std::string UpToZero(const std::string& text) { return text.substr(0, text.find('\0')); }

bool ParsePaxTime(std::string_view text, TarEntry* entry) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::optional<uint64_t> seconds = ParseDecimal(text.substr(0, point));
  if (!seconds || *seconds >= kMaxSize) return false;
  uint32_t nanoseconds = 0;
  if (point != std::string_view::npos) {
    const std::string digits = (std::string(text.substr(point + 1)) + "000000000").substr(0, 9);
    const std::optional<uint64_t> fraction = ParseDecimal(digits);
    if (!fraction) return false;
    nanoseconds = static_cast<uint32_t>(*fraction);
  }
  entry->mtime_seconds = static_cast<int64_t>(*seconds);
  if (negative) {
    entry->mtime_seconds = -entry->mtime_seconds - (nanoseconds != 0 ? 1 : 0);
    if (nanoseconds != 0) nanoseconds = 1000000000 - nanoseconds;
  }
  entry->mtime_nanoseconds = nanoseconds;
  return true;
}

}  // namespace

struct TarReader::Overrides {
  std::optional<std::string> name, link;
  std::vector<std::pair<std::string, std::string>> pax;

  Outcome AddPax(std::string_view records) {
    while (!records.empty()) {
      const size_t blank = records.find(' ');
      const std::optional<uint64_t> length =
          blank == std::string_view::npos ? std::nullopt : ParseDecimal(records.substr(0, blank));
      if (!length || *length < blank + 3 || *length > records.size() || records[*length - 1] != '\n') {
        return Invalid("the archive has a damaged extended header");
      }
      const std::string_view record = records.substr(blank + 1, *length - blank - 2);
      const size_t equals = record.find('=');
      if (equals == std::string_view::npos) return Invalid("the archive has a damaged extended header");
      pax.emplace_back(record.substr(0, equals), record.substr(equals + 1));
      records.remove_prefix(*length);
    }
    return Outcome();
  }

  Outcome Apply(TarEntry* entry) const {
    if (name) entry->name = *name;
    if (link) entry->link = *link;
    for (const auto& [key, value] : pax) {
      bool valid = true;
      const std::optional<uint64_t> number = ParseDecimal(value);
      if (key == "path") {
        entry->name = value;
      } else if (key == "linkpath") {
        entry->link = value;
      } else if (key == "size") {
        valid = number && *number < kMaxSize;
        if (valid) entry->size = *number;
      } else if (key == "uid" || key == "gid") {
        valid = number && *number <= UINT32_MAX;
        if (valid) (key == "uid" ? entry->uid : entry->gid) = static_cast<uint32_t>(*number);
      } else if (key == "mtime") {
        valid = ParsePaxTime(value, entry);
      } else if (key.rfind("GNU.sparse.", 0) == 0) {
        return Invalid("the archive has files with holes, \"" + entry->name + "\"; make it without --sparse");
      }
      if (!valid) return Invalid("the archive says \"" + key + "=" + value + "\", which is no number");
    }
    return Outcome();
  }
};

std::string FormatTarEntry(const TarEntry& entry) {
  Header header{};
  std::string pax;
  if (!PutName(&header, entry.name)) {
    AddPaxRecord(&pax, "path", entry.name);
    std::memcpy(header.name, entry.name.data(), sizeof(header.name));
  }
  std::memcpy(header.link, entry.link.data(), std::min(entry.link.size(), sizeof(header.link)));
  if (entry.link.size() > sizeof(header.link)) AddPaxRecord(&pax, "linkpath", entry.link);
  PutOctal(header.mode, entry.mode & 07777);
  if (!PutOctal(header.uid, entry.uid)) AddPaxRecord(&pax, "uid", std::to_string(entry.uid));
  if (!PutOctal(header.gid, entry.gid)) AddPaxRecord(&pax, "gid", std::to_string(entry.gid));
  if (!PutOctal(header.size, entry.size)) AddPaxRecord(&pax, "size", std::to_string(entry.size));
  if (entry.mtime_seconds < 0 || !PutOctal(header.mtime, entry.mtime_seconds) || entry.mtime_nanoseconds != 0) {
    AddPaxRecord(&pax, "mtime", PaxTime(entry.mtime_seconds, entry.mtime_nanoseconds));
  }
  PutOctal(header.device_major, entry.device_major);
  PutOctal(header.device_minor, entry.device_minor);
  header.type = static_cast<char>(entry.type);
  std::string blocks;
  if (!pax.empty()) {
    Header extended{};
    std::strcpy(extended.name, "pax");
    PutOctal(extended.mode, 0644);
    PutOctal(extended.uid, 0);
    PutOctal(extended.gid, 0);
    PutOctal(extended.size, pax.size());
    PutOctal(extended.mtime, 0);
    extended.type = kPax;
    blocks = Sealed(&extended) + pax + std::string(TarPadding(pax.size()), '\0');
  }
  return blocks + Sealed(&header);
}

OutcomeOr<bool> TarReader::Next(TarEntry* entry) {
  Overrides overrides;
  for (uint64_t text_size = 0;;) {
    if (Outcome skipped = Skip(content_left_ + padding_left_); !skipped.ok()) return skipped;
    content_left_ = padding_left_ = 0;
    Header header;
    if (Outcome read = ReadFully(reinterpret_cast<char*>(&header), sizeof(header)); !read.ok()) return read;
    const auto* bytes = reinterpret_cast<const char*>(&header);
    if (std::all_of(bytes, bytes + sizeof(header), [](char c) { return c == '\0'; })) {
      // The second block of zeros, and what programs add to it.
      char rest[kTarBlock];
      ssize_t got;
      while ((got = source_(rest, sizeof(rest))) > 0) {
      }
      if (got < 0) return SystemFailure("read the archive");
      return false;
    }
    const std::optional<uint64_t> checksum = ParseNumber(header.checksum);
    if (!checksum || *checksum != Checksum(header)) {
      return Invalid("this is no tar archive, or it is damaged or compressed: a header has a wrong checksum");
    }
    const std::optional<uint64_t> size = ParseNumber(header.size);
    if (!size || *size >= kMaxSize) return Invalid("the archive has a header without a valid size");
    if (header.type == kPax || header.type == kPaxGlobal || header.type == kGnuLongName ||
        header.type == kGnuLongLink) {
      text_size += *size;
      if (text_size > kMaxText) return Invalid("the archive has extended headers of more than a MiB for one file");
      std::string text;
      if (Outcome read = ReadText(*size, &text); !read.ok()) return read;
      Outcome added;
      if (header.type == kPax) added = overrides.AddPax(text);
      if (header.type == kGnuLongName) overrides.name = UpToZero(text);
      if (header.type == kGnuLongLink) overrides.link = UpToZero(text);
      if (!added.ok()) return added;
      continue;  // Global headers are comments, in practice.
    }

    *entry = TarEntry();
    const std::string prefix = std::memcmp(header.magic, "ustar", 6) == 0 ? Text(header.prefix) : "";
    entry->name = prefix.empty() ? Text(header.name) : prefix + "/" + Text(header.name);
    entry->link = Text(header.link);
    entry->size = *size;
    const auto number = [](const auto& field) { return ParseNumber(field).value_or(0); };
    entry->mode = static_cast<mode_t>(number(header.mode) & 07777);
    entry->uid = static_cast<uint32_t>(number(header.uid));
    entry->gid = static_cast<uint32_t>(number(header.gid));
    entry->mtime_seconds = static_cast<int64_t>(std::min(number(header.mtime), kMaxSize));
    entry->device_major = static_cast<uint32_t>(number(header.device_major));
    entry->device_minor = static_cast<uint32_t>(number(header.device_minor));
    if (Outcome applied = overrides.Apply(entry); !applied.ok()) return applied;
    if (entry->name.find('\0') != std::string::npos || entry->link.find('\0') != std::string::npos) {
      return Invalid("the archive has a name with a zero byte in it");
    }
    if (header.type == '\0' || header.type == '7') header.type = '0';
    // Before POSIX a directory was a file with a slash at its end.
    if (header.type == '0' && !entry->name.empty() && entry->name.back() == '/') header.type = '5';
    if (header.type < '0' || header.type > '6') {
      return Invalid("the archive has \"" + entry->name + "\", of a type that is not known: '" +
                     std::string(1, header.type >= ' ' && header.type <= '~' ? header.type : '?') + "'");
    }
    entry->type = static_cast<TarType>(header.type);
    content_left_ = entry->size;
    // Only files have content, though some programs write a link's size.
    if (entry->type == TarType::kSymlink || entry->type == TarType::kHardLink) content_left_ = 0;
    if (entry->type != TarType::kFile) entry->size = 0;
    padding_left_ = TarPadding(content_left_);
    return true;
  }
}

OutcomeOr<size_t> TarReader::Read(char* buffer, size_t size) {
  size = static_cast<size_t>(std::min<uint64_t>(size, content_left_));
  if (Outcome read = ReadFully(buffer, size); !read.ok()) return read;
  content_left_ -= size;
  return size;
}

Outcome TarReader::ReadFully(char* buffer, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t got = source_(buffer + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemFailure("read the archive");
    if (got == 0) return Invalid("the archive stops in the middle: it was cut");
    done += static_cast<size_t>(got);
  }
  return Outcome();
}

Outcome TarReader::ReadText(uint64_t size, std::string* text) {
  text->resize(size);
  if (Outcome read = ReadFully(text->data(), size); !read.ok()) return read;
  return Skip(TarPadding(size));
}

Outcome TarReader::Skip(uint64_t size) {
  char buffer[16 << 10];
  while (size > 0) {
    const size_t step = static_cast<size_t>(std::min<uint64_t>(size, sizeof(buffer)));
    if (Outcome read = ReadFully(buffer, step); !read.ok()) return read;
    size -= step;
  }
  return Outcome();
}

}  // namespace vcd::guest
