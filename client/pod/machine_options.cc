// SPDX-License-Identifier: Apache-2.0
#include "client/pod/machine_options.h"

#include <utility>

#include "client/pod/option_text.h"

namespace vcd::client {
namespace {

void SetText(const std::string& value, std::string* field) {
  if (!value.empty()) *field = value;
}

absl::Status SetPath(const std::string& option, const std::string& path, std::string* field) {
  if (path.empty()) return absl::OkStatus();
  auto absolute = AbsolutePath(option, path);
  if (!absolute.ok()) return absolute.status();
  *field = *std::move(absolute);
  return absl::OkStatus();
}

}  // namespace

void MachineOptions::Declare(Arguments* arguments) {
  arguments->Heading("Virtual machine");
  arguments->Mebibytes("--memory", &memory_mib_, "Memory of the guest: MiB, or such as 512M or 2G");
  arguments->Count("--cpus", &cpus_, "N", "vCPUs of the guest");
  arguments->Text("--kernel", &kernel_, "PATH", "Guest kernel");
  arguments->Text("--initrd", &initrd_, "PATH", "Guest initramfs");
  arguments->Text("--firmware", &firmware_, "PATH", "Guest firmware");
  arguments->Repeated("--kernel-param", &kernel_params_, "K[=V]", "One more parameter for the guest kernel");
  arguments->Text("--accelerator", &accelerator_, "NAME", "kvm or tcg (default: what works)");
  arguments->Text("--hypervisor", &hypervisor_, "NAME", "Hypervisor; \"vc info\" lists them");
  arguments->Text("--agent", &agent_, "NAME", "Guest agent; \"vc info\" lists them");
  arguments->Text("--trust-domain", &trust_domain_, "NAME",
                  "Only pods of one domain start from one template (default: the daemon's)");
  arguments->Heading("");
}

absl::Status MachineOptions::Apply(v1::PodConfig* config) const {
  SetText(hypervisor_, config->mutable_hypervisor());
  SetText(agent_, config->mutable_agent());
  SetText(trust_domain_, config->mutable_trust_domain());
  if (memory_mib_) config->mutable_resources()->set_memory_mib(*memory_mib_);
  if (cpus_) config->mutable_resources()->set_vcpus(*cpus_);
  if (kernel_.empty() && initrd_.empty() && firmware_.empty() && accelerator_.empty() && kernel_params_.empty()) {
    return absl::OkStatus();
  }
  v1::HypervisorConfig* hypervisor = config->mutable_hypervisor_config();
  SetText(accelerator_, hypervisor->mutable_accelerator());
  for (const std::string& text : kernel_params_) {
    const size_t equals = text.find('=');
    v1::Param* param = hypervisor->add_kernel_params();
    param->set_key(text.substr(0, equals));
    if (equals != std::string::npos) param->set_value(text.substr(equals + 1));
  }
  absl::Status status = SetPath("--kernel", kernel_, hypervisor->mutable_kernel_path());
  status.Update(SetPath("--initrd", initrd_, hypervisor->mutable_initrd_path()));
  status.Update(SetPath("--firmware", firmware_, hypervisor->mutable_firmware_path()));
  return status;
}

}  // namespace vcd::client
