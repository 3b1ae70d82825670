// SPDX-License-Identifier: Apache-2.0
// Sixty-four clients do what they like to a few pods, among faults of every layer. What each pod is seen to be, and
// what each client is told, is checked against the state machine.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/agent/testing/fake_agent.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/os/mutex.h"
#include "core/pod/pod_state_machine.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

constexpr int kClients = 64;
constexpr int kOperations = 40;
constexpr int kPods = 8;

// One call, from before it was made until after its answer.
struct Call {
  std::string operation;
  std::string pod_id;
  absl::Time begun;
  absl::Time ended;
  absl::Status status;
  v1::Pod pod;  // What it answered with, when it succeeded.
};

// The state that a call which succeeded leaves its pod in; unspecified where the answer shows no pod.
v1::PodState StateAfter(const std::string& operation) {
  static const std::map<std::string, v1::PodState> after = {
      {"create", v1::POD_STATE_READY},  {"run", v1::POD_STATE_RUNNING},       {"start", v1::POD_STATE_RUNNING},
      {"pause", v1::POD_STATE_PAUSED},  {"resume", v1::POD_STATE_RUNNING},    {"stop", v1::POD_STATE_STOPPED},
      {"force", v1::POD_STATE_STOPPED}, {"delete", v1::POD_STATE_UNSPECIFIED}};
  return after.at(operation);
}

// Where an event takes a pod; nothing when it cannot happen in that state. Unspecified is no pod.
std::optional<v1::PodState> Follow(v1::PodState state, v1::EventType event) {
  const auto is = [state](std::initializer_list<v1::PodState> states) {
    return std::find(states.begin(), states.end(), state) != states.end();
  };
  switch (event) {
    case v1::EVENT_TYPE_POD_CREATED:
      if (state == v1::POD_STATE_UNSPECIFIED) return v1::POD_STATE_READY;
      break;
    case v1::EVENT_TYPE_POD_STARTED:
      if (is({v1::POD_STATE_READY, v1::POD_STATE_STOPPED})) return v1::POD_STATE_RUNNING;
      break;
    case v1::EVENT_TYPE_POD_PAUSED:
      if (state == v1::POD_STATE_RUNNING) return v1::POD_STATE_PAUSED;
      break;
    case v1::EVENT_TYPE_POD_RESUMED:
      if (state == v1::POD_STATE_PAUSED) return v1::POD_STATE_RUNNING;
      break;
    case v1::EVENT_TYPE_POD_STOPPED:
      if (state != v1::POD_STATE_UNSPECIFIED) return v1::POD_STATE_STOPPED;
      break;
    case v1::EVENT_TYPE_POD_FAILED:
      if (is({v1::POD_STATE_READY, v1::POD_STATE_RUNNING, v1::POD_STATE_PAUSED})) return v1::POD_STATE_FAILED;
      break;
    case v1::EVENT_TYPE_POD_DELETED:
      if (state != v1::POD_STATE_UNSPECIFIED) return v1::POD_STATE_UNSPECIFIED;
      break;
    default:
      return state;
  }
  return std::nullopt;
}

// Codes that a client may be told, whatever it did and whatever failed below.
bool IsExpected(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnavailable:
      return true;
    default:
      return false;
  }
}

class HistoryTest : public PodRuntimeTest {
 protected:
  Call Make(const std::string& operation, const std::string& pod_id) {
    Call call{operation, pod_id, absl::Now(), {}, {}, {}};
    absl::StatusOr<v1::Pod> pod = v1::Pod();
    if (operation == "create") pod = Create(Config(pod_id));
    if (operation == "run") pod = Run(Config(pod_id));
    if (operation == "start") pod = Start(pod_id);
    if (operation == "pause") pod = Pause(pod_id);
    if (operation == "resume") pod = Resume(pod_id);
    if (operation == "stop") pod = Stop(pod_id);
    if (operation == "force") pod = Stop(pod_id, /*force=*/true);
    if (operation == "delete") call.status = Delete(pod_id, /*force=*/true).status();
    if (!pod.ok()) call.status = pod.status();
    if (pod.ok()) call.pod = *std::move(pod);
    call.ended = absl::Now();
    return call;
  }

  // A client; its choices follow from `seed` alone.
  void Act(uint32_t seed) {
    std::mt19937 random(seed);
    const std::vector<std::string> operations = {"create", "run",  "start", "pause",
                                                 "resume", "stop", "force", "delete"};
    for (int i = 0; i < kOperations; ++i) {
      const std::string& operation = operations[random() % operations.size()];
      const std::string pod_id = absl::StrCat("pod-", random() % kPods);
      if (random() % 10 == 0) (void)hypervisor().Crash(pod_id, "chaos");
      if (random() % 10 == 0) hypervisor().FailNth("Boot", 1, absl::UnavailableError("chaos"));
      if (random() % 10 == 0) agent().FailNth("StartContainer", 1, absl::UnavailableError("chaos"));
      if (random() % 20 == 0) agent().Lose(pod_id, absl::UnavailableError("chaos"));
      const Call call = Make(operation, pod_id);
      MutexLock lock(&mu_);
      calls_.push_back(call);
    }
  }

  // Whether another call for the same pod was under way at the same time.
  bool Overlapped(const Call& call) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::any_of(calls_.begin(), calls_.end(), [&call](const Call& other) {
      return &other != &call && other.pod_id == call.pod_id && other.begun <= call.ended && other.ended >= call.begun;
    });
  }

  Mutex mu_;
  std::vector<Call> calls_ ABSL_GUARDED_BY(mu_);
};

TEST_F(HistoryTest, WhatClientsSeeIsAHistoryOfTheStateMachine) {
  const std::unique_ptr<EventReader> reader = Events();
  std::vector<std::thread> clients;
  for (uint32_t seed = 1; seed <= kClients; ++seed) clients.emplace_back([this, seed] { Act(seed); });
  for (std::thread& client : clients) client.join();

  MutexLock lock(&mu_);
  int done = 0;
  for (const Call& call : calls_) {
    SCOPED_TRACE(absl::StrCat(call.operation, " ", call.pod_id));
    EXPECT_TRUE(IsExpected(call.status)) << call.status;
    if (!call.status.ok()) continue;
    ++done;
    if (call.operation == "delete") continue;
    EXPECT_EQ(call.pod.id(), call.pod_id);
    // A container that ended by itself, or a machine that crashed right after, is no longer the operation's doing.
    if (call.pod.state() == v1::POD_STATE_FAILED) continue;
    // The answer shows the pod as it is then: whoever waited for the lock may have begun.
    EXPECT_TRUE(call.pod.state() == StateAfter(call.operation) || Overlapped(call)) << call.pod.state();
  }
  // It was not all refusals.
  EXPECT_GT(done, kClients);

  // Of two calls on one pod, one after the other, the later one saw the later revision: no answer is of the past.
  std::map<std::string, std::vector<const Call*>> by_pod;
  for (const Call& call : calls_) {
    if (call.status.ok() && call.pod.revision() != 0) by_pod[call.pod_id].push_back(&call);
  }
  for (auto& [pod_id, calls] : by_pod) {
    std::sort(calls.begin(), calls.end(),
              [](const Call* a, const Call* b) { return a->pod.revision() < b->pod.revision(); });
    absl::Time latest_begin = absl::InfinitePast();
    for (const Call* call : calls) {
      EXPECT_GE(call->ended, latest_begin) << pod_id << ": an answer older than one given before it was asked for";
      latest_begin = std::max(latest_begin, call->begun);
    }
  }

  hypervisor().ForgetFaults();
  agent().ForgetFaults();
  for (int i = 0; i < kPods; ++i) (void)Delete(absl::StrCat("pod-", i), /*force=*/true);
  ExpectNothingLeft();

  // The events of each pod, in order, are a way through the state machine that ends where it began.
  std::map<std::string, v1::PodState> states;
  const uint64_t last = events_.last_revision();
  for (uint64_t revision = 0; revision < last;) {
    const auto event = Await<std::shared_ptr<const v1::Event>>([&](auto done) { reader->Next(done); });
    ASSERT_TRUE(event.ok()) << event.status();
    revision = (*event)->revision();
    v1::PodState& state = states[(*event)->pod_id()];
    const std::optional<v1::PodState> next = Follow(state, (*event)->type());
    ASSERT_TRUE(next.has_value()) << (*event)->pod_id() << ": " << v1::EventType_Name((*event)->type())
                                  << " when it is " << StateWord(state);
    state = *next;
  }
  for (const auto& [pod_id, state] : states) EXPECT_EQ(state, v1::POD_STATE_UNSPECIFIED) << pod_id;
}

}  // namespace
}  // namespace vcd
