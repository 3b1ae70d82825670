// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/commands/output_options.h"
#include "client/commands/template/commands.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/template_service.pb.h"

namespace vcd::client {
namespace {

// So much of a key tells it from others, for people.
constexpr size_t kKeyShown = 12;

std::string StateWord(v1::TemplateState state) {
  if (!v1::TemplateState_IsValid(state)) return absl::StrCat(static_cast<int>(state));
  const std::string name = v1::TemplateState_Name(state);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "TEMPLATE_STATE_"));
}

class TemplateLsCommand : public Command {
 public:
  std::string name() const override { return "ls"; }
  std::string group() const override { return "template"; }
  std::string summary() const override { return "List the templates that pods start from"; }

  void Declare(Arguments* arguments) override {
    output_.DeclareWithNames(arguments);
    arguments->Footer(
        "The first pod of a kind boots, and has a template made; later ones start from that. CLONES counts them,\n"
        "WARM the machines that wait for the next ones, FALLBACKS those that had to boot because the start from the\n"
        "template failed. One that could not be made is shown until it may be tried again.\n"
        "Example: vc template ls");
  }

  int Run(Invocation& invocation) override {
    v1::ListTemplatesResponse response;
    const absl::Status status = invocation.daemon().ListTemplates(v1::ListTemplatesRequest(), &response);
    if (!status.ok()) {
      invocation.Complain("", status);
      return kFailure;
    }
    return invocation.Print(Render(response));
  }

 private:
  std::string Render(const v1::ListTemplatesResponse& response) const {
    if (output_.names()) {
      std::string keys;
      for (const v1::Template& known : response.templates()) absl::StrAppend(&keys, Printable(known.key()), "\n");
      return keys;
    }
    // Protobuf leaves an empty list away, and then `.templates[]` would be an error for scripts.
    if (!output_.table() && response.templates().empty()) return output_.RenderJson("{\n \"templates\": []\n}\n");
    if (!output_.table()) return output_.Render(response);
    Table table({"KEY", "STATE", "DOMAIN", "CPUS", "MEMORY", "HELD", "WARM", "CLONES", "FALLBACKS", "AGE", "REASON"});
    for (const v1::Template& known : response.templates()) {
      table.AddRow({known.key().substr(0, kKeyShown), StateWord(known.state()), known.trust_domain(),
                    absl::StrCat(known.vcpus()), Bytes(uint64_t{known.memory_mib()} << 20),
                    known.memory_bytes() == 0 ? "-" : Bytes(known.memory_bytes()), absl::StrCat(known.warm_machines()),
                    absl::StrCat(known.clones()), absl::StrCat(known.fallbacks()),
                    Age(absl::Now() - ToTime(known.created_at())),
                    known.reason().empty() ? "-" : Brief(known.reason())});
    }
    return table.Render();
  }

  OutputOptions output_{"table"};
};

}  // namespace

std::unique_ptr<Command> NewTemplateLsCommand() { return std::make_unique<TemplateLsCommand>(); }

}  // namespace vcd::client
