// SPDX-License-Identifier: Apache-2.0
#include "core/model/name_files.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(NameFilesTest, WithoutDnsThereIsNoResolvConf) {
  EXPECT_EQ(ResolvConf(v1::PodConfig(), {}), "");
  v1::PodConfig config;
  config.mutable_dns();
  EXPECT_NE(ResolvConf(config, {}), "") << "no servers at all is something else than those of the root file system";
}

TEST(NameFilesTest, ResolvConfHasOneLineForEachServer) {
  v1::PodConfig config;
  config.mutable_dns()->add_servers("10.0.0.1");
  config.mutable_dns()->add_servers("fd00::1");
  config.mutable_dns()->add_searches("a.example");
  config.mutable_dns()->add_searches("example");
  config.mutable_dns()->add_options("ndots:2");
  config.mutable_dns()->add_options("rotate");
  EXPECT_THAT(ResolvConf(config, {}), EndsWith("\nsearch a.example example\nnameserver 10.0.0.1\nnameserver fd00::1\n"
                                               "options ndots:2 rotate\n"));
}

TEST(NameFilesTest, HostsHasLocalhostThePodAndAliases) {
  v1::PodConfig config;
  EXPECT_THAT(Hosts(config, {}), HasSubstr("127.0.0.1\tlocalhost\n"));
  EXPECT_THAT(Hosts(config, {}), Not(HasSubstr("127.0.1.1")));
  config.set_hostname("web-1");
  v1::HostAlias* alias = config.add_host_aliases();
  alias->set_ip("10.0.0.7");
  alias->add_hostnames("db");
  alias->add_hostnames("db.example");
  EXPECT_THAT(Hosts(config, {}), EndsWith("127.0.1.1\tweb-1\n10.0.0.7\tdb db.example\n"));
}

TEST(NameFilesTest, TheNetworksNameServersAreForPodsThatNameNone) {
  v1::NetworkStatus network;
  for (const char* server : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"})
    network.mutable_dns()->add_servers(server);
  EXPECT_THAT(ResolvConf({}, network), EndsWith("\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"))
      << "as many as are looked at";
  v1::PodConfig config;
  config.mutable_dns()->add_servers("10.9.9.9");
  EXPECT_THAT(ResolvConf(config, network), AllOf(HasSubstr("nameserver 10.9.9.9\n"), Not(HasSubstr("10.0.0.1"))));
}

TEST(NameFilesTest, ThePodsNameIsItsFirstAddress) {
  v1::PodConfig config;
  config.set_hostname("web-1");
  v1::NetworkStatus network;
  network.add_interfaces()->set_name("eth0");
  v1::PodInterface& second = *network.add_interfaces();
  second.add_addresses("10.88.0.7/16");
  second.add_addresses("fd00::7/64");
  EXPECT_THAT(Hosts(config, network), AllOf(HasSubstr("10.88.0.7\tweb-1\n"), Not(HasSubstr("127.0.1.1"))));
}

}  // namespace
}  // namespace vcd
