// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_LINK_LINK_CONTRACT_H_
#define VCD_TEST_LINK_LINK_CONTRACT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "backends/agent/native/native_agent.h"
#include "core/os/io_thread.h"
#include "gtest/gtest.h"
#include "test/link/faulty_stream.h"
#include "test/link/link_transport.h"
#include "test/link/output_collector.h"

namespace vcd {

struct LinkContractParam {
  std::string name;
  std::function<std::unique_ptr<LinkTransport>()> make;  // Once for the suite. Throws std::runtime_error.
  std::function<std::string()> why_not;                  // Why the transport cannot be had here; empty when it can.
};

// What the link promises over every byte stream: daemon's end and agent are the real ones. Each test makes a container
// of its own and removes it.
class LinkContractTest : public ::testing::TestWithParam<LinkContractParam> {
 protected:
  static void TearDownTestSuite() { transport_.reset(); }
  void SetUp() override;
  void TearDown() override;

  // Connects anew. `fault` may strike at once, so failure is an answer.
  absl::Status TryConnect(const StreamFault& fault = {});
  // Connects anew, to find all well.
  void Connect();
  void Disconnect();

  // Makes the container of the test and lets it run.
  void Run(const v1::Cmd& cmd);
  ProcessKey first() const { return {container_id_, ""}; }
  ProcessKey exec(const std::string& process_id) const { return {container_id_, process_id}; }
  // A request that changes nothing.
  absl::Status RoundTrip();

  CallContext context() const { return {absl::Now() + absl::Seconds(60)}; }

  static std::unique_ptr<LinkTransport> transport_;
  std::string container_id_;
  IoThread io_;
  OutputCollector collector_;
  NativeAgent agent_{io_, {.hello_freshness = absl::InfiniteDuration()}};
  std::unique_ptr<FaultyStream> stream_;
  std::unique_ptr<GuestSession> session_;
};

// `sh -c script`.
v1::Cmd Shell(const std::string& script, bool interactive = false);

std::string LinkContractName(const ::testing::TestParamInfo<LinkContractParam>& info);

}  // namespace vcd

#endif  // VCD_TEST_LINK_LINK_CONTRACT_H_
