// SPDX-License-Identifier: Apache-2.0
#include "core/asset/asset_annotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Key(const std::string& name) { return kAssetAnnotationPrefix + name; }

const std::string& Digest() {
  static const std::string kDigest(128, 'a');
  return kDigest;
}

TEST(AssetAnnotationsTest, EachFindsItsFieldAndWinsOverTheConfiguration) {
  const std::map<std::string, std::string> annotations = {
      {Key("KernelPath"), "/k"},    {Key("KernelHash"), Digest()},    {Key("InitrdPath"), "/r"},
      {Key("ImagePath"), "/i"},     {Key("ImageHash"), Digest()},     {Key("FirmwarePath"), "/f"},
      {Key("HypervisorPath"), ""},  {Key("AssetHashType"), "sha512"}, {"org.example/other", "x"},
      {Key("pkg.oci.config"), "…"}, {Key("FirmwareHash"), Digest()}};
  ASSERT_EQ(CheckAssetAnnotations(annotations), absl::OkStatus());
  v1::HypervisorConfig config;
  config.set_kernel_path("/configured");
  config.set_hypervisor_path("/configured/qemu");
  config.mutable_sha512()->set_hypervisor("its digest");
  ApplyAssetAnnotations(annotations, &config);
  EXPECT_EQ(config.kernel_path(), "/k");
  EXPECT_EQ(config.initrd_path(), "/r");
  EXPECT_EQ(config.image_path(), "/i");
  EXPECT_EQ(config.firmware_path(), "/f");
  EXPECT_EQ(config.hypervisor_path(), "/configured/qemu");
  EXPECT_EQ(config.sha512().kernel(), Digest());
  EXPECT_EQ(config.sha512().image(), Digest());
  EXPECT_EQ(config.sha512().firmware(), Digest());
  EXPECT_EQ(config.sha512().hypervisor(), "its digest");
}

TEST(AssetAnnotationsTest, WithoutThemNothingChanges) {
  v1::HypervisorConfig config;
  ApplyAssetAnnotations({{"a", "b"}}, &config);
  EXPECT_EQ(config.ByteSizeLong(), 0u);
}

TEST(AssetAnnotationsTest, WrongOnesAreNamed) {
  const struct {
    std::string name, value, words;
  } cases[] = {{"KernelPath", "relative", "absolute"},
               {"KernelHash", "abc", "128"},
               {"KernelHash", std::string(128, 'z'), "hexadecimal"},
               {"AssetHashType", "sha256", "known is sha512"},
               {"KernalPath", "/k", "known after"}};
  for (const auto& wrong : cases) {
    const absl::Status status = CheckAssetAnnotations({{Key(wrong.name), wrong.value}});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.name;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(Key(wrong.name)), HasSubstr(wrong.words)));
    EXPECT_EQ(DetailOf(status)->metadata["field"], "annotations[\"" + Key(wrong.name) + "\"]");
  }
}

TEST(AssetAnnotationsTest, ErrorsOfTheirFieldsNameThem) {
  const absl::Status status = InvalidField("hypervisor_config.kernel_path", "/k: No such file or directory");
  const absl::Status named = NameAssetAnnotation(status, {{Key("KernelPath"), "/k"}});
  EXPECT_THAT(std::string(named.message()), StartsWith("annotation " + Key("KernelPath") + ": "));
  EXPECT_EQ(DetailOf(named)->metadata["annotation"], Key("KernelPath"));
  EXPECT_EQ(NameAssetAnnotation(status, {{Key("KernelHash"), Digest()}}), status);
  EXPECT_EQ(NameAssetAnnotation(absl::InternalError("x"), {{Key("KernelPath"), "/k"}}), absl::InternalError("x"));
}

}  // namespace
}  // namespace vcd
