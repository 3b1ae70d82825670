// SPDX-License-Identifier: Apache-2.0
#include "core/template/template_build.h"

#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/completion.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

CallContext CleanUpContext() { return {absl::Now() + absl::Seconds(30), nullptr}; }

// A guest that nobody asks anything of.
class NoObserver : public GuestObserver {
 public:
  void OnOutput(const ProcessKey&, StdStream, uint64_t, std::string) override {}
  void OnProcessExit(const ProcessKey&, const v1::ExitStatus&) override {}
  void OnOutOfMemory(const std::string&, uint64_t) override {}
  void OnMemoryPressure(double) override {}
  void OnGuestLost(const absl::Status&) override {}
};

}  // namespace

absl::Status RemoveTemplateMachine(Hypervisor& hypervisor, const std::string& run_dir) {
  VCD_RETURN_IF_ERROR(hypervisor.Reap(run_dir, CleanUpContext()));
  std::error_code error;
  std::filesystem::remove_all(run_dir, error);
  if (error) return PosixError(error.value(), absl::StrCat("remove ", run_dir));
  return absl::OkStatus();
}

absl::Status BuildTemplate(Hypervisor& hypervisor, Agent& agent, VmSpec spec, const std::string& image_dir,
                           absl::Duration settle, const CallContext& context) {
  std::error_code error;
  std::filesystem::create_directories(spec.run_dir, error);
  if (error) return PosixError(error.value(), absl::StrCat("make ", spec.run_dir));
  const absl::Cleanup remove = [&hypervisor, &spec] {
    const absl::Status removed = RemoveTemplateMachine(hypervisor, spec.run_dir);
    if (!removed.ok()) LogError("", absl::StrCat("end the machine of a template: ", removed.message()));
  };
  spec.shared_memory = true;
  VCD_ASSIGN_OR_RETURN(const std::unique_ptr<VirtualMachine> machine, hypervisor.Boot(spec, context));
  // By its handle, whose child it is.
  const absl::Cleanup stop = [&machine] {
    const absl::Status stopped = machine->Stop(StopMode::kForce, CleanUpContext());
    if (!stopped.ok()) LogError("", absl::StrCat("end the machine of a template: ", stopped.message()));
  };
  NoObserver observer;
  {
    VCD_ASSIGN_OR_RETURN(const std::unique_ptr<GuestSession> session,
                         agent.Connect({spec.pod_id, "localhost", spec.run_dir}, *machine, observer, context));
  }
  const absl::Status settled = Completion<int>().Wait(context.Within(settle), "settle").status();
  if (!absl::IsDeadlineExceeded(settled)) return settled;
  return machine->SaveImage(image_dir, context);
}

}  // namespace vcd
