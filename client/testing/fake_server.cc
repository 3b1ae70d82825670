// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_server.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc/grpc.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/container_service.grpc.pb.h"
#include "proto/vcd/v1/event_service.grpc.pb.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"
#include "proto/vcd/v1/system_service.grpc.pb.h"
#include "third_party/google/rpc/error.pb.h"

namespace vcd::client {

grpc::Status DaemonError(grpc::StatusCode code, const std::string& reason, const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("vcd");
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return grpc::Status(code, message, details.SerializeAsString());
}

// All services in one class would clash in nothing: their methods have different names.
class FakeServer::Daemon : public v1::PodService::Service,
                           public v1::ContainerService::Service,
                           public v1::ProcessService::Service,
                           public v1::EventService::Service,
                           public v1::SystemService::Service {
 public:
  Daemon() {
    // Never given back: the shutdown of gRPC may take ten seconds after a large write, see
    // client/daemon/daemon_client.cc.
    grpc_init();
    if (::mkdtemp(directory_) == nullptr) std::abort();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket_path(), grpc::InsecureServerCredentials());
    builder.SetMaxReceiveMessageSize(-1);
    builder.RegisterService(static_cast<v1::PodService::Service*>(this));
    builder.RegisterService(static_cast<v1::ContainerService::Service*>(this));
    builder.RegisterService(static_cast<v1::ProcessService::Service*>(this));
    builder.RegisterService(static_cast<v1::EventService::Service*>(this));
    builder.RegisterService(static_cast<v1::SystemService::Service*>(this));
    server_ = builder.BuildAndStart();
  }

  ~Daemon() override {
    Stop();
    // TSan sees nothing of how gRPC waits for its handlers; the lock shows it that they came before.
    std::lock_guard<std::mutex> lock(mutex_);
    ::unlink(socket_path().c_str());
    ::rmdir(directory_);
  }

  void Stop() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  std::string socket_path() const { return absl::StrCat(directory_, "/vcd.sock"); }

  grpc::Status CreatePod(grpc::ServerContext* context, const v1::CreatePodRequest* request,
                         v1::CreatePodResponse* response) override {
    return Create(context, "CreatePod", *request, v1::POD_STATE_READY, response->mutable_pod());
  }
  grpc::Status RunPod(grpc::ServerContext* context, const v1::RunPodRequest* request,
                      v1::RunPodResponse* response) override {
    return Create(context, "RunPod", *request, v1::POD_STATE_RUNNING, response->mutable_pod());
  }
  grpc::Status StartPod(grpc::ServerContext* context, const v1::StartPodRequest* request,
                        v1::StartPodResponse* response) override {
    return Move(context, "StartPod", *request, v1::POD_STATE_RUNNING, response->mutable_pod());
  }
  grpc::Status StopPod(grpc::ServerContext* context, const v1::StopPodRequest* request,
                       v1::StopPodResponse* response) override {
    response->set_existed(Has(request->pod_id()));
    if (!response->existed()) return Enter(context, "StopPod", *request);
    return Move(context, "StopPod", *request, v1::POD_STATE_STOPPED, response->mutable_pod());
  }
  grpc::Status PausePod(grpc::ServerContext* context, const v1::PausePodRequest* request,
                        v1::PausePodResponse* response) override {
    return Move(context, "PausePod", *request, v1::POD_STATE_PAUSED, response->mutable_pod());
  }
  grpc::Status ResumePod(grpc::ServerContext* context, const v1::ResumePodRequest* request,
                         v1::ResumePodResponse* response) override {
    return Move(context, "ResumePod", *request, v1::POD_STATE_RUNNING, response->mutable_pod());
  }

  grpc::Status DeletePod(grpc::ServerContext* context, const v1::DeletePodRequest* request,
                         v1::DeletePodResponse* response) override {
    if (grpc::Status status = Enter(context, "DeletePod", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    if (request->force()) preempted_.insert(request->pod_id());
    changed_.notify_all();
    response->set_existed(pods_.erase(request->pod_id()) != 0);
    *response->mutable_not_released() = {not_released_.begin(), not_released_.end()};
    return grpc::Status::OK;
  }

  grpc::Status GetPod(grpc::ServerContext* context, const v1::GetPodRequest* request,
                      v1::GetPodResponse* response) override {
    if (grpc::Status status = Enter(context, "GetPod", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = pods_.find(request->pod_id());
    if (found == pods_.end()) return NoPod(request->pod_id());
    *response->mutable_pod() = found->second;
    return grpc::Status::OK;
  }

  // The token of a page is the id that its first pod must be greater than.
  grpc::Status ListPods(grpc::ServerContext* context, const v1::ListPodsRequest* request,
                        v1::ListPodsResponse* response) override {
    if (grpc::Status status = Enter(context, "ListPods", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto pod = pods_.upper_bound(request->page_token()); pod != pods_.end(); ++pod) {
      if (response->pods_size() == page_size_) {
        response->set_next_page_token(response->pods(page_size_ - 1).id());
        break;
      }
      *response->add_pods() = pod->second;
    }
    return grpc::Status::OK;
  }

  grpc::Status GetPodAnnotation(grpc::ServerContext* context, const v1::GetPodAnnotationRequest* request,
                                v1::GetPodAnnotationResponse* response) override {
    if (grpc::Status status = Enter(context, "GetPodAnnotation", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto& annotations = pods_[request->pod_id()].config().annotations();
    const auto found = annotations.find(request->key());
    if (found == annotations.end()) {
      return DaemonError(grpc::StatusCode::NOT_FOUND, "ANNOTATION_NOT_FOUND", "has no such annotation");
    }
    response->set_value(found->second);
    return grpc::Status::OK;
  }

  grpc::Status UpdatePodAnnotations(grpc::ServerContext* context, const v1::UpdatePodAnnotationsRequest* request,
                                    v1::UpdatePodAnnotationsResponse*) override {
    return Enter(context, "UpdatePodAnnotations", *request);
  }

  grpc::Status CreateContainer(grpc::ServerContext* context, const v1::CreateContainerRequest* request,
                               v1::CreateContainerResponse* response) override {
    if (grpc::Status status = Enter(context, "CreateContainer", *request); !status.ok()) return status;
    response->mutable_container()->set_id(request->config().id().empty() ? "generated" : request->config().id());
    return grpc::Status::OK;
  }

  grpc::Status StartContainer(grpc::ServerContext* context, const v1::StartContainerRequest* request,
                              v1::StartContainerResponse*) override {
    return Enter(context, "StartContainer", *request);
  }

  grpc::Status StopContainer(grpc::ServerContext* context, const v1::StopContainerRequest* request,
                             v1::StopContainerResponse* response) override {
    response->set_existed(HasContainer(request->pod_id(), request->container_id()));
    return Enter(context, "StopContainer", *request);
  }

  grpc::Status DeleteContainer(grpc::ServerContext* context, const v1::DeleteContainerRequest* request,
                               v1::DeleteContainerResponse* response) override {
    response->set_existed(HasContainer(request->pod_id(), request->container_id()));
    return Enter(context, "DeleteContainer", *request);
  }

  grpc::Status ListContainers(grpc::ServerContext* context, const v1::ListContainersRequest* request,
                              v1::ListContainersResponse* response) override {
    if (grpc::Status status = Enter(context, "ListContainers", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = pods_.find(request->pod_id());
    if (found == pods_.end()) return NoPod(request->pod_id());
    *response->mutable_containers() = found->second.containers();
    return grpc::Status::OK;
  }

  grpc::Status GetPodStats(grpc::ServerContext* context, const v1::GetPodStatsRequest* request,
                           v1::GetPodStatsResponse* response) override {
    if (grpc::Status status = Enter(context, "GetPodStats", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    if (!pod_stats_.empty()) *response->mutable_stats() = pod_stats_.front();
    if (pod_stats_.size() > 1) pod_stats_.erase(pod_stats_.begin());
    return grpc::Status::OK;
  }
  grpc::Status ListProcesses(grpc::ServerContext* context, const v1::ListProcessesRequest* request,
                             v1::ListProcessesResponse* response) override {
    if (grpc::Status status = Enter(context, "ListProcesses", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    *response->mutable_processes() = {processes_.begin(), processes_.end()};
    return grpc::Status::OK;
  }
  grpc::Status UpdateContainer(grpc::ServerContext* context, const v1::UpdateContainerRequest* request,
                               v1::UpdateContainerResponse*) override {
    return Enter(context, "UpdateContainer", *request);
  }

  grpc::Status KillContainer(grpc::ServerContext* context, const v1::KillContainerRequest* request,
                             v1::KillContainerResponse*) override {
    return Enter(context, "KillContainer", *request);
  }

  grpc::Status Exec(grpc::ServerContext* context, const v1::ExecRequest* request, v1::ExecResponse* response) override {
    if (grpc::Status status = Enter(context, "Exec", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    last_exec_ = *request;
    response->set_process_id("exec-1");
    response->set_guest_pid(42);
    return grpc::Status::OK;
  }

  grpc::Status Attach(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>* stream) override {
    v1::AttachRequest request;
    if (!stream->Read(&request)) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no start");
    const v1::AttachRequest::Start start = request.start();
    if (grpc::Status status = Enter(context, "Attach", start); !status.ok()) return status;
    v1::AttachResponse response;
    response.set_attached(true);
    stream->Write(response);
    const FakeProcess process = process_now();
    const auto runs = [this, &start] {
      const auto pod = pods_.find(start.pod_id());
      return !start.process_id().empty() || (pod != pods_.end() && pod->second.state() == v1::POD_STATE_RUNNING);
    };
    if (!Until(context, start.pod_id(), runs)) return Aborted();
    for (const auto& [kind, bytes] : process.output) {
      if (kind == v1::OUTPUT_STREAM_STDERR) {
        response.set_stderr(bytes);
      } else {
        response.set_stdout(bytes);
      }
      if (!stream->Write(response)) return Aborted();
    }
    if (process.echoes_stdin && !Echo(stream)) return Aborted();
    v1::ExitStatus exit_status = process.exit_status;
    if (process.waits_for_signal) {
      const auto signalled = [this, &process] { return signal_ != 0 && !process.ignores_signals; };
      if (!Until(context, start.pod_id(), signalled)) return Aborted();
      std::lock_guard<std::mutex> lock(mutex_);
      exit_status.set_signal(signal_);
      exit_status.set_code(128 + signal_);
    }
    *response.mutable_exit_status() = exit_status;
    stream->Write(response);
    return grpc::Status::OK;
  }

  grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest* request, v1::WaitResponse* response) override {
    if (grpc::Status status = Enter(context, "Wait", *request); !status.ok()) return status;
    *response->mutable_exit_status() = process_now().exit_status;
    return grpc::Status::OK;
  }

  grpc::Status Signal(grpc::ServerContext* context, const v1::SignalRequest* request, v1::SignalResponse*) override {
    if (grpc::Status status = Enter(context, "Signal", *request); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    signal_ = request->signal();
    changed_.notify_all();
    return grpc::Status::OK;
  }

  grpc::Status ResizeTerminal(grpc::ServerContext* context, const v1::ResizeTerminalRequest* request,
                              v1::ResizeTerminalResponse*) override {
    return Enter(context, "ResizeTerminal", *request);
  }

  grpc::Status ReadLogs(grpc::ServerContext* context, const v1::ReadLogsRequest* request,
                        grpc::ServerWriter<v1::ReadLogsResponse>* writer) override {
    if (grpc::Status status = Enter(context, "ReadLogs", *request); !status.ok()) return status;
    std::vector<v1::ReadLogsResponse> logs;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      logs = logs_;
    }
    for (const auto& log : logs) {
      if (!writer->Write(log)) break;
    }
    return grpc::Status::OK;
  }

  grpc::Status ReadArchive(grpc::ServerContext* context, const v1::ReadArchiveRequest* request,
                           grpc::ServerWriter<v1::ReadArchiveResponse>* writer) override {
    if (grpc::Status status = Enter(context, "ReadArchive", *request); !status.ok()) return status;
    std::string archive;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const auto found = archives_.find(request->path());
      if (found == archives_.end()) {
        return DaemonError(grpc::StatusCode::NOT_FOUND, "PATH_NOT_FOUND",
                           request->path() + ": No such file or directory");
      }
      archive = request->stat_only() ? found->second.substr(0, 512) + std::string(1024, '\0') : found->second;
    }
    for (size_t at = 0; at < archive.size(); at += 1000) {
      v1::ReadArchiveResponse response;
      response.set_data(archive.substr(at, 1000));
      if (!writer->Write(response)) break;
    }
    return grpc::Status::OK;
  }

  grpc::Status WriteArchive(grpc::ServerContext* context, grpc::ServerReader<v1::WriteArchiveRequest>* reader,
                            v1::WriteArchiveResponse*) override {
    v1::WriteArchiveRequest request;
    reader->Read(&request);
    if (grpc::Status status = Enter(context, "WriteArchive", request.start()); !status.ok()) return status;
    std::string archive;
    while (reader->Read(&request)) archive += request.data();
    std::lock_guard<std::mutex> lock(mutex_);
    written_archive_ = archive;
    return grpc::Status::OK;
  }

  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* request,
                           grpc::ServerWriter<v1::WatchEventsResponse>* writer) override {
    if (grpc::Status status = Enter(context, "WatchEvents", *request); !status.ok()) return status;
    std::vector<v1::Event> events;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      events = events_;
    }
    for (const auto& event : events) {
      v1::WatchEventsResponse response;
      *response.mutable_event() = event;
      if (!writer->Write(response)) break;
    }
    return grpc::Status::OK;
  }

  grpc::Status GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                          v1::GetVersionResponse* response) override {
    if (grpc::Status status = Enter(context, "GetVersion", *request); !status.ok()) return status;
    response->set_version("9.8.7");
    response->set_api_version("v1");
    return grpc::Status::OK;
  }

  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request,
                       v1::GetInfoResponse* response) override {
    if (grpc::Status status = Enter(context, "GetInfo", *request); !status.ok()) return status;
    auto* backend = response->add_backends();
    backend->set_kind("hypervisor");
    backend->set_name("qemu");
    backend->set_is_default(true);
    backend->add_capabilities("pause");
    response->mutable_accelerator()->set_name("tcg");
    response->mutable_accelerator()->set_reason("no /dev/kvm");
    response->set_pods(3);
    response->set_state_dir("/var/lib/vcd");
    return grpc::Status::OK;
  }

 private:
  friend class FakeServer;

  bool Has(const std::string& id) {
    std::lock_guard<std::mutex> lock(mutex_);
    return pods_.count(id) != 0;
  }

  bool HasContainer(const std::string& pod_id, const std::string& id) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto& containers = pods_[pod_id].containers();
    return std::any_of(containers.begin(), containers.end(),
                       [&id](const v1::Container& container) { return container.id() == id; });
  }

  static grpc::Status NoPod(const std::string& id) {
    return DaemonError(grpc::StatusCode::NOT_FOUND, "POD_NOT_FOUND",
                       absl::StrCat("no pod \"", id, "\"; vc ps -a lists those that exist"));
  }
  static grpc::Status Aborted() {
    return DaemonError(grpc::StatusCode::ABORTED, "PREEMPTED", "a forced operation came before");
  }

  // What every call begins with: note it, tell the test, fail or hang when that was asked for.
  grpc::Status Enter(grpc::ServerContext* context, const std::string& method, const google::protobuf::Message& request,
                     const std::string& pod_id = "") {
    std::function<void()> hook;
    grpc::Status failure;
    bool hangs;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      calls_.push_back(absl::StrCat(method, " ", request.ShortDebugString()));
      changed_.notify_all();
      if (const auto found = hooks_.find(method); found != hooks_.end()) hook = found->second;
      if (const auto found = failures_.find(method); found != failures_.end()) failure = found->second;
      hangs = hanging_.count(method) > 0;
    }
    if (hook) hook();
    if (hangs) {
      Until(context, pod_id, [] { return false; });
      return Aborted();
    }
    return failure;
  }

  // Waits for `condition`, looked at with the lock held; false when the call was cancelled or the pod force-deleted.
  bool Until(grpc::ServerContext* context, const std::string& pod_id, const std::function<bool()>& condition) {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!condition()) {
      // A synchronous handler learns of a cancellation only by asking.
      if (context->IsCancelled() || preempted_.count(pod_id) > 0) return false;
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    return true;
  }

  template <typename Request>
  grpc::Status Create(grpc::ServerContext* context, const std::string& method, const Request& request,
                      v1::PodState state, v1::Pod* answer) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      last_config_ = request.config();
    }
    if (grpc::Status status = Enter(context, method, request, request.config().id()); !status.ok()) return status;
    v1::Pod pod;
    pod.set_id(request.config().id().empty() ? "generated" : request.config().id());
    pod.set_state(state);
    for (const auto& config : request.config().containers()) {
      v1::Container* container = pod.add_containers();
      container->set_id(config.id());
      container->set_state(v1::CONTAINER_STATE_READY);
      *container->mutable_config() = config;
    }
    *pod.mutable_config() = request.config();
    pod.mutable_config()->clear_containers();  // Each carries its own.
    std::lock_guard<std::mutex> lock(mutex_);
    if (!pods_.emplace(pod.id(), pod).second) {
      return DaemonError(grpc::StatusCode::ALREADY_EXISTS, "POD_EXISTS", absl::StrCat("pod \"", pod.id(), "\" exists"));
    }
    *answer = pod;
    return grpc::Status::OK;
  }

  template <typename Request>
  grpc::Status Move(grpc::ServerContext* context, const std::string& method, const Request& request, v1::PodState state,
                    v1::Pod* answer) {
    if (grpc::Status status = Enter(context, method, request, request.pod_id()); !status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = pods_.find(request.pod_id());
    if (found == pods_.end()) return NoPod(request.pod_id());
    found->second.set_state(state);
    *answer = found->second;
    changed_.notify_all();
    return grpc::Status::OK;
  }

  bool Echo(grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>* stream) {
    v1::AttachRequest request;
    while (stream->Read(&request)) {
      if (request.has_close_stdin()) return true;
      v1::AttachResponse response;
      response.set_stdout(request.stdin());
      {
        std::lock_guard<std::mutex> lock(mutex_);
        stdin_bytes_ += request.stdin();
      }
      if (!stream->Write(response)) return false;
    }
    return false;
  }

  FakeProcess process_now() {
    std::lock_guard<std::mutex> lock(mutex_);
    return process_;
  }

  char directory_[32] = "/tmp/vcd-test-XXXXXX";
  std::unique_ptr<grpc::Server> server_;

  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::map<std::string, v1::Pod> pods_;
  FakeProcess process_;
  std::vector<v1::ReadLogsResponse> logs_;
  std::map<std::string, std::string> archives_;
  std::string written_archive_;
  std::vector<v1::Event> events_;
  std::vector<std::string> not_released_;
  std::vector<v1::PodStats> pod_stats_;
  std::vector<v1::ProcessInfo> processes_;
  int page_size_ = 1000;
  std::map<std::string, grpc::Status> failures_;
  std::set<std::string> hanging_;
  std::map<std::string, std::function<void()>> hooks_;
  std::vector<std::string> calls_;
  std::set<std::string> preempted_;
  v1::PodConfig last_config_;
  v1::ExecRequest last_exec_;
  std::string stdin_bytes_;
  int signal_ = 0;
};

FakeServer::FakeServer() : daemon_(std::make_unique<Daemon>()) {}
FakeServer::~FakeServer() = default;

std::string FakeServer::socket_path() const { return daemon_->socket_path(); }

void FakeServer::Stop() { daemon_->Stop(); }

void FakeServer::AddPod(const v1::Pod& pod) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->pods_[pod.id()] = pod;
}

void FakeServer::SetProcess(const FakeProcess& process) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->process_ = process;
}

void FakeServer::SetLogs(const std::vector<v1::ReadLogsResponse>& logs) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->logs_ = logs;
}

void FakeServer::SetArchive(const std::string& path, const std::string& archive) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->archives_[path] = archive;
}

std::string FakeServer::written_archive() const {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  return daemon_->written_archive_;
}

void FakeServer::SetEvents(const std::vector<v1::Event>& events) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->events_ = events;
}

void FakeServer::SetNotReleased(const std::vector<std::string>& kept) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->not_released_ = kept;
}

void FakeServer::SetPodStats(const std::vector<v1::PodStats>& stats) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->pod_stats_ = stats;
}

void FakeServer::SetProcesses(const std::vector<v1::ProcessInfo>& processes) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->processes_ = processes;
}

void FakeServer::SetPageSize(int page_size) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->page_size_ = page_size;
}

void FakeServer::Fail(const std::string& method, const grpc::Status& status) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->failures_[method] = status;
}

void FakeServer::Hang(const std::string& method) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->hanging_.insert(method);
}

void FakeServer::OnCall(const std::string& method, std::function<void()> hook) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->hooks_[method] = std::move(hook);
}

void FakeServer::EndProcesses(int signal) {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  daemon_->signal_ = signal;
  daemon_->changed_.notify_all();
}

void FakeServer::AwaitCall(const std::string& method, const std::string& text) {
  std::unique_lock<std::mutex> lock(daemon_->mutex_);
  const auto came = [&] {
    for (const std::string& call : daemon_->calls_) {
      if (absl::StartsWith(call, method + " ") && absl::StrContains(call, text)) return true;
    }
    return false;
  };
  daemon_->changed_.wait(lock, came);
}

std::vector<std::string> FakeServer::calls() const {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  return daemon_->calls_;
}

std::vector<std::string> FakeServer::pod_ids() const {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, pod] : daemon_->pods_) ids.push_back(id);
  return ids;
}

v1::PodConfig FakeServer::last_config() const {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  return daemon_->last_config_;
}

v1::ExecRequest FakeServer::last_exec() const {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  return daemon_->last_exec_;
}

std::string FakeServer::stdin_bytes() const {
  std::lock_guard<std::mutex> lock(daemon_->mutex_);
  return daemon_->stdin_bytes_;
}

}  // namespace vcd::client
