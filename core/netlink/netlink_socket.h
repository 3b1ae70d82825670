// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETLINK_NETLINK_SOCKET_H_
#define VCD_CORE_NETLINK_NETLINK_SOCKET_H_

#include <netlink/cache.h>
#include <netlink/netlink.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/netns/network_namespace.h"

namespace vcd {

// Frees what libnl allocates: `NlPointer<rtnl_link, rtnl_link_put>`.
template <auto Free>
struct NlFree {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using NlPointer = std::unique_ptr<T, NlFree<Free>>;
using NlCache = NlPointer<nl_cache, nl_cache_free>;
using NlAddress = NlPointer<nl_addr, nl_addr_put>;

// A socket of rtnetlink(7) in a namespace, and what the kernel said to it last. Not thread-safe.
class NetlinkSocket {
 public:
  static absl::StatusOr<std::unique_ptr<NetlinkSocket>> Open(const NetworkNamespace& netns);
  // In the daemon's own namespace.
  static absl::StatusOr<std::unique_ptr<NetlinkSocket>> OpenHere();

  NetlinkSocket(const NetlinkSocket&) = delete;
  NetlinkSocket& operator=(const NetlinkSocket&) = delete;

  // What a call of libnl with this socket came to: OK unless `result` is negative, and otherwise `step: `, the kernel's
  // error and what else it said of it.
  absl::Status Result(int result, absl::string_view step);

  // Fills a cache with `fill`, again while the kernel's tables change under it, up to some times.
  absl::StatusOr<NlCache> Dump(absl::string_view step, const std::function<int(nl_sock*, nl_cache**)>& fill);

  nl_sock* get() const { return socket_.get(); }

 private:
  NetlinkSocket() = default;
  static absl::StatusOr<std::unique_ptr<NetlinkSocket>> Connect(
      const std::function<absl::Status(const std::function<absl::Status()>& connect)>& run);
  // Called by libnl for every error that the kernel answers.
  static int OnError(sockaddr_nl* from, nlmsgerr* error, void* self);

  NlPointer<nl_sock, nl_socket_free> socket_;
  int error_number_ = 0;
  std::string explanation_;
};

}  // namespace vcd

#endif  // VCD_CORE_NETLINK_NETLINK_SOCKET_H_
