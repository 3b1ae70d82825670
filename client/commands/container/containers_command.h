// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_CONTAINER_CONTAINERS_COMMAND_H_
#define VCD_CLIENT_COMMANDS_CONTAINER_CONTAINERS_COMMAND_H_

#include <string>
#include <vector>

#include "client/command.h"
#include "client/commands/for_each_pod.h"

namespace vcd::client {

// A verb that does the same to each of some containers of one pod.
class ContainersCommand : public Command {
 public:
  std::string group() const final { return "container"; }

  void Declare(Arguments* arguments) final {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->Positionals("CONTAINER", &container_ids_, "Ids of containers");
    DeclareMore(arguments);
  }

  int Run(Invocation& invocation) final {
    return ForEachContainer(&invocation, pod_id_, container_ids_, [&](const std::string& container_id) {
      return Do(invocation.daemon(), pod_id_, container_id);
    });
  }

 protected:
  // Names options and an example.
  virtual void DeclareMore(Arguments* arguments) = 0;
  // Does it to one of them. Blocks.
  virtual absl::Status Do(DaemonClient& daemon, const std::string& pod_id, const std::string& container_id) = 0;

 private:
  std::string pod_id_;
  std::vector<std::string> container_ids_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_CONTAINER_CONTAINERS_COMMAND_H_
