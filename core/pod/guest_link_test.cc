// SPDX-License-Identifier: Apache-2.0
#include "core/pod/guest_link.h"

#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "core/agent/testing/fake_agent.h"
#include "core/agent/testing/recording_observer.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/os/completion.h"
#include "core/os/io_thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

const ProcessKey kMain{"main", ""};

CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

class GuestLinkTest : public testing::Test {
 protected:
  GuestLinkTest() {
    VmSpec spec;
    spec.pod_id = "web";
    machine_ = hypervisor_.Boot(spec, Soon()).value();
    std::unique_ptr<GuestSession> session = Connect();
    GuestContainerSpec container;
    container.config.set_id("main");
    container.config.mutable_cmd()->add_args("cat");
    container.config.mutable_cmd()->set_interactive(true);
    EXPECT_TRUE(session->CreateContainer(container, Soon()).ok());
    EXPECT_TRUE(session->StartContainer("main", Soon()).ok());
    link_.Exchange(std::move(session));
  }
  ~GuestLinkTest() override { link_.Exchange(nullptr).reset(); }

  std::unique_ptr<GuestSession> Connect() {
    return agent_.Connect({"web", "web", ""}, *machine_, observer_, Soon()).value();
  }

  // What became of it, once that is known.
  Completion<bool> Write(const std::string& text) {
    Completion<bool> written;
    link_.WriteInput(kMain, text, /*close=*/false, [written](const absl::Status& status) {
      status.ok() ? written.Set(true) : written.Set(absl::StatusOr<bool>(status));
    });
    return written;
  }

  IoThread io_;
  FakeHypervisor hypervisor_{io_};
  FakeAgent agent_{io_};
  RecordingObserver observer_;
  std::unique_ptr<VirtualMachine> machine_;
  GuestLink link_;
};

TEST_F(GuestLinkTest, InputWaitsForTheNextSessionInOrder) {
  link_.Suspend().reset();
  const Completion<bool> first = Write("one "), second = Write("two");
  EXPECT_EQ(first.Wait({absl::Now(), nullptr}, "").status().code(), absl::StatusCode::kDeadlineExceeded);
  link_.Exchange(Connect());
  EXPECT_TRUE(first.Wait(Soon(), "first").ok());
  EXPECT_TRUE(second.Wait(Soon(), "second").ok());
  link_.session()->Observe();
  EXPECT_TRUE(observer_.WaitForOutput(kMain, StdStream::kStdout, 7));
  EXPECT_EQ(observer_.Output(kMain, StdStream::kStdout), "one two");
}

TEST_F(GuestLinkTest, InputIsRefusedWhenThereWillBeNoSession) {
  link_.Suspend().reset();
  const Completion<bool> held = Write("one");
  link_.Exchange(nullptr).reset();
  EXPECT_EQ(held.Wait(Soon(), "held").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Write("two").Wait(Soon(), "after").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(GuestLinkTest, CallsWaitForTheNextSession) {
  link_.Suspend().reset();
  EXPECT_EQ(link_.Signal(kMain, 15, false, absl::Now()).code(), absl::StatusCode::kDeadlineExceeded);
  absl::Status signalled;
  std::thread caller([&] { signalled = link_.Signal(kMain, 15, false, Soon().deadline); });
  link_.Exchange(Connect());
  caller.join();
  EXPECT_EQ(signalled, absl::OkStatus());
}

TEST_F(GuestLinkTest, CallsEndWhenThereWillBeNoSession) {
  link_.Suspend().reset();
  absl::Status signalled;
  std::thread caller([&] { signalled = link_.Signal(kMain, 15, false, Soon().deadline); });
  link_.Exchange(nullptr).reset();
  caller.join();
  EXPECT_EQ(signalled.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace vcd
