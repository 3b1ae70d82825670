// SPDX-License-Identifier: Apache-2.0
#include "client/pod/restriction_options.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/pod/config_file.h"
#include "client/pod/option_text.h"
#include "proto/vcd/v1/linux_names.h"

namespace vcd::client {
namespace {

constexpr char kSeccomp[] = "seccomp=";

bool IsAll(const std::string& text) { return absl::AsciiStrToUpper(text) == "ALL"; }

absl::StatusOr<std::vector<std::string>> Capabilities(const std::string& option,
                                                      const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  for (const std::string& text : texts) {
    if (IsAll(text)) {
      names.assign(std::begin(kCapabilityNames), std::end(kCapabilityNames));
      continue;
    }
    auto name = Capability(option, text);
    if (!name.ok()) return name.status();
    names.push_back(*std::move(name));
  }
  return names;
}

void Remove(const std::vector<std::string>& names, google::protobuf::RepeatedPtrField<std::string>* set) {
  for (int i = set->size(); i-- > 0;) {
    if (std::find(names.begin(), names.end(), set->Get(i)) != names.end()) set->DeleteSubrange(i, 1);
  }
}

void Add(const std::vector<std::string>& names, google::protobuf::RepeatedPtrField<std::string>* set) {
  for (const std::string& name : names) {
    if (std::find(set->begin(), set->end(), name) == set->end()) *set->Add() = name;
  }
}

}  // namespace

void RestrictionOptions::Declare(Arguments* arguments) {
  arguments->Repeated("--group-add", &groups_, "GROUP", "One more group: a name of the container, or a number");
  arguments->Repeated("--ulimit", &ulimits_, "TYPE=SOFT[:HARD]", "A limit of setrlimit(2), as in nofile=1024:4096");
  arguments->Text("--umask", &umask_, "OCTAL", "File mode creation mask (default: 0022, exec: the container's)");
  arguments->Text("--oom-score-adj", &oom_score_adj_, "N",
                  "How soon the guest ends it when memory is short: -1000 (never) to 1000");
}

absl::Status RestrictionOptions::Apply(v1::Cmd* cmd) const {
  for (const std::string& group : groups_) cmd->add_supplementary_groups(group);
  for (const std::string& text : ulimits_) {
    const auto limit = Ulimit("--ulimit", text);
    if (!limit.ok()) return limit.status();
    // One of the same type in the file gives way.
    auto* existing = cmd->mutable_rlimits();
    for (int i = existing->size(); i-- > 0;) {
      if (existing->Get(i).type() == limit->type()) existing->DeleteSubrange(i, 1);
    }
    *cmd->add_rlimits() = *limit;
  }
  if (!umask_.empty()) {
    uint32_t mask = 0;
    const char* const end = umask_.data() + umask_.size();
    const auto read = std::from_chars(umask_.data(), end, mask, 8);
    if (read.ec != std::errc() || read.ptr != end || mask > 0777) {
      return absl::InvalidArgumentError(absl::StrCat("--umask \"", umask_, "\": must be octal, 0 to 0777"));
    }
    cmd->set_umask(mask);
  }
  if (!oom_score_adj_.empty()) {
    int32_t score = 0;
    if (!absl::SimpleAtoi(oom_score_adj_, &score)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--oom-score-adj \"", oom_score_adj_, "\": must be a number from -1000 to 1000"));
    }
    cmd->set_oom_score_adj(score);
  }
  return absl::OkStatus();
}

void IsolationOptions::Declare(Arguments* arguments) {
  arguments->Repeated("--cap-add", &added_capabilities_, "CAP",
                      "A capability more than usual, such as NET_ADMIN; or ALL");
  arguments->Repeated("--cap-drop", &dropped_capabilities_, "CAP", "One less, or ALL; --cap-add is done after this");
  arguments->Repeated("--security-opt", &security_options_, "OPTION",
                      "no-new-privileges, or seccomp=FILE with a profile in the form of OCI (linux.seccomp)");
  arguments->Repeated("--tmpfs", &tmpfs_, "DIR[:OPTIONS]", "Memory as files, as in /cache:size=64m,mode=1777");
  arguments->Text("--shm-size", &shm_size_, "BYTES", "Size of /dev/shm, as in 256m (default: 64m)");
  arguments->Repeated("--sysctl", &sysctls_, "NAME=VALUE", "A kernel parameter of the container's namespaces");
}

absl::Status IsolationOptions::Apply(v1::ContainerConfig* container) const {
  if (absl::Status status = ApplyCapabilities(container->mutable_cmd()); !status.ok()) return status;
  for (const std::string& option : security_options_) {
    if (option == "no-new-privileges" || option == "no-new-privileges=true") {
      container->mutable_cmd()->set_no_new_privileges(true);
    } else if (option == "seccomp=unconfined") {
      container->mutable_linux()->clear_seccomp();
    } else if (absl::StartsWith(option, kSeccomp)) {
      auto profile = ReadSeccompProfile(option.substr(sizeof(kSeccomp) - 1));
      if (!profile.ok()) return profile.status();
      *container->mutable_linux()->mutable_seccomp() = *std::move(profile);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--security-opt \"", option, "\": must be no-new-privileges or seccomp=FILE"));
    }
  }
  return ApplyFiles(container);
}

absl::Status IsolationOptions::ApplyCapabilities(v1::Cmd* cmd) const {
  if (added_capabilities_.empty() && dropped_capabilities_.empty()) return absl::OkStatus();
  const auto added = Capabilities("--cap-add", added_capabilities_);
  if (!added.ok()) return added.status();
  const auto dropped = Capabilities("--cap-drop", dropped_capabilities_);
  if (!dropped.ok()) return dropped.status();
  const std::vector<std::string> usual(std::begin(kDefaultCapabilityNames), std::end(kDefaultCapabilityNames));
  const bool from_file = cmd->has_capabilities();
  v1::LinuxCapabilities& sets = *cmd->mutable_capabilities();
  for (auto* set : {sets.mutable_bounding(), sets.mutable_permitted(), sets.mutable_effective()}) {
    if (!from_file) Add(usual, set);
    Remove(*dropped, set);
    Add(*added, set);
  }
  for (auto* set : {sets.mutable_inheritable(), sets.mutable_ambient()}) Remove(*dropped, set);
  return absl::OkStatus();
}

absl::Status IsolationOptions::ApplyFiles(v1::ContainerConfig* container) const {
  for (const std::string& text : tmpfs_) {
    const size_t colon = text.find(':');
    v1::Mount& mount = *container->add_mounts();
    mount.set_type("tmpfs");
    mount.set_source("tmpfs");
    mount.set_destination(text.substr(0, colon));
    for (const char* option : {"nosuid", "nodev", "noexec"}) mount.add_options(option);
    if (colon == std::string::npos) continue;
    for (const auto& option : absl::StrSplit(text.substr(colon + 1), ',', absl::SkipEmpty())) {
      mount.add_options(std::string(option));
    }
  }
  if (!shm_size_.empty()) {
    const auto bytes = Bytes("--shm-size", shm_size_);
    if (!bytes.ok()) return bytes.status();
    container->mutable_linux()->set_shm_size_bytes(*bytes);
  }
  for (const std::string& text : sysctls_) {
    const auto pair = KeyAndValue("--sysctl", text);
    if (!pair.ok()) return pair.status();
    (*container->mutable_linux()->mutable_sysctls())[pair->first] = pair->second;
  }
  return absl::OkStatus();
}

}  // namespace vcd::client
