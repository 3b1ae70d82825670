// SPDX-License-Identifier: Apache-2.0
#include "test/process_model/process_cases.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "test/e2e/rootfs_fixture.h"
#include "test/process_model/case_rows.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

constexpr char kProbe[] = "/bin/probe";

}  // namespace

void AddLimit(v1::Cmd& cmd, const std::string& type, uint64_t soft, uint64_t hard) {
  v1::Rlimit& limit = *cmd.add_rlimits();
  limit.set_type(type);
  limit.set_soft(soft);
  limit.set_hard(hard);
}

std::vector<ProcessCase> ProcessCases() {
  std::vector<ProcessCase> rows;
  AddBasics(&rows);
  AddUsers(&rows);
  AddCapabilities(&rows);
  AddRestrictions(&rows);
  AddSeccomp(&rows);
  AddFiles(&rows);
  AddDevices(&rows);
  return rows;
}

v1::PodConfig ProcessCasesPod() {
  v1::PodConfig pod;
  pod.set_hostname("model-pod");
  pod.mutable_dns()->add_servers("10.9.8.1");
  pod.mutable_dns()->add_searches("a.example");
  pod.mutable_dns()->add_options("ndots:3");
  v1::HostAlias& alias = *pod.add_host_aliases();
  alias.set_ip("10.9.8.7");
  alias.add_hostnames("db");
  alias.add_hostnames("db.example");
  return pod;
}

v1::ContainerConfig ContainerOf(const ProcessCase& row) {
  v1::ContainerConfig config;
  v1::Cmd& cmd = *config.mutable_cmd();
  if (row.exec == nullptr) {
    cmd.add_args(kProbe);
    for (const std::string& word : row.probe) cmd.add_args(word);
  } else {
    cmd.add_args("/bin/sleep");
    cmd.add_args("1000");
  }
  if (row.container != nullptr) row.container(config);
  return config;
}

v1::Cmd ExecOf(const ProcessCase& row) {
  v1::Cmd cmd;
  cmd.add_args(kProbe);
  for (const std::string& word : row.probe) cmd.add_args(word);
  row.exec(cmd);
  return cmd;
}

void ExpectOutcome(const ProcessCase& row, const ProcessOutcome& outcome) {
  const std::string refused(outcome.refused.message());
  if (!row.refusal.empty()) {
    EXPECT_FALSE(outcome.refused.ok()) << outcome.out << outcome.err;
    EXPECT_THAT(refused, HasSubstr(row.refusal));
    return;
  }
  if (!row.may_be_refused.empty() && absl::StrContains(refused, row.may_be_refused)) return;
  ASSERT_TRUE(outcome.refused.ok()) << outcome.refused;
  EXPECT_EQ(outcome.exit.code(), row.exit_code) << outcome.err;
  EXPECT_THAT(outcome.out, row.out);
  EXPECT_EQ(outcome.err, "");
}

void MakeProcessCasesRoot(const std::string& directory, const std::string& probe) {
  namespace fs = std::filesystem;
  MakeBusyboxDirectory(directory);
  fs::copy_file(probe, directory + kProbe);
  // To something that is not there, as images made on a machine with systemd-resolved have it.
  fs::create_symlink("../run/resolve/stub.conf", directory + "/etc/resolv.conf");
  fs::create_symlink("../../../../../../tmp", directory + "/outside");
  fs::create_symlink("/proc/self/root", directory + "/magic");
}

}  // namespace vcd
