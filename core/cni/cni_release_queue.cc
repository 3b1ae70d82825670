// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_release_queue.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/cni/cni_json.h"
#include "core/log/logger.h"
#include "core/netns/network_namespace.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kSuffix[] = ".json";

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? PosixError(error.value(), absl::StrCat("make the directory ", path)) : absl::OkStatus();
}

Logger LoggerOf(const std::string& container_id) { return Logger().With("container_id", container_id); }

}  // namespace

CniReleaseQueue::CniReleaseQueue(Filesystem& filesystem, const CniPlugins& plugins, Options options)
    : filesystem_(filesystem), plugins_(plugins), options_(std::move(options)) {
  Load();
}

CniReleaseQueue::~CniReleaseQueue() {
  cancellation_.Cancel(absl::UnavailableError("vcd is shutting down"));
  std::thread worker;
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    worker = std::move(worker_);
    changed_.NotifyAll();
  }
  if (worker.joinable()) worker.join();
}

std::string CniReleaseQueue::FileOf(const std::string& container_id) const {
  return absl::StrCat(options_.directory, "/", container_id, kSuffix);
}

std::string CniReleaseQueue::NamespaceOf(const std::string& container_id) const {
  return absl::StrCat(options_.netns_dir, "/", container_id);
}

void CniReleaseQueue::Load() {
  const absl::StatusOr<std::vector<std::string>> files = filesystem_.ListDirectory(options_.directory);
  if (!files.ok() && !absl::IsNotFound(files.status())) {
    LogError("", absl::StrCat("networks that wait to be given back: ", files.status().message()));
    return;
  }
  MutexLock lock(&mu_);
  const absl::Time now = absl::Now();
  for (const std::string& file : files.ok() ? *files : std::vector<std::string>()) {
    absl::string_view container_id = file;
    if (absl::ConsumeSuffix(&container_id, kSuffix)) Push(std::string(container_id), now);
  }
  if (!pending_.empty()) {
    LogInfo("", absl::StrCat(pending_.size(), " attachments to networks wait to be given back"));
  }
  // A daemon that was killed between the two has left a namespace whose attachment is still its pod's.
  const absl::StatusOr<std::vector<std::string>> kept = filesystem_.ListDirectory(options_.netns_dir);
  for (const std::string& name : kept.ok() ? *kept : std::vector<std::string>()) {
    if (pending_.count(name) != 0) continue;
    const absl::Status removed = RemoveNetworkNamespace(NamespaceOf(name));
    if (!removed.ok()) LogWarning("", std::string(removed.message()));
  }
}

absl::Status CniReleaseQueue::KeepNamespace(CniAttachment& attachment) const {
  const absl::StatusOr<NetworkNamespace> netns = NetworkNamespace::Open(attachment.netns_path);
  if (!netns.ok()) {
    // Nothing is left to be found in it.
    attachment.netns_path.clear();
    return absl::OkStatus();
  }
  VCD_RETURN_IF_ERROR(MakeDirectories(options_.netns_dir));
  attachment.netns_path = NamespaceOf(attachment.container_id);
  // Of a daemon that was killed here.
  VCD_RETURN_IF_ERROR(RemoveNetworkNamespace(attachment.netns_path));
  return netns->MountAt(attachment.netns_path);
}

absl::Status CniReleaseQueue::Add(CniAttachment attachment, bool keep_netns, const absl::Status& why) {
  const std::string id = attachment.container_id;
  if (size() >= options_.max_pending) {
    return absl::ResourceExhaustedError(
        absl::StrCat(options_.max_pending, " attachments to networks wait to be given back already, as ",
                     options_.directory, " has them; see in the log why, the last time: ", why.message()));
  }
  if (keep_netns) {
    VCD_RETURN_IF_ERROR(KeepNamespace(attachment));
  } else {
    attachment.netns_path.clear();
  }
  absl::Status written = MakeDirectories(options_.directory);
  if (written.ok()) written = filesystem_.ReplaceFile(FileOf(id), CniText(attachment.ToJson()));
  if (!written.ok()) {
    (void)RemoveNetworkNamespace(NamespaceOf(id));
    return written;
  }
  LoggerOf(id).Warning("a network is not given back yet; it is tried again",
                       {{"network", attachment.configuration.name}, {"because", std::string(why.message())}});
  MutexLock lock(&mu_);
  Push(id, absl::Now() + options_.first_delay);
  return absl::OkStatus();
}

void CniReleaseQueue::Push(const std::string& container_id, absl::Time next) {
  pending_[container_id] = {next, options_.first_delay};
  if (!worker_.joinable() && !stopping_) worker_ = std::thread([this] { Work(); });
  changed_.NotifyAll();
}

size_t CniReleaseQueue::size() const {
  MutexLock lock(&mu_);
  return pending_.size();
}

bool CniReleaseQueue::WaitUntilAtMost(size_t pending, absl::Time deadline) const {
  MutexLock lock(&mu_);
  while (pending_.size() > pending) {
    if (changed_.WaitWithDeadline(&mu_, deadline)) return pending_.size() <= pending;
  }
  return true;
}

void CniReleaseQueue::Work() {
  MutexLock lock(&mu_);
  while (!stopping_) {
    const auto first = std::min_element(pending_.begin(), pending_.end(),
                                        [](const auto& a, const auto& b) { return a.second.next < b.second.next; });
    if (first == pending_.end() || first->second.next > absl::Now()) {
      changed_.WaitWithDeadline(&mu_, first == pending_.end() ? absl::InfiniteFuture() : first->second.next);
      continue;
    }
    const std::string id = first->first;
    mu_.Unlock();
    const absl::Status released = Release(id);
    mu_.Lock();
    const auto found = pending_.find(id);
    if (released.ok()) {
      pending_.erase(found);
      changed_.NotifyAll();
      continue;
    }
    if (stopping_) return;
    found->second.delay = std::min(2 * found->second.delay, options_.last_delay);
    found->second.next = absl::Now() + found->second.delay;
    LoggerOf(id).Warning("a network is still not given back", {{"because", std::string(released.message())},
                                                               {"next", absl::FormatDuration(found->second.delay)}});
  }
}

absl::Status CniReleaseQueue::Release(const std::string& container_id) {
  const std::string file = FileOf(container_id);
  const absl::StatusOr<std::string> text = filesystem_.ReadFile(file);
  // Somebody has taken it off our hands.
  if (absl::IsNotFound(text.status())) return RemoveNetworkNamespace(NamespaceOf(container_id));
  VCD_RETURN_IF_ERROR(text.status());
  VCD_ASSIGN_OR_RETURN(const CniJson json, ParseCniRecord(*text, file));
  absl::StatusOr<CniAttachment> attachment = CniAttachment::FromJson(json);
  if (!attachment.ok()) return Annotate(attachment.status(), absl::StrCat(file, " (remove it to give up)"));
  // After a restart of the host: plugins then give back what does not need it.
  if (!NetworkNamespace::Open(attachment->netns_path).ok()) attachment->netns_path.clear();
  VCD_RETURN_IF_ERROR(DeleteCniAttachment(plugins_, *attachment, {absl::InfiniteFuture(), &cancellation_}));
  // The file last: without it nobody would look for the namespace before the next start.
  VCD_RETURN_IF_ERROR(RemoveNetworkNamespace(NamespaceOf(container_id)));
  VCD_RETURN_IF_ERROR(filesystem_.RemoveFile(file));
  LoggerOf(container_id).Info("a network is given back at last", {{"network", attachment->configuration.name}});
  return filesystem_.SyncDirectory(options_.directory);
}

}  // namespace vcd
