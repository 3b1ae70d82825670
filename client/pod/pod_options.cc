// SPDX-License-Identifier: Apache-2.0
#include "client/pod/pod_options.h"

#include <string.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/pod/config_file.h"
#include "client/pod/option_text.h"

namespace vcd::client {
namespace {

constexpr char kDefaultContainerId[] = "main";

absl::Status SetRootfs(const std::string& path, bool writable, v1::Rootfs* rootfs) {
  auto absolute = AbsolutePath("--rootfs", path);
  if (!absolute.ok()) return absolute.status();
  struct stat status;
  if (::stat(absolute->c_str(), &status) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("--rootfs ", *absolute, ": ", strerror(errno),
                                                   "; name a directory, or an erofs, squashfs, ext4 or xfs image"));
  }
  if (S_ISDIR(status.st_mode)) {
    if (writable) {
      return absl::InvalidArgumentError(
          absl::StrCat("--rootfs-writable: ", *absolute,
                       " is a directory, which the container writes to anyway; leave the option out"));
    }
    rootfs->mutable_directory()->set_path(*absolute);
  } else if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) {
    if (writable) {
      rootfs->mutable_block()->set_path(*absolute);
    } else {
      rootfs->mutable_image()->set_path(*absolute);
    }
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("--rootfs ", *absolute, ": is neither a directory nor an image file"));
  }
  return absl::OkStatus();
}

void SetText(const std::string& value, std::string* field) {
  if (!value.empty()) *field = value;
}

}  // namespace

void CmdOptions::Declare(Arguments* arguments) {
  arguments->Heading("Process");
  arguments->Repeated("-e,--env", &env_, "K=V", "Set a variable of its environment; K alone passes on vc's own");
  arguments->Text("-w,--workdir", &work_dir_, "DIR", "Directory in the container that it starts in");
  arguments->Text("-u,--user", &user_, "USER[:GROUP]", "Who it runs as: names of the container, or numbers");
  arguments->Flag("-t,--tty", &terminal_, "Give it a terminal");
  arguments->Flag("-i,--interactive", &interactive_, "Pass standard input on; without it, the command reads none");
  restrictions_.Declare(arguments);
  arguments->Heading("");
}

absl::Status CmdOptions::Apply(const Environment& environment, v1::Cmd* cmd) const {
  for (const std::string& text : env_) {
    v1::EnvVar variable;
    if (text.empty()) return absl::InvalidArgumentError("-e \"\": must be KEY=VALUE, or KEY");
    if (text.find('=') == std::string::npos) {
      const auto value = environment.variable(text);
      if (!value) {
        return absl::InvalidArgumentError(
            absl::StrCat("-e ", text, ": is not set in vc's own environment; give ", text, "=VALUE"));
      }
      variable.set_name(text);
      variable.set_value(*value);
    } else {
      const auto pair = KeyAndValue("-e", text);
      if (!pair.ok()) return pair.status();
      variable.set_name(pair->first);
      variable.set_value(pair->second);
    }
    // One of the same name in the file gives way.
    auto* existing = cmd->mutable_envs();
    for (int i = existing->size(); i-- > 0;) {
      if (existing->Get(i).name() == variable.name()) existing->DeleteSubrange(i, 1);
    }
    *cmd->add_envs() = variable;
  }
  SetText(work_dir_, cmd->mutable_work_dir());
  if (!user_.empty()) {
    const size_t colon = user_.find(':');
    cmd->set_user(user_.substr(0, colon));
    cmd->set_primary_group(colon == std::string::npos ? "" : user_.substr(colon + 1));
  }
  if (interactive_) cmd->set_interactive(true);
  if (terminal_) cmd->set_terminal(true);
  return restrictions_.Apply(cmd);
}

void ContainerOptions::Declare(Arguments* arguments) {
  arguments->Text("--rootfs", &rootfs_, "PATH", "Root file system: a directory, shared with the guest, or an image");
  arguments->Flag("--readonly,--read-only", &readonly_, "The container cannot write to its root file system");
  arguments->Flag("--rootfs-writable", &rootfs_writable_,
                  "The image or block device of --rootfs is the container's own: what it writes stays in it");
  files_.Declare(arguments);
  cmd_.Declare(arguments);
  arguments->Heading("Isolation");
  isolation_.Declare(arguments);
  arguments->Heading("Limits of the container");
  resources_.Declare(arguments);
  arguments->Heading("");
  arguments->CommandWords(&command_);
}

void PodOptions::Declare(Arguments* arguments) {
  arguments->Text("-f,--file", &file_, "FILE",
                  "Read the pod, a PodConfig in JSON or YAML (-: standard input); other options win over it");
  arguments->Text("--id", &id_, "ID", "Id of the pod; otherwise one is made up");
  arguments->Text("--container-id", &container_id_, "ID", "Id of the container (default: main)");
  container_.Declare(arguments);
  volumes_.Declare(arguments);
  arguments->Repeated("--annotation", &annotations_, "K=V", "An annotation of the pod");
  arguments->Heading("Isolation");
  arguments->Choice("--pid", &pid_, {"container", "pod"}, "Whose processes the container sees: its own, or its pod's");
  arguments->Heading("Names");
  arguments->Text("--hostname", &hostname_, "NAME", "Host name in the guest (default: the pod's id)");
  arguments->Repeated("--dns", &dns_servers_, "IP", "A name server for /etc/resolv.conf (default: the image's file)");
  arguments->Repeated("--dns-search", &dns_searches_, "DOMAIN", "A domain that short names are looked up in");
  arguments->Repeated("--dns-option", &dns_options_, "OPTION", "An option of resolv.conf(5)");
  arguments->Repeated("--add-host", &host_aliases_, "NAME:IP", "One more line for /etc/hosts");
  network_.Declare(arguments);
  hooks_.Declare(arguments);
  machine_.Declare(arguments);
  arguments->Heading("Virtual machine");
  arguments->Flag("--no-template", &no_template_, "Boot, also where there is a template to start from");
  arguments->Heading("");
}

absl::Status PodOptions::ApplyToPod(v1::PodConfig* config) const {
  SetText(id_, config->mutable_id());
  SetText(hostname_, config->mutable_hostname());
  if (no_template_) config->set_disable_template(true);
  for (const std::string& text : annotations_) {
    const auto pair = KeyAndValue("--annotation", text);
    if (!pair.ok()) return pair.status();
    (*config->mutable_annotations())[pair->first] = pair->second;
  }
  if (absl::Status status = ApplyNames(config); !status.ok()) return status;
  if (absl::Status status = volumes_.Apply(config); !status.ok()) return status;
  if (absl::Status status = network_.Apply(config); !status.ok()) return status;
  if (absl::Status status = hooks_.Apply(config); !status.ok()) return status;
  return machine_.Apply(config);
}

absl::Status PodOptions::ApplyNames(v1::PodConfig* config) const {
  if (!pid_.empty()) config->set_share_process_namespace(pid_ == "pod");
  for (const std::string& server : dns_servers_) config->mutable_dns()->add_servers(server);
  for (const std::string& search : dns_searches_) config->mutable_dns()->add_searches(search);
  for (const std::string& option : dns_options_) config->mutable_dns()->add_options(option);
  for (const std::string& text : host_aliases_) {
    const size_t colon = text.find(':');
    if (colon == 0 || colon == std::string::npos || colon + 1 == text.size()) {
      return absl::InvalidArgumentError(absl::StrCat("--add-host \"", text, "\": must be NAME:IP"));
    }
    v1::HostAlias* alias = config->add_host_aliases();
    alias->set_ip(text.substr(colon + 1));
    alias->add_hostnames(text.substr(0, colon));
  }
  return absl::OkStatus();
}

absl::Status ContainerOptions::Apply(const Environment& environment, v1::ContainerConfig* container) const {
  if (!rootfs_.empty()) {
    if (absl::Status status = SetRootfs(rootfs_, rootfs_writable_, container->mutable_rootfs()); !status.ok())
      return status;
  }
  if (rootfs_writable_ && rootfs_.empty()) return absl::InvalidArgumentError("--rootfs-writable: needs --rootfs");
  if (readonly_) container->mutable_rootfs()->set_readonly(true);
  if (absl::Status status = files_.Apply(container); !status.ok()) return status;
  if (resources_.given()) {
    if (absl::Status status = resources_.Apply(container->mutable_resources()); !status.ok()) return status;
  }
  if (!command_.empty()) {
    *container->mutable_cmd()->mutable_args() = {command_.begin(), command_.end()};
  }
  if (container->cmd().args().empty()) {
    return absl::InvalidArgumentError("a command is needed: give it after --, as in -- CMD ARGS");
  }
  if (absl::Status status = cmd_.Apply(environment, container->mutable_cmd()); !status.ok()) return status;
  return isolation_.Apply(container);
}

absl::StatusOr<v1::ContainerConfig*> PodOptions::MainContainer(v1::PodConfig* config) const {
  const std::string wanted = container_id_.empty() ? kDefaultContainerId : container_id_;
  std::vector<std::string> known;
  for (v1::ContainerConfig& container : *config->mutable_containers()) {
    if (container.id() == wanted) return &container;
    known.push_back(container.id().empty() ? "(without id)" : container.id());
  }
  // The only one is meant, whatever its name, unless another was asked for.
  if (known.size() == 1 && (container_id_.empty() || config->containers(0).id().empty())) {
    v1::ContainerConfig* only = config->mutable_containers(0);
    if (only->id().empty()) only->set_id(wanted);
    return only;
  }
  return absl::InvalidArgumentError(absl::StrCat(file_, ": has no container \"", wanted, "\" but ",
                                                 absl::StrJoin(known, ", "), "; choose with --container-id"));
}

absl::StatusOr<v1::PodConfig> PodOptions::Build(const Environment& environment) const {
  v1::PodConfig config;
  if (!file_.empty()) {
    auto read = ReadPodConfig(file_, environment.streams.in);
    if (!read.ok()) return read.status();
    config = *std::move(read);
  }
  if (absl::Status status = ApplyToPod(&config); !status.ok()) return status;
  if (config.containers().empty()) config.add_containers();
  const auto container = MainContainer(&config);
  if (!container.ok()) return container.status();
  if (absl::Status status = container_.Apply(environment, *container); !status.ok()) return status;
  return config;
}

}  // namespace vcd::client
