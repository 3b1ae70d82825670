// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/process_table.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <string_view>
#include <utility>

#include "core/link/link_limits.h"
#include "core/os/unique_fd.h"
#include "guest/agent/container_figures.h"
#include "guest/agent/file_io.h"
#include "guest/agent/users.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::ProcessList;

constexpr size_t kMaxArgsBytes = 4096;
// A frame holds more, and an answer is not to stand in the way of others for long.
constexpr size_t kMaxListBytes = size_t{512} << 10;
// Arguments of all processes together. An empty one takes two bytes here and much more at the host, which takes twice
// as many of a guest at most; any more would cost the guest its connection.
constexpr int kMaxListArgs = 32768;
constexpr size_t kMaxPasswdBytes = size_t{1} << 20;

// PF_EXITING of the kernel's include/linux/sched.h, in field 9 of /proc/PID/stat.
constexpr uint64_t kExitingFlag = 0x4;

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

uint64_t NowNs(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNanosecondsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

// Fields of /proc/PID/stat from the third on; the second, the name in parentheses, may hold anything, parentheses and
// blanks included.
struct StatLine {
  std::string name;
  std::array<std::string, 50> fields;  // fields[3] is the parent's pid, and so on as in proc(5), counted from 1.
  uint64_t number(size_t index) const { return std::strtoull(fields[index].c_str(), nullptr, 10); }
};

bool ParseStat(const std::string& text, StatLine* stat) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return false;
  stat->name = text.substr(open + 1, close - open - 1);
  std::string_view rest = std::string_view(text).substr(close + 1);
  for (size_t index = 3; index < stat->fields.size() && !rest.empty(); ++index) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const size_t end = std::min(rest.find_first_of(" \n"), rest.size());
    stat->fields[index] = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return !stat->fields[24].empty();
}

// The last of "NSpid:	7	1": its number in the innermost pid namespace. The agent's own comes first.
int32_t InnermostPid(const std::string& status, pid_t pid) {
  const size_t at = status.find("\nNSpid:");
  if (at == std::string::npos) return pid;
  const std::string line = status.substr(at + 1, status.find('\n', at + 1) - at - 1);
  return static_cast<int32_t>(std::strtol(line.c_str() + line.find_last_of("\t :") + 1, nullptr, 10));
}

// "Uid:	real	effective	saved	file system".
uint32_t EffectiveUid(const std::string& status) {
  const size_t at = status.find("\nUid:");
  if (at == std::string::npos) return 0;
  char* end = nullptr;
  (void)std::strtoul(status.c_str() + at + 5, &end, 10);
  return static_cast<uint32_t>(std::strtoul(end, nullptr, 10));
}

void SetArgs(std::string bytes, const std::string& name, ProcessList::Entry* entry) {
  if (bytes.size() > kMaxArgsBytes) bytes.resize(kMaxArgsBytes);
  if (!bytes.empty() && bytes.back() == '\0') bytes.pop_back();
  if (bytes.empty()) {
    entry->add_args("[" + ValidUtf8(name) + "]");
    return;
  }
  for (size_t at = 0; at <= bytes.size();) {
    const size_t end = std::min(bytes.find('\0', at), bytes.size());
    entry->add_args(ValidUtf8(bytes.substr(at, end - at)));
    at = end + 1;
  }
}

bool Describe(const ProcessTableRequest& request, pid_t pid, uint64_t boot_ns, ProcessList::Entry* entry) {
  const std::string directory = request.proc + "/" + std::to_string(pid);
  StatLine stat;
  if (!ParseStat(ReadFileOrEmpty(directory + "/stat", 4096), &stat)) return false;
  const std::string status = "\n" + ReadFileOrEmpty(directory + "/status", 16384);
  const uint64_t ticks_per_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  entry->set_pid(pid);
  entry->set_parent_pid(static_cast<int32_t>(stat.number(4)));
  entry->set_container_pid(InnermostPid(status, pid));
  entry->set_uid(EffectiveUid(status));
  entry->set_user(ValidUtf8(UserName(entry->uid(), request.passwd)));
  entry->set_state(ValidUtf8(stat.fields[3].substr(0, 1)));
  entry->set_threads(static_cast<uint32_t>(stat.number(20)));
  entry->set_started_unix_ns(boot_ns + stat.number(22) * kNanosecondsPerSecond / ticks_per_second);
  entry->set_cpu_time_us((stat.number(14) + stat.number(15)) * 1'000'000 / ticks_per_second);
  entry->set_virtual_bytes(stat.number(23));
  entry->set_rss_bytes(stat.number(24) * page);
  SetArgs(ReadFileOrEmpty(directory + "/cmdline", kMaxArgsBytes + 1), stat.name, entry);
  const auto named = request.process_ids.find(pid);
  if (named != request.process_ids.end()) entry->set_process_id(named->second);
  return true;
}

// Bytes of the UTF-8 sequence at `at`; 0 when there is none.
size_t SequenceLength(const std::string& text, size_t at) {
  const auto byte = [&](size_t index) { return static_cast<unsigned char>(index < text.size() ? text[index] : 0); };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what is beyond Unicode.
  const unsigned char second = byte(at + 1);
  const bool bad = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                   (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return bad ? 0 : length;
}

}  // namespace

std::string ValidUtf8(const std::string& text) {
  std::string valid;
  for (size_t at = 0; at < text.size();) {
    const size_t length = SequenceLength(text, at);
    if (length == 0) {
      valid.push_back('?');
      ++at;
    } else {
      valid.append(text, at, length);
      at += length;
    }
  }
  return valid;
}

std::string ReadContainerPasswd(pid_t pid) {
  const UniqueFd root(::open(("/proc/" + std::to_string(pid) + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root.get(), "etc/passwd", &how, sizeof(how))));
  struct stat info {};
  if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  return ReadFileOrEmpty("/proc/self/fd/" + std::to_string(file.get()), kMaxPasswdBytes);
}

bool IsExiting(const std::string& proc, pid_t pid) {
  StatLine stat;
  return ParseStat(ReadFileOrEmpty(proc + "/" + std::to_string(pid) + "/stat", 4096), &stat) &&
         (stat.number(9) & kExitingFlag) != 0;
}

std::vector<pid_t> FindDescendants(const std::string& proc, const std::vector<pid_t>& roots) {
  std::vector<std::pair<pid_t, pid_t>> children;  // Child, parent.
  for (const std::string& name : ListDirectory(proc)) {
    const pid_t pid = static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10));
    StatLine stat;
    if (pid <= 0 || !ParseStat(ReadFileOrEmpty(proc + "/" + name + "/stat", 4096), &stat)) continue;
    children.emplace_back(pid, static_cast<pid_t>(stat.number(4)));
  }
  std::set<pid_t> found(roots.begin(), roots.end());
  for (size_t before = 0; before != found.size();) {
    before = found.size();
    for (const auto& [child, parent] : children) {
      if (found.count(parent) != 0) found.insert(child);
    }
  }
  return {found.begin(), found.end()};
}

ProcessList ListProcessTable(const ProcessTableRequest& request) {
  ProcessList list;
  list.set_now_unix_ns(NowNs(CLOCK_REALTIME));
  const uint64_t boot_ns = list.now_unix_ns() - NowNs(CLOCK_BOOTTIME);
  size_t bytes = 0;
  int args = 0;
  for (const pid_t pid : request.pids) {
    ProcessList::Entry entry;
    if (!Describe(request, pid, boot_ns, &entry)) continue;
    bytes += entry.ByteSizeLong();
    args += entry.args_size();
    if (bytes > kMaxListBytes || args > kMaxListArgs || list.processes_size() == kMaxGuestProcesses) {
      list.set_truncated(true);
      break;
    }
    *list.add_processes() = std::move(entry);
  }
  return list;
}

}  // namespace vcd::guest
