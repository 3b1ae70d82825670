// SPDX-License-Identifier: Apache-2.0
// Puts load on a vcd, and on what it is compared with, and prints what it measured as one JSON object. Started by
// test/benchmark/benchmark.py, which starts the servers.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "test/benchmark/channel.h"
#include "test/benchmark/containerd_client.h"
#include "test/benchmark/empty_server.h"
#include "test/benchmark/empty_service.grpc.pb.h"
#include "test/benchmark/load.h"
#include "test/benchmark/vcd_client.h"

namespace vcd {
namespace {

using Json = nlohmann::json;

struct Options {
  std::string vcd;
  std::string empty;
  std::string containerd;
  std::string id;
  std::string prefix = "pod";
  int count = 0;
  int clients = 1;
  int rounds = 5;
  // Calls of one kind in a row before the next kind has its turn.
  int block = 50;
};

std::string NumberedId(const Options& options, int index) { return absl::StrCat(options.prefix, "-", 100000 + index); }

template <typename Client>
std::vector<std::unique_ptr<Client>> Connect(const std::string& address, int clients) {
  std::vector<std::unique_ptr<Client>> connected;
  for (int i = 0; i < clients; ++i) connected.push_back(std::make_unique<Client>(address));
  return connected;
}

// One call of a client on one pod.
template <typename Client>
using Call = void (Client::*)(const std::string&) const;

template <typename Client>
LoadResult RunCalls(const std::vector<std::unique_ptr<Client>>& clients, const Options& options, Call<Client> call) {
  return RunLoad(static_cast<int>(clients.size()), options.count, [&](int client, int index) {
    (*clients[static_cast<size_t>(client)].*call)(NumberedId(options, index));
  });
}

// Reads of one pod in turn with calls that do nothing: `count` of each in a round.
Json MeasureLatency(const Options& options) {
  const VcdClient vcd(options.vcd);
  const auto empty = benchmark::EmptyService::NewStub(ConnectTo(options.empty));
  std::unique_ptr<ContainerdClient> containerd;
  std::vector<std::pair<std::string, std::function<void()>>> calls = {
      {"empty",
       [&] {
         grpc::ClientContext context;
         benchmark::EmptyResponse response;
         RequireOk(empty->Call(&context, {}, &response), "EmptyService.Call", "");
       }},
      {"health", [&] { vcd.CheckHealth(); }},
      {"get", [&] { vcd.Get(options.id); }},
  };
  if (!options.containerd.empty()) {
    containerd = std::make_unique<ContainerdClient>(options.containerd);
    calls.emplace_back("containerd", [&] { containerd->Get(options.id); });
  }
  Json rounds = Json::array();
  // The first round warms up and is not kept.
  for (int round = 0; round <= options.rounds; ++round) {
    std::map<std::string, Samples> samples;
    for (int done = 0; done < options.count; done += options.block) {
      for (const auto& [name, call] : calls) {
        samples[name].Add(RunLoad(1, options.block, [&](int, int) { call(); }).samples);
      }
    }
    Json measured;
    for (const auto& [name, of_call] : samples) measured[name] = of_call.ToJson();
    if (round > 0) rounds.push_back(measured);
  }
  return {{"rounds", rounds}};
}

Json MeasureList(const Options& options) {
  const auto one = [](const std::function<int()>& list) -> Json {
    const absl::Time begin = absl::Now();
    const int records = list();
    return {{"records", records}, {"us_per_record", absl::ToDoubleMicroseconds(absl::Now() - begin) / records}};
  };
  const VcdClient vcd(options.vcd);
  std::unique_ptr<ContainerdClient> containerd;
  if (!options.containerd.empty()) containerd = std::make_unique<ContainerdClient>(options.containerd);
  Json rounds = Json::array();
  for (int round = 0; round <= options.rounds; ++round) {
    Json measured = {{"vcd", one([&] { return vcd.List(); })}};
    if (containerd != nullptr) measured["containerd"] = one([&] { return containerd->List(); });
    if (round > 0) rounds.push_back(measured);
  }
  return {{"rounds", rounds}};
}

// Durable creations one after the other and from `clients` at once, in turn; all are deleted again, untimed.
Json MeasureCreate(const Options& options) {
  const auto vcd = Connect<VcdClient>(options.vcd, options.clients);
  const auto vcd_one = Connect<VcdClient>(options.vcd, 1);
  std::vector<std::unique_ptr<ContainerdClient>> containerd;
  std::vector<std::unique_ptr<ContainerdClient>> containerd_one;
  if (!options.containerd.empty()) {
    containerd = Connect<ContainerdClient>(options.containerd, options.clients);
    containerd_one = Connect<ContainerdClient>(options.containerd, 1);
  }
  Options serial = options;
  serial.count = std::max(1, options.count / 8);
  Json rounds = Json::array();
  for (int round = 0; round <= options.rounds; ++round) {
    Json measured;
    measured["vcd_serial"] = RunCalls(vcd_one, serial, &VcdClient::Create).ToJson();
    RunCalls(vcd, serial, &VcdClient::Delete);
    if (!containerd.empty()) {
      measured["containerd_serial"] = RunCalls(containerd_one, serial, &ContainerdClient::Create).ToJson();
      RunCalls(containerd, serial, &ContainerdClient::Delete);
    }
    measured["vcd_many"] = RunCalls(vcd, options, &VcdClient::Create).ToJson();
    RunCalls(vcd, options, &VcdClient::Delete);
    if (!containerd.empty()) {
      measured["containerd_many"] = RunCalls(containerd, options, &ContainerdClient::Create).ToJson();
      RunCalls(containerd, options, &ContainerdClient::Delete);
    }
    if (round > 0) rounds.push_back(measured);
  }
  return {{"rounds", rounds}};
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// create, start, stop, delete: each client one pod after the other.
Json MeasureCycle(const Options& options) {
  const auto vcd = Connect<VcdClient>(options.vcd, options.clients);
  Json rounds = Json::array();
  for (int round = 0; round <= options.rounds; ++round) {
    const double cpu_before = CpuSeconds();
    const LoadResult result = RunLoad(options.clients, options.count, [&](int client, int index) {
      const VcdClient& pods = *vcd[static_cast<size_t>(client)];
      const std::string id = NumberedId(options, index);
      pods.Create(id);
      pods.Start(id);
      pods.Stop(id);
      pods.Delete(id);
    });
    Json measured = result.ToJson();
    measured["client_cpu_us_per_pod"] = (CpuSeconds() - cpu_before) * 1e6 / options.count;
    if (round > 0) rounds.push_back(measured);
  }
  return {{"rounds", rounds}};
}

// The same call for every id: to fill a daemon, to empty it, and for counting what one call costs it.
Json RepeatCall(const Options& options, const std::string& call) {
  if (call == "containerd-create") {
    return RunCalls(Connect<ContainerdClient>(options.containerd, options.clients), options, &ContainerdClient::Create)
        .ToJson();
  }
  const auto vcd = Connect<VcdClient>(options.vcd, options.clients);
  if (call == "create") return RunCalls(vcd, options, &VcdClient::Create).ToJson();
  if (call == "run") return RunCalls(vcd, options, &VcdClient::Run).ToJson();
  if (call == "start") return RunCalls(vcd, options, &VcdClient::Start).ToJson();
  if (call == "stop") return RunCalls(vcd, options, &VcdClient::Stop).ToJson();
  if (call == "delete") return RunCalls(vcd, options, &VcdClient::Delete).ToJson();
  if (call == "get") return RunCalls(vcd, options, &VcdClient::Get).ToJson();
  return RunLoad(1, options.count, [&](int, int) { vcd[0]->CheckHealth(); }).ToJson();
}

// Reads and durable changes of pods that are well, from a few clients at once.
Json MeasureNeighbours(const Options& options) {
  const auto vcd = Connect<VcdClient>(options.vcd, options.clients);
  const LoadResult reads = RunCalls(vcd, options, &VcdClient::Get);
  Options changes = options;
  changes.count = options.count / 4;
  const LoadResult writes = RunLoad(options.clients, changes.count, [&](int client, int index) {
    vcd[static_cast<size_t>(client)]->Annotate(NumberedId(options, index), absl::StrCat(index));
  });
  return {{"read", reads.ToJson()}, {"change", writes.ToJson()}};
}

// CLOCK_MONOTONIC, as Python's time.monotonic().
double MonotonicSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void AwaitListener(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  for (;;) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    close(fd);
    if (connected) return;
    usleep(200);
  }
}

// Waits for a daemon that is about to start: until it answers, and until `count` pods can be worked on.
Json AwaitRestart(const Options& options) {
  std::puts("waiting");
  std::fflush(stdout);
  Json times;
  AwaitListener(options.vcd.substr(std::string("unix:").size()));
  times["listening"] = MonotonicSeconds();
  const auto vcd = Connect<VcdClient>(options.vcd, options.clients);
  vcd[0]->CheckHealth();
  times["answered"] = MonotonicSeconds();
  times["listed"] = vcd[0]->List();
  RunCalls(vcd, options, &VcdClient::AwaitLock);
  times["reconciled"] = MonotonicSeconds();
  return times;
}

int Main(int argc, char** argv) {
  CLI::App app("puts load on a vcd and prints what it measured");
  Options options;
  app.require_subcommand(1);
  app.add_option("--vcd", options.vcd, "unix:PATH of vcd");
  app.add_option("--empty", options.empty, "unix:PATH of serve-empty");
  app.add_option("--containerd", options.containerd, "unix:PATH of containerd; none: not measured");
  app.add_option("--id", options.id, "pod to read");
  app.add_option("--prefix", options.prefix, "of the ids of pods");
  app.add_option("--count", options.count, "calls or pods, of each kind in each round");
  app.add_option("--clients", options.clients, "at once");
  app.add_option("--rounds", options.rounds, "after one that does not count");
  app.fallthrough();

  Json result;
  const auto add = [&](const char* name, Json (*measure)(const Options&)) {
    app.add_subcommand(name)->callback([&, measure] { result = measure(options); });
  };
  add("latency", MeasureLatency);
  add("list", MeasureList);
  add("create-rounds", MeasureCreate);
  add("cycle", MeasureCycle);
  add("neighbours", MeasureNeighbours);
  add("restart", AwaitRestart);
  for (const std::string call : {"create", "run", "start", "stop", "delete", "get", "health", "containerd-create"}) {
    app.add_subcommand(call)->callback([&, call] { result = RepeatCall(options, call); });
  }
  int exit_code = 0;
  app.add_subcommand("serve-empty")->callback([&] { exit_code = ServeEmpty(options.empty); });
  CLI11_PARSE(app, argc, argv);
  if (!result.is_null()) std::puts(result.dump().c_str());
  return exit_code;
}

}  // namespace
}  // namespace vcd

int main(int argc, char** argv) { return vcd::Main(argc, argv); }
