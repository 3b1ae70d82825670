// SPDX-License-Identifier: Apache-2.0
// vc on a terminal, and a real terminal in a real guest: what a person does before both.
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "client/testing/pty_program.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using client::PtyProgram;
using ::testing::HasSubstr;
using ::testing::Not;

class TerminalTest : public E2eTest {
 protected:
  std::unique_ptr<PtyProgram> OnTerminal(std::vector<std::string> words) {
    PtyProgram::Options options;
    options.words = daemon().VcCommandLine(words);
    options.variables = daemon().VcEnvironment();
    options.variables.push_back("TERM=xterm");
    options.columns = 100;
    options.rows = 40;
    return std::make_unique<PtyProgram>(options);
  }
  // A shell that has answered, so that every key is seen by it.
  void AwaitShell(PtyProgram& vc) {
    vc.Type("echo up-$((6*7))\r");
    ASSERT_TRUE(vc.WaitForText("up-42"));
  }
  void Expect(PtyProgram& vc, const std::string& keys, const std::string& text) {
    vc.Forget();
    vc.Type(keys);
    ASSERT_TRUE(vc.WaitForText(text));
  }
};

// One machine for what a person does one after the other.
TEST_F(TerminalTest, AShellInAGuest) {
  auto vc = OnTerminal({"run", "--id", "box", "-it", "--rootfs", image(), "--", "sh"});
  ASSERT_TRUE(vc->WaitUntilRaw(true));
  AwaitShell(*vc);
  Expect(*vc, "tty; stty size; echo $TERM\r", "/dev/pts/0\r\n40 100\r\nxterm\r\n");
  Expect(*vc, "echo console >/dev/console\r", "\r\nconsole\r\n");

  // The window.
  vc->Resize(132, 50);
  Expect(*vc, "while test \"$(stty size)\" != '50 132'; do sleep 0.05; done; echo resi''zed\r", "resized");

  // An editor, and a program that fills the screen.
  Expect(*vc, "vi /tmp/note\r", "- /tmp/note 1/1");
  Expect(*vc, "i", "I /tmp/note");
  Expect(*vc, "hello from vi", "hello from vi");
  // Alone, or the editor takes it for the beginning of a function key.
  Expect(*vc, "\x1b", "- /tmp/note [Modified]");
  Expect(*vc, ":wq\r", "/ # ");
  Expect(*vc, "cat /tmp/note\r", "hello from vi\r\n");
  Expect(*vc, "top\r", "Mem");
  Expect(*vc, "q", "# ");

  // Ctrl-C ends the command and not the shell; the code is the shell's to show.
  vc->Forget();
  // It says when it runs: until then the shell's line editor would take the key.
  Expect(*vc, "sh -c 'echo slee''ping; exec sleep 1000'\r", "sleeping");
  Expect(*vc, "\x03", "/ # ");
  Expect(*vc, "echo code $?\r", "code 130\r\n");

  // Away and back: the shell has its variables still, and the next terminal has another size.
  Expect(*vc, "mark=still-$((1+1))\r", "# ");
  vc->Type("\x10\x11");
  EXPECT_EQ(vc->Wait(), 0);
  EXPECT_TRUE(vc->SettingsAreAsBefore());
  EXPECT_THAT(vc->screen(), HasSubstr("vc attach box"));
  vc = OnTerminal({"attach", "box"});
  ASSERT_TRUE(vc->WaitUntilRaw(true));
  Expect(*vc, "echo $mark; stty size\r", "still-2\r\n40 100\r\n");

  // Another may read along, but not write.
  const auto second = OnTerminal({"attach", "box"});
  EXPECT_EQ(second->Wait(), 125);
  EXPECT_THAT(second->screen(), HasSubstr("--no-stdin"));
  auto reader = OnTerminal({"attach", "--no-stdin", "--from-start", "box"});
  EXPECT_TRUE(reader->WaitForText("still-2"));

  // An exec beside it, ended by Ctrl-C.
  auto exec = OnTerminal({"exec", "-it", "box", "--", "sleep", "1000"});
  ASSERT_TRUE(exec->WaitUntilRaw(true));
  exec->Type("\x03");
  EXPECT_EQ(exec->Wait(), 128 + SIGINT);
  EXPECT_TRUE(exec->SettingsAreAsBefore());

  vc->Type("exit 7\r");
  EXPECT_EQ(vc->Wait(), 7);
  EXPECT_TRUE(vc->SettingsAreAsBefore());
  EXPECT_EQ(reader->Wait(), 7);
  Must({"rm", "-f", "box"});
}

// The guest keeps the terminal when the daemon is killed.
TEST_F(TerminalTest, ATerminalOutlivesTheDaemon) {
  auto vc = OnTerminal({"run", "--id", "box", "-it", "--rootfs", image(), "--", "sh"});
  ASSERT_TRUE(vc->WaitUntilRaw(true));
  AwaitShell(*vc);
  daemon().Kill();
  EXPECT_EQ(vc->Wait(), 125);
  EXPECT_TRUE(vc->SettingsAreAsBefore());
  daemon().Start();
  RememberDescriptors();
  vc = OnTerminal({"attach", "box"});
  ASSERT_TRUE(vc->WaitUntilRaw(true));
  Expect(*vc, "stty size; echo back-$((40+2))\r", "back-42");
  vc->Resize(90, 30);
  Expect(*vc, "while test \"$(stty size)\" != '30 90'; do sleep 0.05; done; echo resi''zed\r", "resized");
  vc->Type("exit 3\r");
  EXPECT_EQ(vc->Wait(), 3);
  Must({"rm", "-f", "box"});
}

// More than every buffer on the way, in both directions, unspoilt.
TEST_F(TerminalTest, MuchDataPassesWhole) {
  RunDetached("box", {"sleep", "1000"});
  const std::string count = "16777216";
  const std::string sum =
      Trimmed(Exec("box", {"sh", "-c", "head -c " + count + " /dev/zero | tr '\\0' v | sha256sum"}).out);
  const ProgramResult result = Exec("box", {"sh", "-c", "head -c " + count + " /dev/zero | tr '\\0' v"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(std::to_string(result.out.size()), count);
  EXPECT_EQ(result.out.find_first_not_of('v'), std::string::npos);
  EXPECT_EQ(Trimmed(Exec("box", {"sha256sum"}, {"-i"}, result.out).out), sum);
  Must({"rm", "-f", "box"});
}

}  // namespace
}  // namespace vcd
