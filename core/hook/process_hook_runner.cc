// SPDX-License-Identifier: Apache-2.0
#include "core/hook/process_hook_runner.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "core/log/logger.h"
#include "core/model/utf8.h"
#include "core/netns/network_namespace.h"
#include "core/os/program_run.h"
#include "core/os/stand_in_process.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// What is kept of its output, for the log; and how much of that a message has.
constexpr size_t kMaxOutputBytes = 4 << 10;
constexpr size_t kMaxWordsBytes = 512;

class HeldStandIn : public HeldProcess {
 public:
  explicit HeldStandIn(StandInProcess process) : process_(std::move(process)) {}
  pid_t pid() const override { return process_.pid(); }

 private:
  const StandInProcess process_;
};

// Of a pod's namespace, open; none for the daemon's own.
absl::StatusOr<std::optional<NetworkNamespace>> OpenNamespace(const std::string& path) {
  if (path.empty()) return std::nullopt;
  VCD_ASSIGN_OR_RETURN(NetworkNamespace netns, NetworkNamespace::Open(path));
  return netns;
}

// Its output as it may stand in messages and records.
std::string Words(const ProgramEnd& end) {
  std::string text(absl::StripTrailingAsciiWhitespace(end.output));
  if (text.size() > kMaxWordsBytes) text = absl::StrCat("…", text.substr(text.size() - kMaxWordsBytes));
  return ToUtf8(absl::StrReplaceAll(text, {{"\n", "; "}}));
}

void LogOutput(const HookCall& call, const ProgramEnd& end) {
  if (end.output.empty()) return;
  PodLogger(call.pod_id)
      .Log(end.success() ? LogLevel::kInfo : LogLevel::kWarning,
           absl::StrCat(HookName(call), end.output_cut ? " said much; the end of it" : " said"),
           {{"output", ToUtf8(end.output)}});
}

}  // namespace

absl::Status ProcessHookRunner::Run(const HookCall& call, const CallContext& context) {
  const v1::Hook& hook = call.hook;
  VCD_RETURN_IF_ERROR(context.Check(HookName(call)));
  absl::StatusOr<std::optional<NetworkNamespace>> netns = OpenNamespace(call.netns_path);
  if (!netns.ok()) return HookFailure(call, netns.status().message());
  ProgramRun run;
  run.launch.program = hook.path();
  run.launch.argv = {hook.args().begin(), hook.args().end()};
  if (run.launch.argv.empty()) run.launch.argv = {hook.path()};
  run.launch.env = {hook.env().begin(), hook.env().end()};
  if (netns->has_value()) run.launch.namespace_fds = {(*netns)->fd()};
  run.input = call.state;
  run.join_errors = true;
  run.max_output_bytes = kMaxOutputBytes;
  run.keep_end = true;
  const absl::Duration limit = absl::Seconds(hook.timeout_seconds());
  const absl::StatusOr<ProgramEnd> end = RunProgram(run, context.Within(limit));
  if (!end.ok()) {
    // The operation's own end comes first.
    if (const absl::Status over = context.Check(HookName(call)); !over.ok()) return over;
    const std::string words = ToUtf8(end.status().message());
    if (!absl::IsDeadlineExceeded(end.status())) return HookFailure(call, words);
    return HookFailure(call, absl::StrCat("did not end within ", absl::FormatDuration(limit),
                                          ", its limit (`timeout_seconds`), and was killed: ", words));
  }
  LogOutput(call, *end);
  if (end->success()) return absl::OkStatus();
  const std::string words = Words(*end);
  return HookFailure(
      call, absl::StrCat(end->Description(), words.empty() ? " and said nothing" : absl::StrCat("; it said: ", words)));
}

absl::StatusOr<std::unique_ptr<HeldProcess>> ProcessHookRunner::Hold(const std::string& pod_id,
                                                                     const std::string& netns_path) {
  VCD_ASSIGN_OR_RETURN(const std::optional<NetworkNamespace> netns, OpenNamespace(netns_path));
  std::vector<int> namespaces;
  if (netns.has_value()) namespaces.push_back(netns->fd());
  VCD_ASSIGN_OR_RETURN(StandInProcess process,
                       StandInProcess::Start(absl::StrCat("vcd: hooks of pod ", pod_id), namespaces));
  return std::make_unique<HeldStandIn>(std::move(process));
}

}  // namespace vcd
