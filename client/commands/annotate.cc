// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/commands.h"
#include "client/format/text.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

class AnnotateCommand : public Command {
 public:
  std::string name() const override { return "annotate"; }
  std::string summary() const override { return "Show, set and remove the annotations of a pod"; }

  void Declare(Arguments* arguments) override {
    arguments->Text("--get", &key_, "KEY", "Print the value of this one, and fail when there is none");
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->OptionalPositionals("CHANGE", &changes_, "KEY=VALUE sets one, KEY- removes it");
    arguments->Footer(
        "Without a change, prints all, one KEY=VALUE a line. With changes, all of them are made, or none.\n"
        "Example: vc annotate web org.example/owner=ann org.example/draft-\n"
        "Example: vc annotate web --get org.example/owner");
  }

  int Run(Invocation& invocation) override {
    if (!key_.empty() && !changes_.empty()) {
      invocation.Complain("", "--get reads, and goes with no change");
      return kUsageError;
    }
    if (!key_.empty()) return PrintOne(invocation);
    return changes_.empty() ? PrintAll(invocation) : Change(invocation);
  }

 private:
  int Fail(Invocation& invocation, const absl::Status& status) {
    invocation.Complain(pod_id_, status);
    return kFailure;
  }

  int PrintOne(Invocation& invocation) {
    v1::GetPodAnnotationRequest request;
    request.set_pod_id(pod_id_);
    request.set_key(key_);
    v1::GetPodAnnotationResponse response;
    const absl::Status status = invocation.daemon().GetPodAnnotation(request, &response);
    return status.ok() ? invocation.Print(absl::StrCat(response.value(), "\n")) : Fail(invocation, status);
  }

  int PrintAll(Invocation& invocation) {
    v1::GetPodRequest request;
    request.set_pod_id(pod_id_);
    v1::GetPodResponse response;
    const absl::Status status = invocation.daemon().GetPod(request, &response);
    if (!status.ok()) return Fail(invocation, status);
    const auto& annotations = response.pod().config().annotations();
    std::string lines;
    for (const auto& [key, value] : std::map<std::string, std::string>(annotations.begin(), annotations.end())) {
      absl::StrAppend(&lines, Printable(absl::StrCat(key, "=", value)), "\n");
    }
    return invocation.Print(lines);
  }

  int Change(Invocation& invocation) {
    v1::UpdatePodAnnotationsRequest request;
    request.set_pod_id(pod_id_);
    std::set<std::string> keys;
    for (const std::string& change : changes_) {
      const size_t equals = change.find('=');
      std::string key;
      if (equals != std::string::npos && equals != 0) {
        key = change.substr(0, equals);
        (*request.mutable_annotations())[key] = change.substr(equals + 1);
      } else if (equals == std::string::npos && change.size() > 1 && change.back() == '-') {
        key = change.substr(0, change.size() - 1);
        request.add_remove_keys(key);
      } else {
        invocation.Complain("", absl::StrCat("\"", change, "\": must be KEY=VALUE, or KEY- to remove one"));
        return kUsageError;
      }
      if (!keys.insert(key).second) {
        invocation.Complain("", absl::StrCat("\"", key, "\": is changed twice; say once what becomes of it"));
        return kUsageError;
      }
    }
    v1::UpdatePodAnnotationsResponse response;
    const absl::Status status = invocation.daemon().UpdatePodAnnotations(request, &response);
    return status.ok() ? invocation.Print(absl::StrCat(pod_id_, "\n")) : Fail(invocation, status);
  }

  std::string pod_id_;
  std::string key_;
  std::vector<std::string> changes_;
};

}  // namespace

std::unique_ptr<Command> NewAnnotateCommand() { return std::make_unique<AnnotateCommand>(); }

}  // namespace vcd::client
