// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/choose_container.h"
#include "client/commands/commands.h"
#include "client/daemon/rpc_error.h"
#include "client/pod/pod_options.h"
#include "client/process/background_call.h"
#include "client/process/foreground.h"
#include "client/process/foreground_options.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {
namespace {

class ExecCommand : public Command {
 public:
  std::string name() const override { return "exec"; }
  std::string summary() const override { return "Run one more command in a running container"; }
  int usage_exit_code() const override { return 125; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Text("-c,--container", &container_id_, "ID", "Which container (default: the only one, else main)");
    arguments->Flag("-d,--detach", &detach_,
                    "Do not wait: print the id of the process. Its output goes nowhere, but with -t it is there for\n"
                    "\"vc attach --process\"");
    options_.Declare(arguments);
    arguments->Heading("Process");
    arguments->Flag("--no-new-privileges", &no_new_privileges_, "It cannot gain privileges, as by setuid programs");
    foreground_.Declare(arguments);
    arguments->CommandWords(&command_);
    arguments->Footer(absl::StrCat(
        "All words after -- are the command. Exit status: the command's own, 128 + n when signal n ended it;\n"
        "127 when there is no such command, 126 when it cannot be executed, 125 when vc or vcd failed, a wrong\n"
        "option included.\n",
        kKeysAndSignalsHelp,
        "Example: vc exec -it web -- sh\n"
        "Example: vc attach --process $(vc exec -dit web -- sh) web\n"
        "Example: vc exec web -- ps aux"));
  }

  int Run(Invocation& invocation) override {
    v1::ExecRequest request;
    request.set_pod_id(pod_id_);
    v1::Cmd* cmd = request.mutable_cmd();
    *cmd->mutable_args() = {command_.begin(), command_.end()};
    cmd->set_no_new_privileges(no_new_privileges_);
    absl::Status status = options_.Apply(invocation.environment(), cmd);
    if (command_.empty())
      status = absl::InvalidArgumentError("a command is needed: give it after --, as in -- CMD ARGS");
    if (status.ok() && detach_ && cmd->interactive() && !cmd->terminal()) {
      status = absl::InvalidArgumentError("-i and -d exclude each other without -t: nobody would write to it");
    }
    // A terminal is for somebody who comes later.
    cmd->set_detach(detach_ && !cmd->terminal());
    if (status.ok() && cmd->terminal() && !detach_) status = AdoptTerminal(invocation.environment(), cmd);
    status.Update(foreground_.Keys().status());
    if (!status.ok()) return Fail(&invocation, status);
    return detach_ ? Start(&invocation, &request) : Follow(&invocation, &request);
  }

 private:
  int Start(Invocation* invocation, v1::ExecRequest* request) {
    v1::ExecResponse response;
    if (const absl::Status status = Exec(invocation, nullptr, request, &response); !status.ok()) {
      return Fail(invocation, status);
    }
    return invocation->Print(absl::StrCat(response.process_id(), "\n"));
  }

  int Follow(Invocation* invocation, v1::ExecRequest* request) {
    const auto signals = invocation->environment().watch_signals();
    if (!signals.ok()) return Fail(invocation, signals.status());
    const auto window = invocation->environment().watch_window();
    if (!window.ok()) return Fail(invocation, window.status());
    v1::ExecResponse response;
    // Asked for here first, as the threads of calls must not be the ones that make it.
    invocation->daemon();
    const InterruptibleResult exec = CallInterruptibly(
        signals->get(), [&](CallCanceller* canceller) { return Exec(invocation, canceller, request, &response); });
    if (!exec.status.ok()) return exec.signal != 0 ? 128 + exec.signal : Fail(invocation, exec.status);
    Foreground::Options options;
    options.pod_id = pod_id_;
    options.container_id = request->container_id();
    options.process_id = response.process_id();
    options.send_input = request->cmd().interactive();
    options.terminal = request->cmd().terminal();
    options.detach_keys = *foreground_.Keys();
    options.proxy_signals = foreground_.proxy_signals();
    options.how_to_return = AttachCommandFor(pod_id_, container_id_, response.process_id());
    SignalSource* const changes = options.terminal ? window->get() : nullptr;
    return Foreground(invocation, signals->get(), changes, std::move(options)).Follow();
  }

  absl::Status Exec(Invocation* invocation, CallCanceller* canceller, v1::ExecRequest* request,
                    v1::ExecResponse* response) {
    const auto container_id = ChooseContainer(&invocation->daemon(), pod_id_, container_id_);
    if (!container_id.ok()) return container_id.status();
    request->set_container_id(*container_id);
    CallOptions options;
    options.canceller = canceller;
    return invocation->daemon().Exec(*request, response, options);
  }

  int Fail(Invocation* invocation, const absl::Status& status) {
    invocation->Complain(pod_id_, status);
    return CommandFailureExitCode(status);
  }

  std::string pod_id_;
  std::string container_id_;
  bool detach_ = false;
  bool no_new_privileges_ = false;
  CmdOptions options_;
  ForegroundOptions foreground_;
  std::vector<std::string> command_;
};

}  // namespace

std::unique_ptr<Command> NewExecCommand() { return std::make_unique<ExecCommand>(); }

}  // namespace vcd::client
