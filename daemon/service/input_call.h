// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_INPUT_CALL_H_
#define VCD_DAEMON_SERVICE_INPUT_CALL_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/os/mutex.h"
#include "daemon/service/process_call.h"

namespace vcd {

// A ProcessCall whose requests, after the first, become input of the process: one at a time, the next is read when the
// guest has room for it. The end of the requests is the end of the input.
template <typename Reactor, typename Process, typename Request>
class InputCall : public ProcessCall<Reactor, Process> {
 public:
  void OnReadDone(bool ok) final {
    Request request;
    bool first;
    {
      MutexLock lock(&this->mu_);
      if (this->ended()) return;
      first = !this->named();
      request = std::move(request_);
    }
    if (first) return Begin(ok ? std::move(request) : Request());
    if (!ok) return WriteInput("", /*close=*/true);
    Feed(std::move(request));
  }

 protected:
  explicit InputCall(PodRuntime& runtime) : ProcessCall<Reactor, Process>(runtime) {}

  // The first request; an empty one when there is none. Names the process.
  virtual void Begin(const Request& request) = 0;
  // Each of the others: ends in WriteInput, or in End.
  virtual void Feed(Request request) = 0;

  void ReadFirst() ABSL_LOCKS_EXCLUDED(this->mu_) {
    MutexLock lock(&this->mu_);
    this->StartRead(&request_);
  }

  absl::Status Prepare() override {
    auto writer = this->runtime().OpenInput(this->process().pod_id(), this->process().key());
    // One that has ended already takes nothing, and its end says why.
    if (IsOver(writer.status())) return absl::OkStatus();
    if (!writer.ok()) return writer.status();
    MutexLock lock(&this->mu_);
    writer_ = *std::move(writer);
    return absl::OkStatus();
  }

  void Go() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(this->mu_) {
    this->StartRead(&request_);
    ProcessCall<Reactor, Process>::Go();
  }

  // After `close` no more is read.
  void WriteInput(std::string data, bool close) {
    if (writer_ == nullptr) return;  // What is sent goes nowhere: the process has ended.
    writer_->Write(std::move(data), close, [this, self = this->shared_from_this(), close](const absl::Status& status) {
      OnInputTaken(status, close);
    });
  }

 private:
  void OnInputTaken(const absl::Status& status, bool closed) {
    const bool is_over = IsOver(status);
    if (!status.ok() && !is_over) return this->End(status);
    MutexLock lock(&this->mu_);
    if (this->ended() || closed || is_over) return;
    this->StartRead(&request_);
  }

  // The process has ended before it read all: its end says why.
  static bool IsOver(const absl::Status& status) {
    return absl::IsFailedPrecondition(status) || absl::IsNotFound(status);
  }

  std::unique_ptr<InputWriter> writer_;  // Set before the second message is read; whoever reads it writes.
  Request request_;                      // Of the read that is under way.
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_INPUT_CALL_H_
