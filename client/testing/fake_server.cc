// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_server.h"

#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc/grpc.h"

namespace vcd::client {

FakeServer::FakeServer() {
  // Never given back: the shutdown of gRPC may take ten seconds after a large write, see
  // client/daemon/daemon_client.cc.
  grpc_init();
  if (::mkdtemp(directory_) == nullptr) std::abort();
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_path(), grpc::InsecureServerCredentials());
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &tcp_port_);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(&pods_);
  builder.RegisterService(&containers_);
  builder.RegisterService(&processes_);
  builder.RegisterService(&events_);
  builder.RegisterService(&system_);
  builder.RegisterService(&templates_);
  server_ = builder.BuildAndStart();
}

FakeServer::~FakeServer() {
  Stop();
  // TSan sees nothing of how gRPC waits for its handlers; the lock shows it that they came before.
  std::lock_guard<std::mutex> lock(state_.mutex);
  ::unlink(socket_path().c_str());
  ::rmdir(directory_);
}

std::string FakeServer::socket_path() const { return absl::StrCat(directory_, "/vcd.sock"); }

std::string FakeServer::tcp_address() const { return absl::StrCat("tcp://127.0.0.1:", tcp_port_); }

void FakeServer::Stop() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void FakeServer::AddPod(const v1::Pod& pod) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.pods[pod.id()] = pod;
}

void FakeServer::SetProcess(const FakeProcess& process) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.process = process;
}

void FakeServer::SetLogs(const std::vector<v1::ReadLogsResponse>& logs) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.logs = logs;
}

void FakeServer::SetTemplates(const std::vector<v1::Template>& templates) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.templates = templates;
}

void FakeServer::SetConsole(const std::string& text) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.console = text;
}

void FakeServer::SetArchive(const std::string& path, const std::string& archive) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.archives[path] = archive;
}

std::string FakeServer::written_archive() const {
  std::lock_guard<std::mutex> lock(state_.mutex);
  return state_.written_archive;
}

void FakeServer::SetEvents(const std::vector<v1::Event>& events) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.events = events;
}

void FakeServer::SetNotReleased(const std::vector<std::string>& kept) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.not_released = kept;
}

void FakeServer::SetCheck(const v1::CheckResponse& found) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.check = found;
}

void FakeServer::SetPodStats(const std::vector<v1::PodStats>& stats) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.pod_stats = stats;
}

void FakeServer::SetProcesses(const std::vector<v1::ProcessInfo>& processes) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.processes = processes;
}

void FakeServer::SetExecs(const std::vector<v1::ExecInfo>& execs) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.execs = execs;
}

void FakeServer::SetPageSize(int page_size) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.page_size = page_size;
}

void FakeServer::Fail(const std::string& method, const grpc::Status& status) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.failures[method] = status;
}

void FakeServer::Hang(const std::string& method) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.hanging.insert(method);
}

void FakeServer::OnCall(const std::string& method, std::function<void()> hook) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.hooks[method] = std::move(hook);
}

void FakeServer::EndProcesses(int signal) {
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.signal = signal;
  state_.changed.notify_all();
}

void FakeServer::AwaitCall(const std::string& method, const std::string& text) {
  std::unique_lock<std::mutex> lock(state_.mutex);
  const auto came = [&] {
    for (const std::string& call : state_.calls) {
      if (absl::StartsWith(call, method + " ") && absl::StrContains(call, text)) return true;
    }
    return false;
  };
  state_.changed.wait(lock, came);
}

std::vector<std::string> FakeServer::calls() const {
  std::lock_guard<std::mutex> lock(state_.mutex);
  return state_.calls;
}

std::vector<std::string> FakeServer::pod_ids() const {
  std::lock_guard<std::mutex> lock(state_.mutex);
  std::vector<std::string> ids;
  for (const auto& [id, pod] : state_.pods) ids.push_back(id);
  return ids;
}

v1::PodConfig FakeServer::last_config() const {
  std::lock_guard<std::mutex> lock(state_.mutex);
  return state_.last_config;
}

v1::ExecRequest FakeServer::last_exec() const {
  std::lock_guard<std::mutex> lock(state_.mutex);
  return state_.last_exec;
}

std::string FakeServer::stdin_bytes() const {
  std::lock_guard<std::mutex> lock(state_.mutex);
  return state_.stdin_bytes;
}

bool FakeServer::stdin_closed() const {
  std::lock_guard<std::mutex> lock(state_.mutex);
  return state_.stdin_closed;
}

}  // namespace vcd::client
