// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>

#include "absl/time/clock.h"
#include "core/hypervisor/console_log.h"
#include "core/os/completion.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

class QemuConsoleTest : public testing::Test {
 protected:
  QemuConsoleTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    qemu_.Reset(ends[0]);
    console_ = std::make_unique<QemuConsole>(io_, UniqueFd(ends[1]), directory_.path(), kMaxBytes,
                                             [closed = closed_] { closed.Set(true); });
  }

  void Say(const std::string& text) {
    size_t said = 0;
    while (said < text.size()) {
      const ssize_t sent = send(qemu_.get(), text.data() + said, text.size() - said, MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      said += static_cast<size_t>(sent);
    }
  }
  std::string ReadAll() {
    ConsoleCursor cursor(directory_.path(), 0);
    std::string text;
    while (true) {
      const absl::StatusOr<std::string> piece = cursor.Read(65536);
      if (!piece.ok() || piece->empty()) return text;
      text += *piece;
    }
  }
  bool WaitClosed() { return closed_.Wait({absl::Now() + absl::Seconds(30), nullptr}, "the console's end").ok(); }

  static constexpr uint64_t kMaxBytes = 200000;
  TemporaryDirectory directory_;
  const Completion<bool> closed_;
  UniqueFd qemu_;
  IoThread io_;
  std::unique_ptr<QemuConsole> console_;
};

TEST_F(QemuConsoleTest, WhatWasSaidLastIsKeptBeforeTheEndIsTold) {
  Say("booting\nKernel panic\n");
  qemu_.Reset();
  ASSERT_TRUE(WaitClosed());
  EXPECT_EQ(ReadAll(), "booting\nKernel panic\n");
}

TEST_F(QemuConsoleTest, AFloodIsBoundedAndItsEndIsKept) {
  const std::string line(1000, 'x');
  for (int i = 0; i < 1000; ++i) Say(line);
  Say("the end");
  qemu_.Reset();
  ASSERT_TRUE(WaitClosed());
  EXPECT_THAT(ReadAll(), testing::EndsWith("the end"));
  uint64_t used = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory_.path())) used += file.file_size();
  EXPECT_LE(used, kMaxBytes);
}

TEST_F(QemuConsoleTest, OneThatIsGivenUpTellsNothing) {
  console_.reset();
  qemu_.Reset();
  // What is posted now runs after what the socket's end could cause.
  Completion<bool> later;
  io_.Post([this, later] { io_.Post([later] { later.Set(true); }); });
  ASSERT_TRUE(later.Wait({absl::Now() + absl::Seconds(30), nullptr}, "the I/O thread").ok());
  EXPECT_FALSE(closed_.Wait({absl::Now(), nullptr}, "the console's end").ok());
}

}  // namespace
}  // namespace vcd
