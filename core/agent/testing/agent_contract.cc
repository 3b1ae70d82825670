// SPDX-License-Identifier: Apache-2.0
#include "core/agent/testing/agent_contract.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/link/link_limits.h"
#include "core/os/completion.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"

namespace vcd {

namespace {

v1::ErrorReason ReasonOf(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() ? detail->reason : v1::ERROR_REASON_UNSPECIFIED;
}

}  // namespace

void AgentContractTest::SetUp() {
  const std::string reason = GetParam().skip_reason ? GetParam().skip_reason() : "";
  if (!reason.empty()) GTEST_SKIP() << reason;
  context_.deadline = absl::Now() + absl::Minutes(2);
  guest_ = GetParam().make();
  Connect();
}

void AgentContractTest::TearDown() {
  if (observer_ != nullptr) observer_->AcknowledgeTo(nullptr);
  session_.reset();
  if (observer_ != nullptr) {
    EXPECT_EQ(observer_->complaints(), "");
  }
}

void AgentContractTest::Connect() {
  if (observer_ != nullptr) observer_->AcknowledgeTo(nullptr);
  session_.reset();
  observer_ = std::make_unique<RecordingObserver>();
  auto session = guest_->agent().Connect(guest_->Spec(), guest_->machine(), *observer_, context_);
  ASSERT_TRUE(session.ok()) << session.status();
  session_ = *std::move(session);
}

absl::Status AgentContractTest::Run(const std::string& id, const v1::Cmd& cmd) {
  absl::StatusOr<int32_t> pid = session().CreateContainer(guest_->Container(id, cmd), context_);
  if (!pid.ok()) return pid.status();
  return session().StartContainer(id, context_);
}

absl::Status AgentContractTest::Write(const ProcessKey& process, const std::string& data, bool close) {
  const Completion<bool> done;
  session().WriteInput(process, data, close, [done, this](absl::Status status) {
    EXPECT_TRUE(guest_->io().OnThread());
    done.Set(status.ok() ? absl::StatusOr<bool>(true) : status);
  });
  return done.Wait(context_, "write").status();
}

TEST_P(AgentContractTest, AFreshGuestHasNoProcesses) {
  EXPECT_TRUE(session().info().processes.empty());
  EXPECT_NE(session().info().agent_version, "");
}

TEST_P(AgentContractTest, RefusesAnIdThatIsTaken) {
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status(),
            absl::OkStatus());
  const absl::Status again =
      session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status();
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists) << again;
  EXPECT_EQ(ReasonOf(again), v1::ERROR_REASON_CONTAINER_EXISTS);
  EXPECT_THAT(std::string(again.message()), ::testing::HasSubstr("c1"));
}

TEST_P(AgentContractTest, StartsAContainerOnce) {
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().StartContainer("c1", context_).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(AgentContractTest, SignalsEndAContainer) {
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 128 + SIGKILL);
  EXPECT_EQ(exit->signal(), SIGKILL);
  EXPECT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus()) << "it has ended already";
}

TEST_P(AgentContractTest, SignalsEndAHeldContainer) {
  session().Observe();
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status(),
            absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, true, context_), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 128 + SIGKILL);
  EXPECT_EQ(session().StartContainer("c1", context_).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(AgentContractTest, RemovesContainersInAnyStateAndTheirIdIsFreeAgain) {
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "there is none";
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status(),
            absl::OkStatus());
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "held";
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "running";
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "removed";
  EXPECT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
}

TEST_P(AgentContractTest, ExitsWaitForObserve) {
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  EXPECT_FALSE(observer_->Exit(kFirst).has_value());
  session().Observe();
  EXPECT_TRUE(observer_->WaitForExit(kFirst).has_value());
}

TEST_P(AgentContractTest, ADestroyedSessionTellsNothing) {
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  session().Observe();
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  session_.reset();
  // The observer goes, too: a call now would be one to a dead object, which sanitizers tell.
  EXPECT_EQ(observer_->complaints(), "");
  observer_.reset();
}

TEST_P(AgentContractTest, HonoursTheContext) {
  const CallContext late{absl::Now() - absl::Seconds(1)};
  EXPECT_EQ(session().RemoveContainer("c1", late).code(), absl::StatusCode::kDeadlineExceeded);
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  const CallContext cancelled{context_.deadline, &cancellation};
  EXPECT_EQ(session().RemoveContainer("c1", cancelled), absl::AbortedError("preempted"));
  auto unconnected = guest_->agent().Connect(guest_->Spec(), guest_->machine(), *observer_, cancelled);
  EXPECT_EQ(unconnected.status(), absl::AbortedError("preempted"));
}

TEST_P(AgentContractTest, ShutsDown) { EXPECT_EQ(session().Shutdown(context_), absl::OkStatus()); }

TEST_P(AgentContractTest, AnAgentWithoutProcessesSaysSo) {
  if (RunsProcesses()) return;
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Write(kFirst, "x", false).code(), absl::StatusCode::kUnimplemented);
}

TEST_P(AgentContractTest, TellsTheExitCode) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->Exit(7)), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 7);
}

TEST_P(AgentContractTest, CreateTellsApartWhyACommandCannotRun) {
  if (!RunsProcesses()) return;
  const absl::Status missing = session().CreateContainer(guest_->Container("c1", guest_->Missing()), context_).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kInvalidArgument) << missing;
  EXPECT_EQ(ReasonOf(missing), v1::ERROR_REASON_COMMAND_NOT_FOUND) << missing;
  const absl::Status locked =
      session().CreateContainer(guest_->Container("c1", guest_->NotExecutable()), context_).status();
  EXPECT_EQ(locked.code(), absl::StatusCode::kInvalidArgument) << locked;
  EXPECT_EQ(ReasonOf(locked), v1::ERROR_REASON_COMMAND_NOT_EXECUTABLE) << locked;
  v1::Cmd cmd = guest_->RunForever();
  cmd.set_user("nobody-such");
  const absl::Status user = session().CreateContainer(guest_->Container("c1", cmd), context_).status();
  EXPECT_EQ(user.code(), absl::StatusCode::kInvalidArgument) << user;
  EXPECT_EQ(ReasonOf(user), v1::ERROR_REASON_INVALID_FIELD) << user;
  // Nothing stays behind.
  EXPECT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
}

TEST_P(AgentContractTest, UnknownContainersAndProcessesAreNotFound) {
  if (!RunsProcesses()) return;
  EXPECT_EQ(session().StartContainer("c1", context_).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session().Signal(kFirst, SIGTERM, false, context_).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Write(kFirst, "x", false).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session().RemoveProcess(kSecond, context_), absl::OkStatus());
  session().AcknowledgeOutput(kFirst, StdStream::kStdout, 17);
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().Signal(kSecond, SIGTERM, false, context_).code(), absl::StatusCode::kNotFound);
}

TEST_P(AgentContractTest, RunsMoreProcessesInAContainer) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  const absl::StatusOr<int32_t> pid = session().Exec(kSecond, guest_->Print("out", "err"), context_);
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_GT(*pid, 0);
  ASSERT_TRUE(observer_->WaitForExit(kSecond).has_value());
  EXPECT_EQ(observer_->Output(kSecond, StdStream::kStdout), "out");
  EXPECT_EQ(observer_->Output(kSecond, StdStream::kStderr), "err");
  EXPECT_FALSE(observer_->Exit(kFirst).has_value());
  EXPECT_EQ(session().Exec(kSecond, guest_->Exit(0), context_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(session().RemoveProcess(kSecond, context_), absl::OkStatus());
  EXPECT_EQ(session().RemoveProcess(kSecond, context_), absl::OkStatus()) << "there is none";
  EXPECT_EQ(session().Exec({"c1", "p2"}, guest_->Exit(0), context_).status(), absl::OkStatus());
  const absl::Status missing = session().Exec({"c1", "p3"}, guest_->Missing(), context_).status();
  EXPECT_EQ(ReasonOf(missing), v1::ERROR_REASON_COMMAND_NOT_FOUND) << missing;
}

TEST_P(AgentContractTest, PacksFilesOfAContainerOrSaysThatItCannot) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  GuestArchive archive;
  archive.path = "/";
  archive.stat_only = true;
  const absl::StatusOr<int32_t> pid = session().ExecArchive(kSecond, archive, context_);
  if (!guest_->agent().capabilities().archives) {
    EXPECT_EQ(pid.status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  ASSERT_TRUE(pid.ok()) << pid.status();
  if (!guest_->HasFiles()) return;
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kSecond);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 0) << observer_->Output(kSecond, StdStream::kStderr);
  // The first header may be one with more about the file.
  const std::string tar = observer_->Output(kSecond, StdStream::kStdout);
  ASSERT_GE(tar.size(), 1024u);
  EXPECT_EQ(tar.size() % 512, 0u);
  EXPECT_EQ(tar.substr(257, 5), "ustar");
  archive.path = "relative";
  EXPECT_EQ(session().ExecArchive({"c1", "p2"}, archive, context_).status().code(), absl::StatusCode::kInvalidArgument);
}

namespace {

// A listening socket on 127.0.0.1, and its port.
std::pair<UniqueFd, uint16_t> Listen() {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return {std::move(listener), ntohs(address.sin_port)};
}

std::string ReadAll(int fd) {
  std::string all;
  char chunk[4096];
  for (ssize_t got; (got = ::read(fd, chunk, sizeof(chunk))) > 0;) all.append(chunk, static_cast<size_t>(got));
  return all;
}

}  // namespace

TEST_P(AgentContractTest, ConnectsToAPortOrSaysThatItCannot) {
  session().Observe();
  const ProcessKey key{"", "dial-1"};
  if (!guest_->agent().capabilities().dials) {
    EXPECT_EQ(session().ExecDial(key, {"", 80}, context_).status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  EXPECT_EQ(session().ExecDial(key, {"", 0}, context_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session().ExecDial(key, {"name", 80}, context_).status().code(), absl::StatusCode::kInvalidArgument);
  if (!guest_->HasPortsOfThisMachine()) return;
  auto [listener, port] = Listen();
  const absl::StatusOr<int32_t> pid = session().ExecDial(key, {"", port}, context_);
  ASSERT_TRUE(pid.ok()) << pid.status();
  UniqueFd served(::accept(listener.get(), nullptr, nullptr));
  ASSERT_EQ(Write(key, "ques", false), absl::OkStatus());
  ASSERT_EQ(Write(key, "tion", true), absl::OkStatus());
  EXPECT_EQ(ReadAll(served.get()), "question") << "and the end of it";
  // The other way is open still.
  ASSERT_EQ(::write(served.get(), "answer", 6), 6);
  served.Reset();
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(key);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 0);
  EXPECT_EQ(observer_->Output(key, StdStream::kStdout), "answer");
  EXPECT_EQ(observer_->Output(key, StdStream::kStderr), absl::StrCat(kDialPeerEnded, "6\n"));
  EXPECT_EQ(session().RemoveProcess(key, context_), absl::OkStatus());
  listener.Reset();
  const absl::Status refused = session().ExecDial(key, {"127.0.0.1", port}, context_).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_CONNECTION_REFUSED) << refused;
}

TEST_P(AgentContractTest, TellsOfAConnectionWhenAnotherHostComes) {
  if (!guest_->agent().capabilities().dials || !guest_->HasPortsOfThisMachine()) return;
  session().Observe();
  const ProcessKey key{"", "dial-1"};
  auto [listener, port] = Listen();
  ASSERT_TRUE(session().ExecDial(key, {"", port}, context_).ok());
  UniqueFd served(::accept(listener.get(), nullptr, nullptr));
  Connect();
  session().Observe();
  ASSERT_EQ(session().info().processes.size(), 1u);
  EXPECT_TRUE(session().info().processes[0].key == key);
  ASSERT_EQ(session().Signal(key, SIGKILL, /*all=*/false, context_), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForExit(key).has_value());
  EXPECT_EQ(ReadAll(served.get()), "") << "and the end of it";
}

TEST_P(AgentContractTest, SetsInterfacesUpOrSaysThatItCannot) {
  v1::PodInterface interface;
  interface.set_name("eth0");
  interface.set_mac("no address");
  const absl::StatusCode expected =
      guest_->agent().capabilities().networks ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kUnimplemented;
  EXPECT_EQ(session().SetInterface(interface, context_).code(), expected);
  EXPECT_EQ(session().RemoveInterface("02:00:00:00:00:01", context_), absl::OkStatus()) << "there is none";
}

TEST_P(AgentContractTest, TheEndOfTheFirstProcessEndsTheOthers) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status(), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  EXPECT_TRUE(observer_->WaitForExit(kFirst).has_value());
  const std::optional<v1::ExitStatus> other = observer_->WaitForExit(kSecond);
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->signal(), SIGKILL);
}

TEST_P(AgentContractTest, SignalsEveryProcessOfAContainer) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status(), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, true, context_), absl::OkStatus());
  EXPECT_TRUE(observer_->WaitForExit(kFirst).has_value());
  EXPECT_TRUE(observer_->WaitForExit(kSecond).has_value());
}

TEST_P(AgentContractTest, GivesSignsOfLifeWhenAsked) {
  EXPECT_EQ(session().SetClock(context_), absl::OkStatus());
  if (!RunsProcesses()) return;
  const uint64_t before = session().signs_of_life();
  session().Ping();
  // Comes behind the ping, and its answer behind that of the ping.
  ASSERT_TRUE(session().GetUsage("", context_).ok());
  EXPECT_GT(session().signs_of_life(), before);
}

// Instantiated where the agents are.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AgentContractTest);

}  // namespace vcd
