// SPDX-License-Identifier: Apache-2.0
#include "core/event/event_bus.h"

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/os/mutex.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Event OfPod(const std::string& pod_id) {
  v1::Event event;
  event.set_pod_id(pod_id);
  return event;
}

// Reads whatever comes and remembers it.
class Collector {
 public:
  explicit Collector(absl::StatusOr<std::unique_ptr<EventReader>> reader) : reader_(*std::move(reader)) {}

  // Asks for one more.
  void Next() {
    reader_->Next([this](absl::StatusOr<std::shared_ptr<const v1::Event>> event) { Take(std::move(event)); });
  }
  // Asks for one more after each, until the end.
  void Follow() {
    follow_ = true;
    Next();
  }
  void Leave() { reader_.reset(); }

  std::vector<uint64_t> revisions() const {
    MutexLock lock(&mu_);
    return revisions_;
  }
  absl::Status end() const {
    MutexLock lock(&mu_);
    return end_;
  }

 private:
  void Take(absl::StatusOr<std::shared_ptr<const v1::Event>> event) {
    {
      MutexLock lock(&mu_);
      if (!event.ok()) {
        end_ = event.status();
        return;
      }
      revisions_.push_back((*event)->revision());
    }
    if (follow_) Next();
  }

  bool follow_ = false;
  mutable Mutex mu_;
  std::vector<uint64_t> revisions_ ABSL_GUARDED_BY(mu_);
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<EventReader> reader_;
};

TEST(EventBusTest, NumbersFromOneAndStampsTheTime) {
  EventBus bus;
  EXPECT_EQ(bus.last_revision(), 0u);
  std::shared_ptr<const v1::Event> seen;
  auto reader = bus.Subscribe(0, "");
  ASSERT_TRUE(reader.ok());
  (*reader)->Next([&seen](auto event) { seen = *event; });
  EXPECT_EQ(bus.Publish(OfPod("a")), 1u);
  EXPECT_EQ(bus.Publish(OfPod("a")), 2u);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->revision(), 1u);
  EXPECT_GT(seen->time().seconds(), 0);
}

TEST(EventBusTest, RevisionZeroStartsWithTheNextEventOthersAfterTheirs) {
  EventBus bus;
  for (int i = 0; i < 3; ++i) bus.Publish(OfPod("a"));
  Collector next(bus.Subscribe(0, ""));
  Collector after(bus.Subscribe(1, ""));
  next.Follow();
  after.Follow();
  bus.Publish(OfPod("a"));
  EXPECT_THAT(next.revisions(), ElementsAre(4));
  EXPECT_THAT(after.revisions(), ElementsAre(2, 3, 4));
}

TEST(EventBusTest, ShowsOnlyThePodThatWasAskedFor) {
  EventBus bus;
  Collector collector(bus.Subscribe(0, "b"));
  collector.Follow();
  bus.Publish(OfPod("a"));
  bus.Publish(OfPod("b"));
  bus.Publish(OfPod("a"));
  bus.Publish(OfPod("b"));
  EXPECT_THAT(collector.revisions(), ElementsAre(2, 4));
}

TEST(EventBusTest, GivesNothingThatWasNotAskedFor) {
  EventBus bus;
  Collector collector(bus.Subscribe(0, ""));
  bus.Publish(OfPod("a"));
  EXPECT_THAT(collector.revisions(), IsEmpty());
  collector.Next();
  bus.Publish(OfPod("a"));
  EXPECT_THAT(collector.revisions(), ElementsAre(1));
}

TEST(EventBusTest, ARevisionThatIsNotKeptSaysWhereToGoOn) {
  EventBus bus(/*capacity=*/2);
  for (int i = 0; i < 5; ++i) bus.Publish(OfPod("a"));
  EXPECT_TRUE(bus.Subscribe(3, "").ok());
  EXPECT_TRUE(bus.Subscribe(5, "").ok());
  for (const uint64_t revision : {uint64_t{1}, uint64_t{2}, uint64_t{6}}) {
    const absl::Status status = bus.Subscribe(revision, "").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange) << revision;
    EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_REVISION_GONE);
    EXPECT_EQ(DetailOf(status)->metadata.at("oldest_revision"), "4");
    EXPECT_THAT(std::string(status.message()), HasSubstr("watch after revision 5"));
  }
}

TEST(EventBusTest, AReaderThatIsTooSlowIsToldSo) {
  EventBus bus(/*capacity=*/2);
  Collector collector(bus.Subscribe(0, ""));
  collector.Next();
  for (int i = 0; i < 5; ++i) bus.Publish(OfPod("a"));
  EXPECT_THAT(collector.revisions(), ElementsAre(1));
  collector.Next();
  EXPECT_EQ(collector.end().code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(collector.end().message()), HasSubstr("after revision 1 are no longer kept"));
}

TEST(EventBusTest, AQuietPodsReaderIsNotOvertaken) {
  EventBus bus(/*capacity=*/2);
  Collector collector(bus.Subscribe(0, "quiet"));
  collector.Follow();
  for (int i = 0; i < 10; ++i) bus.Publish(OfPod("loud"));
  bus.Publish(OfPod("quiet"));
  EXPECT_THAT(collector.revisions(), ElementsAre(11));
}

TEST(EventBusTest, ALongBacklogIsNoDeepRecursion) {
  EventBus bus(50000);
  for (int i = 0; i < 50000; ++i) bus.Publish(OfPod("a"));
  Collector collector(bus.Subscribe(1, ""));
  collector.Follow();
  EXPECT_EQ(collector.revisions().size(), 49999u);
}

TEST(EventBusTest, CloseEndsReadersAfterWhatWasPublished) {
  EventBus bus;
  Collector waiting(bus.Subscribe(0, ""));
  Collector behind(bus.Subscribe(0, ""));
  waiting.Follow();
  bus.Publish(OfPod("a"));
  bus.Close(absl::UnavailableError("vcd stops"));
  EXPECT_EQ(waiting.end().code(), absl::StatusCode::kUnavailable);
  behind.Follow();
  EXPECT_THAT(behind.revisions(), ElementsAre(1));
  EXPECT_EQ(behind.end().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(bus.Publish(OfPod("a")), 1u);
}

TEST(EventBusTest, ReadersMayOutliveTheBus) {
  auto bus = std::make_unique<EventBus>();
  Collector collector(bus->Subscribe(0, ""));
  collector.Follow();
  bus.reset();
  EXPECT_EQ(collector.end().code(), absl::StatusCode::kCancelled);
}

TEST(EventBusTest, ADestroyedReaderHearsNothing) {
  EventBus bus;
  Collector collector(bus.Subscribe(0, ""));
  collector.Follow();
  collector.Leave();
  bus.Publish(OfPod("a"));
  EXPECT_THAT(collector.revisions(), IsEmpty());
}

TEST(EventBusTest, ACallbackMayDestroyItsReaderAndOthers) {
  EventBus bus;
  auto first = *bus.Subscribe(0, "");
  auto second = *bus.Subscribe(0, "");
  int calls = 0;
  const auto end_both = [&](const auto&) {
    ++calls;
    first.reset();
    second.reset();
  };
  first->Next(end_both);
  second->Next(end_both);
  bus.Publish(OfPod("a"));
  EXPECT_EQ(calls, 1);
}

TEST(EventBusTest, ManyPublishersAndReadersThatComeAndGo) {
  EventBus bus(100000);
  Collector all(bus.Subscribe(0, ""));
  all.Follow();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&bus] {
      for (int i = 0; i < 500; ++i) bus.Publish(OfPod("a"));
    });
  }
  for (int i = 0; i < 200; ++i) {
    Collector some(bus.Subscribe(0, ""));
    some.Follow();
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<uint64_t> revisions = all.revisions();
  ASSERT_EQ(revisions.size(), 2000u);
  for (size_t i = 0; i < revisions.size(); ++i) EXPECT_EQ(revisions[i], i + 1);
}

}  // namespace
}  // namespace vcd
