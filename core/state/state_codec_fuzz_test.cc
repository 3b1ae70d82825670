// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "core/state/state_codec.h"
#include "test/fuzz/fuzz_target.h"

namespace {

void Check(bool good) {
  if (!good) std::abort();
}

// As by hand: without its checksum, which mutations would not get past.
std::string Unsealed(const std::string& text) {
  const size_t seal = text.rfind(",\n \"checksum\"");
  return seal == std::string::npos ? text : text.substr(0, seal) + "\n}\n";
}

// What was read is the same when it is written and read again.
template <typename Message>
void Try(const std::string& text, absl::StatusOr<Message> (*decode)(const std::string&, std::string*),
         absl::StatusOr<std::string> (*encode)(const Message&, const std::string&)) {
  std::string unknown;
  const auto message = decode(text, &unknown);
  if (!message.ok()) return;
  const auto written = encode(*message, unknown);
  Check(written.ok());
  const auto again = decode(*written, &unknown);
  Check(again.ok());
  Check(*encode(*again, unknown) == *written);
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  vcd::state::v1::PodRecord record;
  record.set_pod_id("web");
  record.set_state(vcd::v1::POD_STATE_RUNNING);
  record.mutable_created_at()->set_seconds(1700000000);
  record.mutable_under_way()->set_intent(vcd::state::v1::INTENT_STOP);
  record.mutable_under_way()->mutable_request()->set_request_id("r1");
  record.mutable_vm()->mutable_process()->set_pid(42);
  record.add_containers()->set_id("main");
  record.mutable_containers(0)->mutable_exit_status()->set_code(3);
  vcd::v1::PodConfig config;
  config.set_id("web");
  (*config.mutable_annotations())["org.example/key"] = "value";
  config.add_containers()->mutable_cmd()->add_args("sleep");
  config.mutable_containers(0)->mutable_rootfs()->mutable_directory()->set_path("/srv/root");
  const std::string written_record = *vcd::EncodePodRecord(record);
  const std::string written_config = *vcd::EncodePodConfig(config);
  return {"", "{\n}\n", written_record, Unsealed(written_record), written_config, Unsealed(written_config)};
}

// Whatever is in the place of a record.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Try<vcd::state::v1::PodRecord>(text, vcd::DecodePodRecord, vcd::EncodePodRecord);
  Try<vcd::v1::PodConfig>(text, vcd::DecodePodConfig, vcd::EncodePodConfig);
  return 0;
}
