// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_attachment.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

CallContext Soon() { return {absl::Now() + absl::Seconds(60), nullptr}; }

// A network of the plugins `one` and `two`, which are scripts of the test.
class CniAttachmentTest : public testing::Test {
 protected:
  void SetUp() override {
    Script("one", Answer("10.1.0.2/16"));
    Script("two", Answer("10.1.0.3/16"));
  }

  // Each call of a plugin writes `NAME COMMAND` and what it got to files, then does what the script says.
  void Script(const std::string& name, const std::string& script) {
    const std::string path = absl::StrCat(directory_.path(), "/", name);
    std::ofstream(path) << "#!/bin/sh\ncd " << directory_.path() << "\necho " << name << " $CNI_COMMAND >>calls\n"
                        << "cat >" << name << ".$CNI_COMMAND.in\nenv >" << name << ".$CNI_COMMAND.env\n"
                        << script << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  static std::string Answer(const std::string& address) {
    return absl::StrCat(R"(echo '{"cniVersion": "1.0.0", "ips": [{"address": ")", address, R"("}]}')");
  }
  std::string Read(const std::string& file) const {
    std::ostringstream text;
    text << std::ifstream(absl::StrCat(directory_.path(), "/", file)).rdbuf();
    return text.str();
  }
  CniJson Input(const std::string& file) const { return *ParseCniObject(Read(file), file); }

  CniAttachment Plan(const v1::CniNetwork& network = v1::CniNetwork()) const {
    absl::StatusOr<CniAttachment> attachment = PlanCniAttachment("web", network, network_, "networks[0]");
    EXPECT_TRUE(attachment.ok()) << attachment.status();
    attachment->interface_name = "eth0";
    attachment->netns_path = "/run/netns/web";
    return *std::move(attachment);
  }
  absl::StatusOr<CniResult> Add(CniAttachment& attachment) const {
    return AddCniAttachment(
        plugins_, attachment, [] { return absl::OkStatus(); }, Soon());
  }

  TemporaryDirectory directory_;
  const CniPlugins plugins_{{"/nonexistent", directory_.path()}, absl::Seconds(30)};
  CniConfiguration network_ = *ParseCniConfiguration(
      R"({"cniVersion": "1.0.0", "name": "lan", "plugins": [
          {"type": "one", "x": 1, "capabilities": {"mac": true}},
          {"type": "two", "capabilities": {"portMappings": true}}]})",
      "lan.conflist");
};

TEST_F(CniAttachmentTest, PluginsGetWhatTheProtocolSays) {
  v1::CniNetwork asked;
  asked.set_mac("02:00:5e:00:53:01");
  v1::PortMapping& port = *asked.add_port_mappings();
  port.set_host_port(8080);
  port.set_container_port(80);
  (*asked.mutable_args())["K8S_POD_NAMESPACE"] = "shop";
  CniAttachment attachment = Plan(asked);
  ASSERT_TRUE(Add(attachment).ok());
  EXPECT_EQ(Read("calls"), "one ADD\ntwo ADD\n");
  const CniJson one = Input("one.ADD.in");
  EXPECT_EQ(one["name"], "lan");
  EXPECT_EQ(one["cniVersion"], "1.0.0");
  EXPECT_EQ(one["x"], 1);
  EXPECT_FALSE(one.contains("capabilities"));
  EXPECT_FALSE(one.contains("prevResult"));
  EXPECT_EQ(CniText(one["runtimeConfig"]), R"({"mac":"02:00:5e:00:53:01"})");
  const CniJson two = Input("two.ADD.in");
  EXPECT_EQ(CniText(two["runtimeConfig"]),
            R"({"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]})");
  EXPECT_EQ(two["prevResult"]["ips"][0]["address"], "10.1.0.2/16");
  const std::string env = Read("one.ADD.env");
  EXPECT_THAT(env, HasSubstr("CNI_IFNAME=eth0\n"));
  EXPECT_THAT(env, HasSubstr("CNI_NETNS=/run/netns/web\n"));
  EXPECT_THAT(env, HasSubstr(absl::StrCat("CNI_PATH=/nonexistent:", directory_.path(), "\n")));
  EXPECT_THAT(env, HasSubstr(absl::StrCat("CNI_CONTAINERID=", attachment.container_id, "\n")));
  EXPECT_THAT(env,
              HasSubstr(absl::StrCat("CNI_ARGS=IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID=", attachment.container_id,
                                     ";K8S_POD_NAME=web;K8S_POD_NAMESPACE=shop;VCD_POD_ID=web\n")));

  ASSERT_TRUE(CheckCniAttachment(plugins_, attachment, Soon()).ok());
  ASSERT_TRUE(DeleteCniAttachment(plugins_, attachment, Soon()).ok());
  EXPECT_EQ(Read("calls"), "one ADD\ntwo ADD\none CHECK\ntwo CHECK\ntwo DEL\none DEL\n");
  for (const char* file : {"one.CHECK.in", "two.CHECK.in", "two.DEL.in", "one.DEL.in"}) {
    EXPECT_EQ(Input(file)["prevResult"]["ips"][0]["address"], "10.1.0.3/16") << file;
  }
}

TEST_F(CniAttachmentTest, ARecordHasAllThatReleasesIt) {
  CniAttachment attachment = Plan();
  ASSERT_TRUE(Add(attachment).ok());
  const absl::StatusOr<CniAttachment> again = CniAttachment::FromJson(attachment.ToJson());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->ToJson(), attachment.ToJson());
  EXPECT_TRUE(DeleteCniAttachment(plugins_, *again, Soon()).ok());
  EXPECT_EQ(CniAttachment::FromJson(CniJson::object()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(CniAttachmentTest, NoTwoAttachmentsAreCalledAlike) { EXPECT_NE(Plan().container_id, Plan().container_id); }

TEST_F(CniAttachmentTest, ResultsAreOnRecordBeforeTheNextPluginIsCalled) {
  CniAttachment attachment = Plan();
  const absl::Status full = absl::ResourceExhaustedError("disk full");
  EXPECT_EQ(AddCniAttachment(
                plugins_, attachment, [&] { return full; }, Soon())
                .status(),
            full);
  EXPECT_EQ(Read("calls"), "one ADD\n");
  EXPECT_EQ(attachment.result["ips"][0]["address"], "10.1.0.2/16");
}

TEST_F(CniAttachmentTest, WhatAFailingPluginSaysIsToldAndAllAreReleased) {
  Script("two", R"([ $CNI_COMMAND = ADD ] && echo '{"code": 11, "msg": "busy"}' && exit 1; exit 0)");
  CniAttachment attachment = Plan();
  const absl::Status status = Add(attachment).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("network `lan`: CNI plugin `two`, ADD of eth0: busy (code 11"));
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_NETWORK);
  EXPECT_TRUE(DeleteCniAttachment(plugins_, attachment, Soon()).ok());
  EXPECT_EQ(Read("calls"), "one ADD\ntwo ADD\ntwo DEL\none DEL\n");
  EXPECT_EQ(Input("two.DEL.in")["prevResult"]["ips"][0]["address"], "10.1.0.2/16");
}

TEST_F(CniAttachmentTest, ReleasingGoesOnAfterAFailure) {
  CniAttachment attachment = Plan();
  ASSERT_TRUE(Add(attachment).ok());
  Script("two", "echo no such device >&2; exit 2");
  const absl::Status status = DeleteCniAttachment(plugins_, attachment, Soon());
  EXPECT_THAT(std::string(status.message()), HasSubstr("exited with status 2: no such device"));
  EXPECT_THAT(Read("calls"), testing::EndsWith("two DEL\none DEL\n"));
}

TEST_F(CniAttachmentTest, SurvivesPluginsThatGoWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"echo hello", "its result is wrong: what it printed: is not JSON"},
      {"exit 0", "is not JSON"},
      {"echo hello; exit 1", "exited with status 1 and said nothing"},
      {"head -c 3000000 /dev/zero", "printed more than 1048576 bytes"},
      {"head -c 3000000 /dev/zero; exit 1", "exited with status 1"},
      {"kill -SEGV $$", "killed by signal 11"},
  };
  for (const auto& [script, problem] : cases) {
    Script("one", script);
    CniAttachment attachment = Plan();
    const absl::Status status = Add(attachment).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(problem)) << script;
    EXPECT_EQ(DetailOf(status)->metadata.at("plugin"), "one") << script;
  }
}

TEST_F(CniAttachmentTest, APluginThatHangsIsEndedAtTheDeadline) {
  Script("one", "sleep 1000 & wait");
  CniAttachment attachment = Plan();
  const CniPlugins hasty({directory_.path()}, absl::Milliseconds(200));
  const absl::Status status = AddCniAttachment(
                                  hasty, attachment, [] { return absl::OkStatus(); }, Soon())
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("CNI plugin `one`, ADD of eth0: run "));
}

TEST_F(CniAttachmentTest, AMissingPluginNamesThePackage) {
  std::filesystem::remove(directory_.path() + "/two");
  const absl::Status status = plugins_.Find("two").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("install the package containernetworking-plugins"));
  for (const char* type : {"", ".", "..", "../one", "/bin/sh"}) {
    EXPECT_EQ(plugins_.Find(type).status().code(), absl::StatusCode::kInvalidArgument) << type;
  }
}

TEST_F(CniAttachmentTest, RefusesWhatMakesNoSenseNamingTheField) {
  const auto field_of = [&](const std::function<void(v1::CniNetwork&)>& change) {
    v1::CniNetwork network;
    change(network);
    const absl::Status status = PlanCniAttachment("web", network, network_, "n").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return DetailOf(status).value_or(ErrorDetail()).metadata["field"];
  };
  const auto port = [](uint32_t host, uint32_t container, const std::string& protocol, const std::string& ip) {
    return [=](v1::CniNetwork& network) {
      v1::PortMapping& mapping = *network.add_port_mappings();
      mapping.set_host_port(host);
      mapping.set_container_port(container);
      mapping.set_protocol(protocol);
      mapping.set_host_ip(ip);
    };
  };
  EXPECT_EQ(field_of(port(0, 80, "", "")), "n.port_mappings[0].host_port");
  EXPECT_EQ(field_of(port(80, 65536, "", "")), "n.port_mappings[0].container_port");
  EXPECT_EQ(field_of(port(80, 80, "icmp", "")), "n.port_mappings[0].protocol");
  EXPECT_EQ(field_of(port(80, 80, "", "localhost")), "n.port_mappings[0].host_ip");
  EXPECT_EQ(field_of([&](v1::CniNetwork& network) {
              port(80, 80, "", "")(network);
              port(80, 81, "tcp", "")(network);
            }),
            "n.port_mappings[1].host_port");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { network.set_mac("02:00"); }), "n.mac");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { network.set_mac("0B:00:5e:00:53:01"); }), "n.mac");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { network.set_mac("01:00:5e:00:00:01"); }), "n.mac");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { network.set_mac("00:00:00:00:00:00"); }), "n.mac");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { network.add_ips("10.0.0.1"); }), "n.ips[0]");
  // No plugin of the network has that capability.
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { network.add_ips("10.0.0.1/8"); }), "n.ips");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { network.mutable_bandwidth()->set_egress_rate(1); }), "n.bandwidth");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { (*network.mutable_args())["A"] = "x;B=y"; }), "n.args");
  EXPECT_EQ(field_of([](v1::CniNetwork& network) { (*network.mutable_args())["VCD_POD_ID"] = "db"; }), "n.args");
}

}  // namespace
}  // namespace vcd
