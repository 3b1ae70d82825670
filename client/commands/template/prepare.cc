// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/commands/template/commands.h"
#include "client/pod/config_file.h"
#include "client/pod/machine_options.h"
#include "proto/vcd/v1/template_service.pb.h"

namespace vcd::client {
namespace {

class TemplatePrepareCommand : public Command {
 public:
  std::string name() const override { return "prepare"; }
  std::string group() const override { return "template"; }
  std::string summary() const override { return "Make the template that such pods start from"; }

  void Declare(Arguments* arguments) override {
    arguments->Text("-f,--file", &file_, "FILE",
                    "Of the pods of this PodConfig, in JSON or YAML (-: standard input); other options win over it");
    machine_.Declare(arguments);
    arguments->Footer(
        "Returns when the template is there, and prints its key. Without options it is that of pods of the daemon's\n"
        "defaults. Pods start from it when their machine agrees with it in all that options here say.\n"
        "Example: vc template prepare --memory 256");
  }

  int Run(Invocation& invocation) override {
    v1::PrepareTemplateRequest request;
    absl::Status status;
    if (!file_.empty()) {
      auto config = ReadPodConfig(file_, invocation.environment().streams.in);
      status = config.status();
      if (status.ok()) *request.mutable_config() = *std::move(config);
    }
    if (status.ok()) status = machine_.Apply(request.mutable_config());
    v1::PrepareTemplateResponse response;
    if (status.ok()) status = invocation.daemon().PrepareTemplate(request, &response);
    if (status.ok()) return invocation.Print(absl::StrCat(response.template_().key(), "\n"));
    invocation.Complain("", status);
    return kFailure;
  }

 private:
  std::string file_;
  MachineOptions machine_;
};

}  // namespace

std::unique_ptr<Command> NewTemplatePrepareCommand() { return std::make_unique<TemplatePrepareCommand>(); }

}  // namespace vcd::client
