// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/mock/mock_guest.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/mock/mock_files.h"
#include "core/agent/guest_error.h"
#include "core/log/logger.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// The guest that was saved for this machine; nothing when there is none.
std::optional<state::v1::SimulatedGuest> Load(const std::string& pod_id, const std::string& run_dir,
                                              const std::string& machine) {
  if (run_dir.empty()) return std::nullopt;
  const std::string path = MockGuestFile(run_dir);
  const absl::StatusOr<std::string> bytes = PosixFilesystem().ReadFile(path);
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  state::v1::SimulatedGuest saved;
  if (!bytes.ok() || !saved.ParseFromString(*bytes)) {
    LogError(pod_id, absl::StrCat("mock guest begins anew: ", path,
                                  " cannot be read: ", bytes.ok() ? "it is damaged" : bytes.status().message()));
    return std::nullopt;
  }
  if (saved.machine() != machine) return std::nullopt;
  return saved;
}

}  // namespace

std::shared_ptr<MockGuest> MockGuest::Open(IoThread& io, std::shared_ptr<MockControl> control,
                                           const std::string& pod_id, const std::string& run_dir,
                                           const std::string& machine) {
  std::shared_ptr<MockGuest> guest(new MockGuest(io, std::move(control), pod_id, run_dir, machine));
  const std::optional<state::v1::SimulatedGuest> saved = Load(pod_id, run_dir, machine);
  guest->simulated_ = saved.has_value() ? std::make_unique<SimulatedGuest>(*saved, guest->Options())
                                        : std::make_unique<SimulatedGuest>(guest->Options(), machine);
  guest->simulated_->Advance();
  return guest;
}

MockGuest::MockGuest(IoThread& io, std::shared_ptr<MockControl> control, std::string pod_id, std::string run_dir,
                     std::string machine)
    : io_(io),
      control_(std::move(control)),
      pod_id_(std::move(pod_id)),
      run_dir_(std::move(run_dir)),
      machine_(std::move(machine)) {}

SimulatedGuest::Options MockGuest::Options() {
  SimulatedGuest::Options options;
  options.pod_id = pod_id_;
  // They are called by simulated_, which is gone before this is.
  options.save = [this](const state::v1::SimulatedGuest& saved) { return Save(saved); };
  options.wake = [this](absl::Time when) { WakeAt(when); };
  return options;
}

absl::Status MockGuest::Save(const state::v1::SimulatedGuest& saved) {
  if (run_dir_.empty()) return absl::OkStatus();
  // Held while it is written: the end of the machine removes the file, and waits for this first.
  MutexLock lock(&mu_);
  if (!ended_.ok()) return absl::OkStatus();
  PosixFilesystem filesystem;
  const std::string path = MockGuestFile(run_dir_);
  const std::string temporary = path + ".tmp";
  // It need not survive the host, so nothing is synced.
  VCD_RETURN_IF_ERROR(filesystem.WriteFile(temporary, saved.SerializeAsString()));
  return filesystem.Rename(temporary, path);
}

void MockGuest::WakeAt(absl::Time when) {
  MutexLock lock(&timer_mu_);
  timer_ = Timer();
  if (when == absl::InfiniteFuture()) return;
  timer_ = Timer(io_, when, [weak = weak_from_this()] {
    if (const std::shared_ptr<MockGuest> self = weak.lock()) self->simulated_->Advance();
  });
}

absl::Status MockGuest::status() const {
  MutexLock lock(&mu_);
  return ended_;
}

void MockGuest::End(const std::string& why) {
  {
    MutexLock lock(&mu_);
    if (!ended_.ok()) return;
    ended_ = GuestGoneStatus(pod_id_, why);
  }
  MutexLock lock(&muting_mu_);
  simulated_->SetMuted(true);
}

void MockGuest::PowerOff() { End("it was powered off"); }

void MockGuest::MachineEnded() { End("its machine has ended"); }

void MockGuest::OnChange(std::function<void()> callback) {
  MutexLock lock(&mu_);
  on_change_ = std::move(callback);
}

void MockGuest::BehaviorChanged() {
  {
    MutexLock lock(&muting_mu_);
    simulated_->SetMuted(!status().ok() || control_->Silent(pod_id_));
  }
  std::function<void()> changed;
  {
    MutexLock lock(&mu_);
    changed = on_change_;
  }
  if (changed != nullptr) changed();
}

bool MockGuest::EndProcess(const ProcessKey& process, const v1::ExitStatus& status) {
  return simulated_->Exit(process, status.code(), status.signal());
}

}  // namespace vcd
