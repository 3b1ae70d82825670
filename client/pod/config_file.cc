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

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", strerror(errno)));
  return ReadAll(path, file.get());
}

// Reads JSON or YAML into `message`. `fields` says where its fields are described.
absl::Status Parse(const std::string& name, const std::string& text, absl::string_view fields,
                   google::protobuf::Message* message) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return absl::InvalidArgumentError(absl::StrCat(name, ": is empty"));
  std::string json = text;
  if (text[first] != '{') {
    auto converted = YamlToJson(text, message->GetDescriptor());
    if (!converted.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": ", std::string(converted.status().message())));
    }
    if (!absl::StartsWith(*converted, "{")) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": is not a map of fields, such as \"id: web\""));
    }
    json = *std::move(converted);
  }
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage(json, message, options);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": ", std::string(status.message()), "; the fields are those of ", fields));
}

}  // namespace

absl::StatusOr<v1::PodConfig> ReadPodConfig(const std::string& path, int stdin_fd) {
  const std::string name = path == "-" ? "standard input" : path;
  const auto text = path == "-" ? ReadAll(name, stdin_fd) : ReadFile(path);
  if (!text.ok()) return text.status();
  return ParsePodConfig(name, *text);
}

absl::StatusOr<v1::PodConfig> ParsePodConfig(const std::string& name, const std::string& text) {
  v1::PodConfig config;
  const absl::Status parsed = Parse(name, text, "vcd.v1.PodConfig in proto/vcd/v1/pod.proto", &config);
  if (!parsed.ok()) return parsed;
  return config;
}

absl::StatusOr<v1::SeccompProfile> ReadSeccompProfile(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return text.status();
  v1::SeccompProfile profile;
  const absl::Status parsed = Parse(path, *text, "vcd.v1.SeccompProfile in proto/vcd/v1/container.proto", &profile);
  if (!parsed.ok()) return parsed;
  return profile;
}

}  // namespace vcd::client
