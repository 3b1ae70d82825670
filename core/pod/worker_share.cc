// SPDX-License-Identifier: Apache-2.0
#include "core/pod/worker_share.h"

#include <algorithm>
#include <list>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/log/logger.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"

namespace vcd {

struct WorkerShare::Waiting {
  WorkerShare* share = nullptr;
  Task task;
  Timer timer;
  std::optional<Cancellation::Subscription> subscription;
  absl::Status given_up;  // Guarded by the line's mutex: before it was in it.

  // What would end the waiting. Not to be called by that.
  void StopWatching() {
    timer.Cancel();
    subscription.reset();
  }
};

struct WorkerShare::Line {
  Mutex mu;
  std::list<std::shared_ptr<Waiting>> waiting ABSL_GUARDED_BY(mu);
  size_t taken ABSL_GUARDED_BY(mu) = 0;
};

WorkerShare::WorkerShare(Options options, IoThread& io, BackgroundWork& work)
    : options_(std::move(options)), io_(io), work_(work), line_(std::make_shared<Line>()) {}

void WorkerShare::Run(const std::string& pod_id, absl::Time deadline, Cancellation& cancellation, Task task) {
  auto waiting = std::make_shared<Waiting>();
  waiting->share = this;
  waiting->task = std::move(task);
  bool has_place = false;
  {
    MutexLock lock(&line_->mu);
    has_place = line_->taken < options_.places;
    if (has_place) ++line_->taken;
  }
  if (has_place) return RunWithPlace(std::move(waiting));
  LogInfo(pod_id, absl::StrCat("waits for its turn: ", options_.places, " pods ", options_.work,
                               " now, and no more may at a time"));
  // Before it is in the line: from then on it may run, and its cancellation be gone, at any moment.
  const std::weak_ptr<Waiting> weak = waiting;
  waiting->timer = Timer(io_, deadline, [line = line_, weak, late = Late()] { GiveUp(line, weak, late); });
  waiting->subscription.emplace(
      cancellation.Subscribe([line = line_, weak, why = &cancellation] { GiveUp(line, weak, why->status()); }));
  work_.Begin();
  absl::Status given_up;
  {
    MutexLock lock(&line_->mu);
    given_up = waiting->given_up;
    if (given_up.ok() && line_->taken >= options_.places) return line_->waiting.push_back(std::move(waiting));
    if (given_up.ok()) ++line_->taken;
  }
  given_up.ok() ? RunWithPlace(std::move(waiting)) : RunWithout(std::move(waiting), given_up);
  work_.End();
}

absl::Status WorkerShare::Late() const {
  return absl::DeadlineExceededError(absl::StrCat("it waited for its turn until the deadline, as ", options_.places,
                                                  " pods ", options_.work,
                                                  " and no more may at a time; try again later, or with a longer "
                                                  "deadline"));
}

// What the task holds goes with it, whoever looks at `waiting` at this moment.
void WorkerShare::Finish(std::shared_ptr<Waiting> waiting, const absl::Status& turn) {
  waiting->StopWatching();
  const Task task = std::move(waiting->task);
  task(turn);
}

void WorkerShare::RunWithPlace(std::shared_ptr<Waiting> waiting) {
  work_.Post([this, waiting = std::move(waiting)]() mutable {
    Finish(std::move(waiting), absl::OkStatus());
    std::shared_ptr<Waiting> next;
    {
      MutexLock lock(&line_->mu);
      if (line_->waiting.empty()) {
        --line_->taken;
        return;
      }
      next = std::move(line_->waiting.front());
      line_->waiting.pop_front();
    }
    RunWithPlace(std::move(next));
    work_.End();
  });
}

void WorkerShare::RunWithout(std::shared_ptr<Waiting> waiting, const absl::Status& why) {
  work_.Post([waiting = std::move(waiting), why]() mutable { Finish(std::move(waiting), why); });
}

void WorkerShare::GiveUp(const std::shared_ptr<Line>& line, const std::weak_ptr<Waiting>& weak,
                         const absl::Status& why) {
  std::shared_ptr<Waiting> waiting = weak.lock();
  if (waiting == nullptr) return;
  {
    MutexLock lock(&line->mu);
    const auto found = std::find(line->waiting.begin(), line->waiting.end(), waiting);
    if (found == line->waiting.end()) {
      // Not there yet, or it has its turn.
      waiting->given_up.Update(why);
      return;
    }
    line->waiting.erase(found);
  }
  WorkerShare& share = *waiting->share;
  share.RunWithout(std::move(waiting), why);
  share.work_.End();
}

WorkerShare::Load WorkerShare::load() const {
  MutexLock lock(&line_->mu);
  return {line_->waiting.size(), line_->taken};
}

}  // namespace vcd
