// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/testing/fake_host.h"

#include <elf.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"

namespace vcd {
namespace {

// A vmlinux as far as anybody looks: an ELF header, two program headers, two notes (elf(5)).
std::string Vmlinux() {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  Elf64_Phdr segments[2] = {};
  segments[0].p_type = PT_LOAD;
  segments[0].p_memsz = 1 << 20;
  segments[1].p_type = PT_NOTE;
  segments[1].p_offset = sizeof(header) + sizeof(segments);
  // Another note comes first, of a size that is no multiple of four.
  const Elf64_Nhdr notes[] = {{4, 3, 1}, {4, 4, 18}};
  std::string bytes(reinterpret_cast<const char*>(&notes[0]), sizeof(notes[0]));
  bytes += std::string("GNU\0abc\0", 8);
  bytes.append(reinterpret_cast<const char*>(&notes[1]), sizeof(notes[1]));
  bytes += std::string("Xen\0\0\0\x10\0", 8);
  segments[1].p_filesz = bytes.size();
  std::string image(reinterpret_cast<const char*>(&header), sizeof(header));
  image.append(reinterpret_cast<const char*>(segments), sizeof(segments));
  image += bytes;
  image.resize(4096);
  return image;
}

std::string Padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  return bytes;
}

// An entry of a cpio archive of the newc format (cpio(5)).
std::string CpioEntry(const std::string& name, unsigned mode, const std::string& data) {
  std::string header = "070701";
  const size_t fields[] = {1, mode, 0, 0, 1, 0, data.size(), 0, 0, 0, 0, name.size() + 1, 0};
  for (const size_t field : fields) absl::StrAppendFormat(&header, "%08X", field);
  return absl::StrCat(Padded(header + name + std::string(1, '\0')), Padded(data));
}

std::string Initramfs() {
  return absl::StrCat(CpioEntry("dev", S_IFDIR | 0755, ""), CpioEntry("init", S_IFREG | 0755, "the agent"),
                      CpioEntry("TRAILER!!!", 0, ""));
}

std::string DeviceHelp() {
  std::string help = "Storage devices:\n";
  for (const char* name : {"virtio-serial-pci", "virtserialport", "virtio-scsi-pci", "scsi-hd", "virtio-rng-pci",
                           "pcie-root-port", "vhost-user-fs-pci"}) {
    absl::StrAppend(&help, "name \"", name, "\", bus PCI, alias \"x\"\n");
  }
  return help;
}

constexpr char kMounts[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "23 22 0:5 / /run rw,nosuid - tmpfs tmpfs rw\n"
    "24 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

}  // namespace

FakeHost::FakeHost() : now(absl::FromCivil(absl::CivilDay(2026, 3, 1), absl::UTCTimeZone())) {
  for (const char* program : {kHostQemu, kHostVirtiofsd, "/usr/bin/mkfs.erofs"}) {
    Add(program,
        "\x7f"
        "ELF");
  }
  Add("/usr/share/qemu/qboot.rom", "firmware");
  Add(kHostKernel, Vmlinux());
  Add(kHostInitrd, Initramfs());
  for (const char* device : {"/dev/kvm", "/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock", "/dev/vfio/vfio"}) {
    Add(device, "", S_IFCHR | 0660);
  }
  Add("/sys/kernel/iommu_groups/0", "", S_IFDIR | 0755);
  Add("/opt/cni/bin/bridge");
  Add("/var/lib/vcd/lock");
  Add("/run/vcd/vcd.sock", "", S_IFSOCK | 0660);
  Add("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx sse\n");
  Add("/proc/meminfo",
      "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\nCommitLimit:    8000000 kB\nCommitted_AS:   1000000 kB\n"
      "HugePages_Total:      16\nHugePages_Free:       16\n");
  Add("/proc/self/mountinfo", kMounts);
  Add("/proc/self/ns/user");
  Add("/proc/locks", "1: POSIX  ADVISORY  READ 9 08:01:77 0 EOF\n");
  Add("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
  const std::map<std::string, std::string> kernel = {{"vm/overcommit_memory", "0"},
                                                     {"kernel/osrelease", "6.1.0-18-amd64"},
                                                     {"kernel/pid_max", "4194304"},
                                                     {"kernel/threads-max", "100000"},
                                                     {"kernel/core_pattern", "core"},
                                                     {"kernel/seccomp/actions_avail", "kill_process errno allow"},
                                                     {"kernel/unprivileged_userns_clone", "1"},
                                                     {"user/max_user_namespaces", "30000"}};
  for (const auto& [name, value] : kernel) Add("/proc/sys/" + name, value + "\n");
  Add("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n");
  Add("/etc/subuid", "me:100000:65536\n");
  Add("/etc/subgid", "me:100000:65536\n");
  answers = {{"-version", "QEMU emulator version 7.2.22 (Debian 1:7.2)\n"},
             {"-device help", DeviceHelp()},
             {"-object help", "List of user creatable objects:\n  memory-backend-memfd\n  memory-backend-ram\n"},
             {"-machine help", "Supported machines are:\npc-q35-7.2  Standard PC\nq35         Standard PC (alias)\n"}};
  limits[RLIMIT_CORE] = {0, RLIM_INFINITY};
  spaces["/"] = {uint64_t{10} << 30, 1000000, 900000, false};
}

FakeHost::File& FakeHost::Add(const std::string& path, const std::string& content, mode_t mode) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  if (path != "/" && files.count(parent) == 0) Add(parent, "", S_IFDIR | 0755);
  File& file = files[path];
  file = File();
  file.content = content;
  file.info.st_mode = mode;
  file.info.st_dev = 0x801;
  file.info.st_ino = files.size();
  return file;
}

void FakeHost::Remove(const std::string& path) {
  for (auto it = files.begin(); it != files.end();) {
    it = it->first == path || absl::StartsWith(it->first, path + "/") ? files.erase(it) : std::next(it);
  }
}

void FakeHost::RemoveKvm(const std::string& cpu_flags) {
  kvm = absl::NotFoundError("open /dev/kvm: No such file or directory");
  Remove("/dev/kvm");
  file("/proc/cpuinfo").content = "flags : " + cpu_flags + "\n";
}

absl::StatusOr<struct stat> FakeHost::Stat(const std::string& path) const {
  const auto found = files.find(path);
  if (found == files.end()) return absl::NotFoundError(path + ": No such file or directory");
  struct stat info = found->second.info;
  info.st_size = static_cast<off_t>(found->second.content.size());
  return info;
}

absl::Status FakeHost::Access(const std::string& path, int mode) const {
  const auto found = files.find(path);
  if (found == files.end()) return absl::NotFoundError(path + ": No such file or directory");
  if ((found->second.denied & mode) != 0) return absl::PermissionDeniedError(path + ": Permission denied");
  return absl::OkStatus();
}

absl::StatusOr<std::string> FakeHost::Read(const std::string& path, uint64_t offset, size_t max_bytes) const {
  if (const absl::Status access = Access(path, R_OK); !access.ok()) return access;
  const std::string& content = files.at(path).content;
  return offset >= content.size() ? "" : content.substr(offset, max_bytes);
}

absl::StatusOr<std::vector<std::string>> FakeHost::List(const std::string& path) const {
  if (files.count(path) == 0) return absl::NotFoundError(path + ": No such file or directory");
  std::vector<std::string> names;
  for (const auto& [name, file] : files) {
    if (absl::StartsWith(name, path + "/") && name.find('/', path.size() + 1) == std::string::npos) {
      names.push_back(name.substr(path.size() + 1));
    }
  }
  return names;
}

absl::StatusOr<FilesystemSpace> FakeHost::Space(const std::string& path) const {
  const auto found = spaces.find(path);
  return found != spaces.end() ? found->second : spaces.at("/");
}

absl::StatusOr<std::string> FakeHost::Run(const std::vector<std::string>& argv, absl::Time deadline) const {
  ++programs_run;
  (void)deadline;
  const auto found = answers.find(absl::StrJoin(argv.begin() + 1, argv.end(), " "));
  if (found == answers.end()) return absl::FailedPreconditionError(argv[0] + " ended with 127: libx.so not found");
  return found->second;
}

ProcessLimit FakeHost::Limit(int resource) const {
  const auto found = limits.find(resource);
  return found == limits.end() ? ProcessLimit{RLIM_INFINITY, RLIM_INFINITY} : found->second;
}

config::v1::DaemonConfig GoodConfig() {
  config::v1::DaemonConfig config;
  config.set_listen("unix:///run/vcd/vcd.sock");
  config.set_state_dir("/var/lib/vcd");
  config.set_run_dir("/run/vcd");
  config.set_hypervisor("qemu");
  config::v1::QemuConfig& qemu = *config.mutable_qemu();
  qemu.set_path(kHostQemu);
  qemu.set_kernel_path(kHostKernel);
  qemu.set_initrd_path(kHostInitrd);
  qemu.set_firmware_path("/usr/share/qemu/qboot.rom");
  qemu.set_virtiofsd_path(kHostVirtiofsd);
  qemu.set_machine_type("q35");
  qemu.set_accelerator("auto");
  qemu.set_default_memory_mib(128);
  config.mutable_confinement()->set_user("private");
  config.mutable_confinement()->set_first_uid(1879048192);
  config.mutable_confinement()->set_uid_count(268304384);
  config.mutable_confinement()->set_cgroup("/vcd");
  config.mutable_networks()->add_cni_plugin_dirs("/opt/cni/bin");
  config.mutable_networks()->add_cni_plugin_dirs("/usr/lib/cni");
  return config;
}

}  // namespace vcd
