// SPDX-License-Identifier: Apache-2.0
// What starting a program and waiting for its end costs with nothing in between: prints the median and the 99th
// percentile of N rounds, in microseconds. Static, so that it runs in any root file system.
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 100;
  char program[] = "/bin/true";
  char* const arguments[] = {program, nullptr};
  char* const environment[] = {nullptr};
  std::vector<double> microseconds;
  for (int i = 0; i < rounds; ++i) {
    timespec begin{};
    timespec end{};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t pid = 0;
    int status = 0;
    if (posix_spawn(&pid, program, nullptr, nullptr, arguments, environment) != 0 || waitpid(pid, &status, 0) != pid ||
        status != 0) {
      std::perror("/bin/true");
      return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    microseconds.push_back(static_cast<double>(end.tv_sec - begin.tv_sec) * 1e6 +
                           static_cast<double>(end.tv_nsec - begin.tv_nsec) / 1e3);
  }
  std::sort(microseconds.begin(), microseconds.end());
  const auto at = [&](double part) { return microseconds[static_cast<size_t>(part * static_cast<double>(rounds))]; };
  std::printf("%.1f %.1f\n", at(0.5), at(0.99));
  return 0;
}
