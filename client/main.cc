// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "client/command_line.h"
#include "client/command_registry.h"
#include "client/environment.h"

int main(int argc, char** argv) {
  // A socket must not become descriptor 0, 1 or 2 because vc was started with one of them closed.
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return 1;
  }
  // Writing where nobody reads is an error like others, after which pods are still cleaned up.
  ::signal(SIGPIPE, SIG_IGN);
  // Without destructors of libraries beside gRPC's threads, which are still there: see DaemonClient's constructor.
  const int exit_status = vcd::client::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc),
                                                      vcd::client::AllCommands(), vcd::client::ProcessEnvironment());
  ::_exit(exit_status);
}
