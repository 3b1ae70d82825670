// SPDX-License-Identifier: Apache-2.0
// What agents promise of limits, and of what is used.
#include <signal.h>

#include "core/agent/testing/agent_contract.h"
#include "core/model/container_limits.h"
#include "gmock/gmock.h"

namespace vcd {

TEST_P(AgentContractTest, ListsTheProcessesOfAContainer) {
  if (!RunsProcesses()) {
    EXPECT_EQ(session().ListProcesses("c1", context_).status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  EXPECT_EQ(session().ListProcesses("c1", context_).status().code(), absl::StatusCode::kNotFound);
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(Run("c2", guest_->RunForever()), absl::OkStatus());
  const absl::StatusOr<int32_t> exec = session().Exec(kSecond, guest_->Cat(), context_);
  ASSERT_TRUE(exec.ok()) << exec.status();
  const absl::StatusOr<std::vector<v1::ProcessInfo>> list = session().ListProcesses("c1", context_);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 2u);
  for (const v1::ProcessInfo& info : *list) {
    EXPECT_GT(info.pid(), 0);
    EXPECT_EQ(info.user(), "root");
    EXPECT_GE(info.threads(), 1u);
    EXPECT_EQ(info.process_id(), info.pid() == *exec ? "p1" : "");
    EXPECT_THAT(info.args(0), ::testing::HasSubstr(info.pid() == *exec ? "cat" : "sleep"));
  }
}

TEST_P(AgentContractTest, TellsWhatIsUsed) {
  if (!RunsProcesses()) {
    EXPECT_EQ(session().GetUsage("", context_).status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(Run("c2", guest_->RunForever()), absl::OkStatus());
  const absl::StatusOr<GuestUsage> all = session().GetUsage("", context_);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_GT(all->guest.memory_total_bytes(), all->guest.memory_available_bytes());
  ASSERT_EQ(all->containers.size(), 2u);
  const absl::StatusOr<GuestUsage> one = session().GetUsage("c2", context_);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_EQ(one->containers.size(), 1u);
  EXPECT_EQ(one->containers[0].container_id(), "c2");
  EXPECT_GT(one->containers[0].time().seconds(), 0);
  if (guest_->HasLimits()) {
    EXPECT_GT(one->containers[0].memory_usage_bytes(), 0u);
    EXPECT_EQ(one->containers[0].pids(), 1u);
    EXPECT_EQ(one->containers[0].memory_limit_bytes(), 0u);
  }
  EXPECT_EQ(session().GetUsage("c3", context_).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(AgentContractTest, LimitsHoldFromTheStartAndChangeTogetherOrNotAtAll) {
  if (!RunsProcesses()) return;
  GuestContainerSpec spec = guest_->Container("c1", guest_->RunForever());
  spec.config.mutable_resources()->set_memory_limit_bytes(64 << 20);
  spec.config.mutable_resources()->set_pids_limit(50);
  const absl::Status created = session().CreateContainer(spec, context_).status();
  if (!guest_->HasLimits()) {
    EXPECT_FALSE(created.ok()) << "a limit that cannot be had must not be dropped in silence";
    EXPECT_THAT(std::string(created.message()), ::testing::HasSubstr("controllers"));
    return;
  }
  ASSERT_EQ(created, absl::OkStatus());
  const auto limits = [&] {
    const absl::StatusOr<GuestUsage> usage = session().GetUsage("c1", context_);
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.ok() ? std::make_pair(usage->containers[0].memory_limit_bytes(), usage->containers[0].pids_limit())
                      : std::make_pair(uint64_t{0}, uint64_t{0});
  };
  EXPECT_EQ(limits(), std::make_pair(uint64_t{64 << 20}, uint64_t{50}));

  v1::ContainerResources change;
  change.set_pids_limit(-1);
  EXPECT_EQ(session().UpdateResources("c1", change, ChangedResources(spec.config.resources(), change), context_),
            absl::OkStatus());
  EXPECT_EQ(limits(), std::make_pair(uint64_t{64 << 20}, uint64_t{0})) << "what is not named stays";

  change.set_memory_limit_bytes(32 << 20);
  (*change.mutable_unified())["nosuch.limit"] = "1";
  const absl::Status refused =
      session().UpdateResources("c1", change, ChangedResources(spec.config.resources(), change), context_);
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("nosuch.limit"));
  EXPECT_EQ(limits(), std::make_pair(uint64_t{64 << 20}, uint64_t{0}));
  EXPECT_EQ(session().UpdateResources("c2", {}, {}, context_).code(), absl::StatusCode::kNotFound);
}

TEST_P(AgentContractTest, TellsProcessesApartThatWereEndedForWantOfMemory) {
  if (!RunsProcesses() || guest_->Hog().args().empty()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_TRUE(session().Exec(kSecond, guest_->Hog(), context_).ok());
  const std::optional<v1::ExitStatus> hog = observer_->WaitForExit(kSecond);
  ASSERT_TRUE(hog.has_value());
  EXPECT_EQ(hog->code(), 128 + SIGKILL);
  EXPECT_EQ(hog->signal(), SIGKILL);
  EXPECT_TRUE(hog->oom_killed());
  EXPECT_EQ(observer_->WaitForOutOfMemory("c1"), 1u);
  EXPECT_EQ(session().GetUsage("c1", context_)->containers[0].oom_kills(), 1u);
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  const std::optional<v1::ExitStatus> killed = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(killed.has_value());
  EXPECT_FALSE(killed->oom_killed());
}

}  // namespace vcd
