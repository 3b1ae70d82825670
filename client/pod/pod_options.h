// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_POD_OPTIONS_H_
#define VCD_CLIENT_POD_POD_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/arguments.h"
#include "client/environment.h"
#include "client/pod/file_options.h"
#include "client/pod/hook_options.h"
#include "client/pod/machine_options.h"
#include "client/pod/network_options.h"
#include "client/pod/resource_options.h"
#include "client/pod/restriction_options.h"
#include "proto/vcd/v1/pod.pb.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd::client {

// How a command runs: the options that `run`, `create` and `exec` share.
class CmdOptions {
 public:
  void Declare(Arguments* arguments);
  // Puts what was given into `cmd`. INVALID_ARGUMENT names the option.
  absl::Status Apply(const Environment& environment, v1::Cmd* cmd) const;

 private:
  std::vector<std::string> env_;
  std::string work_dir_;
  std::string user_;
  bool interactive_ = false;
  bool terminal_ = false;
  RestrictionOptions restrictions_;
};

// What a container is made of: its root file system and its command. The options that `run`, `create` and `container
// create` share.
class ContainerOptions {
 public:
  void Declare(Arguments* arguments);
  // Puts what was given into `container`. INVALID_ARGUMENT names the option, also when there is no command.
  absl::Status Apply(const Environment& environment, v1::ContainerConfig* container) const;

 private:
  std::string rootfs_;
  bool readonly_ = false;
  bool rootfs_writable_ = false;
  FileOptions files_;
  CmdOptions cmd_;
  IsolationOptions isolation_;
  ResourceOptions resources_{/*short_names=*/false};
  std::vector<std::string> command_;
};

// The options that say what a pod is: a file, and flags that win over it.
class PodOptions {
 public:
  void Declare(Arguments* arguments);

  // The pod that was asked for. Reads the file and looks at the root file system; all errors are INVALID_ARGUMENT and
  // name the option or the file.
  absl::StatusOr<v1::PodConfig> Build(const Environment& environment) const;

  // Which container of a pod from Build the flags, and the terminal of `run`, belong to.
  absl::StatusOr<v1::ContainerConfig*> MainContainer(v1::PodConfig* config) const;

  bool reads_stdin() const { return file_ == "-"; }

 private:
  absl::Status ApplyToPod(v1::PodConfig* config) const;
  absl::Status ApplyNames(v1::PodConfig* config) const;

  std::string file_;
  std::string id_;
  std::string container_id_;
  ContainerOptions container_;
  VolumeOptions volumes_;
  std::string pid_;
  std::string hostname_;
  std::vector<std::string> dns_servers_;
  std::vector<std::string> dns_searches_;
  std::vector<std::string> dns_options_;
  std::vector<std::string> host_aliases_;
  NetworkOptions network_;
  HookOptions hooks_;
  MachineOptions machine_;
  bool no_template_ = false;
  std::vector<std::string> annotations_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_POD_OPTIONS_H_
