// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kMib = 1 << 20;

// A machine of 128 MiB and one vCPU that can have 1024 MiB and three.
class QemuSizeTest : public testing::Test {
 protected:
  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

  static json Cpu(int core, bool plugged) {
    json cpu = {{"type", "max-x86_64-cpu"}, {"vcpus-count", 1}};
    cpu["props"] = {{"core-id", core}, {"thread-id", 0}, {"socket-id", 0}, {"node-id", 0}};
    if (plugged) cpu["qom-path"] = absl::StrCat("/machine/unattached/device[", core, "]");
    return cpu;
  }

  // What QEMU answers next when asked for its vCPUs, and for its memory.
  void HasCpus(int plugged) {
    peer_.Return("query-hotpluggable-cpus", json::array({Cpu(2, plugged > 2), Cpu(1, plugged > 1), Cpu(0, true)}));
  }
  void HasMemory(uint64_t more_mib) {
    peer_.Return("query-memory-devices",
                 json::array({{{"type", "virtio-mem"}, {"data", {{"id", "memory0"}, {"size", more_mib * kMib}}}}}));
  }

  void Read(const GuestMemory& memory = {}) {
    HasCpus(1);
    peer_.Return("query-memdev", json::array({{{"id", "mem"}, {"share", memory.shared}}}));
    peer_.Return("query-memory-size-summary", {{"base-memory", 128 * kMib}, {"plugged-memory", 0}});
    peer_.Return("query-memory-devices", json::array());
    peer_.Return("query-memory-devices", json::array());
    auto size = QemuSize::Read(*qmp_, {"q35", {false, memory.huge_pages, memory.prealloc}, 1024}, Soon());
    ASSERT_TRUE(size.ok()) << size.status();
    size_ = *std::move(size);
  }

  VmSize Recorded() {
    state::v1::VirtualMachine record;
    size_->WriteTo(&record);
    return {record.vcpus(), record.memory_mib()};
  }

  int Times(const std::string& command) {
    const std::vector<std::string> commands = peer_.commands();
    return static_cast<int>(std::count(commands.begin(), commands.end(), command));
  }

  IoThread io_;
  ScriptedQmpPeer peer_;
  std::unique_ptr<QmpClient> qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
  std::unique_ptr<QemuSize> size_;
};

TEST_F(QemuSizeTest, KnowsWhatTheMachineHas) {
  Read();
  EXPECT_EQ(Recorded().vcpus, 1u);
  EXPECT_EQ(Recorded().memory_mib, 128u);
}

TEST_F(QemuSizeTest, AskedForNothingNewItDoesNothing) {
  Read();
  const size_t before = peer_.commands().size();
  const auto size = size_->Resize({1, 128}, Soon());
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->memory_mib, 128u);
  EXPECT_TRUE(size_->Resize({}, Soon()).ok());
  EXPECT_EQ(peer_.commands().size(), before);
}

TEST_F(QemuSizeTest, PlugsTheLowestVcpusInAndNeverOut) {
  Read();
  HasCpus(1);
  auto size = size_->Resize({2, 0}, Soon());
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->vcpus, 2u);
  const json device = peer_.arguments("device_add");
  EXPECT_EQ(device["driver"], "max-x86_64-cpu");
  EXPECT_EQ(device["core-id"], 1);
  EXPECT_EQ(device["id"], "cpu-1");
  size = size_->Resize({1, 0}, Soon());
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->vcpus, 2u);
  EXPECT_THAT(peer_.commands(), Not(Contains("device_del")));
}

TEST_F(QemuSizeTest, AVcpuThatCannotBePluggedInLeavesThoseBeforeItForTheNextTime) {
  Read();
  HasCpus(1);
  peer_.AnswerWith("device_add", {R"({"return": {}, "id": $ID})"});
  peer_.Fail("device_add", "GenericError", "no such luck");
  const absl::Status failed = size_->Resize({3, 0}, Soon()).status();
  EXPECT_THAT(std::string(failed.message()), AllOf(HasSubstr("vCPU 2"), HasSubstr("no such luck")));
  EXPECT_EQ(Recorded().vcpus, 2u);
  HasCpus(2);
  EXPECT_TRUE(size_->Resize({3, 0}, Soon()).ok());
  EXPECT_EQ(Recorded().vcpus, 3u);
}

TEST_F(QemuSizeTest, MemoryComesByOneDevice) {
  Read({.shared = true});
  HasMemory(0);
  HasMemory(200);
  auto size = size_->Resize({0, 327}, Soon());
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->memory_mib, 328u) << "whole blocks";
  EXPECT_EQ(peer_.arguments("object-add")["size"], (1024 - 128) * kMib);
  EXPECT_EQ(peer_.arguments("object-add")["share"], true);
  EXPECT_EQ(peer_.arguments("object-add")["reserve"], false);
  EXPECT_EQ(peer_.arguments("device_add")["driver"], "virtio-mem-pci");
  EXPECT_EQ(peer_.arguments("qom-set")["value"], 200 * kMib);

  HasMemory(0);
  size = size_->Resize({0, 128}, Soon());
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(Recorded().memory_mib, 128u);
  HasMemory(896);
  EXPECT_TRUE(size_->Resize({0, 1024}, Soon()).ok());
  EXPECT_EQ(Times("device_add"), 1);
}

TEST_F(QemuSizeTest, HugePagesAreTakenBeforeTheGuestTouchesThem) {
  Read({.huge_pages = true});
  HasMemory(2);
  ASSERT_TRUE(size_->Resize({0, 130}, Soon()).ok());
  EXPECT_EQ(peer_.arguments("device_add")["prealloc"], true);
  EXPECT_EQ(peer_.arguments("object-add")["hugetlb"], true);
}

class QemuSizeStepTest : public QemuSizeTest, public testing::WithParamInterface<std::string> {};

TEST_P(QemuSizeStepTest, FailureBeforeTheGuestIsAskedLeavesNothing) {
  Read();
  peer_.Fail(GetParam(), "GenericError", "no such luck");
  const absl::Status failed = size_->Resize({0, 256}, Soon()).status();
  EXPECT_THAT(std::string(failed.message()), HasSubstr("no such luck"));
  EXPECT_THAT(peer_.held(), IsEmpty());
  EXPECT_EQ(Recorded().memory_mib, 128u);
  HasMemory(128);
  EXPECT_TRUE(size_->Resize({0, 256}, Soon()).ok());
}

INSTANTIATE_TEST_SUITE_P(Steps, QemuSizeStepTest, testing::Values("object-add", "device_add"),
                         [](const auto& info) { return info.param == "object-add" ? "Backend" : "Device"; });

TEST_F(QemuSizeTest, WhatIsRefusedLaterIsTakenBack) {
  Read();
  peer_.Fail("qom-set", "GenericError", "no such luck");
  HasMemory(0);
  HasMemory(0);
  EXPECT_FALSE(size_->Resize({0, 256}, Soon()).ok());
  EXPECT_EQ(peer_.arguments("qom-set")["value"], 0);
  EXPECT_EQ(Recorded().memory_mib, 128u);
  // The device is there for the next time.
  EXPECT_THAT(peer_.held(), UnorderedElementsAre("device memory0", "object memory0-ram"));
}

TEST_F(QemuSizeTest, MemoryIsTakenBackWhenVcpusFail) {
  Read();
  HasMemory(128);
  HasCpus(1);
  peer_.AnswerWith("device_add", {R"({"return": {}, "id": $ID})"});
  peer_.Fail("device_add", "GenericError", "no such luck");
  HasMemory(0);
  EXPECT_FALSE(size_->Resize({2, 256}, Soon()).ok());
  EXPECT_EQ(peer_.arguments("qom-set")["value"], 0);
  EXPECT_EQ(Recorded().memory_mib, 128u);
  EXPECT_EQ(Recorded().vcpus, 1u);
}

TEST_F(QemuSizeTest, CancelledWaitTakesTheRequestBack) {
  Read();
  // The guest does not move.
  for (int i = 0; i < 1000; ++i) HasMemory(0);
  Cancellation cancellation;
  std::thread canceller([&] {
    EXPECT_TRUE(peer_.WaitFor("qom-set"));
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  EXPECT_EQ(size_->Resize({0, 256}, {absl::InfiniteFuture(), &cancellation}).status().code(),
            absl::StatusCode::kAborted);
  canceller.join();
  EXPECT_EQ(peer_.arguments("qom-set")["value"], 0);
}

TEST_F(QemuSizeTest, LooksAgainWhenTheGuestHasMoved) {
  Read();
  HasMemory(0);
  HasMemory(64);
  HasMemory(128);
  peer_.AnswerWith("qom-set", {R"({"return": {}, "id": $ID})",
                               R"({"event": "MEMORY_DEVICE_SIZE_CHANGE", "data": {"id": "memory0", "size": 1}})"});
  EXPECT_TRUE(size_->Resize({0, 256}, Soon()).ok());
}

TEST_F(QemuSizeTest, RefusesWhatTheMachineWasNotMadeFor) {
  Read();
  const auto refuse = [this](const VmSize& size, const std::string& field, const std::string& words) {
    const absl::Status status = size_->Resize(size, Soon()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(field), HasSubstr(words)));
  };
  refuse({4, 0}, "`resources.vcpus`", "for 3 at most");
  refuse({0, 127}, "`resources.memory_mib`", "booted with 128");
  refuse({0, 1025}, "`resources.memory_mib`", "for 1024 at most");
  refuse({2, 4000}, "`resources.memory_mib`", "max_memory_mib");
  EXPECT_EQ(Times("device_add"), 0);
}

}  // namespace
}  // namespace vcd
