// SPDX-License-Identifier: Apache-2.0
// Tells what it finds of itself and its surroundings: `probe TOPIC [ARGUMENT…] [TOPIC …]`, one line a topic. A program
// of its own, because what a shell prints is what its own start has changed.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

extern char** environ;

namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// "CapEff" of /proc/self/status, without blanks.
std::string Status(const std::string& key) {
  std::istringstream lines(ReadAll("/proc/self/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(key + ":", 0) != 0) continue;
    const size_t begin = line.find_first_not_of(" \t", key.size() + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "?";
}

void PrintIds() {
  std::printf("uid=%d gid=%d groups=", static_cast<int>(geteuid()), static_cast<int>(getegid()));
  std::vector<gid_t> groups(static_cast<size_t>(getgroups(0, nullptr)));
  if (getgroups(static_cast<int>(groups.size()), groups.data()) < 0) groups.clear();
  std::sort(groups.begin(), groups.end());
  for (size_t i = 0; i < groups.size(); ++i) std::printf("%s%u", i == 0 ? "" : ",", groups[i]);
  std::printf("\n");
}

void PrintCapabilities() {
  std::printf("bnd=%s prm=%s eff=%s inh=%s amb=%s\n", Status("CapBnd").c_str(), Status("CapPrm").c_str(),
              Status("CapEff").c_str(), Status("CapInh").c_str(), Status("CapAmb").c_str());
}

void PrintLimit(const std::string& name) {
  const std::map<std::string, __rlimit_resource> resources = {
      {"nofile", RLIMIT_NOFILE}, {"core", RLIMIT_CORE}, {"nproc", RLIMIT_NPROC}, {"stack", RLIMIT_STACK}};
  rlimit limit{};
  getrlimit(resources.at(name), &limit);
  std::printf("%s=%lld:%lld\n", name.c_str(), static_cast<long long>(limit.rlim_cur),
              static_cast<long long>(limit.rlim_max));
}

void PrintDescriptors() {
  std::vector<int> numbers;
  DIR* const directory = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != dirfd(directory)) {
      numbers.push_back(std::atoi(entry->d_name));
    }
  }
  closedir(directory);
  std::sort(numbers.begin(), numbers.end());
  for (const int number : numbers) std::printf("fd=%d ", number);
  std::printf("\n");
}

// Type, options and root of the topmost mount at `path`.
void PrintMount(const std::string& path) {
  std::istringstream lines(ReadAll("/proc/self/mountinfo"));
  std::string found = "none";
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, place, options, word, type;
    words >> id >> parent >> device >> root >> place >> options;
    while (words >> word && word != "-") {
    }
    words >> type;
    if (place == path) found = type + " " + options;
  }
  std::printf("%s: %s\n", path.c_str(), found.c_str());
}

void PrintNode(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    std::printf("%s: %s\n", path.c_str(), strerror(errno));
    return;
  }
  const char type = S_ISCHR(info.st_mode)    ? 'c'
                    : S_ISBLK(info.st_mode)  ? 'b'
                    : S_ISFIFO(info.st_mode) ? 'p'
                    : S_ISDIR(info.st_mode)  ? 'd'
                    : S_ISLNK(info.st_mode)  ? 'l'
                                             : '-';
  std::printf("%s: %c %u:%u %04o %u:%u\n", path.c_str(), type, major(info.st_rdev), minor(info.st_rdev),
              info.st_mode & 07777, info.st_uid, info.st_gid);
}

// What comes of opening a device of that number, by a node made for it.
void PrintOpening(const std::string& type, unsigned major_number, unsigned minor_number) {
  constexpr char kNode[] = "/dev/probed";
  std::string said = "open";
  if (mknod(kNode, (type == "b" ? S_IFBLK : S_IFCHR) | 0600, makedev(major_number, minor_number)) != 0) {
    said = std::string("mknod: ") + strerror(errno);
  } else if (const int fd = open(kNode, O_RDONLY | O_NONBLOCK | O_CLOEXEC); fd < 0) {
    said = strerror(errno);
  } else {
    close(fd);
  }
  unlink(kNode);
  std::printf("%s %u:%u: %s\n", type.c_str(), major_number, minor_number, said.c_str());
}

const char* Result(int result) { return result == 0 ? "ok" : strerror(errno); }

// What comes of taking the rules for devices off the control group that this process sees as the root.
void PrintDetachingDeviceRules() {
  bpf_attr attributes{};
  attributes.target_fd = static_cast<uint32_t>(open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  attributes.attach_type = BPF_CGROUP_DEVICE;
  std::printf("detach: %s\n",
              Result(static_cast<int>(syscall(SYS_bpf, BPF_PROG_DETACH, &attributes, sizeof(attributes)))));
}

// What the arguments and the environment come to, told without repeating them.
void PrintImage(int argc, char** argv) {
  size_t bytes = 0;
  int strings = 0;
  uint32_t sum = 0;
  const auto add = [&](const char* text) {
    ++strings;
    bytes += strlen(text);
    for (; *text != '\0'; ++text) sum = sum * 31 + static_cast<unsigned char>(*text);
  };
  for (int i = 1; i < argc; ++i) add(argv[i]);  // Its own name depends on where it is.
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (strncmp(*variable, "PATH=", 5) != 0 && strncmp(*variable, "HOME=", 5) != 0) add(*variable);
  }
  std::printf("strings=%d bytes=%zu sum=%08x\n", strings, bytes, sum);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string topic = argv[i];
    const auto argument = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (topic == "ids") {
      PrintIds();
    } else if (topic == "caps") {
      PrintCapabilities();
    } else if (topic == "privileges") {
      std::printf("nnp=%d seccomp=%s securebits=%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
                  Status("Seccomp").c_str(), prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
    } else if (topic == "limit") {
      PrintLimit(argument());
    } else if (topic == "oom") {
      std::printf("oom=%s", ReadAll("/proc/self/oom_score_adj").c_str());
    } else if (topic == "umask") {
      std::printf("umask=%04o\n", umask(0));
    } else if (topic == "pid") {
      std::printf("pid=%d session=%d\n", getpid(), getsid(0) == getpid());
    } else if (topic == "fds") {
      PrintDescriptors();
    } else if (topic == "mount") {
      PrintMount(argument());
    } else if (topic == "size") {
      struct statvfs info {};
      const std::string path = argument();
      statvfs(path.c_str(), &info);
      std::printf("%s: %llu bytes\n", path.c_str(), static_cast<unsigned long long>(info.f_blocks) * info.f_frsize);
    } else if (topic == "node") {
      PrintNode(argument());
    } else if (topic == "device") {
      const std::string type = argument();
      const unsigned major_number = static_cast<unsigned>(std::stoul(argument()));
      PrintOpening(type, major_number, static_cast<unsigned>(std::stoul(argument())));
    } else if (topic == "detach") {
      PrintDetachingDeviceRules();
    } else if (topic == "read") {
      std::printf("%s", ReadAll(argument()).c_str());
    } else if (topic == "bytes") {
      const std::string path = argument();
      std::printf("%s: %zu bytes\n", path.c_str(), ReadAll(path).size());
    } else if (topic == "mkdir") {
      std::printf("mkdir: %s\n", Result(mkdir(argument().c_str(), 0777)));
    } else if (topic == "write") {
      const std::string path = argument();
      const int fd = open(path.c_str(), O_WRONLY | O_CREAT, 0666);
      std::printf("write: %s\n", Result(fd < 0 ? -1 : 0));
      if (fd >= 0) close(fd);
    } else if (topic == "hostname") {
      char name[256] = "";
      gethostname(name, sizeof(name));
      std::printf("hostname=%s\n", name);
    } else if (topic == "cwd") {
      char path[4096] = "";
      std::printf("cwd=%s\n", getcwd(path, sizeof(path)) == nullptr ? strerror(errno) : path);
    } else if (topic == "env") {
      const std::string name = argument();
      const char* const value = getenv(name.c_str());
      std::printf("%s=%s\n", name.c_str(), value == nullptr ? "(unset)" : value);
    } else if (topic == "image") {
      PrintImage(argc, argv);
      break;  // What follows was the arguments.
    } else if (topic == "args") {
      for (++i; i < argc; ++i) std::printf("[%s]", argv[i]);
      std::printf("\n");
    } else {
      std::fprintf(stderr, "probe: unknown topic %s\n", topic.c_str());
      return 2;
    }
    std::fflush(stdout);
  }
  return 0;
}
