// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_LOCK_POD_LOCK_TABLE_H_
#define VCD_CORE_LOCK_POD_LOCK_TABLE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/os/cancellation.h"
#include "core/os/io_thread.h"

namespace vcd {

// Lock order of the daemon; a thread that holds one may take only later ones:
//
//   1. the flock on the run directory: one daemon, for its life
//   2. the lock of a pod (here): one change at a time; nobody holds two
//   3. a component's Mutex: never held across I/O, a callback, or another component's Mutex
//   4. leaves: event bus, log, metrics
//
// Reads take none of these: they see the registry's snapshots.

enum class LockMode { kShared, kExclusive };

// A lock that is held; the destructor passes it on. Move-only. Any thread may destroy it.
class PodLock {
 public:
  class Hold;
  explicit PodLock(std::shared_ptr<Hold> hold);
  PodLock(PodLock&& other) noexcept;
  PodLock& operator=(PodLock&& other) noexcept;
  ~PodLock();

  // For the CallContext of the holder's steps: a forced operation cancels through it. Cleaning up ignores it. Lives as
  // long as the lock is held.
  Cancellation& cancellation() const;

  // Takes the lock file when its directory did not exist as the lock was granted, and does nothing when it did:
  // CreatePod calls it once it has made the directory. kUnavailable (LOCK_TIMEOUT) when another process was quicker.
  absl::Status TakeLockFile();

  // Passes the lock on now.
  void Release();

 private:
  std::shared_ptr<Hold> hold_;
};

// One lock per pod, shared or exclusive, first come first served: who comes later never overtakes, except by `front`.
// Waiting costs no thread. Pods that nobody locks cost nothing, and need not exist. Thread-safe.
class PodLockTable {
 public:
  // Who asks for a pod's lock.
  struct Waiter {
    std::string operation;  // For people: "StopPod".
    LockMode mode = LockMode::kExclusive;
    absl::Time deadline = absl::InfiniteFuture();
    // Goes before all that wait, behind earlier ones like it.
    bool front = false;
    // Not OK: cancels the holders with it, as Preempt does, in one step with joining the queue. Implies `front`.
    absl::Status preempt;
  };
  using Granted = std::function<void(absl::StatusOr<PodLock>)>;
  // Runs a task soon, on another thread; may be called with locks held.
  using Executor = std::function<void(std::function<void()>)>;
  // The file that keeps other processes off a pod (flock(2), core/os/file_lock.h).
  using LockFileOf = std::function<std::string(const std::string& pod_id)>;

  struct Options {
    // Shared holders that one pod may have at a time.
    int max_shared = 8;
    // How often a lock file that another process holds is tried again.
    absl::Duration file_retry_interval = absl::Milliseconds(50);
  };

  // `io` for deadlines; it and what the executor runs on must outlive the table. PodLocks may outlive it. Without
  // `lock_file` there are no lock files; where its directory is missing there is none either (TakeLockFile).
  PodLockTable(IoThread& io, Executor executor, LockFileOf lock_file, Options options);
  PodLockTable(IoThread& io, Executor executor, LockFileOf lock_file)
      : PodLockTable(io, std::move(executor), std::move(lock_file), Options()) {}
  // As Shutdown.
  ~PodLockTable();

  // Asks for a lock; `granted` runs once, on the executor, with it or with why not: kDeadlineExceeded (LOCK_TIMEOUT)
  // naming the pod and what holds it; kAborted (PREEMPTED) or what Preempt was given when that came before the lock
  // file could be had; the error of the lock file; the status given to Shutdown. A deadline that has passed still gets
  // a lock that is free.
  void Acquire(const std::string& pod_id, Waiter waiter, Granted granted);

  // Cancels, with `why`, what the holders of a pod's lock are doing. They release the lock after their undo, and those
  // that wait go on waiting, so that one who acquires with `front` comes next. Does nothing when nobody holds it. One
  // who waits may still come between this call and that one: Waiter::preempt does both at once.
  void Preempt(const std::string& pod_id, absl::Status why);

  // Ends all waiting with `why`, cancels all holders with it, and refuses later requests. Does not wait for the
  // holders.
  void Shutdown(absl::Status why);

  // Pods that somebody locks or waits for, for tests and metrics.
  int size() const;

  class State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace vcd

#endif  // VCD_CORE_LOCK_POD_LOCK_TABLE_H_
