// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_TESTING_SOCKET_MACHINE_H_
#define VCD_CORE_AGENT_TESTING_SOCKET_MACHINE_H_

#include <functional>
#include <string>
#include <utility>

#include "core/hypervisor/hypervisor.h"

namespace vcd {

// A machine that is nothing but an agent channel: what agents need for their tests.
class SocketMachine : public VirtualMachine {
 public:
  // `connect` makes the stream of each ConnectAgent.
  explicit SocketMachine(std::function<absl::StatusOr<UniqueFd>()> connect, std::string console = "")
      : connect_(std::move(connect)), console_(std::move(console)) {}

  state::v1::VirtualMachine Record() const override { return {}; }
  absl::StatusOr<UniqueFd> ConnectAgent(const CallContext&) override { return connect_(); }
  absl::Status Pause(const CallContext&) override { return Not(); }
  absl::Status Resume(const CallContext&) override { return Not(); }
  absl::StatusOr<DiskAddress> AttachDisk(const DiskSpec&, const CallContext&) override { return Not(); }
  absl::Status DetachDisk(const std::string&, const CallContext&) override { return Not(); }
  absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec&, const CallContext&) override { return Not(); }
  absl::Status UnshareDirectory(const std::string&, const CallContext&) override { return Not(); }
  absl::Status Stop(StopMode, const CallContext&) override { return Not(); }
  void OnExit(std::function<void(const std::string&)>) override {}
  std::string ConsoleTail() const override { return console_; }

 private:
  static absl::Status Not() { return absl::UnimplementedError("a socket machine has an agent channel only"); }

  const std::function<absl::StatusOr<UniqueFd>()> connect_;
  const std::string console_;
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_TESTING_SOCKET_MACHINE_H_
