// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/template/commands.h"
#include "proto/vcd/v1/template_service.pb.h"

namespace vcd::client {
namespace {

class TemplateRmCommand : public Command {
 public:
  std::string name() const override { return "rm"; }
  std::string group() const override { return "template"; }
  std::string summary() const override { return "Drop templates"; }

  void Declare(Arguments* arguments) override {
    arguments->Flag("-a,--all", &all_, "All of them");
    arguments->OptionalPositionals("KEY", &keys_, "Keys, or beginnings of keys that no other has");
    arguments->Footer(
        "Pods that were started from one are not touched. One that failed is forgotten, so that the next pod of its "
        "kind\n"
        "has it made again. Prints the keys; one that is not there is an error.\n"
        "Example: vc template rm 3f9a0c81d2e4");
  }

  int Run(Invocation& invocation) override {
    if (all_ == !keys_.empty()) {
      invocation.Complain("", all_ ? "--all excludes keys" : "name a template, or give --all; see \"vc template ls\"");
      return kUsageError;
    }
    if (all_) return Drop(invocation, "*");
    int worst = kSuccess;
    for (const std::string& key : keys_) {
      const int result = Drop(invocation, key);
      if (result != kSuccess) worst = result;
    }
    return worst;
  }

 private:
  static int Drop(Invocation& invocation, const std::string& key) {
    v1::DeleteTemplateRequest request;
    request.set_key(key);
    v1::DeleteTemplateResponse response;
    if (const absl::Status status = invocation.daemon().DeleteTemplate(request, &response); !status.ok()) {
      invocation.Complain(key, status);
      return kFailure;
    }
    if (response.keys().empty() && key != "*") {
      invocation.Complain(key, "there is no such template; \"vc template ls\" shows those that there are");
      return kFailure;
    }
    std::string text;
    for (const std::string& dropped : response.keys()) absl::StrAppend(&text, dropped, "\n");
    return invocation.Print(text);
  }

  bool all_ = false;
  std::vector<std::string> keys_;
};

}  // namespace

std::unique_ptr<Command> NewTemplateRmCommand() { return std::make_unique<TemplateRmCommand>(); }

}  // namespace vcd::client
