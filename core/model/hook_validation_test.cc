// SPDX-License-Identifier: Apache-2.0
#include "core/model/hook_validation.h"

#include <functional>
#include <string>

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

v1::Hooks Good() {
  v1::Hooks hooks;
  v1::Hook& hook = *hooks.add_prestart();
  hook.set_path("/usr/bin/probe");
  hook.add_args("probe");
  hook.add_args("");
  hook.add_env("EMPTY=");
  hook.add_env("A=b=c");
  hook.set_timeout_seconds(30);
  return hooks;
}

struct Case {
  const char* name;
  std::function<void(v1::Hooks&)> spoil;
  const char* field;
};

class HookValidationTest : public testing::TestWithParam<Case> {};

TEST_P(HookValidationTest, NamesTheField) {
  v1::Hooks hooks = Good();
  GetParam().spoil(hooks);
  const absl::Status status = CheckHooks(hooks, "hooks");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("`") + GetParam().field + "`"));
}

INSTANTIATE_TEST_SUITE_P(
    Wrong, HookValidationTest,
    testing::Values(
        Case{"RelativePath", [](v1::Hooks& h) { h.mutable_prestart(0)->set_path("probe"); }, "hooks.prestart[0].path"},
        Case{"NoPath", [](v1::Hooks& h) { h.add_start_container(); }, "hooks.start_container[0].path"},
        Case{"NulInAnArgument", [](v1::Hooks& h) { h.mutable_prestart(0)->set_args(1, std::string("a\0b", 3)); },
             "hooks.prestart[0].args[1]"},
        Case{"EnvWithoutAValue", [](v1::Hooks& h) { h.mutable_prestart(0)->add_env("PATH"); },
             "hooks.prestart[0].env[2]"},
        Case{"EnvWithoutAName", [](v1::Hooks& h) { h.mutable_prestart(0)->add_env("=x"); }, "hooks.prestart[0].env[2]"},
        Case{"TooMany",
             [](v1::Hooks& h) {
               for (int i = 0; i <= kMaxHooks; ++i) h.add_poststop()->set_path("/x");
             },
             "hooks.poststop"},
        Case{"OfEveryKind", [](v1::Hooks& h) { h.add_create_container()->set_path("x"); },
             "hooks.create_container[0].path"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

TEST(HookTimeoutTest, TheDaemonsLimitIsTheMost) {
  EXPECT_EQ(CheckHooks(Good(), "hooks"), absl::OkStatus());
  EXPECT_EQ(CheckHookTimeouts(Good(), absl::Seconds(30), "hooks"), absl::OkStatus());
  const absl::Status status = CheckHookTimeouts(Good(), absl::Seconds(29), "hooks");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("`hooks.prestart[0].timeout_seconds`: 30 is more than this daemon's `hooks.max_timeout_seconds`, "
                "29"));
}

}  // namespace
}  // namespace vcd
