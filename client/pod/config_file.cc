// SPDX-License-Identifier: Apache-2.0
#include "client/pod/config_file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/format/yaml.h"
#include "client/posix/unique_fd.h"
#include "google/protobuf/util/json_util.h"

namespace vcd::client {
namespace {

// Far beyond any sensible pod; keeps vc from filling the memory with a file named by mistake.
constexpr size_t kMaxBytes = 16 << 20;

absl::StatusOr<std::string> ReadAll(const std::string& name, int fd) {
  std::string text;
  char buffer[65536];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n == 0) return text;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::InvalidArgumentError(absl::StrCat(name, ": ", strerror(errno)));
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kMaxBytes) return absl::InvalidArgumentError(absl::StrCat(name, ": larger than 16 MiB"));
  }
}

}  // namespace

absl::StatusOr<v1::PodConfig> ReadPodConfig(const std::string& path, int stdin_fd) {
  const std::string name = path == "-" ? "standard input" : path;
  UniqueFd file;
  int fd = stdin_fd;
  if (path != "-") {
    file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return absl::InvalidArgumentError(absl::StrCat(name, ": ", strerror(errno)));
    fd = file.get();
  }
  const auto text = ReadAll(name, fd);
  if (!text.ok()) return text.status();
  return ParsePodConfig(name, *text);
}

absl::StatusOr<v1::PodConfig> ParsePodConfig(const std::string& name, const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return absl::InvalidArgumentError(absl::StrCat(name, ": is empty"));
  std::string json = text;
  if (text[first] != '{') {
    auto converted = YamlToJson(text);
    if (!converted.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": ", std::string(converted.status().message())));
    }
    if (!absl::StartsWith(*converted, "{")) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": is not a map of fields, such as \"id: web\""));
    }
    json = *std::move(converted);
  }
  v1::PodConfig config;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &config, options);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", std::string(status.message()),
                                                   "; the fields are those of vcd.v1.PodConfig in "
                                                   "proto/vcd/v1/pod.proto"));
  }
  return config;
}

}  // namespace vcd::client
