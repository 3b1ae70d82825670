// SPDX-License-Identifier: Apache-2.0
#include "client/pod/hook_options.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(HookOptionsTest, HasAKindAProgramAndArguments) {
  v1::Hooks hooks;
  for (const char* text : {"prestart=/bin/a", "create-runtime=/bin/b,one,two=2", "create_container=/bin/c",
                           "start-container=/bin/d", "poststart=/bin/e", "poststop=/bin/f", "poststop=/bin/g"}) {
    EXPECT_EQ(AddHook(text, &hooks), absl::OkStatus()) << text;
  }
  ASSERT_EQ(hooks.prestart_size(), 1);
  EXPECT_EQ(hooks.prestart(0).path(), "/bin/a");
  EXPECT_THAT(hooks.prestart(0).args(), ElementsAre("/bin/a"));
  EXPECT_THAT(hooks.prestart(0).env(), ElementsAre(HasSubstr("PATH=")));
  EXPECT_THAT(hooks.create_runtime(0).args(), ElementsAre("/bin/b", "one", "two=2"));
  EXPECT_EQ(hooks.create_container(0).path(), "/bin/c");
  EXPECT_EQ(hooks.start_container(0).path(), "/bin/d");
  EXPECT_EQ(hooks.poststart(0).path(), "/bin/e");
  EXPECT_EQ(hooks.poststop_size(), 2);
}

TEST(HookOptionsTest, RefusesWhatIsNone) {
  for (const char* text : {"", "prestart", "prestart=", "prestart=a", "prestart=,a", "bang=/bin/a"}) {
    v1::Hooks hooks;
    const absl::Status refused = AddHook(text, &hooks);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("--hook \"")) << text;
    EXPECT_EQ(hooks.ByteSizeLong(), 0u) << text;
  }
}

}  // namespace
}  // namespace vcd::client
