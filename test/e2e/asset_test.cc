// SPDX-License-Identifier: Apache-2.0
// What a machine is made of is chosen and checked when the pod is created. After that a running pod needs none of it,
// and a stopped one says what it lacks.
#include <filesystem>
#include <fstream>
#include <string>

#include "core/asset/file_digest_cache.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kPrefix[] = "com.github.containers.virtcontainers.";

class AssetTest : public E2eTest {
 protected:
  void SetUp() override {
    E2eTest::SetUp();
    kernel_ = daemon().directory() + "/my-vmlinux";
    std::filesystem::copy_file(std::filesystem::canonical("guest/image/vmlinux"), kernel_);
    digest_ = *digests_.Sha512(kernel_, CallContext());
  }

  std::vector<std::string> Run(const std::string& pod_id, const std::string& digest) {
    return {"run",          "-d",
            "--id",         pod_id,
            "--rootfs",     image(),
            "--annotation", std::string(kPrefix) + "KernelPath=" + kernel_,
            "--annotation", std::string(kPrefix) + "KernelHash=" + digest,
            "--",           "sleep",
            "1000"};
  }

  std::string kernel_;
  std::string digest_;
  FileDigestCache digests_;
};

TEST_F(AssetTest, AWordThatTheKernelHasNoUseForEndsNoGuest) {
  // The kernel hands such a word to process 1, which is the agent.
  const ProgramResult result = RunIn(image(), {"--kernel-param", "of-no-kernel"}, {"cat", "/proc/cmdline"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_THAT(result.out, HasSubstr(" of-no-kernel"));
}

TEST_F(AssetTest, ARunningPodNeedsItsKernelNoMoreAndAStoppedOneSaysThatItIsGone) {
  Must(Run("web", digest_));
  EXPECT_EQ(daemon().GetPod("web").config().hypervisor_config().kernel_path(), kernel_);

  // As an upgrade does: moved away, and another put in its place.
  std::filesystem::rename(kernel_, kernel_ + ".old");
  Must({"inspect", "web"});
  EXPECT_EQ(Trimmed(Exec("web", {"echo", "here"}).out), "here");
  daemon().Kill();
  daemon().Start();
  RememberDescriptors();
  EXPECT_EQ(Trimmed(Exec("web", {"echo", "still here"}).out), "still here");
  Must({"stop", "-f", "web"});

  const ProgramResult gone = Vc({"start", "web"});
  EXPECT_THAT(gone, ExitsWith(1));
  EXPECT_THAT(gone.err, AllOf(HasSubstr("web"), HasSubstr("hypervisor_config.kernel_path"), HasSubstr(kernel_),
                              HasSubstr("No such file"), HasSubstr("put that file back")));

  std::ofstream(kernel_) << "another kernel";
  const ProgramResult replaced = Vc({"start", "web"});
  EXPECT_THAT(replaced, ExitsWith(1));
  EXPECT_THAT(
      replaced.err,
      AllOf(HasSubstr("hypervisor_config.sha512.kernel"), HasSubstr(kernel_), HasSubstr("expected was " + digest_),
            HasSubstr(*digests_.Sha512(kernel_, CallContext())), HasSubstr("put that file back")));

  std::filesystem::rename(kernel_ + ".old", kernel_);
  Must({"start", "web"});
  EXPECT_EQ(Trimmed(Exec("web", {"echo", "again"}).out), "again");
  Must({"stop", "-f", "web"});
  std::filesystem::remove(kernel_);
  Must({"rm", "web"});
}

TEST_F(AssetTest, AnotherKernelThanAskedForIsRefusedByItsAnnotation) {
  const std::string wrong(128, '0');
  const ProgramResult refused = Vc(Run("web", wrong));
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, AllOf(HasSubstr(std::string("annotation ") + kPrefix + "KernelHash"), HasSubstr(kernel_),
                                 HasSubstr(wrong), HasSubstr(digest_)));
  EXPECT_EQ(Must({"ps", "-a", "-q"}), "");
}

}  // namespace
}  // namespace vcd
