// SPDX-License-Identifier: Apache-2.0
#include "core/template/templates.h"

#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "core/template/template_build.h"

namespace vcd {
namespace {

// What is remembered of templates that could not be made.
constexpr size_t kMostFailures = 16;

// One failure may be an overloaded host's.
constexpr int kMostFailuresInARow = 2;

constexpr size_t kShortKey = 12;

std::string ShortKey(const std::string& key) { return key.substr(0, kShortKey); }

// Neither of its parts holds a slash.
absl::StatusOr<std::string> DigestOf(const std::string& text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
                 nullptr) != 1) {
    return absl::InternalError("find the key of a template: SHA-256 failed");
  }
  digest.resize(size);
  return absl::BytesToHexString(digest);
}

absl::Status MustBoot(absl::string_view why) { return absl::FailedPreconditionError(why); }

}  // namespace

// `info` and what follows it is guarded by Templates::mu_, but for what never changes there: key and trust domain.
struct Templates::Entry {
  TemplateSubject subject;  // Of one that this daemon has used, has made, or is to make.
  Cancellation given_up;

  TemplateInfo info;
  std::string directory;  // Set once the template is there.
  int leases = 0;
  bool dropped = false;
  uint64_t clone_bytes = 0;  // What a clone took of the host's memory; 0: none was measured.
  int failures_in_a_row = 0;
  absl::Time retry_at = absl::InfinitePast();
  std::vector<Done> waiting;
};

Templates::Lease::~Lease() {
  if (entry_ != nullptr) owner_->Return(entry_);
}

const std::string& Templates::Lease::key() const { return entry_->info.key; }

// Does not change while there is a lease.
const std::string& Templates::Lease::directory() const { return entry_->directory; }

void Templates::Lease::Succeeded() {
  MutexLock lock(&owner_->mu_);
  ++entry_->info.clones;
  entry_->failures_in_a_row = 0;
}

void Templates::Lease::Failed(const absl::Status& why) { owner_->Fail(entry_, why); }

std::unique_ptr<WarmMachine> Templates::Lease::TakeWarm(bool shared_memory) {
  return owner_->warm_.Take(owner_->WarmKindOf(*entry_, shared_memory));
}

void Templates::Lease::KeepWarm(bool shared_memory) { owner_->warm_.Want(owner_->WarmKindOf(*entry_, shared_memory)); }

void Templates::Lease::WarmFailed() { owner_->warm_.OfNoUse(directory()); }

Templates::Templates(const TemplateOptions& options, Filesystem& filesystem, BootGate& gate, BackgroundWork& work,
                     RuntimeMetrics& metrics)
    : options_(options),
      gate_(gate),
      work_(work),
      metrics_(metrics),
      store_(filesystem, options.directory),
      warm_(options, filesystem, gate, work, metrics, [this](const WarmKind& kind) { return FindWarmSource(kind); }) {}

void Templates::Open(const std::vector<Hypervisor*>& hypervisors) {
  if (!options_.enabled) return;
  std::error_code error;
  for (const auto& left : std::filesystem::directory_iterator(options_.run_dir, error)) {
    for (Hypervisor* hypervisor : hypervisors) {
      const absl::Status removed = RemoveTemplateMachine(*hypervisor, left.path().string());
      if (!removed.ok()) LogError("", absl::StrCat("end the machine of a template: ", removed.message()));
    }
  }
  absl::StatusOr<std::vector<StoredTemplate>> stored = store_.Load();
  if (!stored.ok()) {
    LogError("", absl::StrCat("templates of before are lost: ", stored.status().message()));
    stored = std::vector<StoredTemplate>();
  }
  // The newest of a key first: another was about to be removed.
  std::sort(stored->begin(), stored->end(), [](const StoredTemplate& a, const StoredTemplate& b) {
    return std::tie(b.info.created_at, b.directory) < std::tie(a.info.created_at, a.directory);
  });
  std::vector<std::shared_ptr<Entry>> old;
  {
    MutexLock lock(&mu_);
    open_ = true;
    opened_.NotifyAll();
    for (StoredTemplate& found : *stored) {
      auto entry = std::make_shared<Entry>();
      entry->info = std::move(found.info);
      entry->directory = std::move(found.directory);
      if (!entries_.emplace(entry->info.key, entry).second) old.push_back(entry);
    }
  }
  for (const std::shared_ptr<Entry>& entry : old) RemoveFiles(*entry);
  warm_.Adopt(hypervisors);
}

void Templates::BeginShutdown() {
  const absl::Status why = absl::UnavailableError("vcd is shutting down");
  shutdown_.Cancel(why);
  std::deque<std::shared_ptr<Entry>> waiting;
  std::vector<std::shared_ptr<Entry>> all;
  {
    MutexLock lock(&mu_);
    waiting.swap(to_build_);
    for (const auto& [name, entry] : entries_) all.push_back(entry);
  }
  for (const std::shared_ptr<Entry>& entry : all) entry->given_up.Cancel(why);
  for (const std::shared_ptr<Entry>& entry : waiting) {
    std::vector<Done> told;
    {
      MutexLock lock(&mu_);
      told.swap(entry->waiting);
    }
    for (const Done& done : told) done(why);
  }
  warm_.BeginShutdown();
}

absl::StatusOr<std::string> Templates::KeyOf(const TemplateSubject& subject, const CallContext& context) const {
  if (!options_.enabled) return MustBoot("templates are turned off");
  if (!subject.hypervisor->capabilities().images) return MustBoot("this hypervisor saves no machines");
  // Without an answer of the guest nobody knows when it is worth to be saved.
  if (!subject.agent->capabilities().runs_processes) {
    return MustBoot(absl::StrCat("agent `", subject.agent_name, "` does not talk to a guest; `native` does"));
  }
  VmSpec spec;
  spec.config = subject.config;
  VCD_ASSIGN_OR_RETURN(const std::string image, subject.hypervisor->ImageKey(spec, context));
  return DigestOf(absl::StrCat(image, "/", subject.trust_domain));
}

std::shared_ptr<Templates::Entry> Templates::AddLocked(const TemplateSubject& subject, const std::string& key) {
  auto entry = std::make_shared<Entry>();
  entry->subject = subject;
  entry->info.key = key;
  entry->info.trust_domain = subject.trust_domain;
  entry->info.vcpus = subject.config.default_vcpus();
  entry->info.memory_mib = subject.config.default_memory_mib();
  entry->info.kernel_path = subject.config.kernel_path();
  entry->info.machine_type = subject.config.machine_type();
  entry->info.created_at = absl::Now();
  entry->info.last_used_at = absl::InfinitePast();
  entries_[key] = entry;
  to_build_.push_back(entry);
  return entry;
}

absl::StatusOr<Templates::Lease> Templates::Use(const TemplateSubject& subject, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const std::string key, KeyOf(subject, context));
  {
    MutexLock lock(&mu_);
    if (!open_) return MustBoot("templates are not loaded yet");
    ForgetFailuresLocked();
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      const std::shared_ptr<Entry>& entry = found->second;
      if (entry->info.state == TemplateState::kReady) {
        entry->info.last_used_at = absl::Now();
        entry->subject = subject;
        ++entry->leases;
        return Lease(this, entry);
      }
      if (entry->info.state == TemplateState::kBuilding) return MustBoot("its template is still being made");
      return MustBoot(absl::StrCat("its template is of no use: ", entry->info.reason));
    }
    AddLocked(subject, key);
  }
  BuildNext();
  return MustBoot("there was no template of such a machine yet");
}

std::optional<uint64_t> Templates::CloneMemory(const TemplateSubject& subject) const {
  const std::string config = subject.config.SerializeAsString();
  MutexLock lock(&mu_);
  for (const auto& [key, entry] : entries_) {
    const TemplateSubject& last = entry->subject;
    if (entry->info.state != TemplateState::kReady || last.hypervisor != subject.hypervisor ||
        last.agent != subject.agent || last.trust_domain != subject.trust_domain ||
        last.config.SerializeAsString() != config) {
      continue;
    }
    return entry->clone_bytes != 0 ? entry->clone_bytes : uint64_t{entry->info.memory_mib} << 20;
  }
  return std::nullopt;
}

Templates::Entry* Templates::UnmeasuredLocked(const std::string& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second->clone_bytes == 0 ? found->second.get() : nullptr;
}

void Templates::MeasureClone(const std::string& key, const std::function<uint64_t()>& measure) {
  {
    MutexLock lock(&mu_);
    if (UnmeasuredLocked(key) == nullptr) return;
  }
  const uint64_t bytes = measure();
  MutexLock lock(&mu_);
  if (Entry* entry = UnmeasuredLocked(key)) entry->clone_bytes = bytes;
}

void Templates::Prepare(const TemplateSubject& subject, const CallContext& context, Done done) {
  const absl::StatusOr<std::string> key = KeyOf(subject, context);
  if (!key.ok()) return done(key.status());
  absl::StatusOr<TemplateInfo> answer = absl::UnknownError("it waits");
  {
    MutexLock lock(&mu_);
    while (!open_) opened_.Wait(&mu_);
    const auto found = entries_.find(*key);
    std::shared_ptr<Entry> entry = found == entries_.end() ? nullptr : found->second;
    // BeginShutdown tells who waits by then, and nobody later.
    if (!shutdown_.status().ok()) {
      answer = shutdown_.status();
    } else if (entry != nullptr && entry->info.state == TemplateState::kReady) {
      answer = entry->info;
    } else {
      // Who asks for it by name does not wait for the time of the next try.
      if (entry == nullptr || entry->info.state == TemplateState::kFailed) entry = AddLocked(subject, *key);
      entry->waiting.push_back(std::exchange(done, nullptr));
    }
  }
  if (done != nullptr) return done(std::move(answer));
  BuildNext();
}

std::vector<TemplateInfo> Templates::List() const {
  std::vector<TemplateInfo> list;
  const absl::Time now = absl::Now();
  MutexLock lock(&mu_);
  for (const auto& [name, entry] : entries_) {
    if (HasPassed(*entry, now)) continue;
    list.push_back(entry->info);
    list.back().warm_machines = static_cast<uint32_t>(warm_.Count(entry->directory));
  }
  return list;
}

// Of an entry with a lease.
WarmKind Templates::WarmKindOf(const Entry& entry, bool shared_memory) const {
  return {entry.info.key, entry.directory, shared_memory};
}

absl::StatusOr<WarmSource> Templates::FindWarmSource(const WarmKind& kind) {
  MutexLock lock(&mu_);
  const auto found = entries_.find(kind.template_key);
  if (found == entries_.end() || found->second->info.state != TemplateState::kReady ||
      found->second->directory != kind.template_directory) {
    return absl::NotFoundError("its template is gone");
  }
  const std::shared_ptr<Entry>& entry = found->second;
  ++entry->leases;
  return WarmSource{entry->subject.hypervisor, entry->subject.config, entry->info.memory_bytes,
                    std::make_shared<Lease>(this, entry)};
}

absl::StatusOr<std::vector<std::string>> Templates::Delete(const std::string& key) {
  if (key.empty()) return InvalidField("key", "is empty; name a template, or `*` for all");
  std::vector<std::string> keys;
  std::vector<std::shared_ptr<Entry>> found, removed;
  {
    MutexLock lock(&mu_);
    ForgetFailuresLocked();
    for (const auto& [name, entry] : entries_) {
      if (key != "*" && !absl::StartsWith(name, key)) continue;
      if (key != "*" && !keys.empty()) {
        return InvalidField("key", absl::StrCat("several begin with ", key, ": ", keys.back(), " and ", name));
      }
      keys.push_back(name);
      found.push_back(entry);
    }
    for (const std::shared_ptr<Entry>& entry : found) {
      if (DropLocked(entry)) removed.push_back(entry);
    }
  }
  const absl::Status why = absl::AbortedError("the template was deleted meanwhile");
  for (const std::shared_ptr<Entry>& entry : found) entry->given_up.Cancel(why);
  for (const std::shared_ptr<Entry>& entry : removed) RemoveFiles(*entry);
  return keys;
}

void Templates::BuildNext() {
  std::shared_ptr<Entry> entry;
  {
    MutexLock lock(&mu_);
    if (building_ || to_build_.empty() || !shutdown_.status().ok()) return;
    building_ = true;
    entry = to_build_.front();
    to_build_.pop_front();
  }
  work_.Begin();
  BootNeed need;
  need.memory_bytes = uint64_t{entry->info.memory_mib} << 20;
  gate_.EnterFirst(need, [this, entry](absl::StatusOr<std::unique_ptr<BootGate::Place>> entered) {
    const absl::Status admitted = entered.status();
    std::shared_ptr<BootGate::Place> place = entered.ok() ? *std::move(entered) : nullptr;
    work_.Post([this, entry, admitted, place = std::move(place)]() mutable {
      Build(entry, admitted);
      place.reset();
      {
        MutexLock lock(&mu_);
        building_ = false;
      }
      BuildNext();
    });
    work_.End();
  });
}

void Templates::Build(const std::shared_ptr<Entry>& entry, const absl::Status& admitted) {
  const absl::Time began = absl::Now();
  std::string directory;
  absl::Status status = entry->given_up.status();
  status.Update(admitted);
  if (status.ok()) status = MakeRoom(0);
  if (status.ok()) {
    absl::StatusOr<std::string> made = store_.Begin(entry->info.key);
    status = made.ok() ? BuildIn(*entry, directory = *made) : made.status();
  }
  if (!status.ok() && !directory.empty()) {
    const absl::Status removed = store_.Remove(directory);
    if (!removed.ok()) LogError("", absl::StrCat("remove an unfinished template: ", removed.message()));
  }
  std::vector<Done> told;
  TemplateInfo info;
  bool remove = false;
  {
    MutexLock lock(&mu_);
    if (status.ok()) {
      entry->info.state = TemplateState::kReady;
      entry->info.memory_bytes = TemplateStore::SizeOf(directory);
      entry->directory = directory;
      // Deleted at the last moment.
      remove = entry->dropped;
    } else {
      entry->info.state = TemplateState::kFailed;
      entry->info.reason = std::string(status.message());
      entry->retry_at = absl::Now() + options_.retry_after;
      ForgetFailuresLocked();
    }
    told.swap(entry->waiting);
    info = entry->info;
  }
  const bool given_up = !entry->given_up.status().ok();
  if (!given_up) metrics_.TemplateBuilt(status.ok());
  if (status.ok()) {
    LogInfo("", absl::StrCat("template ", ShortKey(info.key), " of trust domain ", info.trust_domain, " made within ",
                             absl::FormatDuration(absl::Trunc(absl::Now() - began, absl::Milliseconds(1)))));
  } else if (!given_up) {
    LogWarning("", absl::StrCat("template ", ShortKey(info.key), " could not be made: ", status.message()));
  }
  if (remove) RemoveFiles(*entry);
  for (const Done& done : told) status.ok() ? done(info) : done(Annotate(status, "make the template"));
}

absl::Status Templates::BuildIn(Entry& entry, const std::string& directory) {
  const std::string name = absl::StrCat("template-", ShortKey(entry.info.key));
  VmSpec spec;
  spec.config = entry.subject.config;
  spec.pod_id = name;
  spec.run_dir = absl::StrCat(options_.run_dir, "/", name);
  const CallContext context{absl::Now() + options_.build_timeout, &entry.given_up};
  VCD_RETURN_IF_ERROR(BuildTemplate(*entry.subject.hypervisor, *entry.subject.agent, std::move(spec), directory,
                                    options_.settle_time, context));
  VCD_RETURN_IF_ERROR(MakeRoom(TemplateStore::SizeOf(directory)));
  return store_.Complete(directory, entry.info);
}

absl::Status Templates::MakeRoom(uint64_t bytes) {
  std::vector<std::shared_ptr<Entry>> removed;
  absl::Status status;
  {
    MutexLock lock(&mu_);
    while (true) {
      size_t count = 0;
      uint64_t taken = bytes;
      std::shared_ptr<Entry> oldest;
      for (const auto& [name, entry] : entries_) {
        if (entry->info.state != TemplateState::kReady) continue;
        ++count;
        taken += entry->info.memory_bytes;
        if (entry->leases > 0 || entry->info.last_used_at > absl::Now() - options_.keep_used) continue;
        if (oldest == nullptr || entry->info.last_used_at < oldest->info.last_used_at) oldest = entry;
      }
      if (count < options_.max_templates && taken <= options_.max_memory_bytes) break;
      if (oldest == nullptr) {
        status = absl::ResourceExhaustedError(
            absl::StrCat("there is no room: ", count, " templates are in use; raise max_templates (",
                         options_.max_templates, ") or max_memory_mib (", options_.max_memory_bytes >> 20, ")"));
        break;
      }
      if (DropLocked(oldest)) removed.push_back(oldest);
    }
  }
  for (const std::shared_ptr<Entry>& entry : removed) {
    LogInfo("", absl::StrCat("template ", ShortKey(entry->info.key), " makes room for another"));
    RemoveFiles(*entry);
  }
  return status;
}

bool Templates::DropLocked(const std::shared_ptr<Entry>& entry) {
  const auto found = entries_.find(entry->info.key);
  if (found != entries_.end() && found->second == entry) entries_.erase(found);
  if (entry->dropped) return false;
  entry->dropped = true;
  if (!entry->directory.empty()) warm_.Drop(entry->directory);
  return entry->leases == 0 && entry->info.state == TemplateState::kReady;
}

void Templates::RemoveFiles(const Entry& entry) {
  if (entry.subject.hypervisor != nullptr) entry.subject.hypervisor->ForgetImage(entry.directory);
  const absl::Status removed = store_.Remove(entry.directory);
  if (!removed.ok()) LogError("", absl::StrCat("remove a template: ", removed.message()));
}

void Templates::Return(const std::shared_ptr<Entry>& entry) {
  bool remove = false;
  {
    MutexLock lock(&mu_);
    remove = --entry->leases == 0 && entry->dropped;
  }
  if (remove) RemoveFiles(*entry);
}

void Templates::Fail(const std::shared_ptr<Entry>& entry, const absl::Status& why) {
  {
    MutexLock lock(&mu_);
    ++entry->info.fallbacks;
    const bool damaged = absl::IsDataLoss(why);
    if (!damaged && ++entry->failures_in_a_row < kMostFailuresInARow) return;
    if (entry->dropped) return;
    // Its lease is still there, so it goes from the disk later.
    DropLocked(entry);
    LogWarning("", absl::StrCat("template ", ShortKey(entry->info.key), " dropped: ", why.message()));
    if (!damaged) {
      // Another one would be of no more use.
      auto failed = std::make_shared<Entry>();
      failed->info = entry->info;
      failed->info.state = TemplateState::kFailed;
      failed->info.reason = std::string(why.message());
      failed->info.memory_bytes = 0;
      failed->retry_at = absl::Now() + options_.retry_after;
      entries_[failed->info.key] = failed;
      return ForgetFailuresLocked();
    }
    AddLocked(entry->subject, entry->info.key);
  }
  BuildNext();
}

bool Templates::HasPassed(const Entry& entry, absl::Time now) {
  return entry.info.state == TemplateState::kFailed && entry.retry_at <= now;
}

void Templates::ForgetFailuresLocked() {
  const absl::Time now = absl::Now();
  size_t failures = 0;
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (HasPassed(*it->second, now)) {
      it = entries_.erase(it);
      continue;
    }
    if (it->second->info.state == TemplateState::kFailed) {
      ++failures;
      if (oldest == entries_.end() || it->second->retry_at < oldest->second->retry_at) oldest = it;
    }
    ++it;
  }
  // It is called for each that comes.
  if (failures > kMostFailures) entries_.erase(oldest);
}

}  // namespace vcd
