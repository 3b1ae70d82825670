// SPDX-License-Identifier: Apache-2.0
#include "client/pod/file_options.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/pod/option_text.h"

namespace vcd::client {
namespace {

using Parts = std::vector<std::string>;

absl::Status Wrong(const std::string& option, const std::string& text, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(option, " \"", text, "\": ", what));
}

// The parts between colons; from `least` to `most` of them, none empty.
absl::StatusOr<Parts> Split(const std::string& option, const std::string& text, size_t least, size_t most,
                            const std::string& form) {
  Parts parts = absl::StrSplit(text, ':');
  bool complete = parts.size() >= least && parts.size() <= most;
  for (const std::string& part : parts) complete = complete && !part.empty();
  if (!complete) return Wrong(option, text, absl::StrCat("must be ", form));
  return parts;
}

// A tag has no slash and does not begin with a dot; a path relative to here is written ./PATH.
bool IsPath(const std::string& source) { return absl::StrContains(source, '/') || source[0] == '.'; }

absl::Status AddVolume(const std::string& text, v1::ContainerConfig* container) {
  const auto parts = Split("-v", text, 2, 3, "SRC:DST or SRC:DST:OPTIONS");
  if (!parts.ok()) return parts.status();
  v1::Mount& mount = *container->add_mounts();
  mount.set_destination((*parts)[1]);
  if (IsPath((*parts)[0])) {
    auto source = AbsolutePath("-v", (*parts)[0]);
    if (!source.ok()) return source.status();
    mount.set_type("bind");
    mount.set_source(*std::move(source));
    mount.add_options("rbind");
  } else {
    mount.set_type("volume");
    mount.set_source((*parts)[0]);
  }
  if (parts->size() < 3) return absl::OkStatus();
  for (const std::string& option : Parts(absl::StrSplit((*parts)[2], ','))) mount.add_options(option);
  return absl::OkStatus();
}

absl::Status AddMount(const std::string& text, v1::ContainerConfig* container) {
  v1::Mount mount;
  mount.set_type("bind");
  for (const std::string& word : Parts(absl::StrSplit(text, ','))) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(word, absl::MaxSplits('=', 1));
    const auto& [key, value] = pair;
    if (key == "type") {
      mount.set_type(value);
    } else if (key == "src" || key == "source") {
      mount.set_source(value);
    } else if (key == "dst" || key == "destination" || key == "target") {
      mount.set_destination(value);
    } else if (word == "readonly") {
      mount.add_options("ro");
    } else if (!word.empty()) {
      mount.add_options(word);
    }
  }
  if (mount.destination().empty()) {
    return Wrong("--mount", text, "has no dst; write type=TYPE,src=SOURCE,dst=PLACE,OPTION,…");
  }
  if (!mount.source().empty() && IsPath(mount.source())) {
    auto source = AbsolutePath("--mount", mount.source());
    if (!source.ok()) return source.status();
    mount.set_source(*std::move(source));
  }
  *container->add_mounts() = std::move(mount);
  return absl::OkStatus();
}

absl::Status AddDevice(const std::string& text, v1::ContainerConfig* container) {
  const std::string form = "HOST, HOST:CONTAINER or HOST:CONTAINER:ro";
  const auto parts = Split("--device", text, 1, 3, form);
  if (!parts.ok()) return parts.status();
  if (parts->size() == 3 && (*parts)[2] != "ro" && (*parts)[2] != "rw") {
    return Wrong("--device", text, absl::StrCat("must be ", form));
  }
  auto host = AbsolutePath("--device", (*parts)[0]);
  if (!host.ok()) return host.status();
  v1::Device& device = *container->add_devices();
  device.set_host_path(*host);
  device.set_container_path(parts->size() > 1 ? (*parts)[1] : *host);
  device.set_readonly(parts->size() > 2 && (*parts)[2] == "ro");
  if (absl::StartsWith(device.container_path(), "/dev/")) return absl::OkStatus();
  return Wrong("--device", text, "needs a place below /dev in the container, as in HOST:/dev/NAME");
}

}  // namespace

void FileOptions::Declare(Arguments* arguments) {
  arguments->Repeated("-v,--volume", &volumes_, "SRC:DST[:OPTIONS]",
                      "Show a directory or file of the host, or a volume of the pod by its tag, in the container; "
                      "OPTIONS as ro,noexec");
  arguments->Repeated(
      "--mount", &mounts_, "K=V,...",
      "Mount type=TYPE,src=SOURCE,dst=PLACE,OPTION,…: of type bind, volume, tmpfs, or, of an image file "
      "or block device, ext4, xfs, erofs, squashfs");
  arguments->Repeated("--device", &devices_, "HOST[:CONTAINER[:ro]]",
                      "Give it a block device or image file of the host as a device, a VFIO group (/dev/vfio/N), or "
                      "what the guest has itself, such as /dev/fuse");
}

absl::Status FileOptions::Apply(v1::ContainerConfig* container) const {
  for (const std::string& text : volumes_) {
    if (absl::Status status = AddVolume(text, container); !status.ok()) return status;
  }
  for (const std::string& text : mounts_) {
    if (absl::Status status = AddMount(text, container); !status.ok()) return status;
  }
  for (const std::string& text : devices_) {
    if (absl::Status status = AddDevice(text, container); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void VolumeOptions::Declare(Arguments* arguments) {
  arguments->Repeated("--volume-tag", &volumes_, "TAG:PATH[:ro]",
                      "A volume of the pod: a directory or file of the host that its containers mount with -v TAG:DST");
}

absl::Status VolumeOptions::Apply(v1::PodConfig* config) const {
  const std::string form = "TAG:PATH or TAG:PATH:ro";
  for (const std::string& text : volumes_) {
    const auto parts = Split("--volume-tag", text, 2, 3, form);
    if (!parts.ok()) return parts.status();
    if (parts->size() == 3 && (*parts)[2] != "ro") return Wrong("--volume-tag", text, absl::StrCat("must be ", form));
    auto path = AbsolutePath("--volume-tag", (*parts)[1]);
    if (!path.ok()) return path.status();
    v1::Volume& volume = *config->add_volumes();
    volume.set_mount_tag((*parts)[0]);
    volume.set_host_path(*std::move(path));
    volume.set_readonly(parts->size() == 3);
  }
  return absl::OkStatus();
}

}  // namespace vcd::client
