// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/daemon/rpc_error.h"
#include "client/pod/pod_options.h"
#include "client/process/foreground_options.h"
#include "client/process/foreground_pod.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class RunCommand : public Command {
 public:
  std::string name() const override { return "run"; }
  std::string summary() const override { return "Run a command in a pod of its own"; }
  int usage_exit_code() const override { return 125; }

  void Declare(Arguments* arguments) override {
    arguments->Flag("-d,--detach", &detach_, "Do not wait: print the id of the pod");
    arguments->Flag("--rm", &remove_, "Delete the pod when vc ends, whatever ends it");
    options_.Declare(arguments);
    foreground_.Declare(arguments);
    arguments->Footer(absl::StrCat(
        "All words after -- are the command. Exit status: the command's own, 128 + n when signal n ended it;\n"
        "127 when there is no such command, 126 when it cannot be executed, 125 when vc or vcd failed, a wrong\n"
        "option included.\n",
        kKeysAndSignalsHelp,
        "With --rm the pod ends whenever vc does, but for those keys. Without --rm the pod stays.\n"
        "Example: vc run -it --rootfs /srv/rootfs -- sh\n"
        "Example: vc run --rm --rootfs /srv/rootfs -- uname -r\n"
        "Example: echo hello | vc run --rm -i --rootfs /srv/rootfs.erofs -- cat"));
  }

  int Run(Invocation& invocation) override {
    auto config = options_.Build(invocation.environment());
    absl::Status status = config.status();
    if (status.ok() && detach_ && remove_) {
      status =
          absl::InvalidArgumentError("--rm and -d exclude each other: somebody has to wait; use \"vc rm -f\" later");
    }
    if (!status.ok()) return Fail(&invocation, "", status);
    const std::string container_id = (*options_.MainContainer(&*config))->id();
    v1::Cmd* const cmd = (*options_.MainContainer(&*config))->mutable_cmd();
    const bool interactive = cmd->interactive();
    if (interactive && options_.reads_stdin()) {
      return Fail(&invocation, "",
                  absl::InvalidArgumentError("-i and -f - exclude each other: both read standard input"));
    }
    if (detach_) return RunDetached(&invocation, *std::move(config));
    if (cmd->terminal()) status = AdoptTerminal(invocation.environment(), cmd);
    auto keys = foreground_.Keys();
    status.Update(keys.status());
    if (!status.ok()) return Fail(&invocation, "", status);
    ForegroundPod::Options options;
    options.terminal = cmd->terminal();
    options.detach_keys = *std::move(keys);
    options.proxy_signals = foreground_.proxy_signals();
    options.config = *std::move(config);
    options.container_id = container_id.empty() ? "main" : container_id;
    options.send_input = interactive;
    options.remove = remove_;
    return ForegroundPod(&invocation, std::move(options)).Run();
  }

 private:
  int RunDetached(Invocation* invocation, v1::PodConfig config) {
    v1::RunPodRequest request;
    *request.mutable_config() = std::move(config);
    v1::RunPodResponse response;
    if (const absl::Status status = invocation->daemon().RunPod(request, &response); !status.ok()) {
      return Fail(invocation, request.config().id(), status);
    }
    return invocation->Print(absl::StrCat(response.pod().id(), "\n"));
  }

  int Fail(Invocation* invocation, const std::string& object, const absl::Status& status) {
    invocation->Complain(object, status);
    return CommandFailureExitCode(status);
  }

  PodOptions options_;
  ForegroundOptions foreground_;
  bool remove_ = false;
  bool detach_ = false;
};

}  // namespace

std::unique_ptr<Command> NewRunCommand() { return std::make_unique<RunCommand>(); }

}  // namespace vcd::client
