// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_DAEMON_DAEMON_CLIENT_H_
#define VCD_CLIENT_DAEMON_DAEMON_CLIENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/daemon/address.h"
#include "client/daemon/archive_stream.h"
#include "client/daemon/bidi_stream.h"
#include "proto/vcd/v1/container_service.pb.h"
#include "proto/vcd/v1/event_service.pb.h"
#include "proto/vcd/v1/pod_service.pb.h"
#include "proto/vcd/v1/process_service.pb.h"
#include "proto/vcd/v1/system_service.pb.h"
#include "proto/vcd/v1/template_service.pb.h"

namespace vcd::client {

// Ends a call from another thread. One call at a time; outlives it. Thread-safe.
class CallCanceller {
 public:
  CallCanceller();
  ~CallCanceller();
  // The call now under way, and each later one, ends with CANCELLED.
  void Cancel();

 private:
  friend class DaemonClient;
  struct State;
  std::unique_ptr<State> state_;
};

// How one call is made.
struct CallOptions {
  // Ends it early; may be null.
  CallCanceller* canceller = nullptr;
  // How long to wait for the answer; zero takes the client's own timeout. InfiniteDuration() waits for ever.
  absl::Duration timeout = absl::ZeroDuration();
};

// The daemon as calls. This alone knows gRPC's stubs. Every method blocks until the daemon answers or the timeout has
// passed; errors are what FromGrpcStatus and, when nobody is there, Probe say. Thread-safe.
class DaemonClient {
 public:
  // `timeout` bounds each unary call that does not say otherwise; InfiniteDuration() is no bound. Connects with the
  // first call.
  DaemonClient(const DaemonAddress& address, absl::Duration timeout);
  ~DaemonClient();

  absl::Duration timeout() const { return timeout_; }

  absl::Status CreatePod(const v1::CreatePodRequest& request, v1::CreatePodResponse* response,
                         CallOptions options = {});
  absl::Status StartPod(const v1::StartPodRequest& request, v1::StartPodResponse* response, CallOptions options = {});
  absl::Status RunPod(const v1::RunPodRequest& request, v1::RunPodResponse* response, CallOptions options = {});
  absl::Status StopPod(const v1::StopPodRequest& request, v1::StopPodResponse* response, CallOptions options = {});
  absl::Status PausePod(const v1::PausePodRequest& request, v1::PausePodResponse* response, CallOptions options = {});
  absl::Status ResumePod(const v1::ResumePodRequest& request, v1::ResumePodResponse* response,
                         CallOptions options = {});
  absl::Status CheckpointPod(const v1::CheckpointPodRequest& request, v1::CheckpointPodResponse* response,
                             CallOptions options = {});
  absl::Status RestorePod(const v1::RestorePodRequest& request, v1::RestorePodResponse* response,
                          CallOptions options = {});
  absl::Status DeletePod(const v1::DeletePodRequest& request, v1::DeletePodResponse* response,
                         CallOptions options = {});
  absl::Status GetPod(const v1::GetPodRequest& request, v1::GetPodResponse* response, CallOptions options = {});
  absl::Status ListPods(const v1::ListPodsRequest& request, v1::ListPodsResponse* response, CallOptions options = {});
  absl::Status GetPodAnnotation(const v1::GetPodAnnotationRequest& request, v1::GetPodAnnotationResponse* response,
                                CallOptions options = {});
  absl::Status UpdatePod(const v1::UpdatePodRequest& request, v1::UpdatePodResponse* response,
                         CallOptions options = {});
  absl::Status UpdatePodAnnotations(const v1::UpdatePodAnnotationsRequest& request,
                                    v1::UpdatePodAnnotationsResponse* response, CallOptions options = {});
  absl::Status AttachInterface(const v1::AttachInterfaceRequest& request, v1::AttachInterfaceResponse* response,
                               CallOptions options = {});
  absl::Status DetachInterface(const v1::DetachInterfaceRequest& request, v1::DetachInterfaceResponse* response,
                               CallOptions options = {});
  absl::Status CreateContainer(const v1::CreateContainerRequest& request, v1::CreateContainerResponse* response,
                               CallOptions options = {});
  absl::Status StartContainer(const v1::StartContainerRequest& request, v1::StartContainerResponse* response,
                              CallOptions options = {});
  absl::Status StopContainer(const v1::StopContainerRequest& request, v1::StopContainerResponse* response,
                             CallOptions options = {});
  absl::Status DeleteContainer(const v1::DeleteContainerRequest& request, v1::DeleteContainerResponse* response,
                               CallOptions options = {});
  absl::Status ListContainers(const v1::ListContainersRequest& request, v1::ListContainersResponse* response,
                              CallOptions options = {});
  absl::Status GetPodStats(const v1::GetPodStatsRequest& request, v1::GetPodStatsResponse* response,
                           CallOptions options = {});
  absl::Status UpdateContainer(const v1::UpdateContainerRequest& request, v1::UpdateContainerResponse* response,
                               CallOptions options = {});
  absl::Status ListProcesses(const v1::ListProcessesRequest& request, v1::ListProcessesResponse* response,
                             CallOptions options = {});
  absl::Status KillContainer(const v1::KillContainerRequest& request, v1::KillContainerResponse* response,
                             CallOptions options = {});
  absl::Status Exec(const v1::ExecRequest& request, v1::ExecResponse* response, CallOptions options = {});
  absl::Status ListExecs(const v1::ListExecsRequest& request, v1::ListExecsResponse* response,
                         CallOptions options = {});
  absl::Status Wait(const v1::WaitRequest& request, v1::WaitResponse* response, CallOptions options = {});
  absl::Status Signal(const v1::SignalRequest& request, v1::SignalResponse* response, CallOptions options = {});
  absl::Status ResizeTerminal(const v1::ResizeTerminalRequest& request, v1::ResizeTerminalResponse* response,
                              CallOptions options = {});
  absl::Status GetVersion(const v1::GetVersionRequest& request, v1::GetVersionResponse* response,
                          CallOptions options = {});
  absl::Status GetInfo(const v1::GetInfoRequest& request, v1::GetInfoResponse* response, CallOptions options = {});
  absl::Status Check(const v1::CheckRequest& request, v1::CheckResponse* response, CallOptions options = {});
  absl::Status ListTemplates(const v1::ListTemplatesRequest& request, v1::ListTemplatesResponse* response,
                             CallOptions options = {});
  absl::Status PrepareTemplate(const v1::PrepareTemplateRequest& request, v1::PrepareTemplateResponse* response,
                               CallOptions options = {});
  absl::Status DeleteTemplate(const v1::DeleteTemplateRequest& request, v1::DeleteTemplateResponse* response,
                              CallOptions options = {});

  // Call `on_item` for each message until the stream ends, or until it answers false, which is OK as well.
  absl::Status ReadLogs(const v1::ReadLogsRequest& request,
                        const std::function<bool(const v1::ReadLogsResponse&)>& on_item);
  absl::Status ReadConsole(const v1::ReadConsoleRequest& request,
                           const std::function<bool(const v1::ReadConsoleResponse&)>& on_item);
  absl::Status WatchEvents(const v1::WatchEventsRequest& request,
                           const std::function<bool(const v1::WatchEventsResponse&)>& on_item);

  // Files out of and into a container. They borrow the client.
  std::unique_ptr<ArchiveSource> ReadArchive(const v1::ReadArchiveRequest& request);
  std::unique_ptr<ArchiveSink> WriteArchive(const v1::WriteArchiveRequest::Start& start);

  // A stream that is not yet opened.
  std::unique_ptr<AttachStream> NewAttachStream();
  std::unique_ptr<PortForwardStream> NewPortForwardStream();

 private:
  struct Stubs;

  // Puts the cause and the next step in the place of gRPC's own words when nobody could be reached.
  absl::Status Explain(const absl::Status& status, absl::Duration timeout) const;
  template <typename Request, typename Response, typename Method>
  absl::Status Unary(Method method, const Request& request, Response* response, CallOptions options);
  template <typename Reader, typename Item>
  absl::Status Stream(Reader* reader, const std::function<void()>& cancel,
                      const std::function<bool(const Item&)>& on_item);

  const DaemonAddress address_;
  const absl::Duration timeout_;
  const std::unique_ptr<Stubs> stubs_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_DAEMON_DAEMON_CLIENT_H_
