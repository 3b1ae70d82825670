// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_TEXT_FORMS_H_
#define VCD_CORE_MODEL_TEXT_FORMS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/vcd/v1/volume.pb.h"

namespace vcd {

using VolumeList = google::protobuf::RepeatedPtrField<v1::Volume>;
using SocketList = google::protobuf::RepeatedPtrField<v1::Socket>;

// Volumes and sockets as text: items separated by single blanks, parts of an item by colons. Parsing appends to the
// list; kInvalidArgument, and nothing appended, for empty text, an item with another number of parts, or an empty part.
// There is no escape: a blank or a colon in a path cannot be written this way.

// `tag:path`.
absl::Status ParseVolumes(absl::string_view text, VolumeList* volumes);
std::string FormatVolumes(const VolumeList& volumes);

// `device:id:path:name`.
absl::Status ParseSockets(absl::string_view text, SocketList* sockets);
std::string FormatSockets(const SocketList& sockets);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_TEXT_FORMS_H_
