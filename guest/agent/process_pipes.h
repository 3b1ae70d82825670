// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_PROCESS_PIPES_H_
#define VCD_GUEST_AGENT_PROCESS_PIPES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/input_queue.h"
#include "guest/agent/output_buffer.h"

namespace vcd::guest {

// Reads what a process writes to one of its streams or to its terminal, or the peer of a socket says, into a bounded
// buffer. A full buffer is not read into, so the pipe fills and the process waits: output is never dropped.
class OutputPipe {
 public:
  // `changed` runs when there is more to send, or when finished() has become true. A `pipe` that is not valid is a
  // stream without output. At most `capacity` bytes are held while the writer lives.
  OutputPipe(EventLoop* loop, UniqueFd pipe, size_t capacity, std::function<void()> changed);
  ~OutputPipe();
  OutputPipe(const OutputPipe&) = delete;
  OutputPipe& operator=(const OutputPipe&) = delete;

  OutputBuffer& buffer() { return buffer_; }
  const OutputBuffer& buffer() const { return buffer_; }

  // The host has the stream up to `offset`; there may be room to read again.
  void Acknowledge(uint64_t offset);

  // The process has ended: what is in the pipe is the last of it, even if a process it left behind keeps it open. It is
  // read at once, beyond the room if need be, so that an exit waits for nobody who is slow to take output.
  void WriterEnded();

  // Nobody wants more: finished, with what was read.
  void Finish();

  // Everything the process ever wrote is in the buffer or was.
  bool finished() const { return !pipe_.valid(); }

  // Why it is finished before its end: errno, of a socket that broke, or 0.
  int error() const { return error_; }

 private:
  size_t Wanted() const;
  void Read();
  void UpdateWatch();

  EventLoop* const loop_;
  const std::function<void()> changed_;
  UniqueFd pipe_;
  EventLoop::WatchId watch_ = 0;
  bool writer_ended_ = false;
  size_t drained_ = 0;  // Bytes read since.
  int error_ = 0;
  OutputBuffer buffer_;
};

// Writes the host's input to a process, as fast as the process takes it: to a pipe or socket, whose end is the input's,
// or to the master of a terminal, whose reader is told the end as by one who types.
class InputPipe {
 public:
  // `taken` runs when taken() has grown, or finished() has become true. A `pipe` that is not valid takes and discards
  // everything.
  InputPipe(EventLoop* loop, UniqueFd pipe, std::function<void()> taken);
  ~InputPipe();
  InputPipe(const InputPipe&) = delete;
  InputPipe& operator=(const InputPipe&) = delete;

  // See InputQueue::Add.
  void Add(uint64_t offset, std::string_view bytes, bool last);

  // The process has ended.
  void ReaderEnded();

  // The process has taken its input up to this offset.
  uint64_t taken() const { return queue_.taken(); }

  // Bytes after it that are here and not taken yet.
  uint64_t waiting() const { return queue_.Waiting().size(); }

  // Nothing comes after those.
  bool closed() const { return !pipe_.valid() || queue_.ends(); }

  // All was taken and the end of it told, or nobody takes it any more.
  bool finished() const { return !pipe_.valid(); }

  // Why nobody does: errno, or 0.
  int error() const { return error_; }

 private:
  void Write();
  void Close();

  EventLoop* const loop_;
  const std::function<void()> taken_;
  UniqueFd pipe_;
  EventLoop::WatchId watch_ = 0;
  InputQueue queue_;
  int error_ = 0;
  const bool terminal_;
  char last_ = '\n';  // Of what was written.
  bool saying_farewell_ = false;
  std::string farewell_;  // To a terminal, after the last input.
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_PROCESS_PIPES_H_
