// SPDX-License-Identifier: Apache-2.0
#include "test/link/link_contract.h"

#include <sys/socket.h>

#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/testing/socket_machine.h"
#include "core/link/frame_codec.h"
#include "core/link/link_limits.h"
#include "core/os/completion.h"
#include "gmock/gmock.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd {

namespace {

// What `seq 1 count` prints.
std::string Sequence(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) absl::StrAppend(&text, i, "\n");
  return text;
}

void WriteRaw(const UniqueFd& stream, const std::string& bytes) {
  ASSERT_EQ(send(stream.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

std::string HelloFrame(const std::string& nonce) {
  agent::v1::HostMessage message;
  message.set_request_id(1);
  message.mutable_hello()->set_nonce(nonce);
  message.mutable_hello()->set_protocol_version(kProtocolVersion);
  return EncodeFrame(message.SerializeAsString());
}

}  // namespace

std::unique_ptr<LinkTransport> LinkContractTest::transport_;

void LinkContractTest::SetUp() {
  const std::string why_not = GetParam().why_not();
  if (!why_not.empty()) GTEST_SKIP() << why_not;
  if (transport_ == nullptr) transport_ = GetParam().make();
  // `ControlAndData/Unix` → `ControlAndData`.
  container_id_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  container_id_.resize(container_id_.find('/'));
}

void LinkContractTest::TearDown() {
  if (IsSkipped()) return;
  Connect();
  EXPECT_EQ(session_->RemoveContainer(container_id_, context()), absl::OkStatus());
  Disconnect();
  EXPECT_EQ(collector_.complaints(), "");
}

absl::Status LinkContractTest::TryConnect(const StreamFault& fault) {
  Disconnect();
  // Anew each time: a guest that is slow to boot is greeted more than once.
  SocketMachine machine([&]() -> absl::StatusOr<UniqueFd> {
    stream_.reset();
    absl::StatusOr<UniqueFd> stream = transport_->Connect();
    if (!stream.ok()) return stream.status();
    stream_ = std::make_unique<FaultyStream>(*std::move(stream), fault);
    return stream_->TakeHostEnd();
  });
  absl::StatusOr<std::unique_ptr<GuestSession>> session =
      agent_.Connect({"pod-1", "host-1"}, machine, collector_, context());
  if (!session.ok()) return session.status();
  session_ = *std::move(session);
  collector_.Begin(session_.get());
  session_->Observe();
  return absl::OkStatus();
}

void LinkContractTest::Connect() {
  const absl::Status status = TryConnect();
  ASSERT_TRUE(status.ok()) << status;
}

void LinkContractTest::Disconnect() {
  session_.reset();
  stream_.reset();
}

void LinkContractTest::Run(const v1::Cmd& cmd) {
  GuestContainerSpec spec;
  spec.config.set_id(container_id_);
  *spec.config.mutable_cmd() = cmd;
  spec.hostname = "host-1";
  transport_->PlaceRootfs(spec);
  const absl::StatusOr<int32_t> created = session_->CreateContainer(spec, context());
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_EQ(session_->StartContainer(container_id_, context()), absl::OkStatus());
}

absl::Status LinkContractTest::RoundTrip() { return session_->RemoveProcess(exec("nobody"), context()); }

v1::Cmd Shell(const std::string& script, bool interactive) {
  v1::Cmd cmd;
  for (const std::string& word : {std::string("/bin/sh"), std::string("-c"), script}) cmd.add_args(word);
  cmd.set_interactive(interactive);
  return cmd;
}

std::string LinkContractName(const ::testing::TestParamInfo<LinkContractParam>& info) { return info.param.name; }

TEST_P(LinkContractTest, RunsAProgramAndTellsItsOutputAndExit) {
  Connect();
  Run(Shell("seq 1 20000; echo nothing >&2; exit 7"));
  EXPECT_EQ(collector_.WaitForExit(first())->code(), 7);
  EXPECT_TRUE(collector_.Output(first()) == Sequence(20000));
  EXPECT_EQ(collector_.Output(first(), StdStream::kStderr), "nothing\n");
  EXPECT_EQ(collector_.Exits(first()), 1);
  // Once for each session.
  Connect();
  EXPECT_EQ(collector_.WaitForExit(first())->code(), 7);
  EXPECT_EQ(RoundTrip(), absl::OkStatus());
  EXPECT_EQ(collector_.Exits(first()), 1);
}

TEST_P(LinkContractTest, EveryByteComesOnceOverTwoHundredDisconnects) {
  constexpr int kCount = 1'000'000;
  constexpr int kDisconnects = 200;
  std::mt19937 random(4711);
  Connect();
  Run(Shell(absl::StrCat("seq 1 ", kCount, "; exit 9")));
  for (int i = 0; i < kDisconnects; ++i) {
    // Sometimes already within HELLO and its answer.
    if (!TryConnect({.cut_after_guest_bytes = random() % (32 << 10)}).ok()) continue;
    EXPECT_FALSE(collector_.WaitForLoss().ok());
    ASSERT_EQ(collector_.Exits(first()), 0) << "the output is not over after " << i << " connections";
  }
  Connect();
  EXPECT_EQ(collector_.WaitForExit(first())->code(), 9);
  EXPECT_EQ(collector_.Exits(first()), 1);
  EXPECT_TRUE(collector_.Output(first()) == Sequence(kCount));
}

TEST_P(LinkContractTest, AConnectionThatEndsWithinAFrameOfTheHostLeavesAllOrNothing) {
  Connect();
  Run(Shell("sleep 1000"));
  int made = 0;
  for (uint64_t cut = 1; cut < 400; cut += 13) {
    const std::string id = absl::StrCat("p", cut);
    if (TryConnect({.cut_after_host_bytes = cut}).ok()) {
      (void)session_->Exec(exec(id), Shell("true"), context());
    }
    Connect();
    // Whether it was made or not, the name is free afterwards.
    const auto& processes = session_->info().processes;
    if (std::any_of(processes.begin(), processes.end(), [&](const auto& process) { return process.key == exec(id); })) {
      ++made;
      EXPECT_EQ(collector_.WaitForExit(exec(id))->code(), 0);
      EXPECT_EQ(session_->RemoveProcess(exec(id), context()), absl::OkStatus());
      Connect();  // Where nothing is known of the one that was removed.
    }
    const absl::StatusOr<int32_t> again = session_->Exec(exec(id), Shell("exit 3"), context());
    ASSERT_TRUE(again.ok()) << again.status() << " after a cut at byte " << cut;
    EXPECT_EQ(collector_.WaitForExit(exec(id))->code(), 3);
    EXPECT_EQ(session_->RemoveProcess(exec(id), context()), absl::OkStatus());
  }
  RecordProperty("made", made);
}

TEST_P(LinkContractTest, AConnectionThatEndsWithinAFrameOfTheGuestIsForgotten) {
  Connect();
  Run(Shell("seq 1 100000; sleep 1000"));
  for (uint64_t cut = 0; cut < 300; cut += 17) {
    if (TryConnect({.cut_after_guest_bytes = cut}).ok()) {
      EXPECT_FALSE(collector_.WaitForLoss().ok());
    }
  }
  const std::string expected = Sequence(100'000);
  Connect();
  EXPECT_TRUE(collector_.WaitForOutput(first(), expected.size()));
  EXPECT_TRUE(collector_.Output(first()) == expected);
}

TEST_P(LinkContractTest, StaleBytesAndReplayedNoncesOfAConnectionBeforeDoNoHarm) {
  Connect();
  Run(Shell("seq 1 100000; sleep 1000"));
  Disconnect();
  for (int round = 0; round < 5; ++round) {
    const absl::StatusOr<UniqueFd> raw = transport_->Connect();
    ASSERT_TRUE(raw.ok()) << raw.status();
    // Answers and output that nobody reads, the same HELLO again, garbage, and half a frame.
    const std::string hello = HelloFrame(std::string(16, 'n'));
    WriteRaw(*raw, std::string(1, kFrameDelimiter) + hello + hello + "garbage" + std::string(3, kFrameDelimiter) +
                       EncodeFrame("\xff\xff no message") + hello + hello.substr(0, 9));
  }
  Connect();
  const std::string expected = Sequence(100'000);
  EXPECT_TRUE(collector_.WaitForOutput(first(), expected.size()));
  EXPECT_TRUE(collector_.Output(first()) == expected);
  EXPECT_EQ(RoundTrip(), absl::OkStatus());
}

TEST_P(LinkContractTest, ADamagedBitEndsTheConnectionAndCostsNoByte) {
  constexpr int kCount = 300'000;
  std::mt19937 random(815);
  Connect();
  Run(Shell(absl::StrCat("seq 1 ", kCount, "; sleep 1000")));
  const std::string expected = Sequence(kCount);
  int damaged = 0;
  for (int i = 0; i < 20; ++i) {
    // Beyond the answer to HELLO. Where one stream serves all connections, it may hit what the one before left, which
    // is thrown away with or without damage.
    const absl::Status connected = TryConnect({.flip_guest_bit = 8 * 2000 + random() % (8 * 30'000)});
    // Behind what the connection before left it may even be the answer itself that is hit, and thrown away.
    if (absl::IsDeadlineExceeded(connected)) continue;
    ASSERT_EQ(connected, absl::OkStatus());
    if (collector_.WaitForOutput(first(), expected.size())) break;
    ++damaged;
    EXPECT_THAT(std::string(collector_.WaitForLoss().message()), ::testing::HasSubstr("a damaged frame"));
  }
  RecordProperty("damaged", damaged);
  Connect();
  EXPECT_TRUE(collector_.WaitForOutput(first(), expected.size()));
  EXPECT_TRUE(collector_.Output(first()) == expected);
}

TEST_P(LinkContractTest, OutputWaitsAtItsWindowUntilItIsAcknowledged) {
  const std::string expected = Sequence(100'000);
  ASSERT_GT(expected.size(), 2 * kOutputWindow);
  Connect();
  collector_.Begin(session_.get(), /*acknowledge=*/false);
  Run(Shell("seq 1 100000; exit 2"));
  ASSERT_TRUE(collector_.WaitForOutput(first(), kOutputWindow));
  EXPECT_EQ(RoundTrip(), absl::OkStatus()) << "control goes on";
  EXPECT_EQ(collector_.Output(first()).size(), kOutputWindow);
  // And another process does.
  ASSERT_TRUE(session_->Exec(exec("p1"), Shell("echo here"), context()).ok());
  EXPECT_EQ(collector_.WaitForExit(exec("p1"))->code(), 0);
  EXPECT_EQ(collector_.Output(exec("p1")), "here\n");
  EXPECT_EQ(collector_.Exits(first()), 0);
  collector_.AcknowledgeAll();
  EXPECT_EQ(collector_.WaitForExit(first())->code(), 2);
  EXPECT_TRUE(collector_.Output(first()) == expected);
}

TEST_P(LinkContractTest, InputWaitsAtItsWindowUntilItIsTaken) {
  const std::string input = Sequence(150'000);
  ASSERT_GT(input.size(), 2 * kInputWindow + (128 << 10)) << "more than windows and pipes hold";
  Connect();
  // Reads nothing before it is told to.
  Run(Shell("while ! [ -e /tmp/go ]; do sleep 0.02; done; rm /tmp/go; cat",
            /*interactive=*/true));
  const Completion<std::string> written;
  session_->WriteInput(first(), input, /*close=*/true,
                       [written](const absl::Status& status) { written.Set(status.ToString()); });
  EXPECT_EQ(RoundTrip(), absl::OkStatus()) << "control goes on";
  EXPECT_FALSE(written.done());
  ASSERT_TRUE(session_->Exec(exec("go"), Shell("touch /tmp/go"), context()).ok());
  EXPECT_EQ(collector_.WaitForExit(first())->code(), 0);
  EXPECT_EQ(*written.Wait(context(), "write"), "OK");
  EXPECT_TRUE(collector_.Output(first()) == input);
}

TEST_P(LinkContractTest, InputGoesOnWhereTheGuestHasIt) {
  Connect();
  Run(Shell("cat", /*interactive=*/true));
  struct Part {
    char letter;  // Stands in this part only.
    std::string input;
    uint64_t cut;
  };
  std::vector<Part> parts = {{'a', "", 700}, {'b', "", 5'000}, {'c', "", 60'000}};
  for (Part& part : parts) {
    for (int i = 0; i < 20'000; ++i) absl::StrAppend(&part.input, std::string(1, part.letter), i, "\n");
    ASSERT_EQ(TryConnect({.cut_after_host_bytes = part.cut}), absl::OkStatus());
    session_->WriteInput(first(), part.input, /*close=*/false, [](const absl::Status&) {});
    EXPECT_FALSE(collector_.WaitForLoss().ok());
  }
  Connect();
  session_->WriteInput(first(), "the end", /*close=*/true, [](const absl::Status&) {});
  EXPECT_EQ(collector_.WaitForExit(first())->code(), 0);
  // Of each connection there is what arrived before it was cut, without a hole and once.
  const std::string output = collector_.Output(first());
  size_t at = 0;
  for (const Part& part : parts) {
    size_t end = at;
    while (end < output.size() && end - at < part.input.size() && output[end] == part.input[end - at]) ++end;
    at = end;
  }
  EXPECT_EQ(output.substr(at), "the end");
}

TEST_P(LinkContractTest, ARequestOfAMegabyteArrivesWhole) {
  Connect();
  Run(Shell("sleep 1000"));
  v1::Cmd cmd = Shell("for word in \"$@\"; do echo ${#word}; done");
  cmd.add_args("sh");
  constexpr int kWords = 10;
  constexpr int kLength = 100'000;  // A word of a program has less than 128 KiB.
  for (int i = 0; i < kWords; ++i) cmd.add_args(std::string(kLength, static_cast<char>('a' + i)));
  const absl::StatusOr<int32_t> started = session_->Exec(exec("big"), cmd, context());
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(collector_.WaitForExit(exec("big"))->code(), 0);
  std::string expected;
  for (int i = 0; i < kWords; ++i) absl::StrAppend(&expected, kLength, "\n");
  EXPECT_EQ(collector_.Output(exec("big")), expected);
}

}  // namespace vcd
