// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_EVENT_EVENT_BUS_H_
#define VCD_CORE_EVENT_EVENT_BUS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/vcd/v1/event.pb.h"

namespace vcd {

// Reads the bus at its own pace, from a revision on. One thread at a time. Has no queue of its own: it is a place in
// the bus's, so that slow readers cost nothing and are told when they were overtaken.
class EventReader {
 public:
  using Callback = std::function<void(absl::StatusOr<std::shared_ptr<const v1::Event>>)>;
  class Cursor;

  explicit EventReader(std::shared_ptr<Cursor> cursor);
  // Drops a Next that waits. When this returns no callback runs, nor will; except when a callback itself destroys its
  // reader, which is allowed.
  ~EventReader();
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;

  // Gives the next event to `callback`, once: now and on this thread when there is one, otherwise on the thread that
  // publishes it, so the callback must be quick; it may call Next. One Next at a time. Ends with kOutOfRange
  // (REVISION_GONE) when events were dropped before they were read, and with the status given to Close.
  void Next(Callback callback);

 private:
  std::shared_ptr<Cursor> cursor_;
};

// The last events of the daemon, and whoever waits for the next. Thread-safe; a leaf: publishing may happen with other
// locks held if the callbacks of readers bear that.
class EventBus {
 public:
  // Keeps `capacity` events. The first gets `first_revision`.
  explicit EventBus(size_t capacity = 10000, uint64_t first_revision = 1);
  // As Close. Readers may outlive the bus.
  ~EventBus();

  // Numbers an event, stamps it with the time when it has none, and shows it to the readers. Returns its revision.
  // Events are seen in the order of their revisions by every reader.
  uint64_t Publish(v1::Event event);

  // The revision of the latest event; first_revision - 1 before the first.
  uint64_t last_revision() const;

  // Reads events after a revision, of one pod, or of all when `pod_id` is empty. `after_revision` 0 starts with the
  // next event. kOutOfRange (REVISION_GONE) when events after that revision are no longer kept, or have never been: it
  // is from an earlier life of the daemon. The message says where to go on.
  absl::StatusOr<std::unique_ptr<EventReader>> Subscribe(uint64_t after_revision, const std::string& pod_id);

  // Ends all reading with `why`: readers first see what was published before. Nothing is published any more.
  void Close(absl::Status why);

  class Ring;

 private:
  std::shared_ptr<Ring> ring_;
};

}  // namespace vcd

#endif  // VCD_CORE_EVENT_EVENT_BUS_H_
