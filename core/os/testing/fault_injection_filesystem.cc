// SPDX-License-Identifier: Apache-2.0
#include "core/os/testing/fault_injection_filesystem.h"

#include <cerrno>

#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

void FaultInjectionFilesystem::FailCall(int call, int error_number) {
  MutexLock lock(&mu_);
  fail_call_ = call;
  fail_errno_ = error_number;
  fail_short_ = false;
}

void FaultInjectionFilesystem::ShortWriteCall(int call, int error_number) {
  MutexLock lock(&mu_);
  fail_call_ = call;
  fail_errno_ = error_number;
  fail_short_ = true;
}

void FaultInjectionFilesystem::StopAtCall(int call) {
  MutexLock lock(&mu_);
  stop_at_ = call;
}

void FaultInjectionFilesystem::Reset() {
  MutexLock lock(&mu_);
  calls_.clear();
  fail_call_ = 0;
  stop_at_ = 0;
}

std::vector<std::string> FaultInjectionFilesystem::calls() const {
  MutexLock lock(&mu_);
  return calls_;
}

absl::Status FaultInjectionFilesystem::Begin(const std::string& call, bool* short_write) {
  MutexLock lock(&mu_);
  calls_.push_back(call);
  const int number = static_cast<int>(calls_.size());
  if (stop_at_ != 0 && number >= stop_at_) return PosixError(EIO, call);
  if (number != fail_call_) return absl::OkStatus();
  if (short_write != nullptr) *short_write = fail_short_;
  return PosixError(fail_errno_, call);
}

absl::StatusOr<std::string> FaultInjectionFilesystem::ReadFile(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("ReadFile " + path));
  return inner_.ReadFile(path);
}

absl::StatusOr<FileKind> FaultInjectionFilesystem::Look(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("Look " + path));
  return inner_.Look(path);
}

absl::StatusOr<std::vector<std::string>> FaultInjectionFilesystem::ListDirectory(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("ListDirectory " + path));
  return inner_.ListDirectory(path);
}

absl::Status FaultInjectionFilesystem::CreateDirectory(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("CreateDirectory " + path));
  return inner_.CreateDirectory(path);
}

absl::Status FaultInjectionFilesystem::WriteFile(const std::string& path, const std::string& bytes) {
  bool short_write = false;
  absl::Status status = Begin("WriteFile " + path, &short_write);
  if (status.ok()) return inner_.WriteFile(path, bytes);
  if (short_write) inner_.WriteFile(path, bytes.substr(0, bytes.size() / 2)).IgnoreError();
  return status;
}

absl::Status FaultInjectionFilesystem::SyncFile(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("SyncFile " + path));
  return inner_.SyncFile(path);
}

absl::Status FaultInjectionFilesystem::Rename(const std::string& from, const std::string& to) {
  VCD_RETURN_IF_ERROR(Begin("Rename " + from + " " + to));
  return inner_.Rename(from, to);
}

absl::Status FaultInjectionFilesystem::SyncDirectory(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("SyncDirectory " + path));
  return inner_.SyncDirectory(path);
}

absl::Status FaultInjectionFilesystem::RemoveFile(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("RemoveFile " + path));
  return inner_.RemoveFile(path);
}

absl::Status FaultInjectionFilesystem::RemoveTree(const std::string& path) {
  VCD_RETURN_IF_ERROR(Begin("RemoveTree " + path));
  return inner_.RemoveTree(path);
}

}  // namespace vcd
