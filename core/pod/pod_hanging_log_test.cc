// SPDX-License-Identifier: Apache-2.0
// Pods of which a container's log cannot be written, because its disk does not answer.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/pod/testing/hanging_log_disk.h"
#include "core/pod/testing/pod_runtime_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

class PodHangingLogTest : public PodRuntimeTest {
 protected:
  PodHangingLogTest() {
    runtime_.reset();
    options_.log_disk = &disk_;
    options_.log_patience = absl::Milliseconds(1);
    Restart();
  }
  ~PodHangingLogTest() override {
    disk_.AnswerAll();
    follower_.reset();
    runtime_.reset();
  }

  // Two containers; the log of `main` has "first", and hangs in the middle of "stuck".
  void RunWithHungLog(const std::string& id) {
    v1::PodConfig config = Config(id);
    *config.add_containers() = config.containers(0);
    config.mutable_containers(1)->set_id("second");
    const absl::StatusOr<v1::Pod> pod = Run(config);
    ASSERT_TRUE(pod.ok()) << pod.status();
    ASSERT_TRUE(agent().Print(id, {"main", ""}, StdStream::kStdout, "first\n"));
    follower_ = ReadLog(id, "main", /*follow=*/true);
    ASSERT_EQ(NextWords(*follower_), "first\n");
    disk_.Hang(HungLog(id));
    ASSERT_TRUE(agent().Print(id, {"main", ""}, StdStream::kStdout, "stuck\n"));
    disk_.AwaitHanging(1);
  }

  static std::string HungLog(const std::string& id) { return "/" + id + "/logs/main.log"; }

  std::unique_ptr<OutputReader> ReadLog(const std::string& id, const std::string& container_id, bool follow = false) {
    return *runtime_->ReadLogs(id, container_id, {follow, std::nullopt, std::nullopt});
  }

  std::string NextWords(OutputReader& reader) {
    const auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { reader.Next(done); });
    EXPECT_TRUE(chunk.ok()) << chunk.status();
    if (!chunk.ok() || !chunk->has_value()) return "";
    return (*chunk)->lost_bytes != 0 ? "lost" : (*chunk)->data;
  }

  HangingLogDisk disk_;
  std::unique_ptr<OutputReader> follower_;  // Has read "first".
};

TEST_F(PodHangingLogTest, NothingElseOfThePodWaits) {
  ASSERT_NO_FATAL_FAILURE(RunWithHungLog("web"));
  auto second = ReadLog("web", "second", /*follow=*/true);
  ASSERT_TRUE(agent().Print("web", {"second", ""}, StdStream::kStdout, "goes on\n"));
  EXPECT_EQ(NextWords(*second), "goes on\n");
  EXPECT_TRUE(Exec("web", {"print", "a", "b"}).ok());
  EXPECT_TRUE(ContainerStats("web").ok());
  EXPECT_TRUE(Pause("web").ok());
  EXPECT_TRUE(Resume("web").ok());
  EXPECT_TRUE(Run(Config("other")).ok());
  EXPECT_TRUE(Kill("web", 9).ok());
  EXPECT_EQ(Wait("web")->code(), 137) << "its end is told, though its log says nothing of it";
  disk_.AnswerAll();
  EXPECT_EQ(NextWords(*follower_), "stuck\n");
}

TEST_F(PodHangingLogTest, StopsAndIsDeletedWithoutAndWithForce) {
  for (const bool force : {false, true}) {
    SCOPED_TRACE(force);
    const std::string id = force ? "forced" : "orderly";
    ASSERT_NO_FATAL_FAILURE(RunWithHungLog(id));
    const absl::StatusOr<v1::Pod> stopped = Stop(id, force);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->state(), v1::POD_STATE_STOPPED);
    const auto released = Delete(id, force);
    ASSERT_TRUE(released.ok()) << released.status();
    EXPECT_EQ(NextWords(*follower_), "lost") << "it is told that something is missing";
    EXPECT_EQ(NextWords(*follower_), "");
    disk_.AnswerAll();
  }
  ExpectNothingLeft();
}

TEST_F(PodHangingLogTest, RunningPodIsDeletedByForce) {
  ASSERT_NO_FATAL_FAILURE(RunWithHungLog("web"));
  const auto released = Delete("web", /*force=*/true);
  ASSERT_TRUE(released.ok()) << released.status();
  ExpectNothingLeft();
  disk_.AnswerAll();
  // Another of its name has a log of its own.
  const absl::StatusOr<v1::Pod> again = Run(Config("web"));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(agent().Print("web", {"main", ""}, StdStream::kStdout, "new\n"));
  EXPECT_EQ(NextWords(*ReadLog("web", "main", /*follow=*/true)), "new\n");
}

TEST_F(PodHangingLogTest, ContainerIsDeletedAndMadeAnewOnceItsLogAnswers) {
  ASSERT_NO_FATAL_FAILURE(RunWithHungLog("web"));
  ASSERT_TRUE(DeleteContainer("web", "main", "", /*force=*/true).ok());
  disk_.AnswerAll();
  ASSERT_TRUE(CreateContainer("web", Config("web").containers(0)).ok());
  ASSERT_TRUE(StartContainer("web", "main").ok());
  ASSERT_TRUE(agent().Print("web", {"main", ""}, StdStream::kStdout, "new\n"));
  EXPECT_EQ(NextWords(*ReadLog("web", "main", /*follow=*/true)), "new\n");
}

TEST_F(PodHangingLogTest, ContainerStartsAgainBehindWhatItPrintedLast) {
  ASSERT_NO_FATAL_FAILURE(RunWithHungLog("web"));
  ASSERT_TRUE(StopContainer("web", "main").ok());
  disk_.AnswerAll();
  ASSERT_TRUE(StartContainer("web", "main").ok());
  ASSERT_TRUE(agent().Print("web", {"main", ""}, StdStream::kStdout, "again\n"));
  auto log = ReadLog("web", "main", /*follow=*/true);
  EXPECT_EQ(NextWords(*log), "first\n");
  EXPECT_EQ(NextWords(*log), "stuck\n");
  EXPECT_EQ(NextWords(*log), "again\n");
}

TEST_F(PodHangingLogTest, NextDaemonHasAllOnceTheLogAnswers) {
  ASSERT_NO_FATAL_FAILURE(RunWithHungLog("web"));
  agent().Print("web", {"main", ""}, StdStream::kStdout, "and more\n");
  disk_.AnswerAll();
  options_.log_patience = absl::Seconds(30);
  Restart();
  auto log = ReadLog("web", "main", /*follow=*/true);
  std::string text;
  while (text.size() < 21) text += NextWords(*log);
  EXPECT_EQ(text, "first\nstuck\nand more\n");
}

TEST_F(PodHangingLogTest, LogThatDoesNotOpenCostsNoPodAtARestart) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  disk_.Hang(HungLog("web"));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  EXPECT_TRUE(ContainerStats("web").ok());
  EXPECT_TRUE(Kill("web", 9).ok());
  EXPECT_EQ(Wait("web")->code(), 137);
}

}  // namespace
}  // namespace vcd
