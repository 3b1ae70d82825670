// SPDX-License-Identifier: Apache-2.0
// Connections to ports of guests: begun, used, given back, and left over by a daemon that ended.
#include <signal.h>

#include <algorithm>
#include <thread>

#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class PortForwardTest : public PodRuntimeTest {
 protected:
  absl::Status Say(const ProcessKey& key, const std::string& words, bool close) {
    auto writer = runtime_->OpenInput("web", key);
    if (!writer.ok()) return writer.status();
    return AwaitDone([&](auto done) { (*writer)->Write(words, close, done); });
  }
  // All that it says.
  std::string Listen(const ProcessKey& key) {
    auto reader = runtime_->Attach("web", key, OutputStart::kBeginning);
    if (!reader.ok()) return std::string(reader.status().message());
    std::string all;
    while (true) {
      const auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { (*reader)->Next(done); });
      if (!chunk.ok() || !chunk->has_value()) return all;
      all += (**chunk).data;
    }
  }
  absl::StatusOr<v1::ExitStatus> End(const ProcessKey& key) {
    std::unique_ptr<PodRuntime::WaitHandle> handle;
    return Await<v1::ExitStatus>([&](auto done) { handle = runtime_->Wait("web", key, done); });
  }
  size_t DialsInGuest() {
    const auto processes = agent().Guest("web")->Processes();
    return static_cast<size_t>(std::count_if(processes.begin(), processes.end(),
                                             [](const auto& each) { return each.process.key.container_id.empty(); }));
  }
  // Forgotten in the guest is what the daemon forgets next.
  void AwaitDials(size_t count) {
    const absl::Time limit = absl::Now() + absl::Seconds(30);
    while (DialsInGuest() != count && absl::Now() < limit) std::this_thread::yield();
    EXPECT_EQ(DialsInGuest(), count) << testing::PrintToString(agent().calls());
  }
};

TEST_F(PortForwardTest, BytesGoBothWaysUntilBothHaveEnded) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::StatusOr<ProcessKey> key = PortForward("web", 80);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(Say(*key, "hello", false), absl::OkStatus());
  EXPECT_EQ(Say(*key, ", there", true), absl::OkStatus());
  EXPECT_EQ(Listen(*key), "hello, there");
  const absl::StatusOr<v1::ExitStatus> end = End(*key);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->code(), 0);
  const auto execs = runtime_->ListExecs("web", "");
  ASSERT_TRUE(execs.ok()) << execs.status();
  EXPECT_THAT(*execs, IsEmpty()) << "nobody started it by Exec";
  EXPECT_EQ(DialsInGuest(), 1u) << "its caller may still ask";
  runtime_->EndPortForward("web", *key);
  AwaitDials(0);
}

TEST_F(PortForwardTest, CallerThatGoesEndsIt) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::StatusOr<ProcessKey> key = PortForward("web", 80);
  const absl::StatusOr<ProcessKey> other = PortForward("web", 80);
  ASSERT_TRUE(key.ok() && other.ok());
  runtime_->EndPortForward("web", *key);
  AwaitDials(1);
  EXPECT_EQ(Say(*other, "still there", true), absl::OkStatus());
  EXPECT_EQ(Listen(*other), "still there");
  runtime_->EndPortForward("web", *other);
  runtime_->EndPortForward("web", *other);
  AwaitDials(0);
}

TEST_F(PortForwardTest, RefusalsSayWhy) {
  ASSERT_TRUE(Create(Config("web")).ok());
  EXPECT_EQ(ReasonOf(PortForward("web", 80).status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(ReasonOf(PortForward("nope", 80).status()), v1::ERROR_REASON_POD_NOT_FOUND);
  ASSERT_TRUE(Start("web").ok());
  agent().FailNth("ExecDial", 1,
                  WithDetail(absl::UnavailableError("port 81: refused"), {v1::ERROR_REASON_CONNECTION_REFUSED, {}}));
  const absl::Status refused = PortForward("web", 81).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_CONNECTION_REFUSED);
  EXPECT_THAT(refused.message(), HasSubstr("pod web: port 81"));
  agent().FailNth("ExecDial", 1, absl::ResourceExhaustedError("port 82: the pod has 96 forwarded connections"));
  const absl::Status full = PortForward("web", 82).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(full.message(), "pod web: port 82: the pod has 96 forwarded connections");
  AwaitDials(0);
  agent().FailNth("ExecDial", 1, absl::UnimplementedError("it cannot"));
  EXPECT_EQ(ReasonOf(PortForward("web", 80).status()), v1::ERROR_REASON_NOT_IMPLEMENTED);
}

TEST_F(PortForwardTest, TheNextDaemonEndsWhatIsLeft) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::StatusOr<ProcessKey> living = PortForward("web", 80);
  const absl::StatusOr<ProcessKey> ended = PortForward("web", 80);
  ASSERT_TRUE(living.ok() && ended.ok());
  ASSERT_EQ(Say(*ended, "", true), absl::OkStatus());
  ASSERT_TRUE(End(*ended).ok());
  ASSERT_EQ(DialsInGuest(), 2u);
  Restart();
  AwaitDials(0);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
}

TEST_F(PortForwardTest, APausedPodEndsItWhenItGoesOn) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::StatusOr<ProcessKey> key = PortForward("web", 80);
  ASSERT_TRUE(key.ok()) << key.status();
  ASSERT_TRUE(Pause("web").ok());
  runtime_->EndPortForward("web", *key);
  EXPECT_EQ(ReasonOf(PortForward("web", 80).status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(DialsInGuest(), 1u);
  ASSERT_TRUE(Resume("web").ok());
  AwaitDials(0);
}

TEST_F(PortForwardTest, StoppingThePodEndsIt) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::StatusOr<ProcessKey> key = PortForward("web", 80);
  ASSERT_TRUE(key.ok()) << key.status();
  auto reader = runtime_->Attach("web", *key, OutputStart::kBeginning);
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_TRUE(Stop("web").ok());
  const auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { (*reader)->Next(done); });
  EXPECT_TRUE(chunk.ok() && !chunk->has_value()) << "the end";
  const absl::Status gone = End(*key).status();
  EXPECT_TRUE(absl::IsNotFound(gone)) << gone;
  EXPECT_THAT(gone.message(), HasSubstr("stopped meanwhile"));
  runtime_->EndPortForward("web", *key);
}

}  // namespace
}  // namespace vcd
