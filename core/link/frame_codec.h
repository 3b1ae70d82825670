// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_LINK_FRAME_CODEC_H_
#define VCD_CORE_LINK_FRAME_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

// Frames on a byte stream that has no boundaries of its own, such as a virtio-serial port, where the rest of an old
// connection may come before, or be cut by, the beginning of a new one.
//
// A frame on the wire is COBS(body, CRC32C(body) in little endian) and one zero byte. COBS leaves no zero byte inside,
// so a reader that starts anywhere is in step again after the next zero. A length prefix could not do that.
//
// Uses the standard library only: the guest's agent links this, and is small.
namespace vcd {

// The longest body. Far above what the protocol's windows ask for; it bounds what a peer can make us hold.
inline constexpr size_t kMaxFrameBytes = size_t{2} << 20;

// The byte that ends a frame. Writing one first ends whatever a previous writer left half done.
inline constexpr char kFrameDelimiter = '\0';

// Appends the bytes on the wire for `body`, delimiter included. An empty body makes a frame that readers drop.
void AppendFrame(std::string_view body, std::string* out);
std::string EncodeFrame(std::string_view body);

// CRC-32C (Castagnoli) of `bytes`.
uint32_t Crc32c(std::string_view bytes);

// Takes bytes as they come and gives whole bodies. Frames that are damaged or longer than `max_body` are dropped and
// counted; the stream goes on after them. Delimiters with nothing between them are how peers get in step, and no
// damage. Holds at most one unfinished frame of bounded size, and the bodies that were fed and not taken yet. Not
// thread-safe.
class FrameDecoder {
 public:
  explicit FrameDecoder(size_t max_body = kMaxFrameBytes);

  // Adds what was read. Never fails.
  void Feed(std::string_view bytes);

  // The next whole body, in order, or nothing when more bytes are needed. A body is never empty.
  std::optional<std::string> Next();

  // Frames thrown away before the body that Next gave last; before where the stream is, when it gave none.
  uint64_t dropped_frames() const { return dropped_frames_; }

  // Bytes of the frame that is not complete yet.
  size_t unfinished() const { return partial_.size(); }

 private:
  struct Body {
    std::string bytes;
    uint64_t dropped_before = 0;
  };

  void EndFrame(std::string_view encoded);

  size_t max_body_;
  size_t max_encoded_;
  std::string partial_;    // Encoded bytes of the frame that is being read.
  bool oversize_ = false;  // That frame is too long: what follows is skipped up to its delimiter.
  std::deque<Body> bodies_;
  uint64_t dropped_so_far_ = 0;
  uint64_t dropped_frames_ = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_LINK_FRAME_CODEC_H_
