// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/daemon/rpc_error.h"
#include "client/format/text.h"
#include "client/forward/forwarded_connection.h"
#include "client/forward/listener.h"
#include "client/forward/port_mapping.h"

namespace vcd::client {
namespace {

// At a time, for each has two threads and three descriptors, of which a process may usually have 1024. A pod has fewer,
// and refuses those beyond by name of its limit; what is more yet waits until some of them have been.
constexpr size_t kMaxConnections = 300;

class PortForwardCommand : public Command {
 public:
  std::string name() const override { return "port-forward"; }
  std::string summary() const override { return "Lead ports of this host to ports in a pod, which needs no network"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Positionals("PORT", &ports_, "[LOCAL:]REMOTE; LOCAL 0, or none before the colon: any that is free");
    arguments->Text("--listen", &address_, "ADDRESS", "Where to listen here (default: 127.0.0.1)");
    arguments->Footer(
        "TCP alone. Goes on until SIGINT or SIGTERM ends it; connections end with it.\n"
        "Example: vc port-forward web 8080:80\n"
        "Example: vc port-forward web :80 5432");
  }

  int Run(Invocation& invocation) override {
    // Signals first: the threads of gRPC must not be the ones that get them.
    const auto signals = invocation.environment().watch_signals();
    absl::Status status = signals.status();
    if (status.ok()) status = CheckPod(&invocation.daemon());
    if (status.ok()) status = Listen();
    if (!status.ok()) {
      invocation.Complain(pod_id_, status);
      return absl::IsInvalidArgument(status) ? kUsageError : kFailure;
    }
    for (const Entrance& entrance : entrances_) {
      const int printed =
          invocation.Print(absl::StrCat("Forwarding from ", entrance.listener.name(), " -> ", entrance.remote, "\n"));
      if (printed != kSuccess) return printed;
    }
    return Serve(&invocation, signals->get());
  }

 private:
  struct Entrance {
    Listener listener;
    uint16_t remote;
  };

  absl::Status Listen() {
    for (const std::string& port : ports_) {
      const auto mapping = ParsePortMapping(port);
      if (!mapping.ok()) return mapping.status();
      auto listener = Listener::Open(address_.empty() ? "127.0.0.1" : address_, mapping->local);
      if (!listener.ok()) return listener.status();
      entrances_.push_back({*std::move(listener), mapping->remote});
    }
    return absl::OkStatus();
  }

  // Before anybody can connect to it in vain.
  absl::Status CheckPod(DaemonClient* daemon) const {
    v1::GetPodRequest request;
    request.set_pod_id(pod_id_);
    v1::GetPodResponse response;
    if (absl::Status found = daemon->GetPod(request, &response); !found.ok()) return found;
    const v1::PodState state = response.pod().state();
    if (state == v1::POD_STATE_RUNNING) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("the pod is ", Word(state), ", and has no ports; \"vc ",
                                                      state == v1::POD_STATE_PAUSED ? "resume " : "start ", pod_id_,
                                                      "\" first"));
  }

  int Serve(Invocation* invocation, SignalSource* signals) {
    while (true) {
      std::vector<pollfd> polled{{signals->fd(), POLLIN, 0}};
      const bool full = connections_.size() >= kMaxConnections;
      for (const Entrance& entrance : entrances_) polled.push_back({full ? -1 : entrance.listener.fd(), POLLIN, 0});
      for (const auto& connection : connections_) polled.push_back({connection->done_fd(), POLLIN, 0});
      if (::poll(polled.data(), polled.size(), -1) < 0) continue;  // EINTR
      if (const int signal = polled[0].revents != 0 ? signals->Take() : 0; signal != 0) return 128 + signal;
      const size_t first_connection = 1 + entrances_.size();
      for (size_t i = polled.size(); i-- > first_connection;) {
        if (polled[i].revents != 0) Drop(invocation, i - first_connection);
      }
      for (size_t i = 0; i < entrances_.size(); ++i) {
        if (polled[1 + i].revents != 0) Admit(invocation, entrances_[i]);
      }
    }
  }

  void Admit(Invocation* invocation, const Entrance& entrance) {
    UniqueFd socket = entrance.listener.Accept();
    if (!socket.valid()) return;
    v1::PortForwardRequest::Start start;
    start.set_pod_id(pod_id_);
    start.set_port(entrance.remote);
    connections_.push_back(
        std::make_unique<ForwardedConnection>(invocation->daemon().NewPortForwardStream(), start, std::move(socket)));
  }

  void Drop(Invocation* invocation, size_t index) {
    const auto connection = connections_.begin() + static_cast<std::ptrdiff_t>(index);
    if (const absl::Status status = (*connection)->Result(); !status.ok()) invocation->Complain(pod_id_, status);
    connections_.erase(connection);
  }

  std::string pod_id_;
  std::vector<std::string> ports_;
  std::string address_;
  std::vector<Entrance> entrances_;
  std::vector<std::unique_ptr<ForwardedConnection>> connections_;
};

}  // namespace

std::unique_ptr<Command> NewPortForwardCommand() { return std::make_unique<PortForwardCommand>(); }

}  // namespace vcd::client
