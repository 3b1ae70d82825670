// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/config_loader.h"

#include <arpa/inet.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

#define TOML_EXCEPTIONS 0
// It asserts of a file what its errors then say: "[!" is none that it takes, and no reason to end vcd.
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/model/ids.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/metrics/metrics_address.h"
#include "daemon/server/listen_address.h"

namespace vcd {
namespace {

using config::v1::DaemonConfig;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Less is not even one piece of output; more would let one exec take the host's memory.
constexpr uint32_t kLeastExecBacklog = 64 << 10;
constexpr uint32_t kMostExecBacklog = 256 << 20;

// What systemd's allocations and the ranges of adduser and newuidmap leave alone.
constexpr uint32_t kFirstUid = 1879048192;
constexpr uint32_t kUidCount = 268304384;
// A pod takes as many; fewer than the first of them are the host's own users.
constexpr uint32_t kBlockOfUids = 65536;

// Copies a TOML table into a message, field by field; the schema is the message's own.
class TableReader {
 public:
  explicit TableReader(const std::string& file) : file_(file) {}

  absl::Status Read(const toml::table& table, const std::string& prefix, Message& message) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
      if (field == nullptr) {
        return Error(key.source(),
                     absl::StrCat("unknown key `", prefix, name, "`; known are ", KnownKeys(*message.GetDescriptor())));
      }
      VCD_RETURN_IF_ERROR(ReadField(node, prefix + name, *field, message));
    }
    return absl::OkStatus();
  }

  absl::Status Error(const toml::source_region& where, absl::string_view problem) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_, ":", where.begin.line, ":", where.begin.column, ": ", problem));
  }

 private:
  absl::Status ReadField(const toml::node& node, const std::string& name, const FieldDescriptor& field,
                         Message& message) const {
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    if (field.is_repeated()) return ReadArray(node, name, field, message);
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (!node.is_string()) return WrongType(node, name, "a string");
        reflection.SetString(&message, &field, node.as_string()->get());
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_BOOL:
        if (!node.is_boolean()) return WrongType(node, name, "true or false");
        reflection.SetBool(&message, &field, node.as_boolean()->get());
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_UINT32: {
        if (!node.is_integer()) return WrongType(node, name, "a whole number");
        const int64_t value = node.as_integer()->get();
        if (value < 0 || value > std::numeric_limits<uint32_t>::max()) {
          return Error(node.source(), absl::StrCat("`", name, "` is ", value, "; it must be 0 … 4294967295"));
        }
        reflection.SetUInt32(&message, &field, static_cast<uint32_t>(value));
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (!node.is_table()) return WrongType(node, name, absl::StrCat("a table, [", name, "]"));
        return Read(*node.as_table(), name + ".", *reflection.MutableMessage(&message, &field));
      default:
        return absl::InternalError(absl::StrCat("`", name, "` has a type that the configuration cannot hold"));
    }
  }

  // Replaces what the message has there.
  absl::Status ReadArray(const toml::node& node, const std::string& name, const FieldDescriptor& field,
                         Message& message) const {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      return absl::InternalError(absl::StrCat("`", name, "` has a type that the configuration cannot hold"));
    }
    if (!node.is_array()) return WrongType(node, name, "an array of strings");
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    reflection.ClearField(&message, &field);
    for (const toml::node& element : *node.as_array()) {
      if (!element.is_string()) return WrongType(element, name, "an array of strings");
      reflection.AddString(&message, &field, element.as_string()->get());
    }
    return absl::OkStatus();
  }

  absl::Status WrongType(const toml::node& node, const std::string& name, absl::string_view wanted) const {
    std::ostringstream type;
    type << node.type();
    return Error(node.source(), absl::StrCat("`", name, "` must be ", wanted, ", not of type ", type.str()));
  }

  static std::string KnownKeys(const Descriptor& descriptor) {
    std::vector<std::string> names;
    for (int i = 0; i < descriptor.field_count(); ++i) names.push_back(descriptor.field(i)->name());
    return absl::StrJoin(names, ", ");
  }

  const std::string& file_;
};

absl::Status CheckPath(absl::string_view field, const std::string& path) {
  if (absl::StartsWith(path, "/") && !absl::StrContains(path, '\0')) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("`", path, "` is not an absolute path"));
}

absl::Status CheckChoice(absl::string_view field, const std::string& value, const std::vector<std::string>& choices) {
  for (const std::string& choice : choices) {
    if (value == choice) return absl::OkStatus();
  }
  return InvalidField(field, absl::StrCat("`", value, "` is none of ", absl::StrJoin(choices, ", ")));
}

// A bound that catches typing errors before they become waits of years.
absl::Status CheckAtMost(absl::string_view field, uint32_t value, uint32_t most) {
  if (value <= most) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(value, " is more than ", most));
}

absl::Status CheckAtLeast(absl::string_view field, uint32_t value, uint32_t least) {
  if (value >= least) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(value, " is less than ", least));
}

void Default(const std::string& value, std::string* field) {
  if (field->empty()) *field = value;
}

absl::Status CheckCgroup(absl::string_view field, const std::string& path) {
  if (path == "none") return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CheckPath(field, path));
  for (const absl::string_view part : absl::StrSplit(absl::StripPrefix(path, "/"), '/')) {
    if (part.empty() || part == "." || part == ".." || absl::StrContains(part, '\n')) {
      return InvalidField(field, absl::StrCat("`", path, "` is no path such as /vcd or /machine/vcd"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckConfinement(const config::v1::ConfinementConfig& config) {
  VCD_RETURN_IF_ERROR(CheckChoice("confinement.user", config.user(), {"private", "root"}));
  VCD_RETURN_IF_ERROR(CheckAtLeast("confinement.first_uid", config.first_uid(), kBlockOfUids));
  VCD_RETURN_IF_ERROR(CheckAtLeast("confinement.uid_count", config.uid_count(), kBlockOfUids));
  // The last number is no user, but "leave it as it is".
  if (config.uid_count() > std::numeric_limits<uint32_t>::max() - config.first_uid()) {
    return InvalidField("confinement.uid_count", absl::StrCat(config.uid_count(), " from ", config.first_uid(),
                                                              " on are more than there are: 4294967294 is the last"));
  }
  VCD_RETURN_IF_ERROR(CheckCgroup("confinement.cgroup", config.cgroup()));
  // With less QEMU itself does not start.
  VCD_RETURN_IF_ERROR(CheckAtLeast("confinement.memory_overhead_mib", config.memory_overhead_mib(), 128));
  VCD_RETURN_IF_ERROR(CheckAtMost("confinement.memory_overhead_mib", config.memory_overhead_mib(), 1 << 20));
  return CheckAtLeast("confinement.pids_limit", config.pids_limit(), 64);
}

// The first address of a range with its prefix, as host-local wants it: `10.213.0.0/16`.
absl::Status CheckSubnet(absl::string_view field, const std::string& subnet, int family, uint32_t most) {
  const std::vector<std::string> parts = absl::StrSplit(subnet, absl::MaxSplits('/', 1));
  std::array<uint8_t, 16> address{};
  uint32_t prefix = 0;
  if (parts.size() != 2 || ::inet_pton(family, parts[0].c_str(), address.data()) != 1 ||
      !absl::SimpleAtoi(parts[1], &prefix)) {
    return InvalidField(field, absl::StrCat("`", subnet, "` is no range of addresses such as ",
                                            family == AF_INET ? "10.213.0.0/16" : "fd76:6364::/64"));
  }
  // The range's own address, the bridge's, a pod's and, of IPv4, that of all.
  if (prefix < 8 || prefix > most) {
    return InvalidField(field, absl::StrCat("`", subnet, "` must have a prefix of 8 … ", most));
  }
  for (uint32_t bit = prefix; bit < 8 * address.size(); ++bit) {
    if ((address[bit / 8] & (0x80 >> bit % 8)) == 0) continue;
    return InvalidField(field, absl::StrCat("`", subnet, "` is an address in a range, not the range"));
  }
  return absl::OkStatus();
}

absl::Status CheckNetworks(const config::v1::NetworksConfig& config) {
  VCD_RETURN_IF_ERROR(CheckPath("networks.cni_config_dir", config.cni_config_dir()));
  for (const std::string& directory : config.cni_plugin_dirs()) {
    VCD_RETURN_IF_ERROR(CheckPath("networks.cni_plugin_dirs", directory));
    // Plugins get the list with colons in between.
    if (absl::StrContains(directory, ':')) {
      return InvalidField("networks.cni_plugin_dirs", absl::StrCat("`", directory, "` holds a colon"));
    }
  }
  VCD_RETURN_IF_ERROR(CheckAtMost("networks.cni_timeout_seconds", config.cni_timeout_seconds(), 3600));
  if (config.default_subnet().empty() && config.default_subnet6().empty()) {
    return InvalidField("networks.default_subnet", "and `networks.default_subnet6` must not both be empty");
  }
  if (!config.default_subnet().empty()) {
    VCD_RETURN_IF_ERROR(CheckSubnet("networks.default_subnet", config.default_subnet(), AF_INET, 30));
  }
  if (!config.default_subnet6().empty()) {
    VCD_RETURN_IF_ERROR(CheckSubnet("networks.default_subnet6", config.default_subnet6(), AF_INET6, 126));
  }
  // What the kernel takes (dev_valid_name), and nothing that needs quotes.
  const std::string& bridge = config.default_bridge();
  const auto is_part = [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; };
  if (bridge.size() > 15 || bridge == "." || bridge == ".." || !std::all_of(bridge.begin(), bridge.end(), is_part)) {
    return InvalidField("networks.default_bridge", absl::StrCat("`", bridge,
                                                                "` is no name of an interface: 1 … 15 "
                                                                "letters, digits, '-', '_' and '.'"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DaemonConfig> ParseConfig(const std::string& text, const std::string& name) {
  const toml::parse_result parsed = toml::parse(std::string_view(text), std::string_view(name));
  const TableReader reader(name);
  if (parsed.failed()) {
    return reader.Error(parsed.error().source(), std::string(parsed.error().description()));
  }
  DaemonConfig config;
  VCD_RETURN_IF_ERROR(reader.Read(parsed.table(), "", config));
  return config;
}

absl::StatusOr<DaemonConfig> LoadConfigFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // A directory opens, and fails on the first read.
  errno = 0;
  if (!file.is_open() || file.peek() == std::ifstream::traits_type::eof()) {
    if (errno != 0 || !file.is_open()) {
      return PosixError(errno == 0 ? ENOENT : errno, absl::StrCat("read the configuration ", path));
    }
    return DaemonConfig();  // Empty.
  }
  text << file.rdbuf();
  return ParseConfig(text.str(), path);
}

void FillDefaults(DaemonConfig& config) {
  Default("/run/vcd", config.mutable_run_dir());
  Default("/var/lib/vcd", config.mutable_state_dir());
  Default(absl::StrCat("unix://", config.run_dir(), "/vcd.sock"), config.mutable_listen());
  Default("qemu", config.mutable_hypervisor());
  Default("native", config.mutable_agent());
  Default("none", config.mutable_network());
  if (config.max_parallel_boots() == 0) {
    config.set_max_parallel_boots(std::max(1u, std::thread::hardware_concurrency()));
  }
  if (config.stop_grace_seconds() == 0) config.set_stop_grace_seconds(10);

  config::v1::AdmissionConfig& admission = *config.mutable_admission();
  if (!admission.has_memory_reserve_mib()) admission.set_memory_reserve_mib(256);

  config::v1::HealthConfig& health = *config.mutable_health();
  if (!health.has_interval_seconds()) health.set_interval_seconds(10);
  if (health.timeout_seconds() == 0) health.set_timeout_seconds(std::max(30u, 2 * health.interval_seconds()));

  Default("info", config.mutable_log()->mutable_level());
  Default("text", config.mutable_log()->mutable_format());

  config::v1::StreamsConfig& streams = *config.mutable_streams();
  if (streams.exec_backlog_bytes() == 0) streams.set_exec_backlog_bytes(1 << 20);
  if (streams.slow_reader_seconds() == 0) streams.set_slow_reader_seconds(10);
  config::v1::LogsConfig& logs = *config.mutable_logs();
  if (logs.max_file_bytes() == 0) logs.set_max_file_bytes(10 << 20);
  if (logs.max_files() == 0) logs.set_max_files(5);

  config::v1::QemuConfig& qemu = *config.mutable_qemu();
  Default("/usr/bin/qemu-system-x86_64", qemu.mutable_path());
  Default("/usr/share/vcd/vmlinux", qemu.mutable_kernel_path());
  Default("/usr/share/vcd/initramfs.cpio", qemu.mutable_initrd_path());
  Default("/usr/share/qemu/qboot.rom", qemu.mutable_firmware_path());
  Default("q35", qemu.mutable_machine_type());
  Default("auto", qemu.mutable_accelerator());
  Default("/usr/lib/qemu/virtiofsd", qemu.mutable_virtiofsd_path());
  if (qemu.default_vcpus() == 0) qemu.set_default_vcpus(1);
  if (qemu.default_memory_mib() == 0) qemu.set_default_memory_mib(128);
  if (qemu.boot_timeout_seconds() == 0) qemu.set_boot_timeout_seconds(60);
  if (qemu.max_console_bytes() == 0) qemu.set_max_console_bytes(1 << 20);

  config::v1::ConfinementConfig& confinement = *config.mutable_confinement();
  Default("private", confinement.mutable_user());
  if (confinement.first_uid() == 0) confinement.set_first_uid(kFirstUid);
  if (confinement.uid_count() == 0) confinement.set_uid_count(kUidCount);
  Default("/vcd", confinement.mutable_cgroup());
  if (confinement.memory_overhead_mib() == 0) confinement.set_memory_overhead_mib(512);
  if (confinement.pids_limit() == 0) confinement.set_pids_limit(512);

  config::v1::HooksConfig& hooks = *config.mutable_hooks();
  if (hooks.max_timeout_seconds() == 0) hooks.set_max_timeout_seconds(300);
  if (hooks.timeout_seconds() == 0) hooks.set_timeout_seconds(std::min(30u, hooks.max_timeout_seconds()));

  config::v1::NetworksConfig& networks = *config.mutable_networks();
  Default("/etc/cni/net.d", networks.mutable_cni_config_dir());
  if (networks.cni_plugin_dirs().empty()) {
    networks.add_cni_plugin_dirs("/opt/cni/bin");
    networks.add_cni_plugin_dirs("/usr/lib/cni");
  }
  if (networks.cni_timeout_seconds() == 0) networks.set_cni_timeout_seconds(60);
  if (!networks.has_default_subnet()) networks.set_default_subnet("10.213.0.0/16");
  if (!networks.has_default_subnet6()) networks.set_default_subnet6("fd76:6364::/64");
  Default("vcd0", networks.mutable_default_bridge());

  config::v1::TemplatesConfig& templates = *config.mutable_templates();
  Default("default", templates.mutable_trust_domain());
  if (templates.max_templates() == 0) templates.set_max_templates(4);
  if (templates.max_memory_mib() == 0) templates.set_max_memory_mib(1024);
  if (templates.clone_timeout_seconds() == 0) templates.set_clone_timeout_seconds(5);
}

absl::Status CheckConfig(const DaemonConfig& config) {
  VCD_RETURN_IF_ERROR(ParseListenAddress(config.listen()).status());
  VCD_RETURN_IF_ERROR(CheckPath("state_dir", config.state_dir()));
  VCD_RETURN_IF_ERROR(CheckPath("run_dir", config.run_dir()));
  if (config.state_dir() == config.run_dir()) {
    return InvalidField("run_dir",
                        "must differ from `state_dir`: one survives a reboot of the host, the other does not");
  }
  VCD_RETURN_IF_ERROR(CheckAtMost("max_parallel_boots", config.max_parallel_boots(), 1024));
  VCD_RETURN_IF_ERROR(CheckAtMost("admission.memory_reserve_mib", config.admission().memory_reserve_mib(), 1 << 24));
  VCD_RETURN_IF_ERROR(CheckAtMost("stop_grace_seconds", config.stop_grace_seconds(), 3600));
  VCD_RETURN_IF_ERROR(CheckChoice("log.level", config.log().level(), {"debug", "info", "warning", "error"}));
  VCD_RETURN_IF_ERROR(CheckChoice("log.format", config.log().format(), {"text", "json"}));
  if (!config.metrics().listen().empty()) {
    VCD_ASSIGN_OR_RETURN(const MetricsAddress metrics, ParseMetricsAddress(config.metrics().listen()));
    if (metrics.is_unix() && metrics.Text() == config.listen()) {
      return InvalidField("metrics.listen", "must differ from `listen`: one speaks gRPC, the other HTTP");
    }
  }
  VCD_RETURN_IF_ERROR(
      CheckAtLeast("streams.exec_backlog_bytes", config.streams().exec_backlog_bytes(), kLeastExecBacklog));
  VCD_RETURN_IF_ERROR(
      CheckAtMost("streams.exec_backlog_bytes", config.streams().exec_backlog_bytes(), kMostExecBacklog));
  VCD_RETURN_IF_ERROR(CheckAtMost("streams.slow_reader_seconds", config.streams().slow_reader_seconds(), 3600));
  VCD_RETURN_IF_ERROR(CheckAtLeast("logs.max_file_bytes", config.logs().max_file_bytes(), 64 << 10));
  VCD_RETURN_IF_ERROR(CheckAtLeast("logs.max_files", config.logs().max_files(), 2));
  VCD_RETURN_IF_ERROR(CheckAtMost("logs.max_files", config.logs().max_files(), 1000));
  VCD_RETURN_IF_ERROR(CheckAtMost("health.interval_seconds", config.health().interval_seconds(), 3600));
  VCD_RETURN_IF_ERROR(CheckAtMost("health.timeout_seconds", config.health().timeout_seconds(), 86400));
  if (config.health().timeout_seconds() < 2 * config.health().interval_seconds()) {
    return InvalidField(
        "health.timeout_seconds",
        absl::StrCat(config.health().timeout_seconds(), " is less than twice `health.interval_seconds`, ",
                     config.health().interval_seconds(), ": one missed answer is no silence"));
  }
  const config::v1::QemuConfig& qemu = config.qemu();
  VCD_RETURN_IF_ERROR(CheckPath("qemu.path", qemu.path()));
  VCD_RETURN_IF_ERROR(CheckPath("qemu.kernel_path", qemu.kernel_path()));
  VCD_RETURN_IF_ERROR(CheckPath("qemu.initrd_path", qemu.initrd_path()));
  VCD_RETURN_IF_ERROR(CheckPath("qemu.firmware_path", qemu.firmware_path()));
  VCD_RETURN_IF_ERROR(CheckPath("qemu.virtiofsd_path", qemu.virtiofsd_path()));
  VCD_RETURN_IF_ERROR(CheckChoice("qemu.accelerator", qemu.accelerator(), {"auto", "kvm", "tcg"}));
  VCD_RETURN_IF_ERROR(CheckAtMost("qemu.boot_timeout_seconds", qemu.boot_timeout_seconds(), 3600));
  VCD_RETURN_IF_ERROR(CheckAtLeast("qemu.max_console_bytes", qemu.max_console_bytes(), 4 << 10));
  VCD_RETURN_IF_ERROR(CheckAtMost("qemu.max_console_bytes", qemu.max_console_bytes(), 256 << 20));
  VCD_RETURN_IF_ERROR(CheckConfinement(config.confinement()));
  VCD_RETURN_IF_ERROR(ValidateId("templates.trust_domain", config.templates().trust_domain()));
  VCD_RETURN_IF_ERROR(CheckAtMost("templates.max_templates", config.templates().max_templates(), 256));
  VCD_RETURN_IF_ERROR(CheckAtMost("templates.clone_timeout_seconds", config.templates().clone_timeout_seconds(), 600));
  VCD_RETURN_IF_ERROR(CheckAtMost("templates.warm_machines", config.templates().warm_machines(), 16));
  VCD_RETURN_IF_ERROR(CheckAtMost("hooks.max_timeout_seconds", config.hooks().max_timeout_seconds(), 3600));
  if (config.hooks().timeout_seconds() > config.hooks().max_timeout_seconds()) {
    return InvalidField("hooks.timeout_seconds",
                        absl::StrCat(config.hooks().timeout_seconds(), " is more than `hooks.max_timeout_seconds`, ",
                                     config.hooks().max_timeout_seconds()));
  }
  return CheckNetworks(config.networks());
}

}  // namespace vcd
