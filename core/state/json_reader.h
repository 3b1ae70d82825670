// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_JSON_READER_H_
#define VCD_CORE_STATE_JSON_READER_H_

#include <string_view>

#include "google/protobuf/message.h"

namespace vcd {

// Reads what PrintJson printed (core/state/json_printer.h) into `message`, which is empty before: by reflection,
// because a daemon that starts reads two documents of every pod before it serves, and the library takes several times
// as long (docs/decisions/0004).
//
// It knows the printer's plain form and nothing else. False leaves the text to the library, and something or nothing in
// `message`: escapes, characters that are not ASCII, members that are unknown or in another order, null, well-known
// types other than Timestamp, and whatever no printer writes. What it does take, the library takes as well, and reads
// the same message in it.
bool ReadPrintedJson(std::string_view json, google::protobuf::Message* message);

}  // namespace vcd

#endif  // VCD_CORE_STATE_JSON_READER_H_
