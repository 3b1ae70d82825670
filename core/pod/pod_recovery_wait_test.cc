// SPDX-License-Identifier: Apache-2.0
// What comes for a pod while a restarted daemon does not know yet what runs in it.
#include <signal.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/os/file_lock.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const ProcessKey kMain{"main", ""};

class PodRecoveryWaitTest : public PodRuntimeTest {
 protected:
  // A daemon that cannot begin to reconcile `web` until Release: somebody else has its lock file.
  void RestartHeldUp() {
    runtime_.reset();
    absl::StatusOr<FileLock> lock =
        FileLock::Acquire(options_.run_dir + "/pods/web/lock", FileLockMode::kExclusive, /*nonblocking=*/true);
    ASSERT_TRUE(lock.ok()) << lock.status();
    held_up_.emplace(*std::move(lock));
    BeginRestart();
  }
  void Release() {
    held_up_.reset();
    runtime_->WaitReconciled();
  }

  static Completion<bool> Begin(const std::function<void(PodRuntime::DoneCallback)>& call) {
    const Completion<bool> completion;
    call([completion](const absl::Status& status) {
      completion.Set(status.ok() ? absl::StatusOr<bool>(true) : absl::StatusOr<bool>(status));
    });
    return completion;
  }
  // By a signal that does not end it, so that it may come before or after other calls.
  Completion<bool> BeginKill(const MutationOptions& options = Soon()) {
    return Begin([&](auto done) { runtime_->Signal("web", kMain, SIGUSR1, false, options, done); });
  }
  static absl::Status StatusOf(const Completion<bool>& completion) {
    return completion.Wait({Soon().deadline, nullptr}, "the answer").status();
  }

  std::optional<FileLock> held_up_;
};

TEST_F(PodRecoveryWaitTest, WhatIsForAProcessWaitsAndGoesOn) {
  v1::PodConfig config = Config("web");
  config.mutable_containers(0)->mutable_cmd()->set_terminal(true);
  config.mutable_containers(0)->mutable_cmd()->set_interactive(true);
  ASSERT_TRUE(Run(config).ok());
  ASSERT_NO_FATAL_FAILURE(RestartHeldUp());
  v1::TerminalSize size;
  size.set_columns(80);
  size.set_rows(24);
  const Completion<bool> resized =
      Begin([&](auto done) { runtime_->ResizeTerminal("web", kMain, size, Soon(), done); });
  const Completion<bool> closed = Begin([&](auto done) { runtime_->CloseInput("web", kMain, Soon().deadline, done); });
  const Completion<bool> attached = Begin([&](auto done) {
    runtime_->AwaitRecovery("web", Soon().deadline, [this, done](const absl::Status& known) {
      done(known.ok() ? runtime_->Attach("web", kMain, OutputStart::kNow).status() : known);
    });
  });
  const Completion<bool> killed = BeginKill();
  // Nobody who only reads waits.
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(runtime_->ListPods().size(), 1u);
  EXPECT_TRUE(runtime_->ListExecs("web", "").ok());
  for (const Completion<bool>& call : {resized, closed, attached, killed}) EXPECT_FALSE(call.done());
  EXPECT_THAT(agent().calls(), Not(Contains(StartsWith("Signal"))));
  Release();
  for (const Completion<bool>& call : {resized, closed, attached, killed}) {
    const absl::Status status = StatusOf(call);
    EXPECT_TRUE(status.ok()) << status;
  }
  EXPECT_THAT(agent().calls(), Contains("Signal web main 10"));
}

TEST_F(PodRecoveryWaitTest, ADeadlineThatEndsFirstSaysWhatWasWaitedFor) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_NO_FATAL_FAILURE(RestartHeldUp());
  const Completion<bool> patient = BeginKill();
  const absl::Status status = StatusOf(BeginKill({absl::Now(), ""}));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_AGENT_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod web: vcd was restarted and still asks the guest"));
  EXPECT_FALSE(patient.done());
  // Who did not wait is told the same, and never that there is no such process.
  EXPECT_EQ(runtime_->OpenInput("web", kMain).status().code(), absl::StatusCode::kUnavailable);
  Release();
  EXPECT_TRUE(StatusOf(patient).ok());
}

TEST_F(PodRecoveryWaitTest, ARequestThatWaitsIsOneWithItsRepetition) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_NO_FATAL_FAILURE(RestartHeldUp());
  const Completion<bool> first = BeginKill(Soon("r1"));
  const Completion<bool> second = BeginKill(Soon("r1"));
  Release();
  EXPECT_TRUE(StatusOf(first).ok());
  EXPECT_TRUE(StatusOf(second).ok());
  const std::vector<std::string> calls = agent().calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "Signal web main 10"), 1);
}

TEST_F(PodRecoveryWaitTest, APodThatIsGoneAfterwardsIsToldSo) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_NO_FATAL_FAILURE(RestartHeldUp());
  ASSERT_TRUE(hypervisor().Crash("web", "gone"));
  const Completion<bool> killed = BeginKill();
  Release();
  EXPECT_EQ(ReasonOf(StatusOf(killed)), v1::ERROR_REASON_WRONG_STATE);
}

TEST_F(PodRecoveryWaitTest, ForceDoesNotWaitForAMachineOrGuestThatHangs) {
  for (const bool deletes : {false, true}) {
    for (const char* step : {"Adopt", "Connect"}) {
      SCOPED_TRACE(step);
      const bool of_agent = step == std::string("Connect");
      ASSERT_TRUE(Run(Config("web")).ok());
      runtime_.reset();
      of_agent ? agent().HangNth(step, 1) : hypervisor().HangNth(step, 1);
      ASSERT_NO_FATAL_FAILURE(BeginRestart());
      ASSERT_TRUE(of_agent ? agent().WaitUntilHanging(step) : hypervisor().WaitUntilHanging(step));
      const Completion<bool> killed = BeginKill();
      const absl::Status forced =
          deletes ? Delete("web", /*force=*/true).status() : Stop("web", /*force=*/true).status();
      EXPECT_TRUE(forced.ok()) << forced;
      const absl::Status status = StatusOf(killed);
      EXPECT_TRUE(absl::IsFailedPrecondition(status) || absl::IsNotFound(status)) << status;
      runtime_->WaitReconciled();
      const absl::Status gone = Delete("web").status();
      EXPECT_TRUE(gone.ok() || absl::IsNotFound(gone)) << gone;
      ExpectNothingLeft();
    }
  }
}

TEST_F(PodRecoveryWaitTest, ForceThatComesBeforeTheReconciliationEndsTheWait) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_NO_FATAL_FAILURE(RestartHeldUp());
  const Completion<bool> killed = BeginKill();
  const Completion<bool> stopped = Begin([&](auto done) {
    runtime_->StopPod("web", {.force = true}, Soon(),
                      [done](const absl::StatusOr<v1::Pod>& pod) { done(pod.status()); });
  });
  EXPECT_EQ(ReasonOf(StatusOf(killed)), v1::ERROR_REASON_PREEMPTED);
  Release();
  const absl::Status status = StatusOf(stopped);
  EXPECT_TRUE(status.ok()) << status;
  // It is known what runs in it: nothing does.
  EXPECT_EQ(ReasonOf(Kill("web", SIGTERM)), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

TEST_F(PodRecoveryWaitTest, TheDaemonsEndEndsTheWait) {
  for (const bool hangs : {false, true}) {
    SCOPED_TRACE(hangs);
    ASSERT_TRUE(Run(Config("web")).ok());
    if (hangs) {
      runtime_.reset();
      agent().HangNth("Connect", 1);
      ASSERT_NO_FATAL_FAILURE(BeginRestart());
      ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
    } else {
      ASSERT_NO_FATAL_FAILURE(RestartHeldUp());
    }
    const Completion<bool> killed = BeginKill();
    runtime_.reset();
    ASSERT_TRUE(killed.done());
    EXPECT_THAT(std::string(StatusOf(killed).message()), HasSubstr("vcd is shutting down"));
    held_up_.reset();
    Restart();
    EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
    ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  }
}

}  // namespace
}  // namespace vcd
