// SPDX-License-Identifier: Apache-2.0
// A machine stands still while a connection to its guest ends, as when vcd is killed while a pod is paused, and goes on
// before the next one begins. With the real QEMU, emulated, and the real guest.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "test/link/machine_fixture.h"

namespace vcd {
namespace {

// Has something to say at any time, so also in the moment in which nobody listens.
constexpr char kTalk[] = "while :; do echo and so on; done";

class MachinePauseTest : public MachineFixture {
 protected:
  // It has to be answered the first time.
  NativeAgent patient_agent_{io_, {.hello_patience = absl::InfiniteDuration()}};
};

TEST_F(MachinePauseTest, TheNextConnectionIsAnswered) {
  const VmSpec spec = Spec("pod");
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  auto observer = std::make_unique<RecordingObserver>();
  std::unique_ptr<GuestSession> session = Talk("pod", **machine, *observer);
  ASSERT_NE(session, nullptr);
  ASSERT_NO_FATAL_FAILURE(StartPrinter(kTalk, **machine, *session));
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    AwaitMore(*observer);
    ASSERT_EQ((*machine)->Pause(Soon()), absl::OkStatus());
    observer->AcknowledgeTo(nullptr);
    session.reset();
    if (round % 2 != 0) {
      // By another daemon.
      const state::v1::VirtualMachine record = (*machine)->Record();
      machine->reset();
      machine = hypervisor_->Adopt(spec, record, Soon());
      ASSERT_TRUE(machine.ok()) << machine.status();
    }
    ASSERT_EQ((*machine)->Resume(Soon()), absl::OkStatus());
    observer = std::make_unique<RecordingObserver>();
    auto next = patient_agent_.Connect({"pod", "pod", ""}, **machine, *observer, Soon());
    ASSERT_TRUE(next.ok()) << next.status();
    session = *std::move(next);
    session->Observe();
    observer->AcknowledgeTo(session.get());
  }
  AwaitMore(*observer);
  EXPECT_EQ(observer->complaints(), "");
  observer->AcknowledgeTo(nullptr);
}

}  // namespace
}  // namespace vcd
