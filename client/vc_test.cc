// SPDX-License-Identifier: Apache-2.0
// The program itself: what only a process of its own can show.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "client/posix/unique_fd.h"
#include "client/testing/fake_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `vc` as a child whose standard output is a pipe to the test.
class VcProcess {
 public:
  VcProcess(const FakeServer& server, std::vector<std::string> words) {
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    out_ = UniqueFd(fds[0]);
    const UniqueFd write(fds[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, write.get(), 1);
    words.insert(words.begin(), {"vc"});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    // With the test's own environment, which holds the options of the sanitizers.
    std::string address = "VCD_ADDRESS=unix://" + server.socket_path();
    std::vector<char*> environment = {address.data()};
    for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
    environment.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, "client/vc", &actions, nullptr, argv.data(), environment.data()), 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }

  // Up to this many bytes of its output.
  std::string Read(size_t size) {
    std::string text(size, '\0');
    const ssize_t n = ::read(out_.get(), text.data(), size);
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return text;
  }
  void CloseOutput() { out_.Reset(); }
  void Signal(int signal) { ::kill(pid_, signal); }
  // The exit code, or minus the signal that ended it.
  int Wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  UniqueFd out_;
};

FakeProcess PrintsAndWaits() {
  FakeProcess process;
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "ready\n"}};
  process.waits_for_signal = true;
  return process;
}

TEST(VcTest, EndsWithTheCommandsCode) {
  FakeServer server;
  FakeProcess process;
  process.exit_status.set_code(42);
  server.SetProcess(process);
  EXPECT_EQ(VcProcess(server, {"run", "--rm", "--", "cmd"}).Wait(), 42);
  EXPECT_THAT(server.pod_ids(), IsEmpty());
}

TEST(VcTest, ForwardsRealSignalsAndDeletesThePod) {
  for (const int signal : {SIGINT, SIGTERM}) {
    FakeServer server;
    server.SetProcess(PrintsAndWaits());
    VcProcess vc(server, {"run", "--rm", "--id", "web", "--", "cmd"});
    EXPECT_EQ(vc.Read(6), "ready\n");
    vc.Signal(signal);
    EXPECT_EQ(vc.Wait(), 128 + signal);
    EXPECT_THAT(server.pod_ids(), IsEmpty());
  }
}

TEST(VcTest, DeletesThePodAtAHangUp) {
  FakeServer server;
  FakeProcess process = PrintsAndWaits();
  process.ignores_signals = true;
  server.SetProcess(process);
  VcProcess vc(server, {"run", "--rm", "--id", "web", "--", "cmd"});
  EXPECT_EQ(vc.Read(6), "ready\n");
  vc.Signal(SIGHUP);
  EXPECT_EQ(vc.Wait(), 128 + SIGHUP);
  EXPECT_THAT(server.calls(), Contains("Signal pod_id: \"web\" container_id: \"main\" signal: 1"));
  EXPECT_THAT(server.pod_ids(), IsEmpty());
}

TEST(VcTest, EndsLikeAnyProgramWhenTheReaderOfAPipeIsGone) {
  FakeServer server;
  FakeProcess process;
  for (int i = 0; i < 100; ++i) process.output.emplace_back(v1::OUTPUT_STREAM_STDOUT, std::string(100000, 'y'));
  process.waits_for_signal = true;
  server.SetProcess(process);
  VcProcess vc(server, {"run", "--rm", "--", "yes"});
  EXPECT_EQ(vc.Read(1), "y");
  vc.CloseOutput();
  EXPECT_EQ(vc.Wait(), 141);
  EXPECT_THAT(server.pod_ids(), IsEmpty());
}

TEST(VcTest, OtherVerbsEndAtASignalAtOnce) {
  FakeServer server;
  v1::Event event;
  event.set_pod_id("web");
  server.SetEvents({event});
  VcProcess vc(server, {"wait", "-c", "main", "--address", "unix://" + server.socket_path(), "web"});
  EXPECT_THAT(vc.Read(64), HasSubstr("0\n"));
  EXPECT_EQ(vc.Wait(), 0);
  server.Hang("Wait");
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd called_read(fds[0]);
  const UniqueFd called_write(fds[1]);
  server.OnCall("Wait", [&] { (void)!::write(called_write.get(), "w", 1); });
  VcProcess waiting(server, {"wait", "-c", "main", "web"});
  char byte;
  ASSERT_EQ(::read(called_read.get(), &byte, 1), 1);
  waiting.Signal(SIGINT);
  EXPECT_EQ(waiting.Wait(), -SIGINT);
}

}  // namespace
}  // namespace vcd::client
