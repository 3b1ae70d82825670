// SPDX-License-Identifier: Apache-2.0
#include "core/hook/oci_state.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

OciState Web() {
  OciState state;
  state.id = "web";
  state.status = "creating";
  state.pid = 4711;
  state.bundle = "/var/lib/vcd/pods/web";
  return state;
}

TEST(OciStateTest, HasAllThatTheSpecificationAsksFor) {
  EXPECT_EQ(OciStateJson(Web()), R"({"ociVersion":"1.0.2","pid":4711,"id":"web","status":"creating",)"
                                 R"("bundle":"/var/lib/vcd/pods/web","annotations":{}})");
}

TEST(OciStateTest, AnnotationsMayHoldAnything) {
  OciState state = Web();
  state.annotations = {{"quotes", "\"}, \n"}, {"no utf-8", "\xff"}, {"pid", "{pid}"}};
  const nlohmann::json parsed = nlohmann::json::parse(OciStateJson(state));
  EXPECT_EQ(parsed["annotations"]["quotes"], "\"}, \n");
  EXPECT_EQ(parsed["annotations"]["no utf-8"], "\xef\xbf\xbd");
  EXPECT_EQ(parsed["annotations"]["pid"], "{pid}");
}

TEST(OciStateTest, ThePlaceOfThePidIsTheFirstOfATemplate) {
  OciState state = Web();
  state.annotations = {{"{pid}", "{pid}"}};
  std::string text = OciStateTemplate(state);
  text.replace(text.find("{pid}"), 5, "7");
  const nlohmann::json parsed = nlohmann::json::parse(text);
  EXPECT_EQ(parsed["pid"], 7);
  EXPECT_EQ(parsed["annotations"]["{pid}"], "{pid}");
}

}  // namespace
}  // namespace vcd
