// SPDX-License-Identifier: Apache-2.0
// A guest that was taken over says what it likes to a whole daemon. The daemon's memory and the other pods stay as they
// were, and the guest's own pod fails with the reason, or goes on where no harm is done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/testing/scripted_guest.h"
#include "core/agent/testing/socket_machine.h"
#include "core/link/frame_codec.h"
#include "core/link/link_limits.h"
#include "core/os/completion.h"
#include "core/os/mutex.h"
#include "core/os/testing/sanitized.h"
#include "core/status/status_macros.h"
#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

// The most that the daemon may grow by, whatever a guest does.
constexpr int64_t kMostGrowthBytes = int64_t{16} << 20;

// Plays the agent of one machine, on a thread of its own.
using Script = std::function<void(GuestPeer&)>;

class ScriptMachine : public SocketMachine {
 public:
  ScriptMachine(UniqueFd host_end, UniqueFd guest_end, Script script)
      : SocketMachine([this]() -> absl::StatusOr<UniqueFd> { return std::move(host_end_); }),
        host_end_(std::move(host_end)),
        peer_(std::move(guest_end)),
        thread_([this, script = std::move(script)] {
          script(peer_);
          while (peer_.AnswerRequest().has_value()) {
          }
        }) {}
  ~ScriptMachine() override {
    peer_.Hangup();
    thread_.join();
  }
  absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec& share, const CallContext&) override {
    return SharedPath{share.tag, ""};
  }
  absl::Status Stop(StopMode, const CallContext&) override {
    peer_.Hangup();
    return absl::OkStatus();
  }

 private:
  UniqueFd host_end_;
  GuestPeer peer_;
  std::thread thread_;
};

// A machine whose agent keeps to the protocol.
class HonestMachine : public SocketMachine {
 public:
  HonestMachine(UniqueFd host_end, UniqueFd guest_end)
      : SocketMachine([this]() -> absl::StatusOr<UniqueFd> { return std::move(host_end_); }),
        host_end_(std::move(host_end)),
        agent_(std::move(guest_end), guest_) {}
  absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec& share, const CallContext&) override {
    return SharedPath{share.tag, ""};
  }
  absl::Status UnshareDirectory(const std::string&, const CallContext&) override { return absl::OkStatus(); }
  absl::Status Stop(StopMode, const CallContext&) override { return absl::OkStatus(); }

 private:
  UniqueFd host_end_;
  SimulatedGuest guest_;
  ScriptedGuest agent_;
};

class ScriptHypervisor : public Hypervisor {
 public:
  explicit ScriptHypervisor(std::function<Script(const std::string& pod_id)> script) : script_(std::move(script)) {}
  HypervisorCapabilities capabilities() const override { return {.agent_channel = true, .directory_sharing = true}; }
  absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config, const CallContext&) const override {
    return config;
  }
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext&) override {
    VCD_ASSIGN_OR_RETURN(auto ends, SocketPair());
    if (Script script = script_(spec.pod_id)) {
      return std::make_unique<ScriptMachine>(std::move(ends.first), std::move(ends.second), std::move(script));
    }
    return std::make_unique<HonestMachine>(std::move(ends.first), std::move(ends.second));
  }
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec&, const state::v1::VirtualMachine&,
                                                        const CallContext&) override {
    return absl::NotFoundError("a script's machine ends with its daemon");
  }
  absl::Status Reap(const std::string&, const CallContext&) override { return absl::OkStatus(); }

 private:
  const std::function<Script(const std::string&)> script_;
};

// From here on VmHWM tells what the process used at most.
void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }
int64_t MemoryBytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(field + ":", 0) == 0) return std::atoll(line.c_str() + field.size() + 1) << 10;
  }
  return 0;
}

class HostileAgentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    daemon_.config().set_hypervisor("script");
    daemon_.config().set_agent("native");
    daemon_.AddBackends([this](Backends& backends) {
      backends.hypervisors["script"] = std::make_unique<ScriptHypervisor>(
          [this](const std::string& pod_id) -> Script { return pod_id == "bad" ? script() : nullptr; });
    });
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
    ASSERT_THAT(api_->RunPod(Config("good")), IsError(StatusCode::OK, ""));
    // What the daemon takes for ordinary work is not the guest's doing.
    for (int i = 0; i < 20; ++i) UseNeighbour();
  }

  void TearDown() override {
    for (const char* pod : {"bad", "good"}) EXPECT_THAT(api_->DeletePod(pod, true), IsError(StatusCode::OK, ""));
  }

  v1::PodConfig Config(const std::string& pod_id) {
    v1::PodConfig config = PodNamed(pod_id);
    v1::ContainerConfig& container = *config.mutable_containers(0);
    container.mutable_rootfs()->mutable_directory()->set_path(daemon_.rootfs());
    container.mutable_cmd()->add_args("sleep");
    return config;
  }

  // What the guest of pod `bad` does that is run next; on a thread of the daemon's.
  void SetScript(Script script) {
    MutexLock lock(&mu_);
    script_ = std::move(script);
  }

  // A process in the other pod, from its start to its end.
  void UseNeighbour() {
    v1::ExecRequest exec;
    exec.set_pod_id("good");
    exec.set_container_id("main");
    exec.mutable_cmd()->add_args("exit");
    exec.mutable_cmd()->add_args("7");
    v1::ExecResponse started;
    ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Exec, exec, &started),
                IsError(StatusCode::OK, ""));
    v1::WaitRequest wait;
    wait.set_pod_id("good");
    wait.set_container_id("main");
    wait.set_process_id(started.process_id());
    v1::WaitResponse ended;
    ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Wait, wait, &ended),
                IsError(StatusCode::OK, ""));
    ASSERT_EQ(ended.exit_status().code(), 7);
  }

  // The pod `bad`, once it is in this state.
  v1::Pod Await(v1::PodState state) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    v1::Pod pod;
    while (absl::Now() < deadline) {
      EXPECT_THAT(api_->GetPod("bad", &pod), IsError(StatusCode::OK, ""));
      if (pod.state() == state) return pod;
      absl::SleepFor(absl::Milliseconds(2));
    }
    ADD_FAILURE() << "the pod is still " << v1::PodState_Name(pod.state());
    return pod;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;

 private:
  Script script() {
    MutexLock lock(&mu_);
    return script_;
  }

  Mutex mu_;
  Script script_ ABSL_GUARDED_BY(mu_);
};

std::string Frame(const agent::v1::GuestMessage& message) { return EncodeFrame(message.SerializeAsString()); }

agent::v1::GuestMessage Output(const std::string& container, uint64_t offset, size_t size, int stream = 1) {
  agent::v1::GuestMessage message;
  message.mutable_output()->set_container_id(container);
  message.mutable_output()->set_stream(static_cast<agent::v1::Stream>(stream));
  message.mutable_output()->set_offset(offset);
  message.mutable_output()->set_data(std::string(size, 'x'));
  return message;
}

std::string Noise(size_t size) {
  std::mt19937 random(1);
  std::string noise(size, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  return noise;
}

// Said, so many times, by the agent of a pod that runs.
struct Crime {
  std::string name;
  std::function<std::string()> bytes;
  int times = 1;
  std::string reason;  // Of the pod's failure; empty when the pod goes on.
};
void PrintTo(const Crime& crime, std::ostream* out) { *out << crime.name; }

class CrimeTest : public HostileAgentTest, public ::testing::WithParamInterface<Crime> {};

TEST_P(CrimeTest, CostsNobodyButThePod) {
  const std::string bytes = GetParam().bytes();
  std::atomic<bool> over{false};
  const Completion<int> runs;
  SetScript([&, runs](GuestPeer& peer) {
    peer.AnswerHello();
    peer.AnswerRequest();  // Create.
    peer.AnswerRequest();  // Start.
    (void)runs.Wait({absl::Now() + absl::Minutes(1)}, "the pod runs");
    for (int i = 0; i < GetParam().times && peer.SendBytes(bytes); ++i) {
    }
    over = true;
  });
  ForgetPeak();
  const int64_t before = MemoryBytes("VmRSS");
  ASSERT_THAT(api_->RunPod(Config("bad")), IsError(StatusCode::OK, ""));
  runs.Set(0);
  int used = 0;
  for (; used < 10 || !over; ++used) ASSERT_NO_FATAL_FAILURE(UseNeighbour());
  if (GetParam().reason.empty()) {
    EXPECT_EQ(Await(v1::POD_STATE_RUNNING).reason(), "");
  } else {
    EXPECT_THAT(Await(v1::POD_STATE_FAILED).reason(), HasSubstr(GetParam().reason));
  }
  const int64_t growth = MemoryBytes("VmHWM") - before;
  RecordProperty("growth_kib", static_cast<int>(growth >> 10));
  if (!kSanitized) {
    EXPECT_LT(growth, kMostGrowthBytes);
  }
}

const Crime kCrimes[] = {
    {"AFrameWithoutEnd", [] { return std::string(1 << 20, 'x'); }, 128, ""},
    {"AnOversizeFrame", [] { return std::string(kMaxGuestMessageBytes * 2, 'x') + kFrameDelimiter; }, 1,
     "broke the agent protocol with a damaged frame"},
    {"Garbage", [] { return Noise(1 << 20); }, 64, "broke the agent protocol with a damaged frame"},
    {"Delimiters", [] { return std::string(1 << 20, kFrameDelimiter); }, 64, ""},
    {"OutputOfUnknownContainers", [] { return Frame(Output("nobody", 0, 32 << 10)); }, 2000, ""},
    {"TinyFramesWithoutEnd",
     [] {
       std::string frames;
       for (int i = 0; i < 2000; ++i) frames += Frame(Output("nobody", 0, 0));
       return frames;
     },
     100, ""},
    {"ExitsOfUnknownProcesses",
     [] {
       std::string frames;
       agent::v1::GuestMessage message;
       for (int i = 0; i < 2000; ++i) {
         message.mutable_exit()->set_container_id(absl::StrCat("nobody-", i));
         message.mutable_exit()->mutable_exit()->set_code(1);
         frames += Frame(message);
       }
       return frames;
     },
     100, ""},
    {"AnUnknownStream", [] { return Frame(Output("main", 0, 10, 17)); }, 1, "with output of an unknown stream"},
    {"OutputBeyondTheWindow", [] { return Frame(Output("main", 0, kOutputWindow + 1)); }, 1, "beyond the window"},
    {"OutputFromNowhere", [] { return Frame(Output("main", std::numeric_limits<uint64_t>::max(), 10)); }, 1,
     "broke the agent protocol with output at"},
    {"AnAnswerToNoHello",
     [] {
       agent::v1::Hello hello;
       hello.set_nonce("0123456789abcdef");
       return Frame(HelloAnswer(hello, {}));
     },
     1, "an answer to no HELLO"},
    {"AnAnswerOfAMillionProcesses",
     [] {
       agent::v1::GuestMessage message;
       for (int i = 0; i < 200'000; ++i) message.mutable_reply()->mutable_process_list()->add_processes();
       return Frame(message);
     },
     1, "with a message of 200000 listed processes"},
    {"AMessageThatIsNone", [] { return EncodeFrame(std::string(1 << 20, '\xff')); }, 1, "a message that is none"},
};

INSTANTIATE_TEST_SUITE_P(Crimes, CrimeTest, ::testing::ValuesIn(kCrimes),
                         [](const auto& info) { return info.param.name; });

TEST_F(HostileAgentTest, ATableOfAMillionProcessesIsRefused) {
  const std::vector<agent::v1::Process> table(200'000);
  SetScript([&](GuestPeer& peer) { peer.AnswerHello(table); });
  const ApiError error = api_->RunPod(Config("bad"));
  EXPECT_THAT(error, IsError(StatusCode::UNAVAILABLE, "AGENT_UNAVAILABLE"));
  EXPECT_THAT(error.message, HasSubstr("a message of 200000 processes"));
  UseNeighbour();
}

TEST_F(HostileAgentTest, ASilentAgentIsWaitedForNoLongerThanAsked) {
  SetScript([](GuestPeer& peer) { peer.Receive(); });
  v1::RunPodRequest request;
  *request.mutable_config() = Config("bad");
  v1::RunPodResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  EXPECT_EQ(api_->pods->RunPod(&context, request, &response).error_code(), StatusCode::DEADLINE_EXCEEDED);
  UseNeighbour();
}

TEST_F(HostileAgentTest, RepliesWithOldNoncesAreNoAnswer) {
  SetScript([](GuestPeer& peer) {
    const std::optional<agent::v1::HostMessage> message = peer.Receive();
    agent::v1::Hello old;
    old.set_nonce("0123456789abcdef");
    for (int i = 0; i < 1000; ++i) peer.Send(HelloAnswer(old, {}));
    peer.Send(HelloAnswer(message->hello(), {}));
    peer.AnswerRequest();
    peer.AnswerRequest();
  });
  EXPECT_THAT(api_->RunPod(Config("bad")), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Await(v1::POD_STATE_RUNNING).reason(), "");
}

TEST_F(HostileAgentTest, EndlessTextWithControlCharactersIsCutAndCleaned) {
  SetScript([](GuestPeer& peer) {
    const std::optional<agent::v1::HostMessage> message = peer.Receive();
    agent::v1::GuestMessage answer = HelloAnswer(message->hello(), {});
    answer.mutable_hello_ack()->set_kernel_release("\x1b[2J" + std::string(100'000, 'k'));
    peer.Send(answer);
    peer.AnswerRequest(agent::v1::ERROR_CODE_SYSTEM, "\x1b]0;owned\x07\r\n" + std::string(900'000, 'w'));
  });
  const ApiError error = api_->RunPod(Config("bad"));
  EXPECT_THAT(error, IsError(StatusCode::INTERNAL, "UNSPECIFIED"));
  EXPECT_LT(error.message.size(), 4096u);
  EXPECT_TRUE(std::none_of(error.message.begin(), error.message.end(), [](unsigned char c) {
    return c < 0x20 || c == 0x7f;
  })) << error.message;
}

}  // namespace
}  // namespace vcd
