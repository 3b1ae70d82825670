// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_PACKED_H_
#define VCD_CORE_POD_PACKED_H_

#include <cstdlib>
#include <string>

namespace vcd {

// A protobuf message kept as its bytes, which take a fraction of the memory of its objects and strings. Unpacking costs
// about what copying it does. Its texts must be UTF-8, as protobuf wants them (core/model/utf8.h). Immutable.
template <typename Message>
class Packed {
 public:
  explicit Packed(const Message& message) : bytes_(message.SerializeAsString()) {}

  Message Unpack() const {
    Message message;
    // What is unpacked was packed here; to go on with half of it would be worse.
    if (!message.ParseFromString(bytes_)) std::abort();
    return message;
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_PACKED_H_
