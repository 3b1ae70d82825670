// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_TESTING_HYPERVISOR_CONTRACT_H_
#define VCD_CORE_HYPERVISOR_TESTING_HYPERVISOR_CONTRACT_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/io_thread.h"

namespace vcd {

// A backend to be held to hypervisor.h. Its test says
//   INSTANTIATE_TEST_SUITE_P(Mock, HypervisorContract, testing::Values(MockParam()), HypervisorContractName);
struct HypervisorContractParam {
  std::string name;
  std::function<std::unique_ptr<Hypervisor>(IoThread& io)> make;
  // What Resolve is given.
  v1::HypervisorConfig config;
  // Ends a running machine as a crash would.
  std::function<void(Hypervisor& hypervisor, const VmSpec& spec, const VirtualMachine& machine)> crash;
  // Names what runs of a run directory; empty when nothing does.
  std::function<std::vector<std::string>(Hypervisor& hypervisor, const std::string& run_dir)> running;
  // Machines are found by another Hypervisor object, as after a restart of the daemon.
  bool survives_restart = true;
  // Disks and directories that do not exist are refused.
  bool checks_paths = true;
  // A guest answers to unplugging.
  bool guest_runs = true;
  absl::Duration step_limit = absl::Seconds(60);
};

// For gtest, which would print the bytes.
inline void PrintTo(const HypervisorContractParam& param, std::ostream* out) { *out << param.name; }

class HypervisorContract : public testing::TestWithParam<HypervisorContractParam> {
 protected:
  HypervisorContract();
  ~HypervisorContract() override;

  // For one step.
  CallContext Soon() const;
  // A config as a pod would store it.
  VmSpec Spec() const;
  std::unique_ptr<VirtualMachine> Boot();
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const state::v1::VirtualMachine& record);
  // Another Hypervisor object in place of the first, where the backend can do that.
  void RestartDaemon();
  std::vector<std::string> Running();
  std::vector<std::string> FilesInRunDir() const;
  std::string MakeImage(const std::string& name) const;
  std::string MakeDirectory(const std::string& name) const;

  std::string root_;
  std::string run_dir_;
  IoThread io_;
  std::unique_ptr<Hypervisor> hypervisor_;
};

// What hypervisor.h says of images, for a backend that has them.
class HypervisorImageContract : public HypervisorContract {
 protected:
  // A machine is saved and ends; its image is in `directory`.
  void Save(const std::string& directory, bool shared_memory = true);
  VmSpec CloneSpec(const std::string& directory, bool shared_memory) const;
  // It boots, stands still and goes on, is adopted, and stops.
  void TryClone(const VmSpec& spec);
};

inline std::string HypervisorContractName(const testing::TestParamInfo<HypervisorContractParam>& info) {
  return info.param.name;
}

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_TESTING_HYPERVISOR_CONTRACT_H_
