// SPDX-License-Identifier: Apache-2.0
#include "backends/mock/mock_control.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using google::protobuf::FieldDescriptor;

// What QEMU gets to end in order before it is killed.
constexpr absl::Duration kOrderlyStop = absl::Seconds(4);

std::string StepOf(const std::string& pod_id, MockOperation operation) {
  return absl::StrCat("mock pod ", pod_id, ": ", MockOperationName(operation));
}

// A guest that does not answer in time is told apart from a caller that is late.
absl::Status LateStatus(const std::string& pod_id, MockOperation operation, const absl::Status& late) {
  if (!absl::IsDeadlineExceeded(late) || !IsGuestOperation(operation)) return late;
  return WithDetail(late, {v1::ERROR_REASON_AGENT_UNAVAILABLE, {{"pod_id", pod_id}}});
}

absl::Status NoMachine(const std::string& pod_id) {
  return WithDetail(absl::NotFoundError(absl::StrCat("pod ", pod_id, ": no mock machine runs for it")),
                    {v1::ERROR_REASON_POD_NOT_FOUND, {{"pod_id", pod_id}}});
}

}  // namespace

absl::StatusOr<std::shared_ptr<MockControl>> MockControl::Create(IoThread& io, const v1::MockBehavior& configured) {
  VCD_ASSIGN_OR_RETURN(MockBehavior behavior, ParseMockBehavior(configured, "mock."));
  auto control = std::make_shared<MockControl>(io);
  control->configured_ = std::move(behavior);
  return control;
}

absl::Status MockControl::Set(const std::string& pod_id, const v1::MockBehavior& behavior) {
  VCD_ASSIGN_OR_RETURN(MockBehavior parsed, ParseMockBehavior(behavior, "behavior."));
  std::shared_ptr<Guest> guest;
  {
    MutexLock lock(&mu_);
    Entry& entry = entries_[pod_id];
    const bool empty = behavior.ByteSizeLong() == 0;
    entry.set = empty ? nullptr : std::make_unique<MockBehavior>(std::move(parsed));
    entry.met.clear();
    guest = entry.guest.lock();
    Release(entry);
    Arm(pod_id, entry);
    EraseIfPlain(pod_id);
  }
  if (guest != nullptr) guest->BehaviorChanged();
  return absl::OkStatus();
}

MockControl::Report MockControl::Get(const std::string& pod_id) const {
  MutexLock lock(&mu_);
  const Entry* entry = Find(pod_id);
  Report report;
  report.configured = configured_.message;
  report.effective = EffectiveMessage(entry);
  if (entry == nullptr) return report;
  if (entry->set != nullptr) report.set = entry->set->message;
  if (entry->annotated != nullptr) report.annotated = entry->annotated->message;
  for (const auto& [id, waiting] : entry->waiting) report.waiting.push_back(MockOperationName(waiting.operation));
  return report;
}

absl::Status MockControl::Crash(const std::string& pod_id, const std::string& reason) {
  std::shared_ptr<Machine> machine;
  {
    MutexLock lock(&mu_);
    if (const Entry* entry = Find(pod_id)) machine = entry->machine.lock();
  }
  if (machine == nullptr) return NoMachine(pod_id);
  machine->Crash(reason);
  return absl::OkStatus();
}

absl::Status MockControl::EndProcess(const std::string& pod_id, const ProcessKey& process,
                                     const v1::ExitStatus& status) {
  std::shared_ptr<Guest> guest;
  {
    MutexLock lock(&mu_);
    const Entry* entry = Find(pod_id);
    if (entry == nullptr || entry->machine.expired()) return NoMachine(pod_id);
    guest = entry->guest.lock();
  }
  if (guest != nullptr && guest->EndProcess(process, status)) return absl::OkStatus();
  return WithDetail(absl::NotFoundError(absl::StrCat(
                        "pod ", pod_id, ", container ", process.container_id, ": ",
                        process.process_id.empty() ? "its first process" : absl::StrCat("process ", process.process_id),
                        " does not run in its guest, or the pod has another agent than `mock`")),
                    {v1::ERROR_REASON_PROCESS_NOT_FOUND,
                     {{"pod_id", pod_id}, {"container_id", process.container_id}, {"process_id", process.process_id}}});
}

void MockControl::Annotate(const std::string& pod_id, MockBehavior annotated) {
  MutexLock lock(&mu_);
  if (annotated.message.ByteSizeLong() == 0 && Find(pod_id) == nullptr) return;
  Entry& entry = entries_[pod_id];
  entry.annotated = annotated.message.ByteSizeLong() == 0 ? nullptr : std::make_unique<MockBehavior>(annotated);
}

void MockControl::ForgetUnlessRunning(const std::string& pod_id) {
  MutexLock lock(&mu_);
  const auto found = entries_.find(pod_id);
  if (found == entries_.end() || !found->second.machine.expired()) return;
  found->second.annotated = nullptr;
  EraseIfPlain(pod_id);
}

void MockControl::AddMachine(const std::string& pod_id, std::weak_ptr<Machine> machine, absl::Time booted) {
  MutexLock lock(&mu_);
  Entry& entry = entries_[pod_id];
  entry.machine = std::move(machine);
  entry.booted = booted;
  Arm(pod_id, entry);
}

void MockControl::RemoveMachine(const std::string& pod_id, const Machine* machine) {
  std::shared_ptr<Machine> known;
  std::shared_ptr<Guest> guest;
  {
    MutexLock lock(&mu_);
    const auto found = entries_.find(pod_id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    known = entry.machine.lock();
    if (known.get() != machine) return;
    guest = entry.guest.lock();
    entry.machine.reset();
    entry.guest.reset();
    entry.booted = absl::InfinitePast();
    entry.annotated = nullptr;
    entry.timer = Timer();
  }
  // Before those who wait look again, so that they see it.
  if (guest != nullptr) guest->MachineEnded();
  MutexLock lock(&mu_);
  const auto found = entries_.find(pod_id);
  if (found == entries_.end()) return;
  Release(found->second);
  EraseIfPlain(pod_id);
}

void MockControl::AddGuest(const std::string& pod_id, std::weak_ptr<Guest> guest) {
  MutexLock lock(&mu_);
  entries_[pod_id].guest = std::move(guest);
}

void MockControl::SetPaused(const std::string& pod_id, bool paused) {
  std::shared_ptr<Guest> guest;
  {
    MutexLock lock(&mu_);
    if (const Entry* entry = Find(pod_id)) guest = entry->guest.lock();
  }
  if (guest != nullptr) guest->SetPaused(paused);
}

bool MockControl::Silent(const std::string& pod_id) const {
  MutexLock lock(&mu_);
  const Entry* entry = Find(pod_id);
  return entry != nullptr && SilentTime(*entry) <= absl::Now();
}

absl::Status MockControl::Enter(const std::string& pod_id, MockOperation operation, const CallContext& context,
                                const std::function<absl::Status()>& alive) {
  VCD_ASSIGN_OR_RETURN(const Outcome outcome, Suffer(pod_id, operation, context, alive));
  if (!outcome.waited.ok()) return LateStatus(pod_id, operation, outcome.waited);
  VCD_RETURN_IF_ERROR(Failure(pod_id, operation, outcome.fault));
  return LateStatus(pod_id, operation, context.Check(StepOf(pod_id, operation)));
}

absl::Status MockControl::EnterStop(const std::string& pod_id, bool force, const CallContext& context) {
  const CallContext limit = context.Within(force ? absl::ZeroDuration() : kOrderlyStop);
  VCD_ASSIGN_OR_RETURN(const Outcome outcome, Suffer(pod_id, MockOperation::kStop, limit, nullptr));
  return outcome.fault.error.ok() ? absl::OkStatus() : Failure(pod_id, MockOperation::kStop, outcome.fault);
}

MockFault MockControl::TakeFault(const std::string& pod_id, MockOperation operation) {
  Verdict verdict = Decide(pod_id, operation, /*may_wait=*/false);
  verdict.fault.hang |= verdict.silent;
  return verdict.fault;
}

absl::Status MockControl::Failure(const std::string& pod_id, MockOperation operation, const MockFault& fault) {
  const std::string step = StepOf(pod_id, operation);
  if (fault.die) {
    (void)Crash(pod_id, absl::StrCat("the mock machine died: ", MockOperationName(operation)));
    const std::string words = absl::StrCat(step, ": the machine died");
    if (operation == MockOperation::kBoot) {
      return WithDetail(absl::FailedPreconditionError(words), {v1::ERROR_REASON_VM_BOOT_FAILED, {{"pod_id", pod_id}}});
    }
    return WithDetail(absl::UnavailableError(words), {v1::ERROR_REASON_VM_EXITED, {{"pod_id", pod_id}}});
  }
  const absl::Status error = vcd::Annotate(fault.error, step);
  if (operation == MockOperation::kBoot) {
    return WithDetail(error, {v1::ERROR_REASON_VM_BOOT_FAILED, {{"pod_id", pod_id}}});
  }
  if (IsGuestOperation(operation) && absl::IsUnavailable(error)) {
    return WithDetail(error, {v1::ERROR_REASON_AGENT_UNAVAILABLE, {{"pod_id", pod_id}}});
  }
  return error;
}

absl::StatusOr<MockControl::Outcome> MockControl::Suffer(const std::string& pod_id, MockOperation operation,
                                                         const CallContext& context,
                                                         const std::function<absl::Status()>& alive) {
  const std::string step = StepOf(pod_id, operation);
  while (true) {
    if (alive != nullptr) VCD_RETURN_IF_ERROR(alive());
    const Verdict verdict = Decide(pod_id, operation, /*may_wait=*/true);
    const MockFault& fault = verdict.fault;
    if (verdict.waiting_id == 0) return Outcome{absl::OkStatus(), fault};
    if (fault.stuck > absl::ZeroDuration()) {
      // Nobody completes it.
      Completion<bool>().Wait({absl::Now() + fault.stuck, nullptr}, step).IgnoreError();
    }
    const bool for_ever = verdict.silent || fault.hang;
    absl::Status waited = absl::DeadlineExceededError(step);
    if (for_ever || fault.delay > absl::ZeroDuration()) {
      waited = verdict.changed.Wait(for_ever ? context : context.Within(fault.delay), step).status();
    }
    StopWaiting(pod_id, verdict.waiting_id);
    // Something has changed: look again.
    if (waited.ok()) continue;
    // The end of the delay is no end of the context.
    if (!for_ever) waited = context.Check(step);
    return Outcome{waited, fault};
  }
}

MockControl::Verdict MockControl::Decide(const std::string& pod_id, MockOperation operation, bool may_wait) {
  MutexLock lock(&mu_);
  Verdict verdict;
  const Entry* known = Find(pod_id);
  const bool plain = configured_.faults.empty() && (known == nullptr || (!known->set && !known->annotated));
  const bool quiet = known == nullptr || SilentTime(*known) > absl::Now();
  if (plain && (quiet || !IsGuestOperation(operation))) return verdict;
  Entry& entry = entries_[pod_id];
  verdict.fault = Count(entry, operation);
  verdict.silent = !quiet && IsGuestOperation(operation);
  const MockFault& fault = verdict.fault;
  const bool waits =
      verdict.silent || fault.hang || fault.delay > absl::ZeroDuration() || fault.stuck > absl::ZeroDuration();
  if (waits && may_wait) {
    verdict.waiting_id = next_waiting_++;
    entry.waiting.emplace(verdict.waiting_id, Waiting{operation, verdict.changed});
  } else {
    EraseIfPlain(pod_id);
  }
  return verdict;
}

MockFault MockControl::Count(Entry& entry, MockOperation operation) {
  const int field = static_cast<int>(operation);
  const MockBehavior* behavior = Effective(&entry, field);
  if (behavior == nullptr) return MockFault();
  const MockFault& fault = behavior->faults.at(operation);
  if (fault.after == 0 && !fault.times.has_value()) return fault;
  const FieldDescriptor& descriptor = *v1::MockBehavior::descriptor()->FindFieldByNumber(field);
  const std::string text = behavior->message.GetReflection()->GetString(behavior->message, &descriptor);
  Met& met = entry.met[operation];
  if (met.fault != text) met = {text, 0};
  ++met.times;
  const bool spared = met.times <= fault.after;
  const bool over = fault.times.has_value() && met.times - fault.after > *fault.times;
  return spared || over ? MockFault() : fault;
}

void MockControl::StopWaiting(const std::string& pod_id, uint64_t waiting_id) {
  MutexLock lock(&mu_);
  const auto found = entries_.find(pod_id);
  if (found == entries_.end()) return;
  found->second.waiting.erase(waiting_id);
  EraseIfPlain(pod_id);
}

const MockBehavior* MockControl::Effective(const Entry* entry, int field) const {
  const FieldDescriptor& descriptor = *v1::MockBehavior::descriptor()->FindFieldByNumber(field);
  const MockBehavior* layers[] = {entry == nullptr ? nullptr : entry->set.get(),
                                  entry == nullptr ? nullptr : entry->annotated.get(), &configured_};
  for (const MockBehavior* layer : layers) {
    if (layer == nullptr) continue;
    if (!layer->message.GetReflection()->GetString(layer->message, &descriptor).empty()) return layer;
  }
  return nullptr;
}

v1::MockBehavior MockControl::EffectiveMessage(const Entry* entry) const {
  v1::MockBehavior message = configured_.message;
  // Strings that say something replace what they are merged into.
  if (entry != nullptr && entry->annotated != nullptr) message.MergeFrom(entry->annotated->message);
  if (entry != nullptr && entry->set != nullptr) message.MergeFrom(entry->set->message);
  return message;
}

absl::Time MockControl::DieTime(const Entry& entry) const {
  const MockBehavior* behavior = Effective(&entry, v1::MockBehavior::kDieAfterFieldNumber);
  if (behavior == nullptr || !behavior->die_after.has_value() || entry.machine.expired()) {
    return absl::InfiniteFuture();
  }
  return entry.booted + *behavior->die_after;
}

absl::Time MockControl::SilentTime(const Entry& entry) const {
  const MockBehavior* behavior = Effective(&entry, v1::MockBehavior::kSilentAfterFieldNumber);
  if (behavior == nullptr || !behavior->silent_after.has_value() || entry.machine.expired()) {
    return absl::InfiniteFuture();
  }
  return entry.booted + *behavior->silent_after;
}

void MockControl::Arm(const std::string& pod_id, Entry& entry) {
  absl::Time next = DieTime(entry);
  const absl::Time silent = SilentTime(entry);
  if (silent > absl::Now()) next = std::min(next, silent);
  entry.timer = Timer();
  if (next == absl::InfiniteFuture()) return;
  entry.timer = Timer(io_, next, [weak = weak_from_this(), pod_id] {
    if (const std::shared_ptr<MockControl> self = weak.lock()) self->OnTimer(pod_id);
  });
}

void MockControl::OnTimer(const std::string& pod_id) {
  bool dies = false;
  std::shared_ptr<Guest> guest;
  {
    MutexLock lock(&mu_);
    const auto found = entries_.find(pod_id);
    if (found == entries_.end()) return;
    dies = DieTime(found->second) <= absl::Now();
    guest = found->second.guest.lock();
    if (!dies) Arm(pod_id, found->second);
  }
  if (guest != nullptr) guest->BehaviorChanged();
  if (dies) (void)Crash(pod_id, "the mock machine died: die_after");
}

void MockControl::Release(Entry& entry) {
  for (const auto& [id, waiting] : entry.waiting) waiting.changed.Set(true);
}

void MockControl::EraseIfPlain(const std::string& pod_id) {
  const auto found = entries_.find(pod_id);
  if (found == entries_.end()) return;
  const Entry& entry = found->second;
  const bool plain = entry.set == nullptr && entry.annotated == nullptr && entry.machine.expired() &&
                     entry.guest.expired() && entry.met.empty() && entry.waiting.empty();
  if (plain) entries_.erase(found);
}

const MockControl::Entry* MockControl::Find(const std::string& pod_id) const {
  const auto found = entries_.find(pod_id);
  return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace vcd
