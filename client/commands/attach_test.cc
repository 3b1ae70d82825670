// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class AttachCommandTest : public ::testing::Test {
 protected:
  void AddPod(bool interactive) {
    v1::Pod pod;
    pod.set_id("web");
    pod.set_state(v1::POD_STATE_RUNNING);
    v1::Container* container = pod.add_containers();
    container->set_id("main");
    v1::ContainerConfig* config = container->mutable_config();
    config->set_id("main");
    config->mutable_cmd()->set_interactive(interactive);
    server_.AddPod(pod);
    FakeProcess process;
    process.output = {{v1::OUTPUT_STREAM_STDOUT, "out\n"}};
    process.echoes_stdin = interactive;
    process.exit_status.set_code(3);
    server_.SetProcess(process);
  }

  FakeServer server_;
};

TEST_F(AttachCommandTest, PassesInputOnAndEndsWithTheProcess) {
  AddPod(/*interactive=*/true);
  RunOptions options;
  options.stdin_text = "typed\x10\x11\n";  // Keys only on a terminal.
  const RunResult result = RunVc(server_, {"attach", "web"}, options);
  EXPECT_EQ(result.exit_status, 3);
  EXPECT_EQ(result.out, "out\ntyped\x10\x11\n");
  EXPECT_THAT(server_.calls(), Contains(AllOf(HasSubstr("Attach"), HasSubstr("stdin: true"))));
  EXPECT_THAT(server_.calls(), Not(Contains(HasSubstr("from_start"))));
}

TEST_F(AttachCommandTest, ReadsAlong) {
  AddPod(/*interactive=*/false);
  const RunResult result = RunVc(server_, {"attach", "--no-stdin", "--from-start", "web"});
  EXPECT_EQ(result.exit_status, 3);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_THAT(server_.calls(), Contains(AllOf(HasSubstr("Attach"), HasSubstr("from_start: true"))));
  EXPECT_THAT(server_.calls(), Not(Contains(HasSubstr("stdin: true"))));
}

TEST_F(AttachCommandTest, SaysWhatIsWrong) {
  RunResult result = RunVc(server_, {"attach", "none"});
  EXPECT_EQ(result.exit_status, 125);
  EXPECT_THAT(result.err, HasSubstr("vc: attach none: "));
  AddPod(/*interactive=*/false);
  result = RunVc(server_, {"attach", "--detach-keys", "ctrl-1", "web"});
  EXPECT_EQ(result.exit_status, 125);
  EXPECT_THAT(result.err, HasSubstr("\"ctrl-1\" is no key"));
}

TEST_F(AttachCommandTest, ATerminalNeedsOneOfOurs) {
  for (const char* verb : {"run", "exec"}) {
    const RunResult result =
        RunVc(server_, verb == std::string("run") ? std::vector<std::string>{"run", "-it", "--", "sh"}
                                                  : std::vector<std::string>{"exec", "-it", "web", "--", "sh"});
    EXPECT_EQ(result.exit_status, 125);
    EXPECT_THAT(result.err, HasSubstr("-t: standard input is no terminal"));
  }
  EXPECT_THAT(server_.calls(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace vcd::client
