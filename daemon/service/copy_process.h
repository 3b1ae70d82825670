// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_COPY_PROCESS_H_
#define VCD_DAEMON_SERVICE_COPY_PROCESS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/pod/pod_runtime.h"

namespace vcd {

// The process of a guest that packs or unpacks files, and what its end means. Its calls come one after the other; the
// runtime outlives it.
class CopyProcess {
 public:
  CopyProcess(PodRuntime& runtime, std::string pod_id, std::string container_id);

  // Starts it and attaches to its output; `done` runs once, with the reader, on any thread.
  void Start(GuestArchive archive, absl::Time deadline,
             std::function<void(absl::StatusOr<std::unique_ptr<OutputReader>>)> done);

  // Keeps what the guest says on standard error, up to a bound, for StatusOf.
  void NoteComplaint(const std::string& text);

  // What its end means for the call.
  absl::Status StatusOf(const absl::StatusOr<v1::ExitStatus>& exit);

  // The call has ended: so does the process, should it still run. Does not block.
  void End();

  const std::string& pod_id() const { return pod_id_; }
  const ProcessKey& key() const { return key_; }

 private:
  PodRuntime& runtime_;
  const std::string pod_id_;
  ProcessKey key_;
  std::string path_;
  const char* step_ = "";
  std::string complaint_;
  bool ended_ = false;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_COPY_PROCESS_H_
