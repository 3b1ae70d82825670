// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_hooks.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hook/hook_runner.h"
#include "core/hook/oci_state.h"
#include "core/log/logger.h"
#include "core/model/field_checks.h"
#include "core/model/hook_validation.h"
#include "core/os/timer.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// What poststop hooks get once somebody is in a hurry.
constexpr absl::Duration kLastTime = absl::Seconds(1);

// Of the pod, in the state of a container.
constexpr char kPodIdAnnotation[] = "vcd.pod_id";

// Whom a hook is told of.
struct Subject {
  const v1::ContainerConfig* container = nullptr;  // Null: the pod.
  const char* status;
  pid_t pid = 0;
  std::string netns_path;
};

// The operation runs hooks for as long as this is there.
class HookPhase {
 public:
  explicit HookPhase(OperationClock& clock) : clock_(clock), before_(clock.phase()) {
    clock_.Enter(OperationPhase::kHooks);
  }
  ~HookPhase() { clock_.Enter(before_); }
  HookPhase(const HookPhase&) = delete;
  HookPhase& operator=(const HookPhase&) = delete;

 private:
  OperationClock& clock_;
  const OperationPhase before_;
};

// What hooks may take together that clean up.
class LastTime {
 public:
  // `io` and the cancellation outlive it.
  LastTime(IoThread& io, const CallContext& limits)
      : cut_(std::make_shared<Cut>()),
        context_{std::max(limits.deadline, absl::Now() + kLastTime), &cut_->cancellation},
        subscription_(Watch(io, limits)) {}

  const CallContext& context() const { return context_; }

 private:
  struct Cut {
    Cancellation cancellation;
    Timer timer;  // Of the one call of the callback below.
  };

  Cancellation::Subscription Watch(IoThread& io, const CallContext& limits) {
    if (limits.cancellation == nullptr) return {};
    // The timer may fire when all is over.
    const std::weak_ptr<Cut> cut = cut_;
    return limits.cancellation->Subscribe([cut = cut_.get(), weak = cut, &io, why = limits.cancellation] {
      cut->timer = Timer(io, absl::Now() + kLastTime, [weak, status = why->status()] {
        if (const std::shared_ptr<Cut> alive = weak.lock()) alive->cancellation.Cancel(status);
      });
    });
  }

  const std::shared_ptr<Cut> cut_;
  const CallContext context_;
  // Before the others go.
  const Cancellation::Subscription subscription_;
};

// A process of the pod to tell of.
struct LiveProcess {
  pid_t pid = 0;
  std::unique_ptr<HeldProcess> held;  // Null: the machine's own.
};

// The machine's, or one that is held in its place where there is none yet, none on this host, or one that is not in the
// pod's network namespace, as it was there before the pod.
absl::StatusOr<LiveProcess> FindProcess(const Pod& pod, const std::string& netns_path) {
  LiveProcess process;
  const bool elsewhere = !netns_path.empty() && !pod.warm_machine().empty();
  if (pod.machine() != nullptr && !elsewhere) process.pid = static_cast<pid_t>(pod.machine()->Record().process().pid());
  if (process.pid > 0) return process;
  HookRunner* const hooks = pod.environment().options.hooks;
  if (hooks == nullptr) return NotImplementedField("config.hooks", "hooks");
  absl::StatusOr<std::unique_ptr<HeldProcess>> held = hooks->Hold(pod.id(), netns_path);
  if (!held.ok()) return Annotate(held.status(), "start a process that hooks can be told of");
  process.held = *std::move(held);
  process.pid = process.held->pid();
  return process;
}

absl::Duration TimeoutOf(const v1::Hook& hook, const PodRuntimeOptions& options) {
  return hook.timeout_seconds() == 0 ? options.hook_limits.timeout : absl::Seconds(hook.timeout_seconds());
}

v1::Hook WithTimeout(v1::Hook hook, const PodRuntimeOptions& options) {
  hook.set_timeout_seconds(static_cast<uint32_t>(absl::ToInt64Seconds(TimeoutOf(hook, options))));
  return hook;
}

OciState StateOf(const Pod& pod, const v1::PodConfig& config, const Subject& subject) {
  OciState state;
  const bool of_pod = subject.container == nullptr;
  const auto& annotations = of_pod ? config.annotations() : subject.container->annotations();
  state.id = of_pod ? pod.id() : subject.container->id();
  state.status = subject.status;
  state.pid = subject.pid;
  state.bundle = pod.environment().store.layout().PodStateDir(pod.id());
  state.annotations = {annotations.begin(), annotations.end()};
  if (!of_pod) state.annotations[kPodIdAnnotation] = pod.id();
  return state;
}

HookCall CallOf(const Pod& pod, const v1::PodConfig& config, const Subject& subject, HookKind kind) {
  HookCall call;
  call.pod_id = pod.id();
  if (subject.container != nullptr) call.container_id = subject.container->id();
  call.kind = kind;
  if (kind == HookKind::kPrestart || kind == HookKind::kCreateContainer) call.netns_path = subject.netns_path;
  call.state = OciStateJson(StateOf(pod, config, subject));
  return call;
}

absl::Status RunOne(const PodRuntimeOptions& options, const HookCall& call, const CallContext& context) {
  // A daemon of another configuration may have made the pod.
  return options.hooks == nullptr ? absl::UnimplementedError("this vcd runs no hooks")
                                  : options.hooks->Run(call, context);
}

// Hooks that must not fail.
absl::Status RunAll(Pod& pod, const v1::PodConfig& config, const v1::Hooks& hooks, HookKind kind,
                    const Subject& subject, const CallContext& context) {
  const auto& list = HooksOf(hooks, kind);
  if (list.empty()) return absl::OkStatus();
  const PodRuntimeOptions& options = pod.environment().options;
  HookCall call = CallOf(pod, config, subject, kind);
  for (call.index = 0; call.index < list.size(); ++call.index) {
    call.hook = WithTimeout(list[call.index], options);
    VCD_RETURN_IF_ERROR(RunOne(options, call, context));
  }
  return absl::OkStatus();
}

// Hooks that may: false when the context has ended.
bool RunAndLog(Pod& pod, const v1::PodConfig& config, const v1::Hooks& hooks, HookKind kind, const Subject& subject,
               const CallContext& context) {
  const auto& list = HooksOf(hooks, kind);
  if (list.empty()) return true;
  const PodRuntimeOptions& options = pod.environment().options;
  HookCall call = CallOf(pod, config, subject, kind);
  for (call.index = 0; call.index < list.size(); ++call.index) {
    call.hook = WithTimeout(list[call.index], options);
    const absl::Status ran = RunOne(options, call, context);
    if (!ran.ok()) LogError(pod.id(), absl::StrCat("its ", HookKindName(kind), " hooks: ", ran.message()));
  }
  return context.Check("hooks").ok();
}

// `container` is null for those of the pod.
void RunPoststartOf(Pod& pod, const v1::ContainerConfig* container, const v1::Hooks& hooks, const CallContext& context,
                    OperationClock& clock) {
  if (hooks.poststart().empty()) return;
  const HookPhase phase(clock);
  const absl::StatusOr<LiveProcess> process = FindProcess(pod, pod.record().network().netns_path());
  if (!process.ok()) return LogError(pod.id(), absl::StrCat("its poststart hooks: ", process.status().message()));
  (void)RunAndLog(pod, *pod.config(), hooks, HookKind::kPoststart, {container, "running", process->pid, ""}, context);
}

const v1::ContainerConfig* FindConfig(const v1::PodConfig& config, const std::string& container_id) {
  const auto found = std::find_if(config.containers().begin(), config.containers().end(),
                                  [&](const v1::ContainerConfig& container) { return container.id() == container_id; });
  return found == config.containers().end() ? nullptr : &*found;
}

absl::Duration TimeOf(const v1::Hooks& hooks, std::initializer_list<HookKind> kinds, const PodRuntimeOptions& options) {
  absl::Duration time;
  for (const HookKind kind : kinds) {
    for (const v1::Hook& hook : HooksOf(hooks, kind)) time += TimeoutOf(hook, options);
  }
  return time;
}

}  // namespace

absl::Status CheckHooksRun(const v1::Hooks& hooks, const PodRuntimeOptions& options, const AgentCapabilities& agent,
                           const std::string& field) {
  if (hooks.ByteSizeLong() == 0) return absl::OkStatus();
  if (options.hooks == nullptr) return NotImplementedField(field, "hooks");
  if (!hooks.start_container().empty() && !agent.start_hooks) {
    return InvalidField(absl::StrCat(field, ".start_container"),
                        "the pod's agent runs no programs in containers; use agent native, or another kind of hook");
  }
  return CheckHookTimeouts(hooks, options.hook_limits.most, field);
}

absl::Duration HookTime(const v1::PodConfig& config, const PodRuntimeOptions& options) {
  absl::Duration time =
      TimeOf(config.hooks(), {HookKind::kPrestart, HookKind::kCreateRuntime, HookKind::kPoststart}, options);
  for (const v1::ContainerConfig& container : config.containers()) time += HookTime(config, container, options);
  return time;
}

absl::Duration HookTime(const v1::PodConfig& config, const v1::ContainerConfig& container,
                        const PodRuntimeOptions& options) {
  return TimeOf(config.hooks(), {HookKind::kCreateContainer, HookKind::kStartContainer}, options) +
         TimeOf(container.hooks(),
                {HookKind::kPrestart, HookKind::kCreateRuntime, HookKind::kCreateContainer, HookKind::kStartContainer,
                 HookKind::kPoststart},
                options);
}

bool HasHooksBeforeBoot(const v1::PodConfig& config) {
  return !config.hooks().prestart().empty() || !config.hooks().create_runtime().empty();
}

absl::Status RunHooksBeforeBoot(Pod& pod, const std::string& netns_path, const CallContext& context,
                                OperationClock& clock) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  if (!HasHooksBeforeBoot(*config)) return absl::OkStatus();
  const HookPhase phase(clock);
  VCD_ASSIGN_OR_RETURN(const LiveProcess process, FindProcess(pod, netns_path));
  const Subject subject = {nullptr, "creating", process.pid, netns_path};
  VCD_RETURN_IF_ERROR(RunAll(pod, *config, config->hooks(), HookKind::kPrestart, subject, context));
  return RunAll(pod, *config, config->hooks(), HookKind::kCreateRuntime, subject, context);
}

absl::Status RunHooksBeforeContainer(Pod& pod, const v1::ContainerConfig& container, const std::string& netns_path,
                                     const CallContext& context, OperationClock& clock) {
  const v1::Hooks& hooks = container.hooks();
  if (hooks.prestart().empty() && hooks.create_runtime().empty()) return absl::OkStatus();
  const HookPhase phase(clock);
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  VCD_ASSIGN_OR_RETURN(const LiveProcess process, FindProcess(pod, netns_path));
  const Subject subject = {&container, "creating", process.pid, netns_path};
  VCD_RETURN_IF_ERROR(RunAll(pod, *config, hooks, HookKind::kPrestart, subject, context));
  return RunAll(pod, *config, hooks, HookKind::kCreateRuntime, subject, context);
}

absl::Status RunHooksOfHeldContainer(Pod& pod, const v1::ContainerConfig& container, const std::string& netns_path,
                                     const CallContext& context, OperationClock& clock) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  if (config->hooks().create_container().empty() && container.hooks().create_container().empty()) {
    return absl::OkStatus();
  }
  const HookPhase phase(clock);
  VCD_ASSIGN_OR_RETURN(const LiveProcess process, FindProcess(pod, netns_path));
  const Subject subject = {&container, "creating", process.pid, netns_path};
  VCD_RETURN_IF_ERROR(RunAll(pod, *config, config->hooks(), HookKind::kCreateContainer, subject, context));
  return RunAll(pod, *config, container.hooks(), HookKind::kCreateContainer, subject, context);
}

void AddStartHooks(const Pod& pod, GuestContainerSpec& spec) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const PodRuntimeOptions& options = pod.environment().options;
  for (const v1::Hooks* hooks : {&config->hooks(), &spec.config.hooks()}) {
    for (const v1::Hook& hook : hooks->start_container()) spec.start_hooks.push_back(WithTimeout(hook, options));
  }
  if (!spec.start_hooks.empty())
    spec.hook_state = OciStateTemplate(StateOf(pod, *config, {&spec.config, "created", 0, ""}));
}

void RunPoststart(Pod& pod, const CallContext& context, OperationClock& clock) {
  RunPoststartOf(pod, nullptr, pod.config()->hooks(), context, clock);
}

void RunPoststart(Pod& pod, const v1::ContainerConfig& container, const CallContext& context, OperationClock& clock) {
  RunPoststartOf(pod, &container, container.hooks(), context, clock);
}

void MarkPoststopDue(const v1::PodConfig& config, state::v1::PodRecord& record) {
  record.set_poststop_due(!config.hooks().poststop().empty());
  for (const v1::ContainerConfig& container : config.containers()) {
    if (state::v1::ContainerRecord* known = FindContainer(record, container.id())) MarkPoststopDue(container, *known);
  }
}

void MarkPoststopDue(const v1::ContainerConfig& config, state::v1::ContainerRecord& record) {
  record.set_poststop_due(!config.hooks().poststop().empty());
}

Poststop PoststopDue(const state::v1::PodRecord& record) {
  Poststop due;
  due.pod = record.poststop_due();
  for (const state::v1::ContainerRecord& container : record.containers()) {
    if (container.poststop_due()) due.container_ids.push_back(container.id());
  }
  return due;
}

void KeepPoststopDue(Pod& pod, const Poststop& begun) {
  if (PoststopDue(pod.record()).empty()) return;
  pod.ChangeUnwritten([&begun](state::v1::PodRecord& record) {
    if (!begun.pod) record.set_poststop_due(false);
    for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
      const auto& ids = begun.container_ids;
      if (std::find(ids.begin(), ids.end(), container.id()) == ids.end()) container.set_poststop_due(false);
    }
  });
}

bool RunPoststop(Pod& pod, const Poststop& poststop, const CallContext& limits) {
  if (poststop.empty()) return true;
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const LastTime time(pod.environment().io, limits);
  bool ran = true;
  for (const std::string& id : poststop.container_ids) {
    const v1::ContainerConfig* container = FindConfig(*config, id);
    if (container == nullptr) continue;
    const Subject subject = {container, "stopped", 0, ""};
    ran &= RunAndLog(pod, *config, container->hooks(), HookKind::kPoststop, subject, time.context());
  }
  if (poststop.pod) {
    ran &= RunAndLog(pod, *config, config->hooks(), HookKind::kPoststop, {nullptr, "stopped", 0, ""}, time.context());
  }
  return ran;
}

void ForgetPoststop(state::v1::PodRecord& record) {
  record.set_poststop_due(false);
  for (state::v1::ContainerRecord& container : *record.mutable_containers()) container.set_poststop_due(false);
}

void FinishPoststop(Pod& pod, const CallContext& limits) {
  const Poststop due = PoststopDue(pod.record());
  if (due.empty() || !RunPoststop(pod, due, limits)) return;
  (void)pod.Change(ForgetPoststop, /*fact=*/true);
}

void RunContainerPoststop(Pod& pod, const std::string& container_id, const CallContext& limits) {
  const state::v1::PodRecord record = pod.record();
  const state::v1::ContainerRecord* container = FindContainer(record, container_id);
  if (container == nullptr || !container->poststop_due()) return;
  if (!RunPoststop(pod, {false, {container_id}}, limits)) return;
  (void)pod.Change(
      [&container_id](state::v1::PodRecord& current) {
        if (state::v1::ContainerRecord* known = FindContainer(current, container_id)) known->set_poststop_due(false);
      },
      /*fact=*/true);
}

}  // namespace vcd
