// SPDX-License-Identifier: Apache-2.0
#include "core/model/text_forms.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using Parts = std::vector<std::string>;

// The parts of every item; all items have `form`'s number of parts and none is empty. `form` is "tag:path" and the
// like.
absl::StatusOr<std::vector<Parts>> SplitItems(absl::string_view text, absl::string_view kind, absl::string_view form) {
  if (text.empty()) return absl::InvalidArgumentError(absl::StrCat(kind, ": is empty; expected ", form));
  const Parts names = absl::StrSplit(form, ':');
  std::vector<Parts> items;
  for (const std::string& item : Parts(absl::StrSplit(text, ' '))) {
    Parts parts = absl::StrSplit(item, ':');
    if (parts.size() != names.size()) {
      return absl::InvalidArgumentError(absl::StrCat(kind, " \"", item, "\": has ", parts.size(), " parts; expected ",
                                                     names.size(), ", separated by ':', as in ", form));
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty()) {
        return absl::InvalidArgumentError(absl::StrCat(kind, " \"", item, "\": ", names[i], " is empty"));
      }
    }
    items.push_back(std::move(parts));
  }
  return items;
}

}  // namespace

absl::Status ParseVolumes(absl::string_view text, VolumeList* volumes) {
  VCD_ASSIGN_OR_RETURN(const std::vector<Parts> items, SplitItems(text, "volume", "tag:path"));
  for (const Parts& parts : items) {
    v1::Volume& volume = *volumes->Add();
    volume.set_mount_tag(parts[0]);
    volume.set_host_path(parts[1]);
  }
  return absl::OkStatus();
}

std::string FormatVolumes(const VolumeList& volumes) {
  std::string text;
  for (const v1::Volume& volume : volumes) {
    absl::StrAppend(&text, text.empty() ? "" : " ", volume.mount_tag(), ":", volume.host_path());
  }
  return text;
}

absl::Status ParseSockets(absl::string_view text, SocketList* sockets) {
  VCD_ASSIGN_OR_RETURN(const std::vector<Parts> items, SplitItems(text, "socket", "device:id:path:name"));
  for (const Parts& parts : items) {
    v1::Socket& socket = *sockets->Add();
    socket.set_device_id(parts[0]);
    socket.set_id(parts[1]);
    socket.set_host_path(parts[2]);
    socket.set_name(parts[3]);
  }
  return absl::OkStatus();
}

std::string FormatSockets(const SocketList& sockets) {
  std::string text;
  for (const v1::Socket& socket : sockets) {
    absl::StrAppend(&text, text.empty() ? "" : " ", socket.device_id(), ":", socket.id(), ":", socket.host_path(), ":",
                    socket.name());
  }
  return text;
}

}  // namespace vcd
