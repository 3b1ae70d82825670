// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_LINK_FAULTY_STREAM_H_
#define VCD_TEST_LINK_FAULTY_STREAM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "core/os/unique_fd.h"

namespace vcd {

// What is to go wrong with a connection. Bytes are counted from its beginning.
struct StreamFault {
  std::optional<uint64_t> cut_after_host_bytes;   // That many of the host's bytes reach the guest, and none after.
  std::optional<uint64_t> cut_after_guest_bytes;  // And the other way round.
  std::optional<uint64_t> flip_guest_bit;         // That bit of what the guest sends arrives wrong.
};

// A connection to a guest through the test's hands, which cuts or damages it at an exact byte. What a cut connection
// had taken from the guest and not brought to the host is lost, as with a host that is killed. Any thread.
class FaultyStream {
 public:
  // `guest` is a connected socket. It is only closed, never shut down: others may share it.
  FaultyStream(UniqueFd guest, const StreamFault& fault);
  // Cuts the connection.
  ~FaultyStream();
  FaultyStream(const FaultyStream&) = delete;
  FaultyStream& operator=(const FaultyStream&) = delete;

  // The host's end. Once.
  UniqueFd TakeHostEnd() { return std::move(host_end_); }

 private:
  struct Direction {
    int from;
    int to;
    std::optional<uint64_t> cut;
    std::optional<uint64_t> flip;
    std::string waiting = {};
    uint64_t passed = 0;  // Bytes read so far.
  };

  void Serve();
  static bool Read(Direction& direction);
  static bool Write(Direction& direction);

  UniqueFd guest_;
  UniqueFd inner_;
  UniqueFd host_end_;
  UniqueFd stop_;
  const StreamFault fault_;
  std::thread thread_;
};

}  // namespace vcd

#endif  // VCD_TEST_LINK_FAULTY_STREAM_H_
