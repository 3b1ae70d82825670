// SPDX-License-Identifier: Apache-2.0
#include "client/command_line.h"

#include <stdlib.h>

#include <string>
#include <vector>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(CommandLineTest, HelpNamesVerbsAndExample) {
  const RunResult help = RunVc("/no/socket", {"--help"});
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("  ps  "), HasSubstr("Example: vc run"), HasSubstr("VCD_ADDRESS")));
  EXPECT_THAT(help.err, IsEmpty());
}

TEST(CommandLineTest, EveryVerbHasSummaryAndExample) {
  for (const std::string verb : {"annotate", "check", "create",  "events", "exec",       "execs",  "info", "inspect",
                                 "kill",     "logs",  "pause",   "ps",     "resize",     "resume", "rm",   "run",
                                 "start",    "stop",  "version", "wait",   "checkpoint", "restore"}) {
    const RunResult help = RunVc("/no/socket", {verb, "--help"});
    EXPECT_EQ(help.exit_status, 0) << verb;
    EXPECT_THAT(help.out, AllOf(HasSubstr("Usage: vc " + verb), HasSubstr("Example: "), HasSubstr("--address")));
  }
  EXPECT_THAT(RunVc("/no/socket", {"run", "--help"}).out, HasSubstr("[OPTIONS] -- COMMAND [ARGS...]"));
}

TEST(CommandLineTest, OptionsStandBelowHeadings) {
  const std::string run = RunVc("/no/socket", {"run", "--help"}).out;
  size_t at = 0;
  for (const std::string part :
       {"\nOptions:\n", "--rootfs", "\nProcess:\n", "--workdir", "\nIsolation:\n", "--cap-add", "--pid ",
        "\nLimits of the container:\n", "--pids-limit", "\nNames:\n", "--dns-search", "\nVirtual machine:\n",
        "--kernel ", "\nForeground:\n", "--detach-keys", "\nConnection:\n", "--timeout"}) {
    const size_t found = run.find(part, at);
    ASSERT_NE(found, std::string::npos) << part << " is not where it should be in\n" << run;
    at = found;
  }
  const std::string exec = RunVc("/no/socket", {"exec", "--help"}).out;
  EXPECT_LT(exec.find("\nProcess:\n"), exec.find("--no-new-privileges"));
  EXPECT_LT(exec.find("--no-new-privileges"), exec.find("\nForeground:\n"));
}

TEST(CommandLineTest, RefusesWordsThatAreNotUtf8) {
  const RunResult refused = RunVc("/no/socket", {"run", "--rootfs", "/r.img", "--", "echo", "z\xff"});
  EXPECT_EQ(refused.exit_status, 125);
  EXPECT_THAT(refused.err, HasSubstr("\"z\\xff\" is not UTF-8"));
  EXPECT_THAT(RunVc("/no/socket", {"ps", "h\xc3\xa9"}).err, ::testing::Not(HasSubstr("UTF-8")));
}

TEST(CommandLineTest, VerbsOfAGroupComeAfterItsWord) {
  for (const std::string verb : {"create", "kill", "ls", "rm", "start", "stop"}) {
    const RunResult help = RunVc("/no/socket", {"container", verb, "--help"});
    EXPECT_EQ(help.exit_status, 0) << verb;
    EXPECT_THAT(help.out,
                AllOf(HasSubstr("Usage: vc container " + verb), HasSubstr("Example: "), HasSubstr("--address")));
  }
  EXPECT_THAT(RunVc("/no/socket", {"container", "--help"}).out, AllOf(HasSubstr("  ls  "), HasSubstr("  rm  ")));
  EXPECT_THAT(RunVc("/no/socket", {"--help"}).out, HasSubstr("  container  "));
  EXPECT_THAT(RunVc("/no/socket", {"container", "create", "--help"}).out, HasSubstr("-- COMMAND [ARGS...]"));
}

TEST(CommandLineTest, VersionFlagNeedsNoDaemon) {
  const RunResult version = RunVc("/no/socket", {"--version"});
  EXPECT_EQ(version.exit_status, 0);
  EXPECT_EQ(version.out, "vc 0.1.0\n");
}

TEST(CommandLineTest, UsageErrorsEndWithTwoAndNameTheWord) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "subcommand"},
      {{"frobnicate"}, "frobnicate"},
      {{"ps", "--frobnicate"}, "--frobnicate"},
      {{"ps", "-o", "xml"}, "\"xml\" is none of table, json, yaml, name"},
      {{"rm"}, "POD"},
      {{"container"}, "a verb is needed; \"vc container --help\""},
      {{"container", "frobnicate"}, "\"frobnicate\" is no verb or option; \"vc container --help\""},
      {{"container", "rm", "web"}, "CONTAINER"},
      {{"container", "ls", "--frobnicate", "web"}, "--frobnicate"},
      {{"stop", "-t", "soon", "web"}, "soon"},
      {{"stop", "-t", "1", "--time", "2", "web"}, "--time: is given more than once"},
      {{"stop", "web", "-t"}, "--time: needs a value"},
      {{"kill", "--container=", "web", "db"}, "--container: needs a value; an empty one is a word of its own"},
      {{"kill", "-c", "", "web"}, "--container: is empty; give it a value, or leave it out"},
      {{"annotate", "web", "--get", ""}, "--get: is empty"},
      {{"ps", "--timeout", "30"}, "\"30\" is no duration"},
      {{"ps", "--address", "tcp://x:1"}, "tcp://x:1"},
      {{"kill", "-s", "NOPE", "web"}, "\"NOPE\" is no signal"},
      {{"create", "--", ""}, "cannot reach"},  // Not a usage error: the daemon judges the words.
  };
  for (const auto& [words, message] : cases) {
    const RunResult result = RunVc("/no/socket", words);
    EXPECT_EQ(result.exit_status, message == "cannot reach" ? 1 : 2) << message;
    EXPECT_THAT(result.err, AllOf(StartsWith("vc: "), HasSubstr(message)));
    EXPECT_THAT(result.out, IsEmpty());
  }
}

TEST(CommandLineTest, VerbsThatPassOnExitCodesRefuseWithTheirOwn) {
  for (const std::string verb : {"run", "exec"}) {
    const RunResult result = RunVc("/no/socket", {verb, "--frobnicate", "pod", "--", "cmd"});
    EXPECT_EQ(result.exit_status, 125);
    EXPECT_THAT(result.err, HasSubstr("unknown option --frobnicate"));
  }
  EXPECT_EQ(RunVc("/no/socket", {"run", "--timeout", "x", "--", "cmd"}).exit_status, 125);
}

TEST(CommandLineTest, GlobalOptionsStandOnEitherSideOfTheVerb) {
  const FakeServer server;
  const std::string address = "unix://" + server.socket_path();
  EXPECT_EQ(RunVc("/no/socket", {"--address", address, "ps"}).exit_status, 0);
  EXPECT_EQ(RunVc("/no/socket", {"ps", "--address", address, "--timeout", "10s"}).exit_status, 0);
  EXPECT_EQ(RunVc("/no/socket", {"--address=" + server.socket_path(), "ps"}).exit_status, 0);
}

TEST(CommandLineTest, APodMayHaveTheNameOfAVerb) {
  FakeServer server;
  v1::Pod pod;
  pod.set_id("ps");
  server.AddPod(pod);
  EXPECT_EQ(RunVc(server, {"start", "ps"}).out, "ps\n");
}

TEST(CommandLineTest, APodMayHaveTheNameOfAGroup) {
  FakeServer server;
  v1::Pod pod;
  pod.set_id("container");
  server.AddPod(pod);
  EXPECT_EQ(RunVc(server, {"start", "container"}).out, "container\n");
  EXPECT_EQ(RunVc(server, {"container", "start", "container", "stop"}).out, "stop\n");
}

TEST(CommandLineTest, PassesTheWordsAfterTheDashesVerbatim) {
  FakeServer server;
  const std::vector<std::string> words = {"-x", "--rm", "--", "{}", "[a,b]", "", "ps", "a b", "++", "--help"};
  std::vector<std::string> line = {"create", "--id", "p", "--"};
  line.insert(line.end(), words.begin(), words.end());
  ASSERT_EQ(RunVc(server, line).exit_status, 0);
  const v1::PodConfig config = server.last_config();
  const auto& args = config.containers(0).cmd().args();
  EXPECT_EQ(std::vector<std::string>(args.begin(), args.end()), words);
}

TEST(CommandLineTest, TakesACommandWithoutTheDashes) {
  FakeServer server;
  ASSERT_EQ(RunVc(server, {"create", "--id", "p", "ps", "-a", "--", "--rm"}).exit_status, 0);
  EXPECT_THAT(server.last_config().containers(0).cmd().args(), ElementsAre("ps", "-a", "--", "--rm"));
}

TEST(CommandLineTest, ReachesADaemonByTcpWhateverTheProxies) {
  FakeServer server;
  ASSERT_EQ(::setenv("http_proxy", "http://127.0.0.1:1", /*overwrite=*/1), 0);
  const RunResult result = RunVc("/no/socket", {"--address", server.tcp_address(), "ps", "-q"});
  ASSERT_EQ(::unsetenv("http_proxy"), 0);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(server.calls().size(), 1u);
  server.Stop();
  EXPECT_THAT(RunVc("/no/socket", {"--address", server.tcp_address(), "ps"}).err,
              HasSubstr("vc: ps: cannot reach vcd at " + server.tcp_address() + ": Connection refused"));
  EXPECT_THAT(RunVc("/no/socket", {"--address", "tcp://10.0.0.1:1", "ps"}).err, HasSubstr("mutual TLS"));
}

TEST(CommandLineTest, SaysWhatToDoWhenTheDaemonIsNotThere) {
  const RunResult result = RunVc("/no/socket", {"ps"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err,
            "vc: ps: cannot reach vcd at /no/socket: No such file or directory; start vcd, or name its socket with "
            "--address or VCD_ADDRESS\n");
}

TEST(CommandLineTest, SaysWhenNobodyListensAnyMore) {
  FakeServer server;
  server.Stop();
  const RunResult result = RunVc(server, {"rm", "web"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.err, AllOf(StartsWith("vc: rm web: cannot reach vcd at " + server.socket_path()),
                                HasSubstr("start vcd, or name its socket")));
}

TEST(CommandLineTest, TimeoutEndsACallThatIsNotAnswered) {
  FakeServer server;
  server.Hang("ListPods");
  const RunResult result = RunVc(server, {"ps", "--timeout", "50ms"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.err, HasSubstr("did not answer within 50ms; give it longer with --timeout"));
}

TEST(CommandLineTest, WhatTheDaemonSaysStandsAlsoWithCodesThatGrpcHasOfItsOwn) {
  FakeServer server;
  server.Fail("StartPod",
              DaemonError(grpc::StatusCode::DEADLINE_EXCEEDED, "UNSPECIFIED", "it would not start in time"));
  EXPECT_EQ(RunVc(server, {"start", "web"}).err, "vc: start web: it would not start in time\n");
  server.Fail("DeletePod", DaemonError(grpc::StatusCode::UNAVAILABLE, "UNSPECIFIED", "it still holds a disk"));
  EXPECT_EQ(RunVc(server, {"rm", "web"}).err, "vc: rm web: it still holds a disk\n");
}

TEST(CommandLineTest, KeepsTheGuestsWordsFromTheTerminal) {
  FakeServer server;
  server.Fail("StartPod", DaemonError(grpc::StatusCode::INTERNAL, "VM_EXITED", "guest said \x1b[2J"));
  EXPECT_EQ(RunVc(server, {"start", "web"}).err, "vc: start web: guest said ?[2J\n");
}

}  // namespace
}  // namespace vcd::client
