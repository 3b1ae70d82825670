// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_CHECKPOINT_FIXTURE_H_
#define VCD_CORE_POD_TESTING_CHECKPOINT_FIXTURE_H_

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/asset/file_hash.h"
#include "core/checkpoint/checkpoint.h"
#include "core/metric/testing/recorded_metrics.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {

// A daemon's core on fakes, with images for pods and a place for checkpoints.
class PodCheckpointTest : public PodRuntimeTest {
 protected:
  PodCheckpointTest() {
    std::filesystem::create_directory(root_ + "/out");
    options_.version = "9.9";
    options_.metrics = &metrics_;
    MakeExt4("root.img", 'r');
    Restart();
  }
  // The metrics go first.
  ~PodCheckpointTest() override { runtime_.reset(); }

  // A file with an ext4's superblock, as far as anybody on the host looks.
  void MakeExt4(const std::string& name, char fill) {
    std::string bytes(4096, fill);
    bytes.replace(1080, 2, "\x53\xef");
    std::ofstream(root_ + "/" + name, std::ios::binary) << bytes;
  }

  v1::PodConfig ImageConfig(const std::string& id, const std::string& program = "sleep") {
    v1::PodConfig config = Config(id, program);
    v1::ImageRootfs& image = *config.mutable_containers(0)->mutable_rootfs()->mutable_image();
    image.set_path(root_ + "/root.img");
    image.set_fs_type("ext4");
    return config;
  }

  // What pods have on their network from now on.
  v1::PodInterface Plan(const std::string& mac) {
    v1::PodInterface eth0;
    eth0.set_name("eth0");
    eth0.set_mac(mac);
    network().SetPlan({eth0});
    return eth0;
  }

  // One that writes to two disks: its root file system, and another.
  v1::PodConfig DiskConfig(const std::string& id) {
    MakeExt4("disk.img", 'd');
    MakeExt4("data.img", 'e');
    v1::PodConfig config = Config(id);
    v1::ContainerConfig& main = *config.mutable_containers(0);
    main.mutable_rootfs()->mutable_block()->set_path(root_ + "/disk.img");
    v1::Mount& data = *main.add_mounts();
    data.set_type("ext4");
    data.set_source(root_ + "/data.img");
    data.set_destination("/data");
    return config;
  }
  std::string DiskOf(const std::string& id, const std::string& disk) const {
    return options_.state_dir + "/pods/" + id + "/disks/" + disk;
  }
  char FirstByte(const std::string& path) { return filesystem_.ReadFile(path).value_or("?")[0]; }

  std::string Out(const std::string& name) const { return root_ + "/out/" + name; }

  std::vector<std::string> Outs() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(root_ + "/out"))
      names.push_back(entry.path().filename());
    return names;
  }

  // A pod out of the checkpoint, with the guest that the pod of before had.
  absl::StatusOr<v1::Pod> RestoreWithGuest(const std::string& directory, const std::string& from, const std::string& to,
                                           const std::string& request_id = "") {
    agent().GiveGuest(to, agent().Guest(from));
    return Restore(directory, to, request_id);
  }

  // Puts something in the place of the first `from` in a file of a checkpoint, as somebody does who knows of no
  // checksum in it.
  void Edit(const std::string& path, const std::string& from, const std::string& to) {
    std::string text = filesystem_.ReadFile(path).value_or("");
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << text;
    text.replace(at, from.size(), to);
    const size_t seal = text.rfind(",\n \"checksum\"");
    if (seal != std::string::npos) text = text.substr(0, seal) + "\n}\n";
    ASSERT_TRUE(filesystem_.WriteFile(path, text).ok());
  }

  std::string Sha256(const std::string& path) {
    return HashBytes(filesystem_.ReadFile(path).value_or(""), HashKind::kSha256).value_or("");
  }

  // Makes a checkpoint one that is not read to its end while a test lasts.
  void MakeEndless(const std::string& directory) {
    const std::string path = directory + "/image/endless";
    std::ofstream(path) << "x";
    std::filesystem::resize_file(path, uint64_t{1} << 40);
    Edit(directory + "/manifest.json", "\"files\": [",
         "\"files\": [{\"path\": \"image/endless\", \"bytes\": 1099511627776, \"sha256\": \"00\"}, ");
  }

  // The pod goes on as if nothing had been: it runs, its guest is spoken to, and nothing is left anywhere.
  void ExpectGoesOn(const std::string& id) {
    EXPECT_EQ(Get(id).state(), v1::POD_STATE_RUNNING);
    EXPECT_FALSE(hypervisor().paused(id));
    EXPECT_THAT(Outs(), testing::IsEmpty());
    EXPECT_TRUE(Exec(id, {"sleep"}).ok());
    EXPECT_THAT(StateFile(id), testing::Not(testing::HasSubstr("under_way")));
  }

  std::string ReadAll(OutputReader& reader) {
    std::string text;
    while (true) {
      auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { reader.Next(done); });
      EXPECT_TRUE(chunk.ok()) << chunk.status();
      if (!chunk.ok() || !chunk->has_value()) return text;
      EXPECT_EQ((*chunk)->lost_bytes, 0u);
      text += (*chunk)->data;
    }
  }

  std::string StateFile(const std::string& id) {
    return filesystem_.ReadFile(options_.run_dir + "/pods/" + id + "/state.json").value_or("");
  }

  // As a daemon leaves it that is killed while it makes a checkpoint of the pod.
  void LeaveIntent(const std::string& id, const std::string& making) {
    std::string json = StateFile(id);
    json.replace(json.rfind(",\n \"checksum\""), std::string::npos,
                 ",\n \"under_way\": {\"intent\": \"INTENT_CHECKPOINT\", \"making\": \"" + making +
                     "\", \"request\": {\"request_id\": \"r1\", \"fingerprint\": \"7\"}}\n}\n");
    ASSERT_TRUE(filesystem_.WriteFile(options_.run_dir + "/pods/" + id + "/state.json", json).ok());
  }

  RecordedMetrics metrics_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_TESTING_CHECKPOINT_FIXTURE_H_
