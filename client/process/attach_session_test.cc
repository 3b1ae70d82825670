// SPDX-License-Identifier: Apache-2.0
#include "client/process/attach_session.h"

#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "client/posix/event_fd.h"
#include "client/posix/unique_fd.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

// A stream whose other side is the test. Writes block while `full`.
struct FakeStreamState {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<v1::AttachResponse> responses;
  bool done = false;
  bool full = false;
  std::string input;
  bool input_closed = false;
  absl::Status status;

  void Send(const v1::AttachResponse& response) {
    std::lock_guard<std::mutex> lock(mutex);
    responses.push_back(response);
    changed.notify_all();
  }
};

class FakeStream : public AttachStream {
 public:
  explicit FakeStream(FakeStreamState* state) : state_(state) {}
  void Open(const v1::AttachRequest&) override {}
  bool Read(v1::AttachResponse* response) override {
    std::unique_lock<std::mutex> lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->done || !state_->responses.empty(); });
    if (state_->responses.empty()) return false;
    *response = state_->responses.front();
    state_->responses.pop_front();
    return true;
  }
  bool Write(const v1::AttachRequest& request) override {
    std::unique_lock<std::mutex> lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->done || !state_->full; });
    if (state_->done) return false;
    state_->input += request.stdin();
    state_->input_closed |= request.close_stdin();
    state_->changed.notify_all();
    return true;
  }
  void Cancel() override {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->done = true;
    state_->changed.notify_all();
  }
  absl::Status Finish() override { return state_->status; }

 private:
  FakeStreamState* const state_;
};

class AttachSessionTest : public testing::Test {
 protected:
  AttachSessionTest() {
    MakePipe(&in_read_, &in_write_);
    MakePipe(&out_read_, &out_write_);
    session_ = std::make_unique<AttachSession>(std::make_unique<FakeStream>(&state_), v1::AttachRequest::Start(),
                                               Streams{in_read_.get(), out_write_.get(), out_write_.get()});
  }

  static void MakePipe(UniqueFd* read, UniqueFd* write) {
    int fds[2];
    ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    *read = UniqueFd(fds[0]);
    *write = UniqueFd(fds[1]);
  }

  void Attach() {
    v1::AttachResponse response;
    response.set_attached(true);
    state_.Send(response);
    while (!session_->attached()) {
      WaitReadable({session_->changed_fd()});
      session_->ClearChanged();
    }
  }

  void Exit(int code) {
    v1::AttachResponse response;
    response.mutable_exit_status()->set_code(code);
    state_.Send(response);
  }

  FakeStreamState state_;
  UniqueFd in_read_, in_write_, out_read_, out_write_;
  std::unique_ptr<AttachSession> session_;
};

TEST_F(AttachSessionTest, EndsWhileStandardInputStaysOpenAndSilent) {
  Attach();
  session_->SendInput(DetachKeys(), AttachSession::InputEnd::kClosesStdin);
  Exit(9);
  const auto outcome = session_->Finish();
  ASSERT_TRUE(outcome.exit_status);
  EXPECT_EQ(outcome.exit_status->code(), 9);
}

TEST_F(AttachSessionTest, EndsWhileTheProcessTakesNoInput) {
  Attach();
  {
    std::lock_guard<std::mutex> lock(state_.mutex);
    state_.full = true;
  }
  ASSERT_EQ(::write(in_write_.get(), "x", 1), 1);
  session_->SendInput(DetachKeys(), AttachSession::InputEnd::kClosesStdin);
  Exit(1);
  EXPECT_TRUE(session_->Finish().exit_status);
}

TEST_F(AttachSessionTest, ClosesTheProcesssInputAtTheEndOfOurs) {
  Attach();
  session_->SendInput(DetachKeys(), AttachSession::InputEnd::kClosesStdin);
  ASSERT_EQ(::write(in_write_.get(), "hello", 5), 5);
  in_write_.Reset();
  {
    std::unique_lock<std::mutex> lock(state_.mutex);
    state_.changed.wait(lock, [this] { return state_.input_closed; });
    EXPECT_EQ(state_.input, "hello");
  }
  Exit(0);
  session_->Finish();
}

TEST_F(AttachSessionTest, KeepsALostTerminalFromTheProcess) {
  Attach();
  session_->SendInput(DetachKeys(), AttachSession::InputEnd::kIsHangUp);
  in_write_.Reset();
  while (!session_->hung_up()) {
    WaitReadable({session_->changed_fd()});
    session_->ClearChanged();
  }
  Exit(0);
  session_->Finish();
  std::lock_guard<std::mutex> lock(state_.mutex);
  EXPECT_FALSE(state_.input_closed);
}

TEST_F(AttachSessionTest, LeavesInputToOthersThatWasNotAskedFor) {
  Attach();
  ASSERT_EQ(::write(in_write_.get(), "x", 1), 1);
  Exit(0);
  session_->Finish();
  char byte;
  EXPECT_EQ(::read(in_read_.get(), &byte, 1), 1);
}

TEST_F(AttachSessionTest, AStreamWithoutExitStatusIsAnError) {
  state_.status = absl::UnavailableError("gone");
  Attach();
  {
    std::lock_guard<std::mutex> lock(state_.mutex);
    state_.done = true;
    state_.changed.notify_all();
  }
  const auto outcome = session_->Finish();
  EXPECT_FALSE(outcome.exit_status);
  EXPECT_EQ(outcome.error.code(), absl::StatusCode::kUnavailable);
}

TEST_F(AttachSessionTest, GoesAwayInTheMiddle) {
  Attach();
  v1::AttachResponse response;
  response.set_stdout(std::string(1 << 20, 'x'));  // More than the pipe takes.
  state_.Send(response);
  session_->SendInput(DetachKeys(), AttachSession::InputEnd::kClosesStdin);
  session_.reset();
}

}  // namespace
}  // namespace vcd::client
