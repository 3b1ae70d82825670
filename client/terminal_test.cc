// SPDX-License-Identifier: Apache-2.0
// vc on a terminal, as a person has it before them.
#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/testing/fake_server.h"
#include "client/testing/pty_program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kDetachKeys[] = "\x10\x11";

class TerminalTest : public ::testing::Test {
 protected:
  TerminalTest() {
    FakeProcess process;
    process.output = {{v1::OUTPUT_STREAM_STDOUT, "ready\r\n"}};
    process.echoes_stdin = true;
    server_ = std::make_unique<FakeServer>();
    server_->SetProcess(process);
  }

  std::unique_ptr<PtyProgram> Vc(std::vector<std::string> words, std::vector<int> ignored_signals = {}) {
    PtyProgram::Options options;
    options.ignored_signals = std::move(ignored_signals);
    options.words = {"client/vc"};
    options.words.insert(options.words.end(), words.begin(), words.end());
    options.variables = {"VCD_ADDRESS=unix://" + server_->socket_path(), "TERM=vt100"};
    options.columns = 100;
    options.rows = 40;
    return std::make_unique<PtyProgram>(options);
  }
  // A pod with a terminal that runs already.
  void AddPod(bool terminal = true) {
    v1::Pod pod;
    pod.set_id("web");
    pod.set_state(v1::POD_STATE_RUNNING);
    v1::Container* container = pod.add_containers();
    container->set_id("main");
    v1::ContainerConfig* config = container->mutable_config();
    config->set_id("main");
    config->mutable_cmd()->set_terminal(terminal);
    config->mutable_cmd()->set_interactive(true);
    server_->AddPod(pod);
  }
  // Until vc has gone over to send every key, and the process has seen one.
  static void Settle(PtyProgram& vc) {
    EXPECT_TRUE(vc.WaitForText("ready"));
    EXPECT_TRUE(vc.WaitUntilRaw(true));
    vc.Forget();
    vc.Type("k");
    EXPECT_TRUE(vc.WaitForText("k"));
  }

  std::unique_ptr<FakeServer> server_;
};

TEST_F(TerminalTest, RunPassesKeysSizeAndTerm) {
  auto vc = Vc({"run", "--rm", "-it", "--id", "web", "--", "sh"});
  Settle(*vc);
  vc->Type("\x03\x04\x1a");  // What would be signals and an end are bytes for the process.
  EXPECT_TRUE(vc->WaitForText("\x1a"));
  EXPECT_EQ(server_->stdin_bytes(), "k\x03\x04\x1a");
  const v1::Cmd cmd = server_->last_config().containers(0).cmd();
  EXPECT_TRUE(cmd.terminal());
  EXPECT_EQ(cmd.terminal_size().columns(), 100u);
  EXPECT_EQ(cmd.terminal_size().rows(), 40u);
  ASSERT_EQ(cmd.envs_size(), 1);
  EXPECT_EQ(cmd.envs(0).name() + "=" + cmd.envs(0).value(), "TERM=vt100");
  EXPECT_THAT(server_->calls(), Contains(HasSubstr("terminal_size { columns: 100 rows: 40 }")));
}

TEST_F(TerminalTest, RestoresTheTerminalWhenTheProcessEnds) {
  FakeProcess process;
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "ready\r\n"}};
  process.waits_for_signal = true;
  server_->SetProcess(process);
  AddPod();
  auto vc = Vc({"exec", "-it", "web", "--", "sh"});
  EXPECT_TRUE(vc->WaitForText("ready"));
  EXPECT_TRUE(vc->WaitUntilRaw(true));
  server_->EndProcesses(SIGINT);
  EXPECT_EQ(vc->Wait(), 128 + SIGINT);
  EXPECT_TRUE(vc->SettingsAreAsBefore());
}

TEST_F(TerminalTest, TellsWhoDetachesWhichContainerItWas) {
  FakeProcess process;
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "ready\r\n"}};
  process.waits_for_signal = true;
  server_->SetProcess(process);
  v1::Pod pod;
  pod.set_id("web");
  pod.set_state(v1::POD_STATE_RUNNING);
  pod.add_containers()->set_id("main");
  pod.add_containers()->set_id("app");
  server_->AddPod(pod);
  auto vc = Vc({"exec", "-it", "-c", "app", "web", "--", "sh"});
  EXPECT_TRUE(vc->WaitForText("ready"));
  EXPECT_TRUE(vc->WaitUntilRaw(true));
  vc->Type(kDetachKeys);
  EXPECT_EQ(vc->Wait(), 0);
  EXPECT_THAT(vc->screen(), HasSubstr("\"vc attach -c app --process exec-1 web\" joins it again"));
}

TEST_F(TerminalTest, DetachesAndAttachesAgain) {
  auto vc = Vc({"run", "--rm", "-it", "--id", "web", "--", "sh"});
  Settle(*vc);
  vc->Type(kDetachKeys);
  EXPECT_EQ(vc->Wait(), 0);
  EXPECT_TRUE(vc->SettingsAreAsBefore());
  EXPECT_THAT(vc->screen(), HasSubstr("vc attach web"));
  EXPECT_THAT(server_->stdin_bytes(), Not(HasSubstr("\x10")));
  EXPECT_THAT(server_->pod_ids(), Contains("web")) << "--rm is for a command that has ended";

  auto again = Vc({"attach", "--detach-keys", "ctrl-a,d", "web"});
  EXPECT_TRUE(again->WaitUntilRaw(true));
  again->Type("back\x10\x11");
  EXPECT_TRUE(again->WaitForText("back\x10\x11"));
  // A program that fills the terminal draws it anew only when its size changes.
  EXPECT_THAT(server_->calls(), Contains(HasSubstr("terminal_size { columns: 100 rows: 41 }")));
  server_->AwaitCall("ResizeTerminal", "rows: 40");
  again->Type(
      "\x01"
      "d");
  EXPECT_EQ(again->Wait(), 0);
  EXPECT_TRUE(again->SettingsAreAsBefore());
}

TEST_F(TerminalTest, FindsOutWhetherAnExecHasATerminal) {
  AddPod(/*terminal=*/false);
  std::vector<v1::ExecInfo> execs(2);
  execs[0].set_process_id("plain");
  execs[1].set_process_id("shell");
  execs[1].set_terminal(true);
  server_->SetExecs(execs);
  auto vc = Vc({"attach", "--process", "shell", "web"});
  Settle(*vc);
  vc->Type(kDetachKeys);
  EXPECT_EQ(vc->Wait(), 0);
  EXPECT_THAT(vc->screen(), HasSubstr("vc attach --process shell web"));
  auto plain = Vc({"attach", "--process", "plain", "web"});
  EXPECT_TRUE(plain->WaitForText("ready"));
  plain->Type("line\n");
  EXPECT_TRUE(plain->WaitForText("line"));
  EXPECT_TRUE(plain->SettingsAreAsBefore());
  plain->Type("\x04");
  EXPECT_EQ(plain->Wait(), 0);
}

TEST_F(TerminalTest, PassesOnTheWindowsSize) {
  AddPod();
  auto vc = Vc({"exec", "-it", "web", "--", "sh"});
  Settle(*vc);
  vc->Resize(132, 50);
  server_->AwaitCall("ResizeTerminal", "columns: 132 rows: 50");
  vc->Resize(90, 30);
  server_->AwaitCall("ResizeTerminal", "columns: 90 rows: 30");
}

TEST_F(TerminalTest, RestoresTheTerminalWhenASignalEndsIt) {
  AddPod();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    auto vc = Vc({"exec", "-it", "web", "--", "sh"});
    Settle(*vc);
    vc->Signal(signal);
    EXPECT_EQ(vc->Wait(), 128 + signal);
    EXPECT_TRUE(vc->SettingsAreAsBefore()) << "signal " << signal;
  }
  EXPECT_THAT(server_->calls(), Not(Contains(HasSubstr("Signal "))));
}

TEST_F(TerminalTest, LosingTheTerminalLeavesTheProcessAlone) {
  AddPod();
  // Where the signal of a hang-up is ignored the end of its input alone tells vc.
  for (const std::vector<int>& ignored : {std::vector<int>{}, std::vector<int>{SIGHUP}}) {
    const std::string id = ignored.empty() ? "first" : "second";
    const std::vector<std::vector<std::string>> verbs = {{"attach", "web"},
                                                         {"attach", "--no-sig-proxy", "web"},
                                                         {"exec", "-it", "web", "--", "sh"},
                                                         {"run", "-it", "--id", id, "--", "sh"}};
    for (const std::vector<std::string>& words : verbs) {
      auto vc = Vc(words, ignored);
      Settle(*vc);
      vc->HangUp();
      // What the process ends with when its input does is 0.
      EXPECT_EQ(vc->Wait(), 128 + SIGHUP) << words[0] << ", ignored signals: " << ignored.size();
    }
    EXPECT_THAT(server_->pod_ids(), Contains(id));
  }
  EXPECT_THAT(server_->calls(), Not(Contains(HasSubstr("Signal "))));
  EXPECT_FALSE(server_->stdin_closed());
}

TEST_F(TerminalTest, LosingTheTerminalDeletesAPodThatIsToBeDeleted) {
  auto vc = Vc({"run", "--rm", "-it", "--id", "web", "--", "sh"});
  Settle(*vc);
  vc->HangUp();
  EXPECT_EQ(vc->Wait(), 128 + SIGHUP);
  EXPECT_THAT(server_->pod_ids(), IsEmpty());
}

TEST_F(TerminalTest, RestoresTheTerminalWhenItCrashes) {
  AddPod();
  auto vc = Vc({"exec", "-it", "web", "--", "sh"});
  Settle(*vc);
  vc->Signal(SIGABRT);
  EXPECT_EQ(vc->Wait(), 128 + SIGABRT);
  EXPECT_TRUE(vc->SettingsAreAsBefore());
}

TEST_F(TerminalTest, RestoresTheTerminalWhenTheDaemonIsGone) {
  AddPod();
  auto vc = Vc({"exec", "-it", "web", "--", "sh"});
  Settle(*vc);
  server_->Stop();
  EXPECT_EQ(vc->Wait(), 125);
  EXPECT_TRUE(vc->SettingsAreAsBefore());
  EXPECT_THAT(vc->screen(), HasSubstr("vc: exec web: "));
}

TEST_F(TerminalTest, OutputOfANonTerminalLeavesTheTerminalAlone) {
  AddPod(/*terminal=*/false);
  auto vc = Vc({"attach", "web"});
  EXPECT_TRUE(vc->WaitForText("ready"));
  vc->Type("a line\r");
  EXPECT_TRUE(vc->WaitForText("a line\r\na line\r\n"));  // Our terminal's echo, and the process's answer.
  EXPECT_TRUE(vc->SettingsAreAsBefore());
  vc->Type("\x04");
  EXPECT_EQ(vc->Wait(), 0);
}

}  // namespace
}  // namespace vcd::client
