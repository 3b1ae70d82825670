// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_figures.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>

#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Stats;

void ForEachLine(const std::string& text, const std::function<void(const std::string&)>& visit) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    visit(text.substr(at, end - at));
    at = end + 1;
  }
}

// Lines "key number".
void ReadKeyed(const std::string& path, const std::string& prefix, std::initializer_list<const char*> keys,
               Stats::Container* container) {
  ForEachLine(ReadFileOrEmpty(path), [&](const std::string& line) {
    const size_t space = line.find(' ');
    const std::string key = line.substr(0, space);
    if (space == std::string::npos || std::find(keys.begin(), keys.end(), key) == keys.end()) return;
    (*container->mutable_figures())[prefix + key] = std::strtoull(line.c_str() + space, nullptr, 10);
  });
}

void ReadIo(const std::string& path, Stats::Container* container) {
  ForEachLine(ReadFileOrEmpty(path), [&](const std::string& line) {
    for (const char* key : {"rbytes", "wbytes", "rios", "wios"}) {
      const size_t at = line.find(std::string(" ") + key + "=");
      if (at == std::string::npos) continue;
      (*container->mutable_figures())[std::string("io.") + key] +=
          std::strtoull(line.c_str() + at + std::strlen(key) + 2, nullptr, 10);
    }
  });
}

}  // namespace

void ReadContainerFigures(const std::string& directory, Stats::Container* container) {
  ReadKeyed(directory + "/cpu.stat", "cpu.",
            {"usage_usec", "user_usec", "system_usec", "nr_periods", "nr_throttled", "throttled_usec"}, container);
  ReadKeyed(directory + "/memory.stat", "memory.", {"anon", "inactive_file"}, container);
  ReadKeyed(directory + "/memory.events", "memory.", {"oom_kill"}, container);
  ReadIo(directory + "/io.stat", container);
  for (const char* file :
       {"memory.current", "memory.max", "memory.peak", "memory.swap.current", "pids.current", "pids.max"}) {
    const std::string value = ReadLine(directory + "/" + file);
    if (value.empty() || value == "max") continue;
    (*container->mutable_figures())[file] = std::strtoull(value.c_str(), nullptr, 10);
  }
}

uint64_t FigureOf(const std::string& text, const std::string& key) {
  uint64_t figure = 0;
  ForEachLine(text, [&](const std::string& line) {
    if (line.compare(0, key.size(), key) == 0) figure = std::strtoull(line.c_str() + key.size(), nullptr, 10);
  });
  return figure;
}

double SomePressure(const std::string& text) {
  const size_t at = text.find("some avg10=");
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + std::strlen("some avg10="), nullptr);
}

void ReadGuestFigures(const std::string& proc, Stats* stats) {
  const std::string memory = ReadFileOrEmpty(proc + "/meminfo");
  (*stats->mutable_guest())["MemTotal"] = FigureOf(memory, "MemTotal:") * 1024;
  (*stats->mutable_guest())["MemAvailable"] = FigureOf(memory, "MemAvailable:") * 1024;
  (*stats->mutable_guest())["uptime_usec"] =
      static_cast<uint64_t>(std::strtod(ReadLine(proc + "/uptime").c_str(), nullptr) * 1e6);
  stats->set_load_average_1m(std::strtod(ReadLine(proc + "/loadavg").c_str(), nullptr));
  stats->set_memory_pressure_percent(SomePressure(ReadFileOrEmpty(proc + "/pressure/memory")));
}

}  // namespace vcd::guest
