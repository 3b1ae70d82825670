// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace vcd {
namespace {

using nlohmann::json;

constexpr char kGreeting[] =
    R"({"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}}, "capabilities": []}})";
constexpr char kHangUp[] = "$HANGUP";

// Commands that make something, those that remove it, and the argument that names it.
struct Pair {
  const char* kind;
  const char* adds;
  const char* removes;
  const char* name;
};
constexpr Pair kPairs[] = {
    {"device", "device_add", "device_del", "id"},       {"node", "blockdev-add", "blockdev-del", "node-name"},
    {"fdset", "add-fd", "remove-fd", "fdset-id"},       {"fd", "getfd", "closefd", "fdname"},
    {"chardev", "chardev-add", "chardev-remove", "id"}, {"netdev", "netdev_add", "netdev_del", "id"},
    {"object", "object-add", "object-del", "id"},
};

std::string Text(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace

ScriptedQmpPeer::ScriptedQmpPeer(Options options) : options_(options) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
  client_.Reset(ends[0]);
  server_.Reset(ends[1]);
  thread_ = std::thread([this] { Run(); });
}

ScriptedQmpPeer::~ScriptedQmpPeer() {
  HangUp();
  thread_.join();
}

void ScriptedQmpPeer::AnswerWith(const std::string& command, std::vector<std::string> lines) {
  MutexLock lock(&mu_);
  script_[command].push_back(std::move(lines));
}

void ScriptedQmpPeer::Return(const std::string& command, const json& result) {
  AnswerWith(command, {absl::StrCat("{\"return\": ", result.dump(), ", \"id\": $ID}")});
}

void ScriptedQmpPeer::Fail(const std::string& command, const std::string& error_class, const std::string& text) {
  const json error = {{"class", error_class}, {"desc", text}};
  AnswerWith(command, {absl::StrCat("{\"id\": $ID, \"error\": ", error.dump(), "}")});
}

void ScriptedQmpPeer::HangUpOn(const std::string& command) { AnswerWith(command, {kHangUp}); }

void ScriptedQmpPeer::Answer(const std::string& command, Result result) {
  MutexLock lock(&mu_);
  answers_[command] = std::move(result);
}

void ScriptedQmpPeer::RefuseCommand(int number) { InterruptCommand(number, nullptr); }

void ScriptedQmpPeer::InterruptCommand(int number, std::function<void()> then) {
  MutexLock lock(&mu_);
  commands_left_ = number;
  interrupt_ = std::move(then);
}

bool ScriptedQmpPeer::WasReached() const {
  MutexLock lock(&mu_);
  return commands_left_ <= 0;
}

void ScriptedQmpPeer::Emit(const std::string& line) { Write(line); }

void ScriptedQmpPeer::HangUp() { shutdown(server_.get(), SHUT_RDWR); }

std::vector<std::string> ScriptedQmpPeer::commands() const {
  MutexLock lock(&mu_);
  return commands_;
}

bool ScriptedQmpPeer::WaitFor(const std::string& command) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  MutexLock lock(&mu_);
  while (arguments_.count(command) == 0) {
    if (changed_.WaitWithDeadline(&mu_, deadline)) return false;
  }
  return true;
}

json ScriptedQmpPeer::arguments(const std::string& command) const {
  MutexLock lock(&mu_);
  auto found = arguments_.find(command);
  return found == arguments_.end() ? json() : found->second;
}

int ScriptedQmpPeer::received_fds() const {
  MutexLock lock(&mu_);
  return received_fds_;
}

std::set<std::string> ScriptedQmpPeer::held() const {
  MutexLock lock(&mu_);
  return held_;
}

void ScriptedQmpPeer::Apply(const std::string& command, const json& arguments) {
  for (const Pair& pair : kPairs) {
    if (command != pair.adds && command != pair.removes) continue;
    const std::string thing = absl::StrCat(pair.kind, " ", Text(arguments.value(pair.name, json())));
    if (command == pair.adds) {
      held_.insert(thing);
    } else {
      held_.erase(thing);
    }
  }
  // A descriptor has its name until something takes it.
  if (command == "netdev_add") {
    for (const char* key : {"fds", "vhostfds"}) {
      const std::string names = arguments.value(key, "");
      for (const absl::string_view name : absl::StrSplit(names, ':')) held_.erase(absl::StrCat("fd ", name));
    }
  } else if (command == "chardev-add") {
    held_.erase(absl::StrCat("fd ", Text(arguments.value(json::json_pointer("/backend/data/addr/data/str"), json()))));
  }
}

void ScriptedQmpPeer::Run() {
  if (options_.greets) Write(kGreeting);
  std::string input;
  for (;;) {
    char buffer[4096];
    iovec bytes{buffer, sizeof(buffer)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr header = {};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    const ssize_t got = recvmsg(server_.get(), &header, MSG_CMSG_CLOEXEC);
    if (got <= 0) return;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      int fd;
      memcpy(&fd, CMSG_DATA(c), sizeof(fd));
      UniqueFd closed(fd);
      MutexLock lock(&mu_);
      ++received_fds_;
    }
    input.append(buffer, static_cast<size_t>(got));
    for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
      const json message = json::parse(input.substr(0, end), nullptr, false);
      if (message.is_object()) Handle(message);
    }
  }
}

std::vector<std::string> ScriptedQmpPeer::LinesFor(const std::string& command, std::function<void()>* instead) {
  if (commands_left_ > 0 && --commands_left_ == 0) {
    if (interrupt_ == nullptr) return {R"({"id": $ID, "error": {"class": "GenericError", "desc": "injected"}})"};
    *instead = std::move(interrupt_);
    return {};
  }
  const auto scripted = script_.find(command);
  if (scripted != script_.end() && !scripted->second.empty()) {
    std::vector<std::string> lines = std::move(scripted->second.front());
    scripted->second.erase(scripted->second.begin());
    return lines;
  }
  const json& arguments = arguments_[command];
  if (const auto answer = answers_.find(command); answer != answers_.end()) {
    return {absl::StrCat("{\"return\": ", answer->second(arguments, held_).dump(), ", \"id\": $ID}")};
  }
  if (command == "closefd" && held_.count(absl::StrCat("fd ", arguments.value("fdname", ""))) == 0) {
    return {R"({"id": $ID, "error": {"class": "GenericError", "desc": "File descriptor named 'x' not found"}})"};
  }
  if (command == "device_del") {
    const json event = {{"event", "DEVICE_DELETED"}, {"data", {{"device", arguments.value("id", "")}}}};
    return {R"({"return": {}, "id": $ID})", event.dump()};
  }
  return {R"({"return": {}, "id": $ID})"};
}

void ScriptedQmpPeer::Handle(const json& message) {
  const std::string command = message.value("execute", "");
  const std::string id = message.contains("id") ? message["id"].dump() : "0";
  std::vector<std::string> lines;
  std::function<void()> instead;
  {
    MutexLock lock(&mu_);
    commands_.push_back(command);
    arguments_[command] = message.value("arguments", json());
    lines = LinesFor(command, &instead);
    const auto fails = [](const std::string& line) { return absl::StrContains(line, "\"error\":"); };
    if (std::none_of(lines.begin(), lines.end(), fails)) Apply(command, arguments_[command]);
    changed_.NotifyAll();
  }
  if (instead != nullptr) instead();
  for (const std::string& line : lines) {
    if (line == kHangUp) {
      HangUp();
      return;
    }
    Write(absl::StrReplaceAll(line, {{"$ID", id}}));
  }
}

void ScriptedQmpPeer::Write(const std::string& line) {
  const std::string bytes = absl::StrCat(line, "\r\n");
  (void)!send(server_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

}  // namespace vcd
