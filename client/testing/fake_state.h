// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_STATE_H_
#define VCD_CLIENT_TESTING_FAKE_STATE_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/event.pb.h"
#include "proto/vcd/v1/pod.pb.h"
#include "proto/vcd/v1/process.pb.h"
#include "proto/vcd/v1/process_service.pb.h"
#include "proto/vcd/v1/stats.pb.h"
#include "proto/vcd/v1/system_service.pb.h"
#include "proto/vcd/v1/template_service.pb.h"

namespace vcd::client {

// What every process of the fake daemon does.
struct FakeProcess {
  // Printed in this order once it runs.
  std::vector<std::pair<v1::OutputStream, std::string>> output;
  // Then it sends its standard input back until that is closed …
  bool echoes_stdin = false;
  // … and then waits for a signal, which ends it, unless it ignores them.
  bool waits_for_signal = false;
  bool ignores_signals = false;
  v1::ExitStatus exit_status;
};

// A status as the daemon sends it, with an ErrorInfo of domain `vcd`.
grpc::Status DaemonError(grpc::StatusCode code, const std::string& reason, const std::string& message);

// What the daemon says of a pod that it has not, and of a call that a forced one ended.
grpc::Status NoPod(const std::string& id);
grpc::Status Aborted();

// What the services of FakeServer share: what the test has set up, what was called, and how every call begins.
struct FakeState {
  // What every call begins with: note it, tell the test, fail or hang when that was asked for.
  grpc::Status Enter(grpc::ServerContext* context, const std::string& method, const google::protobuf::Message& request,
                     const std::string& pod_id = "");
  // Waits for `condition`, looked at with the lock held; false when the call was cancelled or the pod force-deleted.
  bool Until(grpc::ServerContext* context, const std::string& pod_id, const std::function<bool()>& condition);
  bool Has(const std::string& id);
  bool HasContainer(const std::string& pod_id, const std::string& id);
  FakeProcess process_now();

  mutable std::mutex mutex;  // Guards all below.
  std::condition_variable changed;
  std::map<std::string, v1::Pod> pods;
  FakeProcess process;
  std::vector<v1::ReadLogsResponse> logs;
  std::string console;
  std::map<std::string, std::string> archives;
  std::string written_archive;
  std::vector<v1::Event> events;
  std::vector<std::string> not_released;
  v1::CheckResponse check;
  std::vector<v1::Template> templates;
  std::vector<v1::PodStats> pod_stats;
  std::vector<v1::ProcessInfo> processes;
  std::vector<v1::ExecInfo> execs;
  int page_size = 1000;
  std::map<std::string, grpc::Status> failures;
  std::set<std::string> hanging;
  std::map<std::string, std::function<void()>> hooks;
  std::vector<std::string> calls;
  std::set<std::string> preempted;
  v1::PodConfig last_config;
  v1::ExecRequest last_exec;
  std::string stdin_bytes;
  bool stdin_closed = false;
  int signal = 0;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_STATE_H_
