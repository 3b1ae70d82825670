// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_UNKNOWN_MEMBERS_H_
#define VCD_CORE_STATE_UNKNOWN_MEMBERS_H_

#include <nlohmann/json_fwd.hpp>

#include "google/protobuf/descriptor.h"

namespace vcd {

// Members of a protobuf JSON document that this release's schema does not have. A newer vcd wrote them; they are taken
// out when a document is read and put back when it is written, so that going back to an older vcd and forward again
// loses nothing. Lists of messages are matched by the member `id` of their elements; what is unknown in a list of
// messages without ids is lost.

// An object with only the unknown members of `document`, null when there are none. Elements of a list appear as members
// named by their id.
nlohmann::ordered_json UnknownMembers(const nlohmann::ordered_json& document,
                                      const google::protobuf::Descriptor& schema);

// Puts them into a document of the same kind, where what they belonged to is still there.
void RestoreUnknownMembers(const nlohmann::ordered_json& unknown, const google::protobuf::Descriptor& schema,
                           nlohmann::ordered_json& document);

}  // namespace vcd

#endif  // VCD_CORE_STATE_UNKNOWN_MEMBERS_H_
