// SPDX-License-Identifier: Apache-2.0
#include "core/pod/console_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/time/clock.h"
#include "core/hypervisor/console_log.h"
#include "core/os/completion.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

using Chunk = std::optional<OutputChunk>;

class ConsoleReaderTest : public testing::Test {
 protected:
  std::unique_ptr<ConsoleReader> Reader(const ConsoleSelection& selection) {
    return std::make_unique<ConsoleReader>(io_, directory_.path(), selection, [this] { return more_comes_.load(); });
  }
  static Completion<Chunk> Ask(ConsoleReader& reader) {
    Completion<Chunk> got;
    reader.Next([got](absl::StatusOr<Chunk> chunk) { got.Set(std::move(chunk)); });
    return got;
  }
  // What the reader gives next; empty at the end.
  static std::string Next(ConsoleReader& reader) { return TextOf(Ask(reader)); }
  static std::string TextOf(const Completion<Chunk>& asked) {
    const absl::StatusOr<Chunk> chunk = asked.Wait({absl::Now() + absl::Seconds(30), nullptr}, "the console");
    EXPECT_TRUE(chunk.ok()) << chunk.status();
    return chunk.ok() && chunk->has_value() ? (*chunk)->data : "";
  }

  TemporaryDirectory directory_;
  std::atomic<bool> more_comes_{true};
  IoThread io_;
  ConsoleLog log_{directory_.path(), 1 << 20};
};

TEST_F(ConsoleReaderTest, ReadsWhatIsThere) {
  log_.Append("one two three");
  auto all = Reader({});
  EXPECT_EQ(Next(*all), "one two three");
  EXPECT_EQ(Next(*all), "");
  auto tail = Reader({/*follow=*/false, /*tail_bytes=*/5});
  EXPECT_EQ(Next(*tail), "three");
}

TEST_F(ConsoleReaderTest, ThereMayBeNone) { EXPECT_EQ(Next(*Reader({})), ""); }

TEST_F(ConsoleReaderTest, FollowsUntilTheMachinesEnd) {
  log_.Append("booting");
  auto reader = Reader({/*follow=*/true, 0});
  EXPECT_EQ(Next(*reader), "booting");
  const Completion<Chunk> later = Ask(*reader);
  log_.Append("panic");
  EXPECT_EQ(TextOf(later), "panic");
  log_.Append("the end");
  more_comes_ = false;
  EXPECT_EQ(Next(*reader), "the end");
  EXPECT_EQ(Next(*reader), "");
}

TEST_F(ConsoleReaderTest, AFloodComesInBoundedPieces) {
  log_.Append(std::string(200000, 'x'));
  auto reader = Reader({});
  size_t all = 0;
  for (std::string piece = Next(*reader); !piece.empty(); piece = Next(*reader)) {
    EXPECT_LE(piece.size(), 65536u);
    all += piece.size();
  }
  EXPECT_EQ(all, 200000u);
}

TEST_F(ConsoleReaderTest, OneThatIsGivenUpTellsNothing) {
  auto reader = Reader({/*follow=*/true, 0});
  const Completion<Chunk> asked = Ask(*reader);
  reader.reset();
  log_.Append("too late");
  EXPECT_FALSE(asked.Wait({absl::Now(), nullptr}, "the console").ok());
}

}  // namespace
}  // namespace vcd
