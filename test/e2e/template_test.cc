// SPDX-License-Identifier: Apache-2.0
// Pods that start from templates: real machines, compared with one another and with what must not be left of them.
#include <glob.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "proto/vcd/v1/template_service.grpc.pb.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kClones = 12;
constexpr char kDamage[] = "damage that no check may miss";

// One line for each thing that no two machines may have alike, after the host name and the clock.
constexpr char kProbe[] =
    "hostname; date +%s; cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; "
    "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' '; grep '\\[stack\\]' /proc/self/maps | cut -d- -f1";
constexpr size_t kProbeLines = 6;

class TemplateTest : public E2eTest {
 protected:
  explicit TemplateTest(std::vector<std::string> flags = {"--templates", "on"}) : E2eTest(std::move(flags)) {}

  void TearDown() override {
    RemoveAllPods();
    Must({"template", "rm", "--all"});
    E2eTest::TearDown();
  }

  // Runs a command in a pod of that id and returns what it prints; the pod stays.
  std::string Print(const std::string& id, const std::string& rootfs, const std::vector<std::string>& command,
                    std::vector<std::string> options = {}) {
    std::vector<std::string> words = {"run", "--id", id, "--rootfs", rootfs};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), command.begin(), command.end());
    return Must(words);
  }
  v1::VmStatus Sleeper(const std::string& id, std::vector<std::string> options = {}) {
    std::vector<std::string> words = {"run", "-d", "--id", id, "--rootfs", image()};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "sleep", "1000"});
    Must(words);
    return daemon().GetPod(id).vm();
  }

  std::vector<v1::Template> Templates() {
    grpc::ClientContext context;
    v1::ListTemplatesResponse response;
    const grpc::Status status =
        v1::TemplateService::NewStub(daemon().channel())->ListTemplates(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.templates().begin(), response.templates().end()};
  }

  // Of what kProbe printed in a pod, name and clock are right, and the rest is in no line that was seen.
  static void ExpectOnlyItsOwn(const std::string& id, const std::string& printed,
                               std::vector<std::set<std::string>>& seen) {
    const std::vector<std::string> lines = absl::StrSplit(printed, '\n', absl::SkipEmpty());
    ASSERT_THAT(lines, SizeIs(kProbeLines)) << printed;
    EXPECT_EQ(lines[0], id);
    EXPECT_LT(absl::AbsDuration(absl::Now() - absl::FromUnixSeconds(std::stoll(lines[1]))), absl::Seconds(60));
    for (size_t line = 2; line < kProbeLines; ++line) {
      EXPECT_TRUE(seen[line].insert(lines[line]).second) << id << " has what another had: " << lines[line];
    }
  }

  // Until a file of that pattern is there.
  static void AwaitFile(const std::string& pattern) {
    const absl::Time deadline = absl::Now() + kProgramTimeout;
    glob_t found;
    int result = GLOB_NOMATCH;
    while (result == GLOB_NOMATCH && absl::Now() < deadline) {
      result = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
      ::globfree(&found);
    }
    EXPECT_EQ(result, 0) << pattern;
  }

  void Crash() {
    daemon().Kill();
    ASSERT_NO_FATAL_FAILURE(daemon().Start());
    RememberDescriptors();
  }
};

TEST_F(TemplateTest, TheFirstBootsAndNoLaterOneIsLikeAnother) {
  const std::string key = Trimmed(Must({"template", "prepare"}));
  std::vector<std::set<std::string>> seen(kProbeLines);
  for (int clone = 0; clone < kClones; ++clone) {
    const std::string id = absl::StrCat("clone-", clone);
    // With memory of its own and with that of the template, turn by turn.
    const bool shares = clone % 3 == 2 && ::geteuid() == 0;
    const std::string printed = Print(id, shares ? directory() : image(), {"/bin/sh", "-c", kProbe});
    const v1::VmStatus vm = daemon().GetPod(id).vm();
    EXPECT_EQ(vm.start(), v1::VM_START_CLONE) << vm.start_reason();
    EXPECT_EQ(vm.template_key(), key);
    ExpectOnlyItsOwn(id, printed, seen);
    if (clone % 2 == 0) Must({"rm", "-f", id});
  }
}

TEST_F(TemplateTest, IsMadeBesideTheFirstPodAndDroppedByHand) {
  EXPECT_THAT(Templates(), IsEmpty());
  const v1::VmStatus first = Sleeper("first");
  EXPECT_EQ(first.start(), v1::VM_START_COLD);
  EXPECT_THAT(first.start_reason(), HasSubstr("no template"));
  const std::string key = Trimmed(Must({"template", "prepare"}));
  EXPECT_THAT(Must({"template", "ls"}), HasSubstr("ready"));
  EXPECT_EQ(Sleeper("second").start(), v1::VM_START_CLONE);
  EXPECT_EQ(Sleeper("third", {"--no-template"}).start(), v1::VM_START_COLD);
  EXPECT_EQ(Sleeper("fourth", {"--trust-domain", "team-a"}).start(), v1::VM_START_COLD);
  EXPECT_NE(Trimmed(Must({"template", "prepare", "--trust-domain", "team-a"})), key);
  EXPECT_THAT(Templates(), SizeIs(2));
  // Pods that are clones do not need it any more.
  Must({"template", "rm", key.substr(0, 12)});
  EXPECT_THAT(Templates(), SizeIs(1)) << "that of the other domain";
  EXPECT_THAT(Exec("second", {"echo", "alive"}).out, HasSubstr("alive"));
}

TEST_F(TemplateTest, WhatIsAddedToACloneIsAsInAnyMachine) {
  VCD_SKIP_UNLESS_ROOT();
  Must({"template", "prepare"});
  const std::string volume = daemon().directory() + "/volume";
  fs::create_directory(volume);
  std::ofstream(volume + "/word") << "of the host\n";
  const v1::VmStatus vm = Sleeper("p", {"-v", volume + ":/volume"});
  EXPECT_EQ(vm.start(), v1::VM_START_CLONE) << vm.start_reason();
  EXPECT_EQ(Exec("p", {"cat", "/volume/word"}).out, "of the host\n");
  Must({"resize", "--cpus", "2", "--memory", "256", "p"});
  EXPECT_EQ(Trimmed(Exec("p", {"grep", "-c", "processor", "/proc/cpuinfo"}).out), "2");
  Must({"pause", "p"});
  Must({"resume", "p"});
  // It is an ordinary machine to a daemon that comes later.
  Crash();
  EXPECT_EQ(Exec("p", {"cat", "/volume/word"}).out, "of the host\n");
  EXPECT_EQ(daemon().GetPod("p").vm().start(), v1::VM_START_CLONE);
}

// With one machine that waits.
class WarmMachineTest : public TemplateTest {
 protected:
  WarmMachineTest() : TemplateTest({"--templates", "on", "--config", Configuration()}) {}

  static std::string Configuration() {
    const std::string path = ::testing::TempDir() + "/warm.toml";
    std::ofstream(path) << "[templates]\nwarm_machines = 1\n";
    return path;
  }

  void AwaitWarm() {
    const absl::Time deadline = absl::Now() + kProgramTimeout;
    while (Templates().at(0).warm_machines() != 1 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(20));
    EXPECT_EQ(Templates().at(0).warm_machines(), 1u);
  }
  // Names of the machines that wait or had waited.
  std::set<std::string> Machines() {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(daemon().run_dir() + "/warm"))
      names.insert(entry.path().filename());
    return names;
  }
};

TEST_F(WarmMachineTest, IsAsAnyCloneAndSurvivesItsDaemon) {
  Must({"template", "prepare"});
  EXPECT_EQ(Sleeper("first").start(), v1::VM_START_CLONE) << "none waited yet";
  AwaitWarm();
  std::vector<std::set<std::string>> seen(kProbeLines);
  const auto probe = [&](const std::string& id) {
    ExpectOnlyItsOwn(id, Print(id, image(), {"/bin/sh", "-c", kProbe}), seen);
    const v1::VmStatus vm = daemon().GetPod(id).vm();
    EXPECT_EQ(vm.start(), v1::VM_START_WARM) << vm.start_reason();
    AwaitWarm();
  };
  probe("one");
  probe("two");
  Sleeper("stays");
  AwaitWarm();
  const std::set<std::string> before = Machines();
  EXPECT_THAT(before, SizeIs(4));
  Crash();
  AwaitWarm();
  EXPECT_EQ(Machines(), before) << "what waited waits, and pods have what they had";
  EXPECT_THAT(Exec("stays", {"echo", "alive"}).out, HasSubstr("alive"));
  probe("three");
  // A pod that was started from it stops and boots as any other.
  Must({"stop", "stays"});
  Must({"start", "stays"});
  EXPECT_THAT(Exec("stays", {"echo", "alive"}).out, HasSubstr("alive"));
}

TEST_F(TemplateTest, SharesItsMemory) {
  Must({"template", "prepare"});
  for (const char* id : {"one", "two", "three"}) Sleeper(id);
  v1::PodStats stats;
  grpc::ClientContext context;
  v1::GetPodStatsRequest request;
  request.set_pod_id("three");
  v1::GetPodStatsResponse response;
  ASSERT_TRUE(v1::PodService::NewStub(daemon().channel())->GetPodStats(&context, request, &response).ok());
  const v1::VmStats& vm = response.stats().vm();
  EXPECT_GT(vm.memory_shared_bytes(), uint64_t{20} << 20) << vm.ShortDebugString();
  EXPECT_LT(vm.memory_unique_bytes(), uint64_t{60} << 20) << vm.ShortDebugString();
}

TEST_F(TemplateTest, DamagedFilesCostNoPodAndAreReplaced) {
  Must({"template", "prepare"});
  for (const char* name : {"memory", "state", "manifest.json"}) {
    SCOPED_TRACE(name);
    // What it has loaded would not be read again.
    Crash();
    Must({"template", "prepare"});
    const fs::path templates = daemon().state_dir() + "/templates";
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(templates)) found.push_back(entry.path());
    ASSERT_THAT(found, SizeIs(1));
    {
      std::fstream file(found[0] / name, std::ios::in | std::ios::out | std::ios::binary);
      ASSERT_TRUE(file.is_open());
      file.seekp(100);
      file << kDamage;
    }
    const std::string id = absl::StrCat("p-", std::string(name).substr(0, 5));
    const v1::VmStatus vm = Sleeper(id);
    EXPECT_EQ(vm.start(), v1::VM_START_COLD);
    EXPECT_THAT(vm.start_reason(), HasSubstr("failed")) << vm.start_reason();
    // Gone, or made anew already.
    std::string text(sizeof kDamage - 1, '\0');
    std::ifstream(found[0] / name, std::ios::binary).seekg(100).read(text.data(), sizeof kDamage - 1);
    EXPECT_NE(text, kDamage) << "it was kept";
    Must({"template", "prepare"});
    EXPECT_EQ(Sleeper(id + "-2").start(), v1::VM_START_CLONE);
    Must({"rm", "-f", id, id + "-2"});
  }
}

TEST_F(TemplateTest, ACrashWhileOneIsMadeLeavesNothing) {
  // Its machine's monitor, the state that QEMU writes, and the end of the image.
  for (const std::string made : {"run/templates/*/mon", "state/templates/*/state", "state/templates/*/manifest.json"}) {
    SCOPED_TRACE(made);
    grpc::ClientContext context;
    v1::PrepareTemplateResponse response;
    std::thread prepare(
        [&] { (void)v1::TemplateService::NewStub(daemon().channel())->PrepareTemplate(&context, {}, &response); });
    AwaitFile(daemon().directory() + "/" + made);
    Crash();
    prepare.join();
    Must({"template", "prepare"});
    EXPECT_EQ(Sleeper("p").start(), v1::VM_START_CLONE);
    Must({"rm", "-f", "p"});
    Must({"template", "rm", "--all"});
    EXPECT_THAT(SettledLeftovers(), IsEmpty());
  }
}

TEST_F(TemplateTest, ManyAtOnceAndACrashInTheMiddle) {
  Must({"template", "prepare"});
  const auto run = [this](int number) {
    (void)Vc({"run", "-d", "--id", absl::StrCat("many-", number), "--rootfs", image(), "--", "sleep", "1000"});
  };
  image();
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) callers.emplace_back(run, i);
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  while (Vc({"inspect", "many-0"}).exit_code != 0 && absl::Now() < deadline) {
  }
  daemon().Kill();
  for (std::thread& caller : callers) caller.join();
  ASSERT_NO_FATAL_FAILURE(daemon().Start());
  RememberDescriptors();
  callers.clear();
  for (int i = 8; i < 16; ++i) callers.emplace_back(run, i);
  for (std::thread& caller : callers) caller.join();
  for (int i = 8; i < 16; ++i) {
    const v1::VmStatus vm = daemon().GetPod(absl::StrCat("many-", i)).vm();
    EXPECT_EQ(vm.start(), v1::VM_START_CLONE) << vm.start_reason();
  }
}

}  // namespace
}  // namespace vcd
