// SPDX-License-Identifier: Apache-2.0
#include "test/link/faulty_stream.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/agent/testing/scripted_guest.h"

namespace vcd {

FaultyStream::FaultyStream(UniqueFd guest, const StreamFault& fault)
    : guest_(std::move(guest)), stop_(eventfd(0, EFD_CLOEXEC)), fault_(fault) {
  auto ends = SocketPair();
  inner_ = std::move(ends->first);
  host_end_ = std::move(ends->second);
  thread_ = std::thread([this] { Serve(); });
}

FaultyStream::~FaultyStream() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void FaultyStream::Serve() {
  Direction to_guest{inner_.get(), guest_.get(), fault_.cut_after_host_bytes, std::nullopt};
  Direction to_host{guest_.get(), inner_.get(), fault_.cut_after_guest_bytes, fault_.flip_guest_bit};
  while (true) {
    pollfd polled[] = {{inner_.get(), 0, 0}, {guest_.get(), 0, 0}, {stop_.get(), POLLIN, 0}};
    for (const Direction* direction : {&to_guest, &to_host}) {
      const bool reads = direction->waiting.empty();
      pollfd& end = polled[(reads ? direction->from : direction->to) == inner_.get() ? 0 : 1];
      end.events = static_cast<short>(end.events | (reads ? POLLIN : POLLOUT));
    }
    if (poll(polled, 3, -1) < 0 && errno != EINTR) break;
    if (polled[2].revents != 0) break;
    if (!Read(to_guest) || !Read(to_host) || !Write(to_guest) || !Write(to_host)) break;
  }
  inner_.Reset();
  guest_.Reset();
}

// Both give false at the end of the connection.
bool FaultyStream::Read(Direction& direction) {
  if (!direction.waiting.empty()) return true;
  char buffer[16 << 10];
  ssize_t size = recv(direction.from, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  if (direction.flip.has_value() && *direction.flip / 8 - direction.passed < static_cast<uint64_t>(size)) {
    buffer[*direction.flip / 8 - direction.passed] ^= static_cast<char>(1 << (*direction.flip % 8));
  }
  if (direction.cut.has_value())
    size = std::min<ssize_t>(size, static_cast<ssize_t>(*direction.cut - direction.passed));
  direction.waiting.assign(buffer, static_cast<size_t>(size));
  direction.passed += static_cast<uint64_t>(size);
  return true;
}

bool FaultyStream::Write(Direction& direction) {
  if (!direction.waiting.empty()) {
    const ssize_t size =
        send(direction.to, direction.waiting.data(), direction.waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    direction.waiting.erase(0, static_cast<size_t>(size));
  }
  return !direction.waiting.empty() || direction.passed != direction.cut;
}

}  // namespace vcd
