// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tar_format.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;

// An archive in memory, given out in small pieces as a pipe may.
class TextArchive {
 public:
  explicit TextArchive(std::string bytes, size_t piece = 77)
      : bytes_(std::move(bytes)), piece_(piece), reader_([this](char* buffer, size_t size) {
          const size_t step = std::min({size, piece_, bytes_.size() - at_});
          std::memcpy(buffer, bytes_.data() + at_, step);
          at_ += step;
          return static_cast<ssize_t>(step);
        }) {}

  TarReader& operator*() { return reader_; }
  bool used_up() const { return at_ == bytes_.size(); }

 private:
  const std::string bytes_;
  const size_t piece_;
  size_t at_ = 0;
  TarReader reader_;
};

std::string Content(const std::string& bytes) { return bytes + std::string(TarPadding(bytes.size()), '\0'); }
std::string End() { return std::string(kTarEndSize, '\0'); }

TarEntry File(const std::string& name, uint64_t size) {
  TarEntry entry;
  entry.name = name;
  entry.mode = 0644;
  entry.size = size;
  return entry;
}

std::string ProblemOf(const std::string& bytes) {
  TextArchive archive(bytes);
  TarEntry entry;
  while (true) {
    OutcomeOr<bool> more = (*archive).Next(&entry);
    if (!more.ok()) return more.outcome().message();
    if (!*more) return "";
  }
}

TEST(TarFormatTest, EveryFieldComesBack) {
  std::vector<TarEntry> entries;
  for (const int64_t seconds : {int64_t{0}, int64_t{1700000000}, int64_t{-5}, int64_t{-1}, int64_t{1} << 35}) {
    for (const uint32_t nanoseconds : {0u, 1u, 999999999u}) {
      TarEntry entry = File("f", 0);
      entry.mtime_seconds = seconds;
      entry.mtime_nanoseconds = nanoseconds;
      entries.push_back(entry);
    }
  }
  for (const size_t length : {1, 99, 100, 101, 155, 200, 256, 257, 4000}) {
    TarEntry entry = File(std::string(length, 'n'), 0);
    entries.push_back(entry);
    for (size_t i = 10; i + 1 < length; i += 10) entry.name[i] = '/';
    entries.push_back(entry);
    entry.type = TarType::kSymlink;
    entry.link = std::string(length, 'l');
    entries.push_back(entry);
  }
  TarEntry large = File("large owner", 0);
  large.mode = 07777;
  large.uid = 4294967294;
  large.gid = 2097152;
  entries.push_back(large);
  TarEntry device = File("dev", 0);
  device.type = TarType::kCharDevice;
  device.device_major = 10;
  device.device_minor = 200;
  entries.push_back(device);

  std::string bytes;
  for (const TarEntry& entry : entries) bytes += FormatTarEntry(entry);
  TextArchive archive(bytes + End() + std::string(9 * kTarBlock, '\0'));
  for (const TarEntry& wanted : entries) {
    TarEntry got;
    OutcomeOr<bool> more = (*archive).Next(&got);
    ASSERT_TRUE(more.ok()) << more.outcome().message();
    ASSERT_TRUE(*more);
    EXPECT_EQ(got.type, wanted.type);
    EXPECT_EQ(got.name, wanted.name);
    EXPECT_EQ(got.link, wanted.link);
    EXPECT_EQ(got.mode, wanted.mode);
    EXPECT_EQ(got.uid, wanted.uid);
    EXPECT_EQ(got.gid, wanted.gid);
    EXPECT_EQ(got.mtime_seconds, wanted.mtime_seconds) << wanted.mtime_nanoseconds;
    EXPECT_EQ(got.mtime_nanoseconds, wanted.mtime_nanoseconds) << wanted.mtime_seconds;
    EXPECT_EQ(got.device_major, wanted.device_major);
    EXPECT_EQ(got.device_minor, wanted.device_minor);
  }
  TarEntry none;
  OutcomeOr<bool> more = (*archive).Next(&none);
  EXPECT_TRUE(more.ok() && !*more);
  EXPECT_TRUE(archive.used_up()) << "a writer that adds blocks must not find a closed pipe";
}

TEST(TarFormatTest, SizesBeyondOctalAreToldInAHeaderOfTheirOwn) {
  for (const uint64_t size : {(uint64_t{8} << 30) - 1, uint64_t{8} << 30, uint64_t{1} << 50}) {
    TextArchive archive(FormatTarEntry(File("big", size)));
    TarEntry got;
    OutcomeOr<bool> more = (*archive).Next(&got);
    ASSERT_TRUE(more.ok() && *more);
    EXPECT_EQ(got.size, size);
  }
}

TEST(TarFormatTest, ContentIsReadOrPassedOver) {
  TextArchive archive(FormatTarEntry(File("a", 5)) + Content("hello") + FormatTarEntry(File("b", 512)) +
                      Content(std::string(512, 'b')) + FormatTarEntry(File("c", 3)) + Content("end") + End());
  TarEntry entry;
  char buffer[1000];
  ASSERT_TRUE(*(*archive).Next(&entry));
  EXPECT_EQ(*(*archive).Read(buffer, 2), 2u);
  ASSERT_TRUE(*(*archive).Next(&entry));
  EXPECT_EQ(entry.name, "b");
  ASSERT_TRUE(*(*archive).Next(&entry));
  ASSERT_EQ(*(*archive).Read(buffer, sizeof(buffer)), 3u);
  EXPECT_EQ(std::string(buffer, 3), "end");
  EXPECT_EQ(*(*archive).Read(buffer, sizeof(buffer)), 0u);
  EXPECT_FALSE(*(*archive).Next(&entry));
}

TEST(TarFormatTest, CutArchivesAreNotTakenForWholeOnes) {
  const std::string whole = FormatTarEntry(File("a", 5)) + Content("hello") + End();
  for (const size_t size : {size_t{0}, size_t{1}, kTarBlock, kTarBlock + 5, 2 * kTarBlock}) {
    EXPECT_THAT(ProblemOf(whole.substr(0, size)), HasSubstr("it was cut")) << size;
  }
  EXPECT_EQ(ProblemOf(whole), "");
}

TEST(TarFormatTest, DamageIsTold) {
  std::string flipped = FormatTarEntry(File("a", 5));
  flipped[3] ^= 1;
  EXPECT_THAT(ProblemOf(flipped), HasSubstr("wrong checksum"));
  EXPECT_THAT(ProblemOf(std::string(1024, '\x1f')), HasSubstr("this is no tar archive"));

  TarEntry pax = File("pax", 0);
  const auto with_pax = [&pax](const std::string& records) {
    pax.size = records.size();
    pax.type = static_cast<TarType>('x');
    return FormatTarEntry(pax) + Content(records) + FormatTarEntry(File("a", 0)) + End();
  };
  EXPECT_EQ(ProblemOf(with_pax("11 path=abc\n")), "the archive has a damaged extended header");
  EXPECT_EQ(ProblemOf(with_pax("12 path=abc\n")), "");
  for (const char* damaged : {"9999 path=a\n", "path=a\n", "3 \n", "0 path=a\n", "7 path\n", "12 path=abcd"}) {
    EXPECT_EQ(ProblemOf(with_pax(damaged)), "the archive has a damaged extended header") << damaged;
  }
  EXPECT_THAT(ProblemOf(with_pax("11 size=-1\n")), HasSubstr("no number"));
  EXPECT_THAT(ProblemOf(with_pax("12 mtime=1x\n")), HasSubstr("no number"));
  EXPECT_THAT(ProblemOf(with_pax("20 GNU.sparse.map=0\n")), HasSubstr("--sparse"));
  EXPECT_THAT(ProblemOf(with_pax(std::string("12 path=a\0b\n", 12))), HasSubstr("zero byte"));
}

TEST(TarFormatTest, HeadersBeforeAnEntryAreBounded) {
  TarEntry name = File("././@LongLink", 400000);
  name.type = static_cast<TarType>('L');
  std::string bytes;
  for (int i = 0; i < 3; ++i) bytes += FormatTarEntry(name) + Content(std::string(400000, 'n'));
  EXPECT_THAT(ProblemOf(bytes + FormatTarEntry(File("a", 0)) + End()), HasSubstr("more than a MiB"));
}

TEST(TarFormatTest, LongNamesOfGnuAreRead) {
  const std::string long_name(300, 'g');
  TarEntry name = File("././@LongLink", long_name.size() + 1);
  name.type = static_cast<TarType>('L');
  TextArchive archive(FormatTarEntry(name) + Content(long_name + std::string(1, '\0')) +
                      FormatTarEntry(File("short", 0)) + End());
  TarEntry got;
  ASSERT_TRUE(*(*archive).Next(&got));
  EXPECT_EQ(got.name, long_name);
}

}  // namespace
}  // namespace vcd::guest
