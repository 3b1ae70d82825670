// SPDX-License-Identifier: Apache-2.0
#include "core/asset/file_digest_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

// FIPS 180-4's example "abc".
constexpr char kDigestOfAbc[] =
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

// A file of the host whose last change is long enough ago to be remembered.
constexpr char kSettledFile[] = "/bin/sh";

class FileDigestCacheTest : public testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& content) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  TemporaryDirectory directory_;
  FileDigestCache cache_;
};

TEST_F(FileDigestCacheTest, HashesAsTheStandardSays) {
  EXPECT_EQ(*cache_.Sha512(File("abc", "abc"), CallContext()), kDigestOfAbc);
  // More than one piece, and not a multiple of it.
  const std::string large((3 << 18) + 17, 'x');
  EXPECT_EQ(cache_.Sha512(File("one", large), CallContext())->size(), 128u);
  EXPECT_EQ(*cache_.Sha512(File("one", large), CallContext()), *cache_.Sha512(File("other", large), CallContext()));
}

TEST_F(FileDigestCacheTest, ReadsAFileOnceByWhateverName) {
  const std::string first = *cache_.Sha512(kSettledFile, CallContext());
  const std::string link = directory_.path() + "/link";
  ASSERT_EQ(symlink(kSettledFile, link.c_str()), 0);
  EXPECT_EQ(*cache_.Sha512(kSettledFile, CallContext()), first);
  EXPECT_EQ(*cache_.Sha512(link, CallContext()), first);
  EXPECT_EQ(cache_.reads(), 1u);
}

TEST_F(FileDigestCacheTest, AFileThatWasJustWrittenIsNotTrustedToStay) {
  const std::string path = File("new", "abc");
  ASSERT_EQ(*cache_.Sha512(path, CallContext()), kDigestOfAbc);
  // Of the same size, in place, perhaps within one tick of the file system's clock.
  std::ofstream(path, std::ios::binary | std::ios::in) << "abd";
  EXPECT_NE(*cache_.Sha512(path, CallContext()), kDigestOfAbc);
  EXPECT_EQ(cache_.reads(), 2u);
}

TEST_F(FileDigestCacheTest, ForgetsWhatWasNotAskedForLongest) {
  FileDigestCache small(1);
  ASSERT_TRUE(small.Sha512(kSettledFile, CallContext()).ok());
  ASSERT_TRUE(small.Sha512("/etc/passwd", CallContext()).ok());
  ASSERT_TRUE(small.Sha512(kSettledFile, CallContext()).ok());
  EXPECT_EQ(small.reads(), 3u);
}

// One that is larger than any disk would be read for days.
TEST_F(FileDigestCacheTest, ReadsForAsLongAsTheContextAllows) {
  const std::string sparse = File("sparse", "x");
  ASSERT_EQ(::truncate(sparse.c_str(), off_t{1} << 40), 0);
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  EXPECT_TRUE(absl::IsAborted(cache_.Sha512(sparse, {absl::InfiniteFuture(), &cancellation}).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(cache_.Sha512(sparse, {absl::Now(), nullptr}).status()));
  EXPECT_EQ(*cache_.Sha512(File("abc", "abc"), CallContext()), kDigestOfAbc);
}

TEST_F(FileDigestCacheTest, SaysWhatCannotBeHashed) {
  EXPECT_EQ(cache_.Sha512("/nowhere/file", CallContext()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(cache_.Sha512("/nowhere/file", CallContext()).status().message()),
              HasSubstr("/nowhere/file"));
  EXPECT_THAT(std::string(cache_.Sha512(File("nothing", ""), CallContext()).status().message()), HasSubstr("is empty"));
  EXPECT_THAT(std::string(cache_.Sha512(directory_.path(), CallContext()).status().message()),
              HasSubstr("not a regular file"));
  const std::string fifo = directory_.path() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(cache_.Sha512(fifo, CallContext()).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vcd
