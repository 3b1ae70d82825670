// SPDX-License-Identifier: Apache-2.0
// What a process sees of files and devices.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "test/process_model/case_rows.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

v1::Mount& AddMount(v1::ContainerConfig& c, const std::string& type, const std::string& destination,
                    const std::vector<std::string>& options = {}) {
  v1::Mount& mount = *c.add_mounts();
  mount.set_type(type);
  mount.set_destination(destination);
  for (const std::string& option : options) mount.add_options(option);
  return mount;
}

v1::Device& AddDevice(v1::ContainerConfig& c, const std::string& path, const std::string& type, int major, int minor) {
  v1::Device& device = *c.add_devices();
  device.set_container_path(path);
  device.set_type(type);
  device.set_major(major);
  device.set_minor(minor);
  return device;
}

}  // namespace

void AddFiles(std::vector<ProcessCase>* rows) {
  rows->insert(
      rows->end(),
      {
          {.name = "ReadOnlyRoot",
           .probe = {"write", "/x", "write", "/dev/shm/x", "write", "/etc/hosts", "read", "/etc/hosts"},
           .out = AllOf(HasSubstr("write: Read-only file system\nwrite: ok\nwrite: Read-only file system\n"),
                        HasSubstr("10.9.8.7\tdb db.example\n")),
           .container = [](auto& c) { c.mutable_rootfs()->set_readonly(true); }},
          {.name = "Hostname", .probe = {"hostname"}, .out = "hostname=model-pod\n"},
          {.name = "HostsAndResolvConf",
           .probe = {"read", "/etc/hosts", "read", "/etc/resolv.conf", "read", "/run/resolve/stub.conf"},
           .out = AllOf(HasSubstr("127.0.0.1\tlocalhost\n"), HasSubstr("127.0.1.1\tmodel-pod\n"),
                        HasSubstr("10.9.8.7\tdb db.example\n"), HasSubstr("search a.example\nnameserver 10.9.8.1\n"),
                        EndsWith("options ndots:3\n"))},
          {.name = "UsualMaskedAndReadOnlyPaths",
           .probe = {"mount", "/proc/sys", "mount", "/proc/kcore", "bytes", "/proc/kcore", "write",
                     "/proc/sys/kernel/msgmax"},
           .out = MatchesRegex("/proc/sys: proc ro,[a-z,]*\n/proc/kcore: (none|tmpfs [a-z,]*)\n/proc/kcore: 0 bytes\n"
                               "write: Read-only file system\n")},
          {.name = "MaskedPathsDoNotLeadOut",
           .probe = {"ids"},
           .container = [](auto& c) { c.mutable_linux()->mutable_masked_paths()->add_paths("/magic/etc"); },
           .refusal = "/magic/etc"},
          {.name = "MaskedFilesAndDirectories",
           .probe = {"bytes", "/etc/plain", "node", "/home/alice", "write", "/home/x", "mount", "/proc/kcore"},
           .out = "/etc/plain: 0 bytes\n/home/alice: No such file or directory\nwrite: Read-only file system\n"
                  "/proc/kcore: none\n",
           .container =
               [](auto& c) {
                 for (const char* path : {"/etc/plain", "/home", "/no/such"}) {
                   c.mutable_linux()->mutable_masked_paths()->add_paths(path);
                 }
               }},
          {.name = "OtherReadOnlyPaths",
           .probe = {"write", "/home/x", "write", "/tmp/x", "mount", "/proc/sys"},
           .out = "write: Read-only file system\nwrite: ok\n/proc/sys: none\n",
           .container = [](auto& c) { c.mutable_linux()->mutable_readonly_paths()->add_paths("/home"); }},
          {.name = "Sysctls",
           .probe = {"read", "/proc/sys/kernel/msgmax", "read", "/proc/sys/fs/mqueue/msg_max"},
           .out = "4096\n20\n",
           .container =
               [](auto& c) {
                 (*c.mutable_linux()->mutable_sysctls())["kernel.msgmax"] = "4096";
                 (*c.mutable_linux()->mutable_sysctls())["fs.mqueue.msg_max"] = "20";
               }},
          {.name = "UnknownSysctl",
           .probe = {"ids"},
           .container = [](auto& c) { (*c.mutable_linux()->mutable_sysctls())["kernel.shm_no_such"] = "1"; },
           .refusal = "no sysctl \"kernel.shm_no_such\""},
          {.name = "UsualSharedMemory", .probe = {"size", "/dev/shm"}, .out = "/dev/shm: 67108864 bytes\n"},
          {.name = "SharedMemory",
           .probe = {"size", "/dev/shm", "node", "/dev/shm"},
           .out = "/dev/shm: 1048576 bytes\n/dev/shm: d 0:0 1777 0:0\n",
           .container = [](auto& c) { c.mutable_linux()->set_shm_size_bytes(1 << 20); }},
          {.name = "TmpfsWithOptions",
           .probe = {"mount", "/cache/deep", "size", "/cache/deep", "node", "/cache/deep"},
           .out = AllOf(HasSubstr("/cache/deep: tmpfs rw,nosuid,nodev,noexec,"),
                        HasSubstr("/cache/deep: 65536 bytes\n/cache/deep: d 0:0 0700 0:0\n")),
           .container =
               [](auto& c) {
                 AddMount(c, "tmpfs", "/cache/deep", {"nosuid", "nodev", "noexec", "size=64k", "mode=700"});
               }},
          {.name = "ReadOnlyTmpfs",
           .probe = {"write", "/cache/x"},
           .out = "write: Read-only file system\n",
           .container = [](auto& c) { AddMount(c, "tmpfs", "/cache", {"ro"}); }},
          {.name = "TmpfsThatIsToSpread",
           .probe = {"mount", "/cache", "mount", "/other"},
           .out = AllOf(HasSubstr("/cache: tmpfs rw,nosuid,"), HasSubstr("/other: tmpfs rw,")),
           .container =
               [](auto& c) {
                 AddMount(c, "tmpfs", "/cache", {"nosuid", "rprivate", "size=64k"});
                 AddMount(c, "tmpfs", "/other", {"rshared"});
               }},
          {.name = "OtherGuestFileSystems",
           .probe = {"mount", "/m/proc", "mount", "/m/sys", "mount", "/m/mq", "mount", "/m/pts"},
           .out = MatchesRegex("/m/proc: proc rw,[a-z,]*\n/m/sys: sysfs ro,[a-z,]*\n/m/mq: mqueue [a-z,]*\n"
                               "/m/pts: devpts [a-z,]*\n"),
           .container =
               [](auto& c) {
                 AddMount(c, "proc", "/m/proc");
                 AddMount(c, "sysfs", "/m/sys", {"ro"});
                 AddMount(c, "mqueue", "/m/mq");
                 AddMount(c, "devpts", "/m/pts");
               }},
          {.name = "MountsStayInTheContainer",
           .probe = {"mount", "/tmp"},
           .out = MatchesRegex("/tmp: tmpfs [a-z,]*\n"),
           .container = [](auto& c) { AddMount(c, "tmpfs", "/outside"); }},
          {.name = "WrongMountOption",
           .probe = {"ids"},
           .container = [](auto& c) { AddMount(c, "tmpfs", "/cache", {"size=much"}); },
           .refusal = "mount on /cache: make a file system of type tmpfs: option \"size=much\""},
          {.name = "ProcIsNotCovered",
           .probe = {"ids"},
           .container = [](auto& c) { AddMount(c, "tmpfs", "/proc/fs"); },
           .refusal = "only a proc file system can be mounted on /proc"},
      });
}

void AddDevices(std::vector<ProcessCase>* rows) {
  rows->insert(rows->end(),
               {
                   {.name = "StandardDevices",
                    .probe = {"node", "/dev/null", "node", "/dev/zero", "node", "/dev/full", "node", "/dev/random",
                              "node", "/dev/urandom", "node", "/dev/tty"},
                    .out = "/dev/null: c 1:3 0666 0:0\n/dev/zero: c 1:5 0666 0:0\n/dev/full: c 1:7 0666 0:0\n"
                           "/dev/random: c 1:8 0666 0:0\n/dev/urandom: c 1:9 0666 0:0\n/dev/tty: c 5:0 0666 0:0\n"},
                   {.name = "StandardLinksAndMounts",
                    .probe = {"node", "/dev/fd", "node", "/dev/stdin", "node", "/dev/stdout", "node", "/dev/stderr",
                              "node", "/dev/ptmx", "mount", "/dev/pts", "mount", "/dev/shm", "mount", "/dev/mqueue"},
                    .out = MatchesRegex("/dev/fd: l .*/dev/stdin: l .*/dev/stdout: l .*/dev/stderr: l .*/dev/ptmx: l .*"
                                        "/dev/pts: devpts .*/dev/shm: tmpfs .*/dev/mqueue: mqueue .*")},
                   {.name = "MoreDevices",
                    .probe = {"node", "/dev/net/tun", "node", "/dev/disk", "node", "/dev/fifo", "node", "/dev/null"},
                    .out = "/dev/net/tun: c 10:200 0640 1000:50\n/dev/disk: b 7:1 0666 0:0\n/dev/fifo: p 0:0 0600 0:0\n"
                           "/dev/null: c 1:3 0600 0:0\n",
                    .container =
                        [](auto& c) {
                          v1::Device& tun = AddDevice(c, "/dev/net/tun", "c", 10, 200);
                          tun.set_file_mode(0640);
                          tun.set_uid(1000);
                          tun.set_gid(50);
                          AddDevice(c, "/dev/disk", "b", 7, 1);
                          AddDevice(c, "/dev/fifo", "p", 0, 0).set_file_mode(0600);
                          AddDevice(c, "/dev/null", "c", 1, 3).set_file_mode(0600);
                        }},
                   // Numbers of no driver (240 is for local use): who may open one is told that there is none.
                   {.name = "OpensOnlyItsOwnDevices",
                    .probe = {"device", "c", "1", "5", "device", "c", "240", "7", "device", "b", "7", "1", "device",
                              "b", "8", "0"},
                    .out = "c 1:5: open\nc 240:7: Operation not permitted\nb 7:1: Operation not permitted\n"
                           "b 8:0: Operation not permitted\n"},
                   {.name = "OpensTheDevicesItAskedFor",
                    .probe = {"device", "c", "240", "7", "device", "b", "240", "7", "device", "c", "240", "8"},
                    .out = "c 240:7: No such device or address\nb 240:7: Operation not permitted\n"
                           "c 240:8: Operation not permitted\n",
                    .container = [](auto& c) { AddDevice(c, "/dev/own", "c", 240, 7); }},
                   {.name = "KeepsTheRulesForDevices",
                    .probe = {"detach", "device", "c", "240", "7"},
                    .out = "detach: Invalid argument\nc 240:7: Operation not permitted\n"},
                   {.name = "AnExecKeepsTheRulesForDevices",
                    .probe = {"detach", "device", "c", "240", "7"},
                    .out = "detach: Invalid argument\nc 240:7: Operation not permitted\n",
                    .exec = [](auto&) {}},
                   {.name = "AnExecOpensTheDevicesOfItsContainer",
                    .probe = {"device", "c", "240", "7", "device", "c", "240", "8", "device", "b", "8", "0"},
                    .out = "c 240:7: No such device or address\nc 240:8: Operation not permitted\n"
                           "b 8:0: Operation not permitted\n",
                    .container = [](auto& c) { AddDevice(c, "/dev/own", "c", 240, 7); },
                    .exec = [](auto&) {}},
               });
}

}  // namespace vcd
