// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/native_agent.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/agent/native/agent_link.h"
#include "backends/agent/native/guest_conversation.h"
#include "backends/agent/native/native_session.h"
#include "core/agent/guest_error.h"
#include "core/agent/observer_gate.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

// Of the console; messages travel in HTTP headers, which have little room.
constexpr size_t kMaxConsoleBytes = 2048;

// The last lines of the console, fit for a message.
std::string LastWords(const VirtualMachine& machine) {
  std::string console = machine.ConsoleTail();
  if (console.size() > kMaxConsoleBytes) {
    console.erase(0, console.size() - kMaxConsoleBytes);
    console.erase(0, console.find('\n') + 1);
  }
  std::string clean;
  for (const char c : console) {
    // The guest writes what it likes, also what is no UTF-8, which messages have to be.
    if (c == '\n' || (c >= ' ' && c <= '~')) clean.push_back(c);
  }
  while (!clean.empty() && clean.back() == '\n') clean.pop_back();
  return clean;
}

// What a connection failed with, as core wants it told.
absl::Status Explain(const absl::Status& status, const GuestSpec& spec, const VirtualMachine& machine) {
  if (!absl::IsDeadlineExceeded(status) && !absl::IsUnavailable(status)) return status;
  absl::Status explained = status;
  if (!DetailOf(status).has_value()) {
    explained = WithDetail(status, {v1::ERROR_REASON_AGENT_UNAVAILABLE, {{"pod_id", spec.pod_id}}});
  }
  const std::string words = LastWords(machine);
  if (words.empty()) return explained;
  absl::Status longer(explained.code(), absl::StrCat(explained.message(), "; the guest's console ends with:\n", words));
  explained.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { longer.SetPayload(url, payload); });
  return longer;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GuestSession>> NativeAgent::Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                                   GuestObserver& observer,
                                                                   const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("guest of pod ", spec.pod_id)));
  while (true) {
    absl::StatusOr<std::unique_ptr<GuestSession>> session =
        TryConnect(spec, machine, observer, context.Within(options_.hello_patience));
    if (session.ok()) return session;
    if (!absl::IsDeadlineExceeded(session.status()) || !context.Check("").ok()) {
      return Explain(session.status(), spec, machine);
    }
  }
}

absl::StatusOr<std::unique_ptr<GuestSession>> NativeAgent::TryConnect(const GuestSpec& spec, VirtualMachine& machine,
                                                                      GuestObserver& observer,
                                                                      const CallContext& context) {
  const std::string what = absl::StrCat("guest of pod ", spec.pod_id);
  absl::StatusOr<UniqueFd> stream = machine.ConnectAgent(context);
  if (!stream.ok()) return Annotate(stream.status(), absl::StrCat(what, ": connect"));
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<AgentLink> link, AgentLink::Open(io_, *std::move(stream), budget_));
  auto gate = std::make_shared<ObserverGate>(io_, observer);
  auto conversation = std::make_shared<GuestConversation>(io_, spec, options_.hello_freshness, gate);
  const Completion<GuestInfo> ready;
  conversation->Begin(std::move(link), ready);
  absl::StatusOr<GuestInfo> info = ready.Wait(context, absl::StrCat(what, ": its agent has not answered HELLO"));
  if (!info.ok()) {
    gate->Close();
    conversation->Close();
    return info.status();
  }
  return std::make_unique<NativeSession>(spec.pod_id, *std::move(info), std::move(gate), std::move(conversation));
}

}  // namespace vcd
