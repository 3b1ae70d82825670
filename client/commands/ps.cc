// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/commands/pod_table.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class PsCommand : public Command {
 public:
  std::string name() const override { return "ps"; }
  std::string summary() const override { return "List pods: all but the stopped ones"; }

  void Declare(Arguments* arguments) override {
    arguments->Flag("-a,--all", &all_, "Also stopped pods");
    arguments->Repeated("--filter", &filters_, "TERM",
                        "Only pods for which it holds: state=running, id=PREFIX*, annotation.KEY=VALUE");
    output_.DeclareWithNames(arguments);
    arguments->Footer(
        "Without -a, shows pods in every state but stopped, failed ones too; a filter with state= shows what it asks\n"
        "for. All of several filters must hold. CONTAINERS says how many run out of how many.\nExample: vc ps -q "
        "--filter state=failed");
  }

  int Run(Invocation& invocation) override {
    std::vector<v1::Pod> pods;
    v1::ListPodsRequest request;
    request.set_filter(absl::StrJoin(filters_, " "));
    do {
      v1::ListPodsResponse page;
      if (const absl::Status status = invocation.daemon().ListPods(request, &page); !status.ok()) {
        invocation.Complain("", status);
        return kFailure;
      }
      for (v1::Pod& pod : *page.mutable_pods()) {
        if (Wanted(pod)) pods.push_back(std::move(pod));
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return invocation.Print(RenderPods(output_, pods, invocation.environment().now()));
  }

 private:
  bool Wanted(const v1::Pod& pod) const {
    return all_ || pod.state() != v1::POD_STATE_STOPPED || absl::StrContains(absl::StrJoin(filters_, " "), "state=");
  }

  bool all_ = false;
  std::vector<std::string> filters_;
  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewPsCommand() { return std::make_unique<PsCommand>(); }

}  // namespace vcd::client
