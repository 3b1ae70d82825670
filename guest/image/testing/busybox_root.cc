// SPDX-License-Identifier: Apache-2.0
#include "guest/image/testing/busybox_root.h"

#include <filesystem>
#include <fstream>

namespace vcd::guest {

namespace fs = std::filesystem;

void MakeBusyboxRoot(const std::string& root) {
  for (const char* name : {"/bin", "/etc", "/tmp"}) fs::create_directories(root + name);
  fs::copy_file("/bin/busybox", root + "/bin/busybox");
  for (const char* name : {"sh", "cat", "echo", "uname", "ls", "hostname", "date", "touch", "rm", "dd", "sleep", "ip",
                           "id", "grep", "wc", "seq", "yes", "head", "true"}) {
    fs::create_symlink("busybox", root + "/bin/" + name);
  }
  std::ofstream(root + "/etc/passwd") << "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
}

}  // namespace vcd::guest
