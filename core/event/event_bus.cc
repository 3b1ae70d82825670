// SPDX-License-Identifier: Apache-2.0
#include "core/event/event_bus.h"

#include <algorithm>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/mutex.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using EventPtr = std::shared_ptr<const v1::Event>;

absl::Status RevisionGone(const std::string& problem, uint64_t oldest, uint64_t last) {
  return WithDetail(
      absl::OutOfRangeError(absl::StrCat(problem, "; events ", oldest, " to ", last,
                                         " are kept: list the pods anew and watch after revision ", last)),
      {v1::ERROR_REASON_REVISION_GONE,
       {{"oldest_revision", absl::StrCat(oldest)}, {"last_revision", absl::StrCat(last)}}});
}

void Stamp(v1::Event& event, uint64_t revision) {
  event.set_revision(revision);
  if (event.has_time()) return;
  const int64_t nanoseconds = absl::ToUnixNanos(absl::Now());
  event.mutable_time()->set_seconds(nanoseconds / 1000000000);
  event.mutable_time()->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
}

}  // namespace

// The events, and the cursors that wait for more. Shared by bus and readers, so that either may end first.
class EventBus::Ring {
 public:
  Ring(size_t capacity, uint64_t first_revision)
      : capacity_(capacity == 0 ? 1 : capacity), next_revision_(first_revision), first_kept_(first_revision) {}

  uint64_t Publish(v1::Event event) ABSL_LOCKS_EXCLUDED(mu_);
  uint64_t last_revision() const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<uint64_t> FirstPosition(uint64_t after_revision) const ABSL_LOCKS_EXCLUDED(mu_);
  void Close(absl::Status why) ABSL_LOCKS_EXCLUDED(mu_);

  void Next(const std::shared_ptr<EventReader::Cursor>& cursor, EventReader::Callback callback)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Leave(EventReader::Cursor& cursor) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Delivery;
  using Deliveries = std::vector<Delivery>;

  // The next event for a cursor, or the end of its reading; null when it has to wait. Moves the cursor.
  absl::StatusOr<EventPtr> Take(EventReader::Cursor& cursor) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes the cursors that have something to be told out of those that wait.
  Deliveries TakeReady() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Runs callbacks on this thread, each as long as it asks for more and there is more.
  void Deliver(Deliveries deliveries) ABSL_LOCKS_EXCLUDED(mu_);
  // After a callback: fetches what its Next asked for, or notes that it has returned.
  bool Continue(Delivery& delivery) ABSL_LOCKS_EXCLUDED(mu_);
  bool HasLeft(const EventReader::Cursor& cursor) const ABSL_LOCKS_EXCLUDED(mu_);
  void RemoveWaiting(const EventReader::Cursor& cursor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t capacity_;
  mutable Mutex mu_;
  CondVar delivered_;
  std::deque<EventPtr> events_ ABSL_GUARDED_BY(mu_);
  uint64_t next_revision_ ABSL_GUARDED_BY(mu_);
  uint64_t first_kept_ ABSL_GUARDED_BY(mu_);  // Revision of events_.front(), or of the next event.
  std::vector<std::shared_ptr<EventReader::Cursor>> waiting_ ABSL_GUARDED_BY(mu_);
  absl::Status closed_ ABSL_GUARDED_BY(mu_);
};

// A place in the ring. All of it is guarded by the ring's mutex.
class EventReader::Cursor {
 public:
  Cursor(std::shared_ptr<EventBus::Ring> ring, uint64_t position, std::string pod_id)
      : ring_(std::move(ring)), position_(position), pod_id_(std::move(pod_id)) {}

  const std::shared_ptr<EventBus::Ring>& ring() const { return ring_; }

 private:
  friend class EventBus::Ring;
  const std::shared_ptr<EventBus::Ring> ring_;
  uint64_t position_;  // Revision of the next event to look at.
  const std::string pod_id_;
  Callback callback_;                     // Set while it waits.
  std::vector<std::thread::id> running_;  // Threads in a callback of this reader.
  bool left_ = false;

  bool RunsHere() const {
    return std::find(running_.begin(), running_.end(), std::this_thread::get_id()) != running_.end();
  }
  bool RunsElsewhere() const {
    return std::any_of(running_.begin(), running_.end(),
                       [](std::thread::id id) { return id != std::this_thread::get_id(); });
  }
};

struct EventBus::Ring::Delivery {
  std::shared_ptr<EventReader::Cursor> cursor;
  EventReader::Callback callback;
  absl::StatusOr<EventPtr> result;
};

uint64_t EventBus::Ring::Publish(v1::Event event) {
  Deliveries ready;
  uint64_t revision;
  {
    MutexLock lock(&mu_);
    if (!closed_.ok()) return next_revision_ - 1;
    revision = next_revision_++;
    Stamp(event, revision);
    events_.push_back(std::make_shared<const v1::Event>(std::move(event)));
    if (events_.size() > capacity_) {
      events_.pop_front();
      ++first_kept_;
    }
    ready = TakeReady();
  }
  Deliver(std::move(ready));
  return revision;
}

uint64_t EventBus::Ring::last_revision() const {
  MutexLock lock(&mu_);
  return next_revision_ - 1;
}

absl::StatusOr<uint64_t> EventBus::Ring::FirstPosition(uint64_t after_revision) const {
  MutexLock lock(&mu_);
  if (after_revision == 0) return next_revision_;
  const uint64_t last = next_revision_ - 1;
  if (after_revision > last) {
    return RevisionGone(absl::StrCat("revision ", after_revision, " has not been: it is of an earlier start of vcd"),
                        first_kept_, last);
  }
  if (after_revision + 1 < first_kept_) {
    return RevisionGone(absl::StrCat("events after revision ", after_revision, " are no longer kept"), first_kept_,
                        last);
  }
  return after_revision + 1;
}

void EventBus::Ring::Close(absl::Status why) {
  Deliveries ready;
  {
    MutexLock lock(&mu_);
    if (!closed_.ok()) return;
    closed_ = std::move(why);
    ready = TakeReady();
  }
  Deliver(std::move(ready));
}

absl::StatusOr<EventPtr> EventBus::Ring::Take(EventReader::Cursor& cursor) const {
  if (cursor.position_ < first_kept_) {
    return RevisionGone(
        absl::StrCat("reading was too slow: events after revision ", cursor.position_ - 1, " are no longer kept"),
        first_kept_, next_revision_ - 1);
  }
  while (cursor.position_ < next_revision_) {
    const EventPtr& event = events_[cursor.position_ - first_kept_];
    ++cursor.position_;
    if (cursor.pod_id_.empty() || event->pod_id() == cursor.pod_id_) return event;
  }
  if (!closed_.ok()) return closed_;
  return EventPtr();
}

EventBus::Ring::Deliveries EventBus::Ring::TakeReady() {
  Deliveries ready;
  std::vector<std::shared_ptr<EventReader::Cursor>> still;
  for (std::shared_ptr<EventReader::Cursor>& cursor : waiting_) {
    absl::StatusOr<EventPtr> result = Take(*cursor);
    if (result.ok() && *result == nullptr) {
      still.push_back(std::move(cursor));
      continue;
    }
    cursor->running_.push_back(std::this_thread::get_id());
    ready.push_back({cursor, std::exchange(cursor->callback_, nullptr), std::move(result)});
  }
  waiting_ = std::move(still);
  return ready;
}

void EventBus::Ring::Deliver(Deliveries deliveries) {
  for (Delivery& delivery : deliveries) {
    // The callback of another reader may have destroyed this one.
    if (HasLeft(*delivery.cursor)) delivery.callback = [](const absl::StatusOr<EventPtr>&) {};
    do {
      delivery.callback(std::move(delivery.result));
      // What it holds is let go of before its reader's destructor may return.
      delivery.callback = nullptr;
    } while (Continue(delivery));
  }
}

bool EventBus::Ring::Continue(Delivery& delivery) {
  EventReader::Cursor& cursor = *delivery.cursor;
  MutexLock lock(&mu_);
  if (cursor.callback_ != nullptr) {
    delivery.result = Take(cursor);
    if (!delivery.result.ok() || *delivery.result != nullptr) {
      delivery.callback = std::exchange(cursor.callback_, nullptr);
      RemoveWaiting(cursor);
      return true;
    }
  }
  cursor.running_.erase(std::find(cursor.running_.begin(), cursor.running_.end(), std::this_thread::get_id()));
  delivered_.NotifyAll();
  return false;
}

bool EventBus::Ring::HasLeft(const EventReader::Cursor& cursor) const {
  MutexLock lock(&mu_);
  return cursor.left_;
}

void EventBus::Ring::RemoveWaiting(const EventReader::Cursor& cursor) {
  const auto it = std::find_if(waiting_.begin(), waiting_.end(),
                               [&cursor](const auto& waiting) { return waiting.get() == &cursor; });
  if (it != waiting_.end()) waiting_.erase(it);
}

void EventBus::Ring::Next(const std::shared_ptr<EventReader::Cursor>& cursor, EventReader::Callback callback) {
  Deliveries ready;
  {
    MutexLock lock(&mu_);
    absl::StatusOr<EventPtr> result = EventPtr();
    // Inside a callback it is left to the Deliver that runs it: a backlog must not become a recursion.
    if (!cursor->RunsHere()) result = Take(*cursor);
    if (result.ok() && *result == nullptr) {
      cursor->callback_ = std::move(callback);
      waiting_.push_back(cursor);
      return;
    }
    cursor->running_.push_back(std::this_thread::get_id());
    ready.push_back({cursor, std::move(callback), std::move(result)});
  }
  Deliver(std::move(ready));
}

void EventBus::Ring::Leave(EventReader::Cursor& cursor) {
  EventReader::Callback dropped;
  MutexLock lock(&mu_);
  cursor.left_ = true;
  dropped = std::exchange(cursor.callback_, nullptr);
  RemoveWaiting(cursor);
  // Callbacks further up this thread's own stack cannot be waited for.
  while (cursor.RunsElsewhere()) delivered_.Wait(&mu_);
}

EventReader::EventReader(std::shared_ptr<Cursor> cursor) : cursor_(std::move(cursor)) {}

EventReader::~EventReader() { cursor_->ring()->Leave(*cursor_); }

void EventReader::Next(Callback callback) { cursor_->ring()->Next(cursor_, std::move(callback)); }

EventBus::EventBus(size_t capacity, uint64_t first_revision)
    : ring_(std::make_shared<Ring>(capacity, first_revision)) {}

EventBus::~EventBus() { Close(absl::CancelledError("the event bus has ended")); }

uint64_t EventBus::Publish(v1::Event event) { return ring_->Publish(std::move(event)); }

uint64_t EventBus::last_revision() const { return ring_->last_revision(); }

absl::StatusOr<std::unique_ptr<EventReader>> EventBus::Subscribe(uint64_t after_revision, const std::string& pod_id) {
  absl::StatusOr<uint64_t> position = ring_->FirstPosition(after_revision);
  if (!position.ok()) return position.status();
  return std::make_unique<EventReader>(std::make_shared<EventReader::Cursor>(ring_, *position, pod_id));
}

void EventBus::Close(absl::Status why) { ring_->Close(std::move(why)); }

}  // namespace vcd
