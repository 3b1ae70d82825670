// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_LINK_LINK_LIMITS_H_
#define VCD_CORE_LINK_LINK_LIMITS_H_

#include <cstddef>
#include <cstdint>

// What host and guest must agree on, beside the messages themselves (proto/vcd/agent/v1/agent.proto).
namespace vcd {

// Version of the protocol that HELLO and HELLO_ACK carry.
inline constexpr uint32_t kProtocolVersion = 1;

// Name of the virtio-serial port that the agent opens.
inline constexpr char kAgentPortName[] = "vcd.agent";

// Bytes of standard input that the host may send beyond what the guest acknowledged, per process.
inline constexpr size_t kInputWindow = size_t{256} << 10;

// Bytes of output that the guest may send beyond what the host acknowledged, per stream.
inline constexpr size_t kOutputWindow = size_t{256} << 10;

// Both of them for a process with Command.dial: many such are little to a small guest. The host keeps to it; an agent
// takes kInputWindow too, from hosts of before.
inline constexpr size_t kDialWindow = size_t{64} << 10;

// Bytes of output, over all streams, that the host lets be under way at once (Hello.output_window). It bounds how long
// an answer waits behind output in the buffers between the two; see docs/decisions/0007.
inline constexpr size_t kOutputInFlight = size_t{128} << 10;

// The longest message that the host takes from a guest: the process table of a guest that is full.
inline constexpr size_t kMaxGuestMessageBytes = size_t{1} << 20;

// Processes that a guest may tell of, by HELLO_ACK. So many with the longest ids fit in a message.
inline constexpr int kMaxGuestProcesses = 4096;

// Bytes of output that a process may leave behind when it ends, per stream: those of the window, and those that its
// pipe holds at most. They come after its exit, without waiting for the host to acknowledge any.
inline constexpr size_t kMaxFinalOutput = kOutputWindow + (size_t{1} << 20);

// The most bytes that one Output or Input message carries, so that control messages never wait long behind data.
inline constexpr size_t kOutputChunk = size_t{32} << 10;

// How a process with Command.archive ends, beside 0; why is on its standard error.
inline constexpr int kArchiveFailed = 1;        // The container's files could not be read or written.
inline constexpr int kArchivePathNotFound = 2;  // There is no such path.
inline constexpr int kArchiveInvalid = 3;       // The archive is to blame, or does not fit to what is there.

// A process with Command.dial says on its standard error when its peer has said all: this, the number of bytes that it
// said in decimal, and a line end. It goes on until its standard input has ended too, and ends with 0. So an end is
// known while bytes still go the other way.
inline constexpr char kDialPeerEnded[] = "ended ";

// How a process with Command.dial ends otherwise: the connection broke. Why is on its standard error.
inline constexpr int kDialBroken = 1;

}  // namespace vcd

#endif  // VCD_CORE_LINK_LINK_LIMITS_H_
