// SPDX-License-Identifier: Apache-2.0
#include "client/testing/each_pod.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

TEST(StartCommandTest, IsDoneToEachAndSaysWhichIsNotThere) {
  ExpectDoneToEachPod("start", "StartPod", "no pod \"a\"; vc ps -a lists those that exist");
}

}  // namespace
}  // namespace vcd::client
