// SPDX-License-Identifier: Apache-2.0
#include "client/daemon/daemon_client.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/daemon/address.h"
#include "client/daemon/rpc_error.h"
#include "grpc/grpc.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/security/credentials.h"
#include "proto/vcd/v1/container_service.grpc.pb.h"
#include "proto/vcd/v1/event_service.grpc.pb.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"
#include "proto/vcd/v1/system_service.grpc.pb.h"
#include "proto/vcd/v1/template_service.grpc.pb.h"

namespace vcd::client {
namespace {

std::shared_ptr<grpc::Channel> NewChannel(const DaemonAddress& address) {
  // gRPC shuts down with the last object that uses it, and after a large write that may take ten seconds: it joins a
  // thread that polls for so long (gRPC 1.51, the backup poller of tcp_posix.cc). With a reference that is never given
  // back it does not. Here and not in main, as it starts threads, and signals have to be blocked before.
  grpc_init();
  grpc::ChannelArguments arguments;
  // A page of pods or a burst of output may be larger than gRPC's 4 MiB.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  // What the environment says of proxies is of ways to other hosts.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address.Target(), grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct CallCanceller::State {
  std::mutex mutex;
  bool cancelled = false;
  grpc::ClientContext* context = nullptr;  // Of the call under way.

  void Enter(grpc::ClientContext* entered) {
    std::lock_guard<std::mutex> lock(mutex);
    context = entered;
    // Allowed before the call starts: it then ends as soon as it does.
    if (cancelled) context->TryCancel();
  }
  void Leave() {
    std::lock_guard<std::mutex> lock(mutex);
    context = nullptr;
  }
};

CallCanceller::CallCanceller() : state_(std::make_unique<State>()) {}
CallCanceller::~CallCanceller() = default;

void CallCanceller::Cancel() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->cancelled = true;
  if (state_->context != nullptr) state_->context->TryCancel();
}

struct DaemonClient::Stubs {
  explicit Stubs(std::shared_ptr<grpc::Channel> channel)
      : pod(channel), container(channel), process(channel), event(channel), system(channel), templates(channel) {}
  v1::PodService::Stub pod;
  v1::ContainerService::Stub container;
  v1::ProcessService::Stub process;
  v1::EventService::Stub event;
  v1::SystemService::Stub system;
  v1::TemplateService::Stub templates;
};

DaemonClient::DaemonClient(const DaemonAddress& address, absl::Duration timeout)
    : address_(address), timeout_(timeout), stubs_(std::make_unique<Stubs>(NewChannel(address))) {}
DaemonClient::~DaemonClient() = default;

absl::Status DaemonClient::Explain(const absl::Status& status, absl::Duration timeout) const {
  if (SaidByDaemon(status)) return status;
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return absl::DeadlineExceededError(absl::StrCat("vcd at ", address_.Name(), " did not answer within ",
                                                    absl::FormatDuration(timeout),
                                                    "; give it longer with --timeout, or look at its log"));
  }
  if (status.code() != absl::StatusCode::kUnavailable) return status;
  absl::Status probe = Probe(address_);
  if (!probe.ok()) return probe;
  return absl::UnavailableError(absl::StrCat("lost the connection to vcd at ", address_.Name(), ": ",
                                             std::string(status.message()),
                                             "; try again, and look at vcd's log if it stays so"));
}

template <typename Request, typename Response, typename Method>
absl::Status DaemonClient::Unary(Method method, const Request& request, Response* response, CallOptions options) {
  const absl::Duration timeout = options.timeout == absl::ZeroDuration() ? timeout_ : options.timeout;
  grpc::ClientContext context;
  if (timeout != absl::InfiniteDuration()) {
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  }
  if (options.canceller != nullptr) options.canceller->state_->Enter(&context);
  const grpc::Status status = method(&context, request, response);
  if (options.canceller != nullptr) options.canceller->state_->Leave();
  return Explain(FromGrpcStatus(status), timeout);
}

// A stub's method as a function, for Unary.
#define VCD_UNARY(service, Method)                                                                      \
  absl::Status DaemonClient::Method(const v1::Method##Request& request, v1::Method##Response* response, \
                                    CallOptions options) {                                              \
    return Unary([this](auto* context, const auto& sent,                                                \
                        auto* received) { return stubs_->service.Method(context, sent, received); },    \
                 request, response, options);                                                           \
  }

VCD_UNARY(pod, CreatePod)
VCD_UNARY(pod, StartPod)
VCD_UNARY(pod, RunPod)
VCD_UNARY(pod, StopPod)
VCD_UNARY(pod, PausePod)
VCD_UNARY(pod, ResumePod)
VCD_UNARY(pod, CheckpointPod)
VCD_UNARY(pod, RestorePod)
VCD_UNARY(pod, DeletePod)
VCD_UNARY(pod, GetPod)
VCD_UNARY(pod, ListPods)
VCD_UNARY(pod, GetPodAnnotation)
VCD_UNARY(pod, UpdatePod)
VCD_UNARY(pod, UpdatePodAnnotations)
VCD_UNARY(pod, AttachInterface)
VCD_UNARY(pod, DetachInterface)
VCD_UNARY(container, CreateContainer)
VCD_UNARY(container, StartContainer)
VCD_UNARY(container, StopContainer)
VCD_UNARY(container, DeleteContainer)
VCD_UNARY(container, ListContainers)
VCD_UNARY(pod, GetPodStats)
VCD_UNARY(container, UpdateContainer)
VCD_UNARY(container, ListProcesses)
VCD_UNARY(container, KillContainer)
VCD_UNARY(process, Exec)
VCD_UNARY(process, ListExecs)
VCD_UNARY(process, Wait)
VCD_UNARY(process, Signal)
VCD_UNARY(process, ResizeTerminal)
VCD_UNARY(system, GetVersion)
VCD_UNARY(system, GetInfo)
VCD_UNARY(system, Check)
VCD_UNARY(templates, ListTemplates)
VCD_UNARY(templates, PrepareTemplate)
VCD_UNARY(templates, DeleteTemplate)

#undef VCD_UNARY

template <typename Reader, typename Item>
absl::Status DaemonClient::Stream(Reader* reader, const std::function<void()>& cancel,
                                  const std::function<bool(const Item&)>& on_item) {
  Item item;
  bool wanted = true;
  while (wanted && reader->Read(&item)) wanted = on_item(item);
  if (!wanted) {
    cancel();
    reader->Finish();
    return absl::OkStatus();
  }
  return Explain(FromGrpcStatus(reader->Finish()), absl::InfiniteDuration());
}

absl::Status DaemonClient::ReadLogs(const v1::ReadLogsRequest& request,
                                    const std::function<bool(const v1::ReadLogsResponse&)>& on_item) {
  grpc::ClientContext context;
  auto reader = stubs_->process.ReadLogs(&context, request);
  return Stream(
      reader.get(), [&] { context.TryCancel(); }, on_item);
}

absl::Status DaemonClient::ReadConsole(const v1::ReadConsoleRequest& request,
                                       const std::function<bool(const v1::ReadConsoleResponse&)>& on_item) {
  grpc::ClientContext context;
  auto reader = stubs_->pod.ReadConsole(&context, request);
  return Stream(
      reader.get(), [&] { context.TryCancel(); }, on_item);
}

absl::Status DaemonClient::WatchEvents(const v1::WatchEventsRequest& request,
                                       const std::function<bool(const v1::WatchEventsResponse&)>& on_item) {
  grpc::ClientContext context;
  auto reader = stubs_->event.WatchEvents(&context, request);
  return Stream(
      reader.get(), [&] { context.TryCancel(); }, on_item);
}

namespace {

template <typename Request, typename Response>
class GrpcBidiStream : public BidiStream<Request, Response> {
 public:
  using Grpc = grpc::ClientReaderWriter<Request, Response>;

  GrpcBidiStream(std::function<std::unique_ptr<Grpc>(grpc::ClientContext*)> open,
                 std::function<absl::Status(const absl::Status&)> explain)
      : open_(std::move(open)), explain_(std::move(explain)) {}

  void Open(const Request& first) override {
    stream_ = open_(&context_);
    stream_->Write(first);  // When it fails, so does the first Read.
  }
  bool Read(Response* response) override { return stream_->Read(response); }
  bool Write(const Request& request) override { return stream_->Write(request); }
  void Cancel() override { context_.TryCancel(); }
  absl::Status Finish() override { return explain_(FromGrpcStatus(stream_->Finish())); }

 private:
  const std::function<std::unique_ptr<Grpc>(grpc::ClientContext*)> open_;
  const std::function<absl::Status(const absl::Status&)> explain_;
  grpc::ClientContext context_;
  std::unique_ptr<Grpc> stream_;
};

class GrpcArchiveSource : public ArchiveSource {
 public:
  using Explain = std::function<absl::Status(const absl::Status&)>;

  GrpcArchiveSource(v1::ContainerService::Stub* stub, const v1::ReadArchiveRequest& request, Explain explain)
      : explain_(std::move(explain)), reader_(stub->ReadArchive(&context_, request)) {}
  ~GrpcArchiveSource() override {
    if (finished_) return;
    context_.TryCancel();
    reader_->Finish();
  }

  bool Read(std::string* data) override {
    if (!reader_->Read(&response_)) return false;
    *data = std::move(*response_.mutable_data());
    return true;
  }
  absl::Status Finish() override {
    if (!std::exchange(finished_, true)) status_ = explain_(FromGrpcStatus(reader_->Finish()));
    return status_;
  }

 private:
  const Explain explain_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReader<v1::ReadArchiveResponse>> reader_;
  v1::ReadArchiveResponse response_;
  bool finished_ = false;
  absl::Status status_;
};

class GrpcArchiveSink : public ArchiveSink {
 public:
  using Explain = std::function<absl::Status(const absl::Status&)>;

  GrpcArchiveSink(v1::ContainerService::Stub* stub, const v1::WriteArchiveRequest::Start& start, Explain explain)
      : explain_(std::move(explain)), writer_(stub->WriteArchive(&context_, &response_)) {
    v1::WriteArchiveRequest request;
    *request.mutable_start() = start;
    writer_->Write(request);  // When it fails, so does the next.
  }
  ~GrpcArchiveSink() override {
    if (finished_) return;
    context_.TryCancel();
    writer_->Finish();
  }

  bool Write(std::string data) override {
    v1::WriteArchiveRequest request;
    request.set_data(std::move(data));
    return writer_->Write(request);
  }
  absl::Status Finish() override {
    finished_ = true;
    writer_->WritesDone();
    return explain_(FromGrpcStatus(writer_->Finish()));
  }

 private:
  const Explain explain_;
  grpc::ClientContext context_;
  v1::WriteArchiveResponse response_;
  const std::unique_ptr<grpc::ClientWriter<v1::WriteArchiveRequest>> writer_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<ArchiveSource> DaemonClient::ReadArchive(const v1::ReadArchiveRequest& request) {
  return std::make_unique<GrpcArchiveSource>(&stubs_->container, request, [this](const absl::Status& status) {
    return Explain(status, absl::InfiniteDuration());
  });
}

std::unique_ptr<ArchiveSink> DaemonClient::WriteArchive(const v1::WriteArchiveRequest::Start& start) {
  return std::make_unique<GrpcArchiveSink>(&stubs_->container, start, [this](const absl::Status& status) {
    return Explain(status, absl::InfiniteDuration());
  });
}

std::unique_ptr<AttachStream> DaemonClient::NewAttachStream() {
  return std::make_unique<GrpcBidiStream<v1::AttachRequest, v1::AttachResponse>>(
      [this](grpc::ClientContext* context) { return stubs_->process.Attach(context); },
      [this](const absl::Status& status) { return Explain(status, absl::InfiniteDuration()); });
}

std::unique_ptr<PortForwardStream> DaemonClient::NewPortForwardStream() {
  return std::make_unique<GrpcBidiStream<v1::PortForwardRequest, v1::PortForwardResponse>>(
      [this](grpc::ClientContext* context) { return stubs_->process.PortForward(context); },
      [this](const absl::Status& status) { return Explain(status, absl::InfiniteDuration()); });
}

}  // namespace vcd::client
