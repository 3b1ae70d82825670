// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/command_line.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"
#include "daemon/config/config_loader.h"
#include "daemon/version.h"

namespace vcd {
namespace {

using config::v1::DaemonConfig;

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

// Adds the flags to a parser; their values go straight into the message.
class Flags {
 public:
  Flags(CLI::App& app, DaemonConfig& config) : app_(app), config_(config) {}

  void AddAll() {
    config::v1::QemuConfig& qemu = *config_.mutable_qemu();
    Text("--listen", "URL", "where to listen: unix:///PATH or tcp://127.0.0.1:PORT", config_.mutable_listen());
    Text("--metrics-listen", "ADDRESS", "where to serve Prometheus' metrics: unix:///PATH or 127.0.0.1:PORT",
         config_.mutable_metrics()->mutable_listen());
    Path("--state-dir", "DIR", "what survives a reboot of the host", config_.mutable_state_dir());
    Path("--run-dir", "DIR", "what does not", config_.mutable_run_dir());
    Text("--hypervisor", "NAME", "for pods that name none: qemu or mock", config_.mutable_hypervisor());
    Text("--agent", "NAME", "for pods that name none: native, mock or noop", config_.mutable_agent());
    Text("--network", "NAME", "for pods that name none: none, cni, cnm or mock", config_.mutable_network());
    Text("--accelerator", "NAME", "auto, kvm or tcg", qemu.mutable_accelerator());
    Path("--qemu", "PATH", "QEMU's program", qemu.mutable_path());
    Path("--kernel", "PATH", "guest kernel", qemu.mutable_kernel_path());
    Path("--initrd", "PATH", "initramfs with the guest agent", qemu.mutable_initrd_path());
    Path("--firmware", "PATH", "firmware, given to QEMU as -bios", qemu.mutable_firmware_path());
    Path("--virtiofsd", "PATH", "virtiofsd's program", qemu.mutable_virtiofsd_path());
    Number("--boot-timeout", "SECONDS", "from the start of a VM to its agent's answer",
           [&qemu](uint32_t value) { qemu.set_boot_timeout_seconds(value); });
    Number("--max-parallel-boots", "N", "VMs that boot at once; more wait in line",
           [&config = config_](uint32_t value) { config.set_max_parallel_boots(value); });
    Number("--stop-grace", "SECONDS", "between SIGTERM and SIGKILL",
           [&config = config_](uint32_t value) { config.set_stop_grace_seconds(value); });
    Text("--cgroup", "PATH", "control group of the host that holds the pods', such as /vcd, or none",
         config_.mutable_confinement()->mutable_cgroup());
    app_.add_option_function<std::string>(
            "--templates",
            [&config = config_](const std::string& word) { config.mutable_templates()->set_disabled(word == "off"); },
            "on (default) or off: whether pods start from templates, where there are any")
        ->type_name("on|off")
        ->check(CLI::Validator(
            [](const std::string& word) {
              return word == "on" || word == "off" ? std::string()
                                                   : absl::StrCat("\"", word, "\" is neither on nor off");
            },
            ""));
    Text("--log-level", "LEVEL", "debug, info, warning or error", config_.mutable_log()->mutable_level());
    Text("--log-format", "FORMAT", "text or json", config_.mutable_log()->mutable_format());
  }

 private:
  void Text(const std::string& name, const std::string& type, const std::string& help, std::string* value) {
    app_.add_option(name, *value, help)->type_name(type);
  }

  void Path(const std::string& name, const std::string& type, const std::string& help, std::string* value) {
    app_.add_option_function<std::string>(
            name, [value](const std::string& path) { *value = AbsolutePath(path); }, help)
        ->type_name(type);
  }

  void Number(const std::string& name, const std::string& type, const std::string& help,
              std::function<void(uint32_t)> set) {
    app_.add_option_function<uint32_t>(
            name, [set = std::move(set)](const uint32_t& value) { set(value); }, help)
        ->type_name(type)
        ->check(CLI::Validator(
            [](const std::string& word) {
              uint32_t number = 0;
              if (absl::SimpleAtoi(word, &number) && number > 0) return std::string();
              return absl::StrCat("\"", word, "\" must be a number from 1 to 4294967295");
            },
            ""));
  }

  CLI::App& app_;
  DaemonConfig& config_;
};

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine result;
  CLI::App app("vcd: runs every pod in a virtual machine of its own", "vcd");
  app.set_version_flag("--version", absl::StrCat("vcd ", kVersion), "print the version");
  app.add_option_function<std::string>(
         "--config", [&result](const std::string& path) { result.config_path = AbsolutePath(path); },
         absl::StrCat("TOML file (default ", kDefaultConfigPath, ", if it is there); flags win over it"))
      ->type_name("FILE");
  app.add_flag("--check-config", result.check_config, "say whether the configuration is good, and end");
  app.add_flag("--check", result.check_host, "say what this host can do and what stands in the way, and end");
  Flags(app, result.flags).AddAll();

  // CLI11 reports by exception, also for --help and --version; none leaves this function.
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    if (!reversed.empty()) reversed.pop_back();  // The program's name.
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = app.exit(error, out, err);
    result.exit_code = code == 0 ? 0 : 2;
    result.text = code == 0 ? out.str() : absl::StrCat("vcd: ", err.str());
  }
  return result;
}

absl::StatusOr<DaemonConfig> ResolveConfig(const CommandLine& command_line) {
  const bool named = !command_line.config_path.empty();
  absl::StatusOr<DaemonConfig> file = LoadConfigFile(named ? command_line.config_path : kDefaultConfigPath);
  if (!file.ok() && (named || !absl::IsNotFound(file.status()))) return file.status();
  DaemonConfig config = file.ok() ? *std::move(file) : DaemonConfig();
  config.MergeFrom(command_line.flags);
  FillDefaults(config);
  VCD_RETURN_IF_ERROR(CheckConfig(config));
  return config;
}

}  // namespace vcd
