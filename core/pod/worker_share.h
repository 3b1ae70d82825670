// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_WORKER_SHARE_H_
#define VCD_CORE_POD_WORKER_SHARE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/os/cancellation.h"
#include "core/os/io_thread.h"
#include "core/pod/background_work.h"

namespace vcd {

// Bounds how many workers one kind of long work keeps, so that there are some for all else; first come first served.
// Nobody waits on a thread. Thread-safe; outlives all that waits or runs.
class WorkerShare {
 public:
  struct Options {
    size_t places = 16;
    std::string work;  // What pods do with one, for people: "run hooks".
  };
  // `io` and `work` outlive it.
  WorkerShare(Options options, IoThread& io, BackgroundWork& work);

  using Task = std::function<void(const absl::Status& turn)>;

  // Runs `task` once, on a worker. With OK it has a place until it returns. With an error it has none:
  // kDeadlineExceeded, for people, when the deadline passes while it waits for one; the status of `cancellation` when
  // that is cancelled meanwhile. That lives until the task runs. A wait is logged for the pod.
  void Run(const std::string& pod_id, absl::Time deadline, Cancellation& cancellation, Task task);

  // How many wait now, and how many have a place.
  struct Load {
    size_t waiting = 0;
    size_t running = 0;
  };
  Load load() const;

 private:
  struct Waiting;
  struct Line;

  // Why one that has waited too long has no place.
  absl::Status Late() const;
  static void Finish(std::shared_ptr<Waiting> waiting, const absl::Status& turn);
  // Has a place; gives it to the next one afterwards.
  void RunWithPlace(std::shared_ptr<Waiting> waiting);
  void RunWithout(std::shared_ptr<Waiting> waiting, const absl::Status& why);
  // Takes one out of the line that is to wait no longer. When it is not there, its share may be gone too.
  static void GiveUp(const std::shared_ptr<Line>& line, const std::weak_ptr<Waiting>& weak, const absl::Status& why);

  const Options options_;
  IoThread& io_;
  BackgroundWork& work_;
  const std::shared_ptr<Line> line_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_WORKER_SHARE_H_
