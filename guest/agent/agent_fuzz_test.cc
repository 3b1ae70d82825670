// SPDX-License-Identifier: Apache-2.0
// The agent, fed with what may come out of its port. What would touch this machine is taken out of the messages on
// their way from the link to the agent; programs are `cat`, or do not exist.
#include <google/protobuf/stubs/logging.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>

#include "core/link/frame_codec.h"
#include "core/link/link_limits.h"
#include "core/os/unique_fd.h"
#include "guest/agent/agent.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/link_server.h"
#include "guest/agent/reaper.h"
#include "test/fuzz/fuzz_target.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::HostMessage;

constexpr int kMostLaunches = 3;

void Check(bool good) {
  if (!good) std::abort();
}

// Whether the agent may hear it; changes it so that it may.
bool MakeHarmless(HostMessage* message, int* launches) {
  const auto harmless = [&](const Command& command) {
    Command result;
    if (!command.args().empty()) result.add_args(command.args(0) == "cat" ? "cat" : "no-such-program");
    result.set_interactive(command.interactive());
    result.set_discard_output(command.discard_output());
    return result;
  };
  if (message->has_create_container()) {
    ::vcd::agent::v1::CreateContainer create;
    create.set_container_id(message->create_container().container_id());
    create.mutable_rootfs()->set_directory("/");
    *create.mutable_command() = harmless(message->create_container().command());
    message->mutable_create_container()->Swap(&create);
    return ++*launches <= kMostLaunches;
  }
  if (message->has_exec()) {
    ::vcd::agent::v1::Exec exec;
    exec.set_container_id(message->exec().container_id());
    exec.set_process_id(message->exec().process_id());
    *exec.mutable_command() = harmless(message->exec().command());
    message->mutable_exec()->Swap(&exec);
    return ++*launches <= kMostLaunches;
  }
  // Control groups are not the tests' to change.
  return !message->has_update_resources();
}

// Says the next thing whenever the agent has nothing to do. A program that is launched gets its time to start.
class Host {
 public:
  Host(UniqueFd socket, std::vector<std::string> steps, const int* launches)
      : socket_(std::move(socket)), steps_(std::move(steps)), launches_(launches) {}

  // False when all is said.
  bool Go() {
    char ignored[64 << 10];
    while (::recv(socket_.get(), ignored, sizeof(ignored), MSG_DONTWAIT) > 0) heard_launches_ = *launches_;
    if (*launches_ != heard_launches_ && std::chrono::steady_clock::now() < patience_) return true;
    heard_launches_ = *launches_;
    if (next_ == steps_.size()) {
      ::shutdown(socket_.get(), SHUT_WR);
      return false;
    }
    // More than the socket takes at once is cut, which is a fault like others.
    (void)!::send(socket_.get(), steps_[next_].data(), steps_[next_].size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ++next_;
    patience_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    return true;
  }

 private:
  const UniqueFd socket_;
  const std::vector<std::string> steps_;
  const int* const launches_;
  int heard_launches_ = 0;
  size_t next_ = 0;
  std::chrono::steady_clock::time_point patience_;
};

HostMessage Hello(uint64_t window = 0) {
  HostMessage message;
  message.set_request_id(1);
  message.mutable_hello()->set_nonce("0123456789abcdef");
  message.mutable_hello()->set_protocol_version(kProtocolVersion);
  message.mutable_hello()->set_output_window(window);
  return message;
}

HostMessage Create(const std::string& program) {
  HostMessage message;
  message.set_request_id(2);
  message.mutable_create_container()->set_container_id("c1");
  message.mutable_create_container()->mutable_command()->add_args(program);
  message.mutable_create_container()->mutable_command()->set_interactive(true);
  return message;
}

HostMessage Start() {
  HostMessage message;
  message.set_request_id(3);
  message.mutable_start_container()->set_container_id("c1");
  return message;
}

HostMessage Exec() {
  HostMessage message;
  message.set_request_id(4);
  message.mutable_exec()->set_container_id("c1");
  message.mutable_exec()->set_process_id("p1");
  message.mutable_exec()->mutable_command()->add_args("no-such-program");
  return message;
}

HostMessage Input(uint64_t offset, const std::string& data, bool close) {
  HostMessage message;
  message.mutable_input()->set_container_id("c1");
  message.mutable_input()->set_offset(offset);
  message.mutable_input()->set_data(data);
  message.mutable_input()->set_close(close);
  return message;
}

HostMessage Signal(int signal) {
  HostMessage message;
  message.set_request_id(5);
  message.mutable_signal()->set_container_id("c1");
  message.mutable_signal()->set_signal(signal);
  return message;
}

HostMessage Ack(uint64_t offset) {
  HostMessage message;
  message.mutable_output_ack()->set_container_id("c1");
  message.mutable_output_ack()->set_stream(::vcd::agent::v1::STREAM_STDOUT);
  message.mutable_output_ack()->set_offset(offset);
  return message;
}

HostMessage Request(void (*fill)(HostMessage*)) {
  HostMessage message;
  message.set_request_id(6);
  fill(&message);
  return message;
}

std::string Script(const std::vector<HostMessage>& messages) {
  std::string script;
  for (const HostMessage& message : messages) AddFrameStep(message.SerializeAsString(), &script);
  return script;
}

}  // namespace
}  // namespace vcd::guest

std::vector<std::string> FuzzSeeds() {
  using namespace vcd::guest;  // NOLINT: the messages above.
  std::string cut;
  vcd::AddRawStep(vcd::EncodeFrame(Start().SerializeAsString()).substr(0, 4), &cut);
  vcd::AddRawStep(std::string(2, '\0'), &cut);
  return {
      Script({Hello(), Create("cat"), Start(), Input(0, "in", false), Input(2, "put", true), Ack(2)}),
      Script({Hello(1024), Create("no-such-program"), Start()}),
      Script({Hello(), Create("cat"), Exec(), Signal(9), Signal(0)}),
      Script({Create("cat"), Hello()}) + cut + Script({Hello(), Create("cat"), Hello(), Start()}),
      Script({Hello(), Input(5, "a gap", false), Ack(uint64_t{1} << 63)}),
      Script({Hello(), Request([](HostMessage* message) { message->mutable_ping()->set_unix_time_ns(0); }),
              Request([](HostMessage* message) { message->mutable_list_processes()->set_container_id("c1"); }),
              Request([](HostMessage* message) { message->mutable_get_stats(); }),
              Request([](HostMessage* message) { message->mutable_resize_terminal()->set_container_id("c1"); }),
              Request([](HostMessage* message) { message->mutable_output_received()->set_bytes(9); })}),
      Script({Hello(), Create("cat"),
              Request([](HostMessage* message) { message->mutable_remove_process()->set_container_id("c1"); }),
              Request([](HostMessage* message) { message->mutable_remove_container()->set_container_id("c1"); }),
              Request([](HostMessage* message) { message->mutable_shutdown(); })}),
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vcd::guest;  // NOLINT
  static const bool prepared = [] {
    ::signal(SIGPIPE, SIG_IGN);
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  Check(prepared);
  int ends[2];
  Check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);

  EventLoop loop;
  int launches = 0;
  {
    Agent agent(&loop, {.isolate = false,
                        .cgroup_root = "",
                        .rootfs = {.state_dir = "/nonexistent",
                                   .allow_directories = true,
                                   .load_modules = [](const std::string&) { return Outcome(); }},
                        .greet_machine = [](const ::vcd::agent::v1::Hello&) {},
                        .set_clock = [](uint64_t) {},
                        .power_off = [&loop] { loop.Stop(0); }});
    Reaper reaper(&loop, [&](pid_t pid, int status) { agent.OnReaped(pid, status); });
    LinkServer link(&loop, vcd::UniqueFd(ends[1]),
                    {.message =
                         [&](const HostMessage& message) {
                           HostMessage heard = message;
                           if (MakeHarmless(&heard, &launches)) agent.OnMessage(heard);
                         },
                     .writable = [&] { agent.OnLinkWritable(); },
                     .disconnected =
                         [&] {
                           agent.OnDisconnected();
                           loop.Stop(0);
                         }});
    agent.SetLink(&link);
    Host host(vcd::UniqueFd(ends[0]), vcd::WireOf(std::string_view(reinterpret_cast<const char*>(data), size)),
              &launches);
    loop.WhenIdle([&] { return host.Go(); });
    loop.Run();
    agent.KillAll();
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
  return 0;
}
