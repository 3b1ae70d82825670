// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/commands/choose_container.h"
#include "client/commands/commands.h"
#include "client/daemon/rpc_error.h"
#include "client/process/foreground.h"
#include "client/process/foreground_options.h"

namespace vcd::client {
namespace {

class AttachCommand : public Command {
 public:
  std::string name() const override { return "attach"; }
  std::string summary() const override { return "Join the terminal or the streams of a process that runs"; }
  int usage_exit_code() const override { return 125; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Text("-c,--container", &container_id_, "ID", "Which container (default: the only one, else main)");
    arguments->Text("--process", &process_id_, "ID",
                    "A process of \"vc exec\"; \"vc execs\" lists them (default: the container's first)");
    arguments->Flag("--no-stdin", &no_stdin_, "Read along, while another may write");
    arguments->Flag("--from-start", &from_start_, "Also what was printed before");
    foreground_.Declare(arguments);
    arguments->Footer(absl::StrCat(
        "Ends with the exit status of the process, and with 0 after the detach keys, which only a terminal knows.\n",
        kKeysAndSignalsHelp,
        "A process has one writer at a time; any number may read along.\n"
        "Example: vc attach web\n"
        "Example: vc attach --process exec-1b2c web"));
  }

  int Run(Invocation& invocation) override {
    auto keys = foreground_.Keys();
    if (!keys.ok()) return Fail(&invocation, keys.status());
    // Signals first: the threads of gRPC must not be the ones that get them.
    const auto signals = invocation.environment().watch_signals();
    if (!signals.ok()) return Fail(&invocation, signals.status());
    const auto window = invocation.environment().watch_window();
    if (!window.ok()) return Fail(&invocation, window.status());

    Foreground::Options options;
    if (const absl::Status found = FindProcess(&invocation.daemon(), &options); !found.ok()) {
      return Fail(&invocation, found);
    }
    options.detach_keys = *std::move(keys);
    options.proxy_signals = foreground_.proxy_signals();
    options.from_start = from_start_;
    options.redraw = options.terminal && options.send_input;
    SignalSource* const changes = options.terminal ? window->get() : nullptr;
    return Foreground(&invocation, signals->get(), changes, std::move(options)).Follow();
  }

 private:
  absl::Status FindProcess(DaemonClient* daemon, Foreground::Options* options) {
    v1::GetPodRequest request;
    request.set_pod_id(pod_id_);
    v1::GetPodResponse response;
    if (const absl::Status status = daemon->GetPod(request, &response); !status.ok()) return status;
    const auto container_id = ChooseContainer(response.pod(), container_id_);
    if (!container_id.ok()) return container_id.status();
    options->pod_id = pod_id_;
    options->container_id = *container_id;
    options->process_id = process_id_;
    options->send_input = !no_stdin_;
    options->how_to_return = AttachCommandFor(pod_id_, container_id_, process_id_);
    if (!process_id_.empty()) return FindExec(daemon, options);
    for (const v1::Container& container : response.pod().containers()) {
      if (container.id() != *container_id) continue;
      options->terminal = container.config().cmd().terminal();
      // One that takes no input needs no writer.
      options->send_input = !no_stdin_ && container.config().cmd().interactive();
    }
    return absl::OkStatus();
  }

  // Whether it has a terminal. One that is not there is Attach's to complain of.
  absl::Status FindExec(DaemonClient* daemon, Foreground::Options* options) {
    v1::ListExecsRequest request;
    request.set_pod_id(pod_id_);
    request.set_container_id(options->container_id);
    v1::ListExecsResponse response;
    if (const absl::Status status = daemon->ListExecs(request, &response); !status.ok()) return status;
    for (const v1::ExecInfo& exec : response.execs()) {
      if (exec.process_id() == process_id_) options->terminal = exec.terminal();
    }
    return absl::OkStatus();
  }

  int Fail(Invocation* invocation, const absl::Status& status) {
    invocation->Complain(pod_id_, status);
    return CommandFailureExitCode(status);
  }

  std::string pod_id_;
  std::string container_id_;
  std::string process_id_;
  bool no_stdin_ = false;
  bool from_start_ = false;
  ForegroundOptions foreground_;
};

}  // namespace

std::unique_ptr<Command> NewAttachCommand() { return std::make_unique<AttachCommand>(); }

}  // namespace vcd::client
