// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/commands/choose_container.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

using v1::ProcessInfo;

// As ps(1) shows it: minutes and seconds, with hours in front when there are any.
std::string CpuTime(uint64_t microseconds) {
  const uint64_t seconds = microseconds / 1000000;
  if (seconds >= 3600) return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

struct Column {
  const char* name;
  std::string (*cell)(const ProcessInfo& info, absl::Time now);
};

constexpr Column kColumns[] = {
    {"user", [](const ProcessInfo& info, absl::Time) { return info.user(); }},
    {"uid", [](const ProcessInfo& info, absl::Time) { return absl::StrCat(info.uid()); }},
    {"pid", [](const ProcessInfo& info, absl::Time) { return absl::StrCat(info.pid()); }},
    {"ppid", [](const ProcessInfo& info, absl::Time) { return absl::StrCat(info.parent_pid()); }},
    {"cpid", [](const ProcessInfo& info, absl::Time) { return absl::StrCat(info.container_pid()); }},
    {"stat", [](const ProcessInfo& info, absl::Time) { return info.state(); }},
    {"threads", [](const ProcessInfo& info, absl::Time) { return absl::StrCat(info.threads()); }},
    {"cpu", [](const ProcessInfo& info, absl::Time) { return absl::StrFormat("%.1f", info.cpu_percent()); }},
    {"time", [](const ProcessInfo& info, absl::Time) { return CpuTime(info.cpu_time_us()); }},
    {"rss", [](const ProcessInfo& info, absl::Time) { return Bytes(info.rss_bytes()); }},
    {"vsz", [](const ProcessInfo& info, absl::Time) { return Bytes(info.virtual_bytes()); }},
    {"age",
     [](const ProcessInfo& info, absl::Time now) {
       return info.has_started_at() ? Age(now - ToTime(info.started_at())) : std::string("-");
     }},
    {"process", [](const ProcessInfo& info, absl::Time) { return info.process_id(); }},
    {"command", [](const ProcessInfo& info, absl::Time) { return absl::StrJoin(info.args(), " "); }},
};

std::string ColumnNames() {
  return absl::StrJoin(kColumns, ",", [](std::string* out, const Column& column) { *out += column.name; });
}

class TopCommand : public Command {
 public:
  std::string name() const override { return "top"; }
  std::string summary() const override { return "List the processes of a container"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("POD", &pod_id_, "Id of the pod");
    arguments->OptionalPositional("CONTAINER", &container_id_, "Id of the container (default: the only one, or main)");
    arguments->Text("-c,--container", &container_id_, "ID", "The same");
    arguments->Text("--columns", &columns_, "LIST", "What to show, by names joined by commas");
    output_.Declare(arguments);
    arguments->Footer(absl::StrCat(
        "Users are named as in the container. pid and ppid are the guest's numbers, cpid is the container's own.\n"
        "Columns: ",
        ColumnNames(), "\nExample: vc top web --columns pid,rss,command"));
  }

  int Run(Invocation& invocation) override {
    std::vector<const Column*> columns;
    const std::vector<std::string> names = absl::StrSplit(columns_, ',');
    for (const std::string& name : names) {
      const Column* found = nullptr;
      for (const Column& column : kColumns) {
        if (column.name == absl::AsciiStrToLower(name)) found = &column;
      }
      if (found == nullptr) {
        invocation.Complain(pod_id_, absl::StrCat("--columns: \"", name, "\" is none of ", ColumnNames()));
        return kUsageError;
      }
      columns.push_back(found);
    }
    const auto container = ChooseContainer(&invocation.daemon(), pod_id_, container_id_);
    absl::Status status = container.status();
    v1::ListProcessesResponse response;
    if (status.ok()) {
      v1::ListProcessesRequest request;
      request.set_pod_id(pod_id_);
      request.set_container_id(*container);
      status = invocation.daemon().ListProcesses(request, &response);
    }
    if (!status.ok()) {
      invocation.Complain(pod_id_, status);
      return kFailure;
    }
    if (!output_.table()) return invocation.Print(output_.Render(response));
    return invocation.Print(AsTable(columns, response, invocation.environment().now()));
  }

 private:
  static std::string AsTable(const std::vector<const Column*>& columns, const v1::ListProcessesResponse& response,
                             absl::Time now) {
    std::vector<std::string> header;
    for (const Column* column : columns) header.push_back(absl::AsciiStrToUpper(column->name));
    Table table(header);
    for (const ProcessInfo& info : response.processes()) {
      std::vector<std::string> cells;
      for (const Column* column : columns) cells.push_back(column->cell(info, now));
      table.AddRow(std::move(cells));
    }
    return table.Render();
  }

  std::string pod_id_;
  std::string container_id_;
  std::string columns_ = "user,pid,ppid,stat,cpu,time,rss,age,command";
  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewTopCommand() { return std::make_unique<TopCommand>(); }

}  // namespace vcd::client
