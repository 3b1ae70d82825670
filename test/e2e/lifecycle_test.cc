// SPDX-License-Identifier: Apache-2.0
// The life of a pod from its creation to its deletion, and how it is shown.
#include <string>

#include "absl/strings/str_cat.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using LifecycleTest = E2eTest;

TEST_F(LifecycleTest, CreatedPodIsHeldStartedStoppedAndStartedAnew) {
  // Before its start the first process has not run; each start begins with a fresh overlay.
  EXPECT_EQ(
      Must({"create", "--id", "web", "--rootfs", image(), "--", "sh", "-c",
            "trap 'exit 3' TERM; test ! -e /tmp/mark && echo started; echo mark > /tmp/mark; while true; do sleep 0.1; "
            "done"}),
      "web\n");
  v1::Pod pod = daemon().GetPod("web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_READY);
  EXPECT_GT(pod.vm().pid(), 0);
  EXPECT_EQ(Must({"logs", "web"}), "");

  EXPECT_EQ(Must({"start", "web"}), "web\n");
  EXPECT_EQ(daemon().GetPod("web").state(), v1::POD_STATE_RUNNING);
  EXPECT_TRUE(daemon().StartVc({"logs", "-f", "web"})->WaitForOutput("started\n"));
  const ProgramResult again = Vc({"start", "web"});
  EXPECT_THAT(again, ExitsWith(1));
  EXPECT_THAT(again.err, AllOf(HasSubstr("web"), HasSubstr("running")));

  // SIGTERM is enough for this one.
  EXPECT_EQ(Must({"stop", "web"}), "web\n");
  pod = daemon().GetPod("web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_STOPPED) << pod.reason();
  EXPECT_EQ(pod.vm().pid(), 0);
  EXPECT_EQ(pod.containers(0).exit_status().code(), 3);
  EXPECT_EQ(Must({"ps", "-q"}), "");
  EXPECT_EQ(Must({"ps", "-a", "-q"}), "web\n");
  Must({"stop", "web"});

  Must({"start", "web"});
  EXPECT_EQ(daemon().GetPod("web").state(), v1::POD_STATE_RUNNING);
  EXPECT_TRUE(daemon().StartVc({"logs", "-f", "web"})->WaitForOutput("started\n")) << "the overlay was kept";
  EXPECT_EQ(Trimmed(Exec("web", {"uname", "-n"}).out), "web");

  EXPECT_THAT(Vc({"rm", "web"}), ExitsWith(1)) << "a running pod is deleted by force only";
  EXPECT_EQ(Must({"stop", "-f", "web"}), "web\n");
  EXPECT_EQ(Must({"rm", "web"}), "web\n");
  const ProgramResult gone = Vc({"rm", "web"});
  EXPECT_THAT(gone, ExitsWith(1));
  EXPECT_THAT(gone.err, HasSubstr("web"));
}

TEST_F(LifecycleTest, RunningPodIsShownInEveryFormat) {
  RunDetached("shown", {"sleep", "1000"});
  const v1::Pod pod = daemon().GetPod("shown");
  EXPECT_FALSE(pod.vm().guest_kernel().empty());
  EXPECT_FALSE(pod.vm().agent_version().empty());

  EXPECT_THAT(Must({"ps"}), AllOf(HasSubstr("POD"), HasSubstr("shown"), HasSubstr("running"), HasSubstr("1/1")));
  EXPECT_THAT(Must({"ps", "-o", "json"}), AllOf(HasSubstr("\"shown\""), HasSubstr("POD_STATE_RUNNING")));
  EXPECT_THAT(Must({"ps", "-o", "yaml"}), HasSubstr("id: shown"));
  EXPECT_EQ(Must({"ps", "-o", "name"}), "shown\n");
  EXPECT_EQ(Must({"ps", "--filter", "state=stopped", "-q"}), "");

  const std::string pid = absl::StrCat(pod.vm().pid());
  EXPECT_THAT(Must({"inspect", "shown"}), AllOf(HasSubstr(pid), HasSubstr(pod.vm().guest_kernel())));
  EXPECT_THAT(Must({"inspect", "-o", "yaml", "shown"}), AllOf(HasSubstr("id: shown"), HasSubstr(pid)));
  EXPECT_THAT(Must({"inspect", "-o", "table", "shown"}), HasSubstr("running"));
  EXPECT_EQ(Must({"inspect", "-o", "name", "shown"}), "shown\n");

  // One host process a pod: an image needs no helper.
  EXPECT_EQ(FindProcesses(daemon().run_dir() + "/pods/shown").size(), 1u);

  const ProgramResult taken = Vc({"run", "-d", "--id", "shown", "--rootfs", image(), "--", "true"});
  EXPECT_THAT(taken, ExitsWith(125));
  EXPECT_THAT(taken.err, AllOf(HasSubstr("shown"), Not(HasSubstr("made up"))));

  Must({"pause", "shown"});
  EXPECT_EQ(daemon().GetPod("shown").state(), v1::POD_STATE_PAUSED);
  Must({"resume", "shown"});
  EXPECT_THAT(Exec("shown", {"true"}), ExitsWith(0));
  Must({"rm", "-f", "shown"});
}

TEST_F(LifecycleTest, InterruptedRunDeletesItsPod) {
  const auto run = daemon().StartVc({"run", "--rm", "--id", "brief", "--rootfs", image(), "--", "sh", "-c",
                                     "trap 'echo bye; exit 9' TERM; echo up; while true; do sleep 0.1; done"});
  EXPECT_TRUE(run->WaitForOutput("up\n"));
  run->Signal(15);
  const ProgramResult result = run->Finish();
  EXPECT_THAT(result, ExitsWith(9));
  EXPECT_EQ(result.out, "up\nbye\n");
}

}  // namespace
}  // namespace vcd
