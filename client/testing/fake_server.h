// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_SERVER_H_
#define VCD_CLIENT_TESTING_FAKE_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/testing/fake_container_service.h"
#include "client/testing/fake_event_service.h"
#include "client/testing/fake_pod_service.h"
#include "client/testing/fake_process_service.h"
#include "client/testing/fake_state.h"
#include "client/testing/fake_system_service.h"
#include "client/testing/fake_template_service.h"
#include "grpcpp/grpcpp.h"

namespace vcd::client {

// A daemon in the test's process, behind a real gRPC server on a Unix socket in a directory of its own and a free port.
// It keeps pods and moves them through their states, and can be told to fail, to hang and to tell the test of a call.
// Set it up before the first call that it should change. Thread-safe.
class FakeServer {
 public:
  FakeServer();
  // Ends all calls.
  ~FakeServer();

  std::string socket_path() const;
  // Where it is by TCP, which it is too: `tcp://127.0.0.1:PORT`.
  std::string tcp_address() const;
  // Stops serving and leaves the socket's path behind, as a crash does.
  void Stop();

  void AddPod(const v1::Pod& pod);
  void SetProcess(const FakeProcess& process);
  void SetLogs(const std::vector<v1::ReadLogsResponse>& logs);
  void SetConsole(const std::string& text);
  // What ReadArchive answers for a path, whose first entry must fit one header block; NOT_FOUND for all others.
  void SetArchive(const std::string& path, const std::string& archive);
  void SetEvents(const std::vector<v1::Event>& events);
  // What a deletion could not give back.
  void SetNotReleased(const std::vector<std::string>& kept);
  // What Check finds.
  void SetCheck(const v1::CheckResponse& found);
  // What ListTemplates answers, and DeleteTemplate takes away.
  void SetTemplates(const std::vector<v1::Template>& templates);
  // What the calls of GetPodStats answer, one after the other; the last again and again.
  void SetPodStats(const std::vector<v1::PodStats>& stats);
  void SetProcesses(const std::vector<v1::ProcessInfo>& processes);
  // What ListExecs answers.
  void SetExecs(const std::vector<v1::ExecInfo>& execs);
  // Pods in one page of ListPods.
  void SetPageSize(int page_size);

  // Calls of `method`, such as "StartPod", answer `status`.
  void Fail(const std::string& method, const grpc::Status& status);
  // Calls of `method` wait until they are cancelled, or the pod is deleted with force: then they are ABORTED.
  void Hang(const std::string& method);
  // Runs `hook` on a server thread at the start of each call of `method`.
  void OnCall(const std::string& method, std::function<void()> hook);

  // A signal from elsewhere for all processes.
  void EndProcesses(int signal);
  // Blocks until `method` was called with `text` in its request.
  void AwaitCall(const std::string& method, const std::string& text);

  // Every call so far: the method's name, a blank, the request as one line of text format.
  std::vector<std::string> calls() const;
  // Ids of the pods that are left.
  std::vector<std::string> pod_ids() const;
  // The last request of CreatePod or RunPod.
  v1::PodConfig last_config() const;
  // The last request of Exec.
  v1::ExecRequest last_exec() const;
  // What came by the last WriteArchive.
  std::string written_archive() const;
  // All that came on standard input.
  std::string stdin_bytes() const;
  // Whether the end of that did.
  bool stdin_closed() const;

 private:
  char directory_[32] = "/tmp/vcd-test-XXXXXX";
  FakeState state_;
  FakePodService pods_{&state_};
  FakeContainerService containers_{&state_};
  FakeProcessService processes_{&state_};
  FakeEventService events_{&state_};
  FakeSystemService system_{&state_};
  FakeTemplateService templates_{&state_};
  int tcp_port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_SERVER_H_
