// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_plugins.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/cni/cni_result.h"
#include "core/log/logger.h"
#include "core/os/program_run.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kMaxErrorsBytes = 4 << 10;

bool IsProgram(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

absl::StatusOr<std::string> CniPlugins::Find(const std::string& type) const {
  if (type.empty() || type[0] == '.' || absl::StrContains(type, '/') || absl::StrContains(type, '\0')) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(type), "\" is no name of a CNI plugin"));
  }
  for (const std::string& directory : directories_) {
    std::string path = absl::StrCat(directory, "/", type);
    if (IsProgram(path)) return path;
  }
  return WithDetail(absl::FailedPreconditionError(absl::StrCat(
                        "CNI plugin `", type, "` is not in ", absl::StrJoin(directories_, " or "),
                        "; install the package containernetworking-plugins, or set `networks.cni_plugin_dirs`")),
                    {v1::ERROR_REASON_NETWORK, {{"plugin", type}}});
}

absl::StatusOr<std::string> CniPlugins::Call(const std::string& type, const CniCall& call, const CniJson& configuration,
                                             const CallContext& context) const {
  ProgramRun run;
  VCD_ASSIGN_OR_RETURN(std::string path, Find(type));
  run.launch.argv = {std::move(path)};
  // Plugins call iptables and others by name.
  run.launch.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    absl::StrCat("CNI_COMMAND=", call.command),
                    absl::StrCat("CNI_CONTAINERID=", call.container_id),
                    absl::StrCat("CNI_NETNS=", call.netns_path),
                    absl::StrCat("CNI_IFNAME=", call.interface_name),
                    absl::StrCat("CNI_ARGS=", call.args),
                    absl::StrCat("CNI_PATH=", absl::StrJoin(directories_, ":"))};
  run.input = CniText(configuration);
  run.max_output_bytes = kMaxCniBytes;
  run.max_errors_bytes = kMaxErrorsBytes;
  const std::string step = absl::StrCat("CNI plugin `", type, "`, ", call.command, " of ", call.interface_name);
  const ErrorDetail detail = {v1::ERROR_REASON_NETWORK, {{"plugin", type}}};
  absl::StatusOr<ProgramEnd> end = RunProgram(run, context.Within(timeout_));
  if (!end.ok()) {
    // Of the caller's own cancellation the reason is the caller's.
    absl::Status status = Annotate(end.status(), step);
    return DetailOf(status).has_value() ? status : WithDetail(std::move(status), detail);
  }
  const std::string errors(absl::StripTrailingAsciiWhitespace(end->errors));
  if (!errors.empty()) {
    Logger()
        .With("container_id", call.container_id)
        .Log(end->success() ? LogLevel::kDebug : LogLevel::kWarning, absl::StrCat(step, " wrote to standard error"),
             {{"stderr", errors}});
  }
  if (!end->success()) {
    const std::string otherwise =
        absl::StrCat(end->Description(), errors.empty() ? " and said nothing" : absl::StrCat(": ", errors));
    return Annotate(ParseCniError(end->output_cut ? "" : end->output, type, otherwise), step);
  }
  if (end->output_cut) {
    return WithDetail(absl::InternalError(absl::StrCat(step, ": it printed more than ", kMaxCniBytes, " bytes")),
                      detail);
  }
  return std::move(end->output);
}

}  // namespace vcd
