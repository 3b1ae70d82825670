// SPDX-License-Identifier: Apache-2.0
// Puts load on the guest's agent and the link to it, without a daemon, and prints what it measured as one JSON object.
// Started by test/benchmark/benchmark.py, in the directory of the built programs.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/agent/native/native_agent.h"
#include "core/agent/testing/socket_machine.h"
#include "core/os/mutex.h"
#include "core/os/testing/temporary_directory.h"
#include "core/pod/container_log.h"
#include "guest/agent/testing/agent_peer.h"
#include "test/benchmark/samples.h"
#include "test/link/host_transport.h"
#include "test/link/machine_transport.h"

namespace vcd {
namespace {

using Json = nlohmann::json;

constexpr char kContainer[] = "bench";

void Must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  Must(value.status());
  return *std::move(value);
}

// Counts output and acknowledges it, but that of slow readers.
class Meter : public GuestObserver {
 public:
  void set_session(GuestSession* session) { session_ = session; }
  void ReadSlowly(const ProcessKey& process) {
    MutexLock lock(&mu_);
    slow_.insert(process);
  }
  void ReadAll(const ProcessKey& process) {
    MutexLock lock(&mu_);
    slow_.erase(process);
    session_->AcknowledgeOutput(process, StdStream::kStdout, bytes_[process]);
  }
  // Output of a process goes into a log, which acknowledges it.
  void KeepIn(const ProcessKey& process, std::shared_ptr<ContainerLog> log) {
    MutexLock lock(&mu_);
    logs_[process] = std::move(log);
  }
  std::string WaitForEnd(const ProcessKey& process) {
    const absl::Time deadline = absl::Now() + absl::Minutes(5);
    MutexLock lock(&mu_);
    while (ended_.count(process) == 0) {
      if (changed_.WaitWithDeadline(&mu_, deadline)) throw std::runtime_error("a process does not end");
    }
    ended_.erase(process);
    return std::exchange(first_words_[process], "");
  }
  void WaitForBytes(const ProcessKey& process, uint64_t bytes) {
    MutexLock lock(&mu_);
    while (bytes_[process] < bytes) changed_.Wait(&mu_);
  }

  void OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) override {
    std::shared_ptr<ContainerLog> log;
    {
      MutexLock lock(&mu_);
      const auto found = logs_.find(process);
      if (found != logs_.end()) log = found->second;
    }
    if (log != nullptr) return log->Append(stream, offset, std::move(data));
    MutexLock lock(&mu_);
    bytes_[process] = offset + data.size();
    if (first_words_[process].size() < 100) first_words_[process] += data.substr(0, 100);
    if (slow_.count(process) == 0) session_->AcknowledgeOutput(process, stream, offset + data.size());
    changed_.NotifyAll();
  }
  void OnProcessExit(const ProcessKey& process, const v1::ExitStatus&) override {
    MutexLock lock(&mu_);
    ended_.insert(process);
    changed_.NotifyAll();
  }
  void OnOutOfMemory(const std::string&, uint64_t) override {}
  void OnMemoryPressure(double) override {}
  void OnGuestLost(const absl::Status&) override {}

 private:
  GuestSession* session_ = nullptr;
  Mutex mu_;
  CondVar changed_;
  std::map<ProcessKey, std::shared_ptr<ContainerLog>> logs_ ABSL_GUARDED_BY(mu_);
  std::set<ProcessKey> slow_ ABSL_GUARDED_BY(mu_);
  std::set<ProcessKey> ended_ ABSL_GUARDED_BY(mu_);
  std::map<ProcessKey, uint64_t> bytes_ ABSL_GUARDED_BY(mu_);
  std::map<ProcessKey, std::string> first_words_ ABSL_GUARDED_BY(mu_);
};

class Bench {
 public:
  explicit Bench(LinkTransport& transport) {
    // Before the guest runs, as a daemon does: the answer is the first thing that its agent says.
    hello_ = guest::AgentPeer(Must(transport.Connect())).Hello();
    SocketMachine machine([&] { return transport.Connect(); });
    session_ = Must(agent_.Connect({"bench", "bench"}, machine, meter_, Context()));
    meter_.set_session(session_.get());
    session_->Observe();
    GuestContainerSpec spec;
    spec.config.set_id(kContainer);
    *spec.config.mutable_cmd() = Cmd({"sleep", "100000"});
    spec.hostname = "bench";
    transport.PlaceRootfs(spec);
    (void)Must(session_->CreateContainer(spec, Context()));
    Must(session_->StartContainer(kContainer, Context()));
  }
  ~Bench() { (void)session_->RemoveContainer(kContainer, Context()); }

  double HelloMilliseconds() const {
    return static_cast<double>(hello_.answered_boot_ns() - hello_.started_boot_ns()) / 1e6;
  }

  Json ExecRoundTrips(int count) {
    Samples samples;
    for (int i = 0; i < count; ++i) {
      const absl::Time begin = absl::Now();
      Run("exec", {"/bin/true"});
      samples.Add(absl::Now() - begin);
      Forget("exec");
    }
    return samples.ToJson();
  }

  // The same without an agent between: a program of the guest starts it and waits for it.
  Json BareRoundTrips(int count) {
    const std::string words = Run("bare", {"/bin/spawn_loop", absl::StrCat(count)});
    Forget("bare");
    char* end = nullptr;
    const double p50 = std::strtod(words.c_str(), &end);
    return {{"count", count}, {"p50_us", p50}, {"p99_us", std::strtod(end, nullptr)}};
  }

  void MakeFile(int megabytes) {
    Run("make", {"/bin/sh", "-c", absl::StrCat("head -c ", megabytes << 20, " /dev/zero > /tmp/big")});
    Forget("make");
    megabytes_ = megabytes;
  }

  double ThroughputMBps() {
    const absl::Time begin = absl::Now();
    Run("cat", {"cat", "/tmp/big"});
    const absl::Duration took = absl::Now() - begin;
    Forget("cat");
    return megabytes_ * 1.048576 / absl::ToDoubleSeconds(took);
  }

  // The same into a log, until all is written.
  double ThroughputIntoALogMBps() {
    const ProcessKey process{kContainer, "cat"};
    const TemporaryDirectory directory;
    ContainerLog::Options options;
    options.path = directory.path() + "/bench.log";
    options.acknowledge = [this, process](StdStream stream, uint64_t offset) {
      session_->AcknowledgeOutput(process, stream, offset);
    };
    options.report = [](const std::string& what) { throw std::runtime_error(what); };
    options.threads = &log_threads_;
    const std::shared_ptr<ContainerLog> log = Must(ContainerLog::Create(options));
    meter_.KeepIn(process, log);
    const absl::Time begin = absl::Now();
    Run("cat", {"cat", "/tmp/big"});
    log_threads_.Finish();
    const absl::Duration took = absl::Now() - begin;
    meter_.KeepIn(process, nullptr);
    Forget("cat");
    return megabytes_ * 1.048576 / absl::ToDoubleSeconds(took);
  }

  // Throughput beside a process whose output nobody takes.
  double ThroughputBesideASlowReaderMBps() {
    meter_.ReadSlowly({kContainer, "slow"});
    Flood("slow");
    const double result = ThroughputMBps();
    EndFlood("slow");
    return result;
  }

  // A request that changes nothing, while so many streams say all they can.
  Json ControlRoundTrips(int streams, int count) {
    std::vector<std::string> ids;
    for (int i = 0; i < streams; ++i) Flood(ids.emplace_back(absl::StrCat("flood-", i)));
    Samples samples;
    for (int i = 0; i < count; ++i) {
      const absl::Time begin = absl::Now();
      Must(session_->RemoveProcess({kContainer, "nobody"}, Context()));
      samples.Add(absl::Now() - begin);
    }
    for (const std::string& id : ids) EndFlood(id);
    return samples.ToJson();
  }

 private:
  static CallContext Context() { return {absl::Now() + absl::Minutes(5)}; }
  static v1::Cmd Cmd(const std::vector<std::string>& words) {
    v1::Cmd cmd;
    for (const std::string& word : words) cmd.add_args(word);
    return cmd;
  }
  std::string Run(const std::string& id, const std::vector<std::string>& words) {
    (void)Must(session_->Exec({kContainer, id}, Cmd(words), Context()));
    return meter_.WaitForEnd({kContainer, id});
  }
  void Forget(const std::string& id) { Must(session_->RemoveProcess({kContainer, id}, Context())); }
  // Returns when it flows.
  void Flood(const std::string& id) {
    (void)Must(session_->Exec({kContainer, id}, Cmd({"cat", "/dev/zero"}), Context()));
    meter_.WaitForBytes({kContainer, id}, 200'000);
  }
  void EndFlood(const std::string& id) {
    Must(session_->Signal({kContainer, id}, SIGKILL, false, Context()));
    // What it wrote before may still wait.
    meter_.ReadAll({kContainer, id});
    meter_.WaitForEnd({kContainer, id});
    Forget(id);
  }

  IoThread io_;
  LogThreads log_threads_;
  Meter meter_;
  NativeAgent agent_{io_};
  ::vcd::agent::v1::HelloAck hello_;
  std::unique_ptr<GuestSession> session_;
  int megabytes_ = 0;
};

int64_t ResidentKib(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("VmRSS:", 0) == 0) return std::atoll(line.c_str() + 6);
  }
  return 0;
}

void MeasureControl(Bench& bench, Json& result) {
  for (const int streams : {0, 1, 8, 64}) {
    result["control"][absl::StrCat(streams)] = bench.ControlRoundTrips(streams, 200);
  }
}

Json Measure(Bench& bench, int execs, int megabytes) {
  Json result;
  result["hello_ms"] = bench.HelloMilliseconds();
  bench.ExecRoundTrips(5);  // Warms up.
  MeasureControl(bench, result);
  result["exec"] = bench.ExecRoundTrips(execs);
  result["bare"] = bench.BareRoundTrips(execs);
  bench.MakeFile(megabytes);
  result["throughput_mbps"] = bench.ThroughputMBps();
  result["throughput_into_log_mbps"] = bench.ThroughputIntoALogMBps();
  result["throughput_beside_slow_mbps"] = bench.ThroughputBesideASlowReaderMBps();
  return result;
}

int Main(int argc, char** argv) {
  CLI::App app("Measures the guest's agent and the link to it.");
  std::string over;
  app.add_option("over", over, "socketpair or virtio-serial")->required();
  bool control_alone = false;
  app.add_flag("--control-alone", control_alone, "Nothing but requests beside streams, over virtio-serial");
  CLI11_PARSE(app, argc, argv);
  const std::vector<std::string> programs = {"test/benchmark/spawn_loop"};
  Json result;
  if (over == "socketpair") {
    SocketPairTransport transport("guest/agent/vcd-agent", programs);
    Bench bench(transport);
    result = Measure(bench, 300, 64);
    result["agent_rss_kib"] = ResidentKib(transport.pid());
  } else {
    MachineTransport transport(programs);
    Bench bench(transport);
    if (control_alone) {
      MeasureControl(bench, result);
    } else {
      result = Measure(bench, 50, 32);
    }
  }
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace vcd

int main(int argc, char** argv) { return vcd::Main(argc, argv); }
