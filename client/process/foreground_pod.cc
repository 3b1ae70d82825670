// SPDX-License-Identifier: Apache-2.0
#include "client/process/foreground_pod.h"

#include <memory>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/daemon/rpc_error.h"
#include "client/posix/event_fd.h"
#include "client/process/background_call.h"
#include "client/process/foreground.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

// Marks the pod of one `vc run --rm --id …`, see IsOurs.
constexpr char kTokenAnnotation[] = "vcd.vc.run-token";

std::string RandomHex() {
  std::random_device device;
  return absl::StrFormat("%08x%04x", device(), device() & 0xffff);
}

}  // namespace

ForegroundPod::ForegroundPod(Invocation* invocation, Options options)
    : invocation_(invocation), options_(std::move(options)) {
  // An id of our own, so that an interrupted creation can be cleaned up: the daemon would tell us its choice too late.
  if (options_.config.id().empty()) {
    options_.config.set_id(absl::StrCat("run-", RandomHex()));
    id_is_ours_ = true;
  } else if (options_.remove) {
    token_ = RandomHex();
    (*options_.config.mutable_annotations())[kTokenAnnotation] = token_;
  }
}

int ForegroundPod::Run() {
  auto signals = invocation_->environment().watch_signals();
  if (!signals.ok()) {
    invocation_->Complain(id(), signals.status());
    return CommandFailureExitCode(signals.status());
  }
  signals_ = *std::move(signals);
  auto window = invocation_->environment().watch_window();
  if (!window.ok()) {
    invocation_->Complain(id(), window.status());
    return CommandFailureExitCode(window.status());
  }
  window_ = *std::move(window);
  daemon_ = &invocation_->daemon();
  if (Create()) exit_status_ = Follow();
  if (options_.remove && may_exist_ && !detached_) Remove();
  return exit_status_;
}

bool ForegroundPod::Create() {
  v1::CreatePodRequest request;
  *request.mutable_config() = options_.config;
  v1::CreatePodResponse response;
  BackgroundCall create([&](CallCanceller* canceller) {
    CallOptions options;
    options.canceller = canceller;
    return daemon().CreatePod(request, &response, options);
  });
  // A signal ends the creation: by deletion, which the daemon lets go first, or else by leaving it alone.
  std::unique_ptr<BackgroundCall> deletion;
  int signal = 0;
  while (WaitReadable({create.done_fd(), signals_->fd()}) != 0) {
    const int taken = signals_->Take();
    if (taken == 0) continue;
    if (signal == 0 && options_.remove) {
      deletion = std::make_unique<BackgroundCall>(
          [&](CallCanceller* canceller) { return IsOurs() ? Delete(canceller) : absl::OkStatus(); });
    } else {
      create.Cancel();
    }
    signal = taken;
  }
  const absl::Status status = create.Result();
  deletion.reset();
  if (status.ok()) {
    may_exist_ = true;
    id_is_ours_ = true;
  } else if (signal != 0 || !SaidByDaemon(status)) {
    // Cancelled, timed out, or the connection was lost: the daemon may have made it all the same.
    may_exist_ = options_.remove && IsOurs();
  }
  if (status.ok() && signal == 0) return true;
  if (signal == 0) {
    invocation_->Complain(id(), status);
    exit_status_ = CommandFailureExitCode(status);
  } else {
    exit_status_ = 128 + signal;
    if (!options_.remove) {
      invocation_->Complain(id(), absl::StrCat("interrupted before it was started; \"vc inspect ", id(),
                                               "\" shows what there is of it, \"vc rm -f ", id(), "\" deletes it"));
    }
  }
  return false;
}

int ForegroundPod::Follow() {
  Foreground::Options options;
  options.pod_id = id();
  options.container_id = options_.container_id;
  options.send_input = options_.send_input;
  options.terminal = options_.terminal;
  options.detach_keys = options_.detach_keys;
  options.proxy_signals = options_.proxy_signals;
  const bool is_chosen_anyway = options_.config.containers_size() == 1 || options_.container_id == "main";
  options.how_to_return = AttachCommandFor(id(), is_chosen_anyway ? "" : options_.container_id, "");
  options.start = [this](CallCanceller* canceller) {
    v1::StartPodRequest request;
    request.set_pod_id(id());
    v1::StartPodResponse response;
    CallOptions options;
    options.canceller = canceller;
    return daemon().StartPod(request, &response, options);
  };
  Foreground foreground(invocation_, signals_.get(), options_.terminal ? window_.get() : nullptr, std::move(options));
  const int exit_status = foreground.Follow();
  detached_ = foreground.detached();
  if (detached_ && options_.remove) {
    invocation_->Complain(id(), absl::StrCat("the pod stays; \"vc rm -f ", id(), "\" deletes it"));
  }
  return exit_status;
}

void ForegroundPod::Remove() {
  // One more signal does not leave a virtual machine behind; the second one may.
  const InterruptibleResult result = CallInterruptibly(
      signals_.get(), [this](CallCanceller* canceller) { return Delete(canceller); }, /*ignored_signals=*/1);
  if (result.status.ok() || result.status.code() == absl::StatusCode::kNotFound) return;
  invocation_->Complain(id(), absl::StrCat("delete the pod: ", std::string(result.status.message()), "; \"vc rm -f ",
                                           id(), "\" deletes it"));
}

absl::Status ForegroundPod::Delete(CallCanceller* canceller) {
  v1::DeletePodRequest request;
  request.set_pod_id(id());
  request.set_force(true);
  v1::DeletePodResponse response;
  CallOptions options;
  options.canceller = canceller;
  return daemon().DeletePod(request, &response, options);
}

bool ForegroundPod::IsOurs() {
  if (id_is_ours_) return true;
  v1::GetPodRequest request;
  request.set_pod_id(id());
  v1::GetPodResponse response;
  if (!daemon().GetPod(request, &response).ok()) return false;
  const auto& annotations = response.pod().config().annotations();
  const auto token = annotations.find(kTokenAnnotation);
  return token != annotations.end() && token->second == token_;
}

}  // namespace vcd::client
