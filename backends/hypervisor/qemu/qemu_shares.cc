// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_shares.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/share_mounts.h"
#include "core/hypervisor/process_record.h"
#include "core/os/supervised_process.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kMaxTagBytes = 36;

absl::Status CheckTag(const std::string& tag) {
  const bool plain = std::all_of(tag.begin(), tag.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  });
  if (tag.empty() || tag.size() > kMaxTagBytes || !plain) {
    return absl::InvalidArgumentError(absl::StrCat("\"", tag, "\" is no tag of a share: 1 to ", kMaxTagBytes,
                                                   " of the characters A-Z a-z 0-9 _ . -"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status QemuShares::Adopt(const state::v1::VirtualMachine& record, const CallContext& context) {
  VCD_RETURN_IF_ERROR(server_.Adopt(record, context));
  {
    MutexLock lock(&mu_);
    for (const state::v1::SharedDirectory& recorded : record.shared_directories()) {
      Shared shared{recorded.host_path(),           recorded.readonly(), recorded.name(),
                    FromRecord(recorded.process()), /*busy=*/false,      /*shared=*/true};
      shares_[recorded.tag()] = std::move(shared);
    }
  }
  const absl::Status adopted = AdoptNames();
  // A server that is gone takes its files with it, not the machine.
  return absl::IsNotFound(adopted) ? absl::OkStatus() : adopted;
}

absl::Status QemuShares::AdoptNames() {
  VCD_ASSIGN_OR_RETURN(const UniqueFd server, server_.Pidfd());
  VCD_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListShares(server.get()));
  std::set<std::string> known;
  {
    MutexLock lock(&mu_);
    for (const auto& [tag, shared] : shares_) known.insert(shared.name);
    for (const std::string& name : names) {
      uint64_t number = 0;
      if (absl::SimpleAtoi(name.substr(name.rfind('.') + 1), &number))
        next_number_ = std::max(next_number_, number + 1);
    }
  }
  for (const std::string& name : names) {
    if (known.count(name) == 0) VCD_RETURN_IF_ERROR(RemoveShare(server.get(), name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> QemuShares::Reserve(const ShareSpec& share) {
  MutexLock lock(&mu_);
  if (shares_.count(share.tag) != 0) {
    return absl::AlreadyExistsError(absl::StrCat("directory ", share.tag, " is shared already"));
  }
  const bool old =
      std::any_of(shares_.begin(), shares_.end(), [](const auto& s) { return s.second.own_server.pid > 0; });
  if (old) {
    return absl::FailedPreconditionError(absl::StrCat("share ", share.host_path,
                                                      ": the machine was started by an earlier "
                                                      "release of vcd; stop the pod and start it again"));
  }
  if (shares_.size() >= static_cast<size_t>(kMaxShares)) {
    return absl::ResourceExhaustedError(absl::StrCat("share ", share.host_path, ": the machine has ", kMaxShares,
                                                     " shares already; put more into one directory, or use an image"));
  }
  const std::string name = absl::StrCat(share.tag, ".", next_number_++);
  shares_[share.tag] = Shared{share.host_path, share.readonly, name, {}, /*busy=*/true, /*shared=*/false};
  return name;
}

absl::StatusOr<SharedPath> QemuShares::Share(const ShareSpec& share, const CallContext& context) {
  const std::string step = absl::StrCat("share ", share.host_path);
  VCD_RETURN_IF_ERROR(context.Check(step));
  VCD_RETURN_IF_ERROR(CheckTag(share.tag));
  if (!options_.shared_memory) {
    return absl::FailedPreconditionError(absl::StrCat(step, ": the machine was not booted with shared memory"));
  }
  VCD_ASSIGN_OR_RETURN(std::string name, Reserve(share));
  const absl::Status placed = Place(share, name, context);
  MutexLock lock(&mu_);
  if (!placed.ok()) {
    shares_.erase(share.tag);
    return placed;
  }
  shares_[share.tag].busy = false;
  shares_[share.tag].shared = true;
  return SharedPath{kFileServerTag, std::move(name)};
}

absl::Status QemuShares::Place(const ShareSpec& share, const std::string& name, const CallContext& context) {
  const std::string step = absl::StrCat("share ", share.host_path);
  absl::StatusOr<UniqueFd> users = server_.UserNamespace();
  if (!users.ok()) return Annotate(users.status(), step);
  // Before there is a server for it: most of what can be wrong is wrong with the path.
  VCD_ASSIGN_OR_RETURN(const ShareMount mount, CloneForGuest(share, users->get()));
  absl::StatusOr<UniqueFd> server = server_.Ensure(users->get(), context);
  if (!server.ok()) return Annotate(server.status(), step);
  const absl::Status placed = PlaceShare(server->get(), mount, name);
  return Annotate(absl::IsNotFound(placed) ? server_.EndedError() : placed, step);
}

absl::Status QemuShares::Unshare(const std::string& tag, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("unshare ", tag)));
  Shared shared;
  {
    MutexLock lock(&mu_);
    const auto found = shares_.find(tag);
    if (found == shares_.end()) return absl::OkStatus();
    if (found->second.busy) return absl::AbortedError(absl::StrCat("directory ", tag, " is being shared or unshared"));
    found->second.busy = true;
    shared = found->second;
  }
  const absl::Status removed = Annotate(Remove(shared), absl::StrCat("unshare ", tag));
  MutexLock lock(&mu_);
  if (removed.ok()) {
    shares_.erase(tag);
  } else {
    shares_[tag].busy = false;
  }
  return removed;
}

absl::Status QemuShares::Remove(const Shared& shared) {
  if (shared.own_server.pid > 0) {
    // Its device stays, dead, until the machine ends.
    auto process = SupervisedProcess::Adopt(io_, shared.own_server);
    return process.ok() ? (*process)->Terminate(absl::Seconds(1)) : absl::OkStatus();
  }
  const absl::StatusOr<UniqueFd> server = server_.Pidfd();
  const absl::Status removed = server.ok() ? RemoveShare(server->get(), shared.name) : server.status();
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::Status QemuShares::EndProcesses() {
  state::v1::VirtualMachine record;
  WriteTo(&record);
  // Most machines share nothing, and need nobody to be looked for.
  if (record.shared_directories().empty() && !record.has_file_server()) return absl::OkStatus();
  return server_.End();
}

void QemuShares::WriteTo(state::v1::VirtualMachine* record) const {
  server_.WriteTo(record);
  MutexLock lock(&mu_);
  for (const auto& [tag, shared] : shares_) {
    if (!shared.shared) continue;
    state::v1::SharedDirectory* written = record->add_shared_directories();
    written->set_tag(tag);
    written->set_host_path(shared.host_path);
    written->set_readonly(shared.readonly);
    written->set_name(shared.name);
    if (shared.own_server.pid > 0) *written->mutable_process() = ToRecord(shared.own_server);
  }
}

}  // namespace vcd
