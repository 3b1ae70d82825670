// SPDX-License-Identifier: Apache-2.0
#include "core/os/supervised_process.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "core/os/mutex.h"
#include "core/status/status_macros.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace vcd {
namespace {

std::string Describe(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return absl::StrCat("exited with status ", info.si_status);
  return absl::StrCat("killed by signal ", info.si_status, " (", strsignal(info.si_status), ")");
}

}  // namespace

// Shared with the wait on the I/O thread, which may outlive the handle.
class SupervisedProcess::State : public std::enable_shared_from_this<State> {
 public:
  State(IoThread& io, LaunchedProcess process, bool is_child)
      : identity(std::move(process.identity)), io_(io), pidfd_(io.context(), process.pidfd.Release()), child_(is_child) {}

  void StartWaiting() {
    pidfd_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const asio::error_code& error) {
                        if (!error) self->Ended();
                      });
  }

  // No callback runs or follows after this.
  void Abandon() {
    {
      MutexLock lock(&callback_mu_);
      callback_ = nullptr;
    }
    io_.Post([self = shared_from_this()] {
      asio::error_code ignored;
      self->pidfd_.cancel(ignored);
    });
  }

  void SetCallback(std::function<void(const std::string&)> callback) {
    {
      MutexLock lock(&callback_mu_);
      callback_ = std::move(callback);
    }
    // Always from the I/O thread, also for one that has ended already.
    if (exited()) io_.Post([self = shared_from_this()] { self->RunCallback(); });
  }

  absl::Status Signal(int signal) { return exited() ? absl::OkStatus() : SignalPidfd(pidfd_.native_handle(), signal); }

  bool exited() {
    MutexLock lock(&mu_);
    return exited_;
  }

  std::string description() {
    MutexLock lock(&mu_);
    return description_;
  }

  absl::Status WaitExit(const CallContext& context) {
    Cancellation::Subscription woken = context.cancellation == nullptr
                                           ? Cancellation::Subscription()
                                           : context.cancellation->Subscribe([self = shared_from_this()] {
                                               MutexLock lock(&self->mu_);
                                               self->changed_.NotifyAll();
                                             });
    MutexLock lock(&mu_);
    while (!exited_) {
      VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("wait for process ", identity.pid)));
      changed_.WaitWithDeadline(&mu_, context.deadline);
    }
    return absl::OkStatus();
  }

  const ProcessIdentity identity;

 private:
  void Ended() {
    std::string description = "ended";
    if (child_) {
      siginfo_t info = {};
      int result;
      do {
        result = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.native_handle()), &info, WEXITED);
      } while (result != 0 && errno == EINTR);
      if (result == 0) description = Describe(info);
    }
    {
      MutexLock lock(&mu_);
      exited_ = true;
      description_ = description;
      changed_.NotifyAll();
    }
    RunCallback();
  }

  // callback_mu_ is held while it runs, so that Abandon waits for it.
  void RunCallback() {
    MutexLock lock(&callback_mu_);
    if (callback_ == nullptr) return;
    std::function<void(const std::string&)> callback = std::exchange(callback_, nullptr);
    callback(description());
  }

  IoThread& io_;
  asio::posix::stream_descriptor pidfd_;
  const bool child_;

  Mutex callback_mu_;
  std::function<void(const std::string&)> callback_ ABSL_GUARDED_BY(callback_mu_);

  Mutex mu_;
  CondVar changed_;
  bool exited_ ABSL_GUARDED_BY(mu_) = false;
  std::string description_ ABSL_GUARDED_BY(mu_);
};

SupervisedProcess::SupervisedProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}

SupervisedProcess::~SupervisedProcess() { state_->Abandon(); }

std::unique_ptr<SupervisedProcess> SupervisedProcess::Watch(IoThread& io, LaunchedProcess process) {
  auto state = std::make_shared<State>(io, std::move(process), /*is_child=*/true);
  state->StartWaiting();
  return std::unique_ptr<SupervisedProcess>(new SupervisedProcess(std::move(state)));
}

absl::StatusOr<std::unique_ptr<SupervisedProcess>> SupervisedProcess::Adopt(IoThread& io,
                                                                            const ProcessIdentity& identity) {
  VCD_ASSIGN_OR_RETURN(UniqueFd pidfd, OpenPidfd(identity));
  auto state = std::make_shared<State>(io, LaunchedProcess{identity, std::move(pidfd)}, /*is_child=*/false);
  state->StartWaiting();
  return std::unique_ptr<SupervisedProcess>(new SupervisedProcess(std::move(state)));
}

const ProcessIdentity& SupervisedProcess::identity() const { return state_->identity; }

bool SupervisedProcess::exited() const { return state_->exited(); }

std::string SupervisedProcess::exit_description() const { return state_->description(); }

void SupervisedProcess::OnExit(std::function<void(const std::string& description)> callback) {
  state_->SetCallback(std::move(callback));
}

absl::Status SupervisedProcess::Signal(int signal) { return state_->Signal(signal); }

absl::Status SupervisedProcess::WaitExit(const CallContext& context) { return state_->WaitExit(context); }

absl::Status SupervisedProcess::Terminate(absl::Duration grace) {
  VCD_RETURN_IF_ERROR(Signal(SIGTERM));
  if (WaitExit({absl::Now() + grace, nullptr}).ok()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(Signal(SIGKILL));
  if (WaitExit({absl::Now() + absl::Seconds(10), nullptr}).ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("process ", identity().pid, " survives SIGKILL; see /proc/", identity().pid,
                                          "/stack"));
}

}  // namespace vcd
