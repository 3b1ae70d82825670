// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_DIAL_PROCESS_H_
#define VCD_DAEMON_SERVICE_DIAL_PROCESS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/pod/pod_runtime.h"

namespace vcd {

// The process of a guest that is a connection to a port, what it says beside the bytes, and what its end means. Its
// calls come one after the other; the runtime outlives it.
class DialProcess {
 public:
  DialProcess(PodRuntime& runtime, std::string pod_id) : runtime_(runtime), pod_id_(std::move(pod_id)) {}

  // Connects and attaches to what comes; `done` runs once, with the reader, on any thread.
  void Start(const GuestDial& dial, absl::Time deadline,
             std::function<void(absl::StatusOr<std::unique_ptr<OutputReader>>)> done);

  // Each piece of output. The end of what the peer says is told on standard error, which may be quicker than the bytes.
  void Note(const OutputChunk& chunk);
  // Whether all that the peer says has come.
  bool peer_ended() const { return peer_bytes_.has_value() && bytes_ >= *peer_bytes_; }

  // What its end means for the call.
  absl::Status StatusOf(const absl::StatusOr<v1::ExitStatus>& exit) const;

  // The call has ended: so does the connection. Does not block.
  void End();

  const std::string& pod_id() const { return pod_id_; }
  const ProcessKey& key() const { return key_; }

 private:
  PodRuntime& runtime_;
  const std::string pod_id_;
  ProcessKey key_;
  uint32_t port_ = 0;
  uint64_t bytes_ = 0;
  std::optional<uint64_t> peer_bytes_;  // How many there are, once that is known.
  std::string words_;                   // Of standard error.
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_DIAL_PROCESS_H_
