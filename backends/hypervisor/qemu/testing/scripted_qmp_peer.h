// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_TESTING_SCRIPTED_QMP_PEER_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_TESTING_SCRIPTED_QMP_PEER_H_

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/os/mutex.h"
#include "core/os/unique_fd.h"

namespace vcd {

// QEMU's end of a QMP conversation, on a socketpair, with a thread of its own. It greets, and answers every command
// with an empty success (device_del also with its DEVICE_DELETED, closefd of a name that nothing has with an error)
// unless the script says otherwise. Thread-safe.
class ScriptedQmpPeer {
 public:
  struct Options {
    bool greets = true;
  };
  ScriptedQmpPeer() : ScriptedQmpPeer(Options()) {}
  explicit ScriptedQmpPeer(Options options);
  // Hangs up and joins the thread.
  ~ScriptedQmpPeer();

  // The client's end; once.
  UniqueFd TakeClientSocket() { return std::move(client_); }

  // What the next calls of the command answer, each used once, in order. `$ID` in a line stands for the command's id.
  void AnswerWith(const std::string& command, std::vector<std::string> lines);
  void Return(const std::string& command, const nlohmann::json& result);
  void Fail(const std::string& command, const std::string& error_class, const std::string& text);
  void StaySilent(const std::string& command) { AnswerWith(command, {}); }
  void HangUpOn(const std::string& command);

  // What calls of the command answer for which there is no script, out of its arguments and of held(). It runs on the
  // peer's thread, and must not call this.
  using Result = std::function<nlohmann::json(const nlohmann::json& arguments, const std::set<std::string>& held)>;
  void Answer(const std::string& command, Result result);

  // The `number`-th command from now on, of whatever name, is refused and has no effect.
  void RefuseCommand(int number);
  // The `number`-th command from now on has its effect, and `then` runs in place of an answer.
  void InterruptCommand(int number, std::function<void()> then);
  // Whether that command has come; there is none any more then.
  bool WasReached() const;

  // Writes a line at once.
  void Emit(const std::string& line);
  // Closes the conversation.
  void HangUp();

  // Names of the commands received, in order.
  std::vector<std::string> commands() const;
  // Blocks until that command has been received; false after ten seconds.
  bool WaitFor(const std::string& command);
  // Arguments of the last such command.
  nlohmann::json arguments(const std::string& command) const;
  // How many descriptors came along in all.
  int received_fds() const;
  // What QEMU would have now: what commands that did not fail made and others did not remove. By kind and name, such as
  // `device disk-0`, `fdset 100`.
  std::set<std::string> held() const;

 private:
  void Run();
  void Handle(const nlohmann::json& message);
  // What the command answers, line by line, and what runs instead.
  std::vector<std::string> LinesFor(const std::string& command, std::function<void()>* instead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Apply(const std::string& command, const nlohmann::json& arguments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Write(const std::string& line);

  const Options options_;
  UniqueFd client_;
  UniqueFd server_;
  mutable Mutex mu_;
  CondVar changed_;
  std::map<std::string, std::vector<std::vector<std::string>>> script_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Result> answers_ ABSL_GUARDED_BY(mu_);
  int commands_left_ ABSL_GUARDED_BY(mu_) = 0;            // Until the one that is refused or interrupted; 0: none is.
  std::function<void()> interrupt_ ABSL_GUARDED_BY(mu_);  // Empty: it is refused.
  std::vector<std::string> commands_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, nlohmann::json> arguments_ ABSL_GUARDED_BY(mu_);
  int received_fds_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<std::string> held_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_TESTING_SCRIPTED_QMP_PEER_H_
