// SPDX-License-Identifier: Apache-2.0
#include "client/posix/output.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "client/posix/event_fd.h"
#include "client/posix/unique_fd.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

struct Pipe {
  explicit Pipe(int flags = 0) {
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC | flags), 0);
    read = UniqueFd(fds[0]);
    write = UniqueFd(fds[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

std::string ReadAll(int fd) {
  std::string all;
  char buffer[65536];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return all;
    all.append(buffer, static_cast<size_t>(n));
  }
}

TEST(WriteFullyTest, WritesMoreThanAPipeHolds) {
  Pipe pipe;
  const std::string data(3 << 20, 'x');
  std::string read;
  std::thread reader([&] { read = ReadAll(pipe.read.get()); });
  EXPECT_EQ(WriteFully(pipe.write.get(), data), 0);
  pipe.write.Reset();
  reader.join();
  EXPECT_EQ(read, data);
}

TEST(WriteFullyTest, WaitsWhereTheDescriptorDoesNotBlock) {
  Pipe pipe(O_NONBLOCK);
  const std::string data(1 << 20, 'y');
  ASSERT_EQ(::fcntl(pipe.read.get(), F_SETFL, 0), 0);
  std::string read;
  std::thread reader([&] { read = ReadAll(pipe.read.get()); });
  EXPECT_EQ(WriteFully(pipe.write.get(), data), 0);
  pipe.write.Reset();
  reader.join();
  EXPECT_EQ(read, data);
}

TEST(WriteFullyTest, TellsThatTheReaderIsGone) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.read.Reset();
  EXPECT_EQ(WriteFully(pipe.write.get(), "x"), EPIPE);
}

TEST(WriteFullyTest, StopsWhenToldWhileNobodyReads) {
  Pipe pipe;
  EventFd stop;
  std::thread stopper([&] { stop.Set(); });
  EXPECT_EQ(WriteFully(pipe.write.get(), std::string(1 << 20, 'z'), stop.fd()), ECANCELED);
  stopper.join();
}

}  // namespace
}  // namespace vcd::client
