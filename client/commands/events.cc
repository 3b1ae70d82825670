// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/format/text.h"
#include "proto/vcd/v1/event_service.pb.h"

namespace vcd::client {
namespace {

class EventsCommand : public Command {
 public:
  std::string name() const override { return "events"; }
  std::string summary() const override { return "Print what happens to pods, as it happens"; }

  void Declare(Arguments* arguments) override {
    arguments->Text("--pod", &pod_id_, "POD", "Only events of this pod");
    arguments->Number("--after", &after_revision_, "REVISION",
                      "Begin with the events after this one (default, and 0: those to come)");
    output_.Declare(arguments);
    arguments->Footer(
        "Goes on until it is interrupted. JSON is one event a line.\nExample: vc events --pod web -o json");
  }

  int Run(Invocation& invocation) override {
    v1::WatchEventsRequest request;
    request.set_pod_id(pod_id_);
    request.set_after_revision(after_revision_.value_or(0));
    int exit_status = kSuccess;
    const absl::Status status = invocation.daemon().WatchEvents(request, [&](const v1::WatchEventsResponse& response) {
      exit_status = invocation.Print(output_.table() ? AsLine(response.event()) : output_.RenderItem(response.event()));
      return exit_status == kSuccess;
    });
    if (status.ok()) return exit_status;
    invocation.Complain(pod_id_, status);
    return kFailure;
  }

 private:
  static std::string AsLine(const v1::Event& event) {
    const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", ToTime(event.time()), absl::UTCTimeZone());
    std::string line = absl::StrCat(time, " ", event.revision(), " ", Word(event.type()), " ", event.pod_id());
    for (const std::string* part : {&event.container_id(), &event.process_id()}) {
      if (!part->empty()) absl::StrAppend(&line, "/", *part);
    }
    if (event.has_exit_status()) absl::StrAppend(&line, " exit=", event.exit_status().code());
    if (event.exit_status().oom_killed()) absl::StrAppend(&line, " (out of memory)");
    if (!event.reason().empty()) absl::StrAppend(&line, " ", event.reason());
    return Printable(line) + "\n";
  }

  std::string pod_id_;
  std::optional<uint64_t> after_revision_;
  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewEventsCommand() { return std::make_unique<EventsCommand>(); }

}  // namespace vcd::client
