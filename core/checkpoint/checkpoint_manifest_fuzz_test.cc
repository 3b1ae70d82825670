// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "core/checkpoint/checkpoint_manifest.h"
#include "test/fuzz/fuzz_target.h"

namespace {

void Check(bool good) {
  if (!good) std::abort();
}

vcd::CheckpointManifest Manifest() {
  vcd::CheckpointManifest manifest;
  manifest.id = "6f1e";
  manifest.pod_id = "web";
  manifest.vcd_version = "1.2";
  manifest.image_key = "key";
  manifest.created_at = absl::FromUnixSeconds(1700000000);
  manifest.files = {{"pod.json", 7, "aa"}, {"record.json", 8, "bb"}, {"image/memory", 9, "cc"}};
  manifest.disks = {{"/srv/root.erofs", 10, "dd"}};
  return manifest;
}

// As by hand: without its checksum, which mutations would not get past.
std::string Unsealed(std::string text) {
  const size_t seal = text.rfind(",\n \"checksum\"");
  return text.substr(0, seal) + "\n}\n";
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  const std::string whole = vcd::EncodeManifest(Manifest());
  vcd::CheckpointManifest bare = Manifest();
  bare.files.clear();
  bare.disks.clear();
  bare.stopped = true;
  return {"", "{}", "{\"format\": 2}", whole, Unsealed(whole), Unsealed(vcd::EncodeManifest(bare))};
}

// Whatever a directory of checkpoints holds: what is taken from it leads nowhere else, and is the same when it is
// written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto manifest = vcd::DecodeManifest(std::string(reinterpret_cast<const char*>(data), size));
  if (!manifest.ok()) return 0;
  for (const vcd::CheckpointFile& file : manifest->files) {
    const size_t slash = file.path.find('/');
    Check(slash == std::string::npos || (absl::StartsWith(file.path, "image/") && file.path.rfind('/') == slash));
    Check(!absl::StrContains(file.path, ".."));
  }
  for (const vcd::CheckpointFile& disk : manifest->disks) Check(absl::StartsWith(disk.path, "/"));
  const std::string text = vcd::EncodeManifest(*manifest);
  const auto again = vcd::DecodeManifest(text);
  Check(again.ok());
  Check(vcd::EncodeManifest(*again) == text);
  return 0;
}
