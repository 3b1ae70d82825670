// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/testing/agent_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace vcd::guest {
namespace {

namespace fs = std::filesystem;
using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::ExitInfo;
using ::vcd::agent::v1::HostMessage;
using ::vcd::agent::v1::Reply;

constexpr char kProgram[] = "guest/agent/vcd-agent-for-tests";
constexpr char kBusybox[] = "/bin/busybox";

}  // namespace

Command Shell(const std::string& script) {
  Command command;
  for (const std::string& word : {std::string("/bin/sh"), std::string("-c"), script}) command.add_args(word);
  return command;
}

void AgentFixture::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root for namespaces";
  if (!fs::exists(kBusybox)) GTEST_SKIP() << "needs busybox-static";
  char pattern[] = "/tmp/vcd-test-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  directory_ = pattern;
  ::chmod(pattern, 0755);
  MakeRoot();
  fs::create_directory(directory_ + "/state");
  peer_ = std::make_unique<AgentPeer>(kProgram, std::vector<std::string>{"--state-dir", directory_ + "/state"});
  peer_->Hello();
}

void AgentFixture::TearDown() {
  peer_.reset();
  if (!directory_.empty()) fs::remove_all(directory_);
}

void AgentFixture::MakeRoot() {
  root_ = directory_ + "/root";
  for (const char* name : {"/bin", "/etc", "/tmp"}) fs::create_directories(root_ + name);
  fs::copy_file(kBusybox, root_ + "/bin/busybox");
  for (const char* name :
       {"sh",    "cat",   "echo",     "sleep", "id", "ls",   "pwd", "env",   "hostname", "grep", "wc", "head",
        "mount", "touch", "readlink", "yes",   "dd", "kill", "ps",  "mknod", "printf",   "stty", "tty"}) {
    fs::create_symlink("busybox", root_ + "/bin/" + name);
  }
  std::ofstream(root_ + "/etc/passwd") << "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
  std::ofstream(root_ + "/etc/group") << "root:x:0:\nann:x:1000:\naudio:x:29:ann\nvideo:x:44:\n";
  std::ofstream(root_ + "/etc/notes") << "no program\n";
  std::ofstream(root_ + "/bin/broken") << "#!/no/such/interpreter\n";
  ::chmod((root_ + "/bin/broken").c_str(), 0755);
}

Reply AgentFixture::Create(const std::string& id, const Command& command, bool readonly) {
  HostMessage message;
  auto* create = message.mutable_create_container();
  create->set_container_id(id);
  create->set_hostname("pod-of-tests");
  create->mutable_rootfs()->set_directory(root_);
  create->mutable_rootfs()->set_readonly(readonly);
  create->mutable_linux()->add_readonly_paths("/proc/sys");
  *create->mutable_command() = command;
  return peer_->Call(message);
}

Reply AgentFixture::Start(const std::string& id) {
  HostMessage message;
  message.mutable_start_container()->set_container_id(id);
  return peer_->Call(message);
}

Reply AgentFixture::Remove(const std::string& id) {
  HostMessage message;
  message.mutable_remove_container()->set_container_id(id);
  const Reply reply = peer_->Call(message);
  peer_->Forget(id);
  return reply;
}

Reply AgentFixture::Exec(const std::string& id, const std::string& process, const Command& command) {
  HostMessage message;
  message.mutable_exec()->set_container_id(id);
  message.mutable_exec()->set_process_id(process);
  *message.mutable_exec()->mutable_command() = command;
  return peer_->Call(message);
}

Reply AgentFixture::Signal(const std::string& id, int signal, const std::string& process, bool all) {
  HostMessage message;
  message.mutable_signal()->set_container_id(id);
  message.mutable_signal()->set_process_id(process);
  message.mutable_signal()->set_signal(signal);
  message.mutable_signal()->set_all(all);
  return peer_->Call(message);
}

Reply AgentFixture::Resize(const std::string& id, uint32_t columns, uint32_t rows, const std::string& process) {
  HostMessage message;
  auto* resize = message.mutable_resize_terminal();
  resize->set_container_id(id);
  resize->set_process_id(process);
  resize->mutable_size()->set_columns(columns);
  resize->mutable_size()->set_rows(rows);
  return peer_->Call(message);
}

Reply AgentFixture::RemoveProcess(const std::string& id, const std::string& process) {
  HostMessage message;
  message.mutable_remove_process()->set_container_id(id);
  message.mutable_remove_process()->set_process_id(process);
  return peer_->Call(message);
}

void AgentFixture::SendInput(const std::string& id, uint64_t offset, const std::string& data, bool close,
                             const std::string& process) {
  HostMessage message;
  auto* input = message.mutable_input();
  input->set_container_id(id);
  input->set_process_id(process);
  input->set_offset(offset);
  input->set_data(data);
  input->set_close(close);
  peer_->Post(message);
}

ExitInfo AgentFixture::Run(const std::string& id, const Command& command, bool readonly) {
  const Reply created = Create(id, command, readonly);
  EXPECT_EQ(created.code(), ErrorCode::ERROR_CODE_OK) << created.message();
  if (created.code() != ErrorCode::ERROR_CODE_OK) return {};
  const Reply started = Start(id);
  EXPECT_EQ(started.code(), ErrorCode::ERROR_CODE_OK) << started.message();
  return peer_->WaitForExit(id);
}

void AgentFixture::RunSleeper(const std::string& id) {
  ASSERT_EQ(Create(id, Shell("trap 'exit 7' TERM; echo up; while true; do sleep 1000 & wait; done")).code(),
            ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start(id).code(), ErrorCode::ERROR_CODE_OK);
  peer_->WaitForStdout(3, id);
}

}  // namespace vcd::guest
