// SPDX-License-Identifier: Apache-2.0
#include "client/archive/copy_rules.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

constexpr PlaceKind kMissing = PlaceKind::kMissing, kFile = PlaceKind::kFile, kDirectory = PlaceKind::kDirectory;

std::string Parsed(const std::string& text) {
  const absl::StatusOr<CopyPlace> place = ParseCopyPlace(text);
  if (!place.ok()) return "wrong";
  return place->pod_id + "|" + place->container_id + "|" + place->path;
}

TEST(CopyRulesTest, PlacesAreLocalOrOfAContainer) {
  EXPECT_EQ(Parsed("web:/etc/hosts"), "web||/etc/hosts");
  EXPECT_EQ(Parsed("web:etc/hosts"), "web||/etc/hosts");
  EXPECT_EQ(Parsed("web:main:/etc/hosts"), "web|main|/etc/hosts");
  EXPECT_EQ(Parsed("web:main:etc"), "web|main|/etc");
  EXPECT_EQ(Parsed("web:/a:b"), "web||/a:b");
  for (const char* local : {"file", "/a:b", "./a:b", "../a:b", ".", "-", "dir/"}) {
    EXPECT_EQ(Parsed(local), std::string("||") + local);
  }
  for (const char* wrong : {"", ":", ":/x", "web:", "web:main:"}) EXPECT_EQ(Parsed(wrong), "wrong") << wrong;
}

struct Case {
  const char* source;
  PlaceKind source_kind;
  const char* destination;
  PlaceKind destination_kind;
  const char* target;  // "directory|name".
};

TEST(CopyRulesTest, TargetsAreThoseOfCp) {
  for (const Case& c : {
           Case{"a/f", kFile, "d", kDirectory, "d|f"},
           Case{"a/f", kFile, "d/", kDirectory, "d/|f"},
           Case{"a/f", kFile, "x/g", kFile, "x|g"},
           Case{"a/f", kFile, "x/new", kMissing, "x|new"},
           Case{"a/f", kFile, "new", kMissing, ".|new"},
           Case{"a/f", kFile, "/new", kMissing, "/|new"},
           Case{"a/f", kFile, "new/", kMissing, "wrong"},
           Case{"a/d", kDirectory, "x", kDirectory, "x|d"},
           Case{"a/d/", kDirectory, "x", kDirectory, "x|d"},
           Case{"a/d/.", kDirectory, "x", kDirectory, "x|"},
           Case{".", kDirectory, "x", kDirectory, "x|"},
           Case{"/", kDirectory, "x", kDirectory, "x|"},
           Case{"..", kDirectory, "x", kDirectory, "x|"},
           Case{"a/d", kDirectory, "x/new", kMissing, "x|new"},
           Case{"a/d/.", kDirectory, "x/new/", kMissing, "x|new"},
           Case{"a/d", kDirectory, "x", kFile, "wrong"},
       }) {
    const absl::StatusOr<CopyTarget> target = ChooseTarget(c.source, c.source_kind, c.destination, c.destination_kind);
    EXPECT_EQ(target.ok() ? target->directory + "|" + target->name : "wrong", c.target)
        << c.source << " to " << c.destination;
  }
}

TEST(CopyRulesTest, EntriesGetTheNameOfTheTarget) {
  EXPECT_EQ(Renamed("web/", "site"), "site");
  EXPECT_EQ(Renamed("web/a/b", "site"), "site/a/b");
  EXPECT_EQ(Renamed("web", "site"), "site");
  EXPECT_EQ(Renamed("web/a", ""), "a");
  EXPECT_EQ(Renamed("web/", ""), std::nullopt);
  EXPECT_EQ(Renamed("./", "root"), "root");
  EXPECT_EQ(Renamed("./etc/", "root"), "root/etc/");
  EXPECT_EQ(Renamed("web/../x", "site"), "site/../x") << "which whoever unpacks refuses";
}

}  // namespace
}  // namespace vcd::client
