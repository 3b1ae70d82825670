// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_LINK_MACHINE_TRANSPORT_H_
#define VCD_TEST_LINK_MACHINE_TRANSPORT_H_

#include <filesystem>
#include <string>
#include <vector>

#include "guest/image/testing/busybox_root.h"
#include "guest/image/testing/test_machine.h"
#include "test/link/link_transport.h"

namespace vcd {

// The virtio-serial port of a real, emulated machine. Its containers' root is a disk.
class MachineTransport : public LinkTransport {
 public:
  // `programs` are added to the root's /bin.
  explicit MachineTransport(const std::vector<std::string>& programs = {}) {
    const std::string root = machine_.directory() + "/root";
    guest::MakeBusyboxRoot(root);
    for (const std::string& program : programs) {
      std::filesystem::copy_file(program, root + "/bin/" + std::filesystem::path(program).filename().string());
    }
    machine_.AttachImage(machine_.MakeImage(root, "root.erofs"), 3);
  }
  absl::StatusOr<UniqueFd> Connect() override { return machine_.ConnectAgent(); }
  void PlaceRootfs(GuestContainerSpec& spec) override {
    spec.rootfs = DiskRootfs{{{.target = 0, .lun = 3}, ""}, "erofs"};
  }

 private:
  guest::TestMachine machine_;
};

}  // namespace vcd

#endif  // VCD_TEST_LINK_MACHINE_TRANSPORT_H_
