// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/uevents.h"

#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace vcd::guest {

Uevents::Uevents(EventLoop* loop, std::function<void()> changed)
    : loop_(loop), socket_(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;  // The kernel's own events.
  if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return;
  watch_ = loop_->Watch(socket_.get(), EPOLLIN, [this, changed = std::move(changed)](uint32_t) {
    char event[8192];
    // ENOBUFS says that events were dropped; there are others behind it.
    while (::recv(socket_.get(), event, sizeof(event), 0) >= 0 || errno == EINTR || errno == ENOBUFS) {
    }
    changed();
  });
}

Uevents::~Uevents() { loop_->Unwatch(watch_); }

}  // namespace vcd::guest
