// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/rtnetlink.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace vcd::guest {
namespace {

// The kernel cuts its answers to what the last read could take, and no interface needs more.
constexpr size_t kAnswerSize = size_t{16} << 10;

UniqueFd OpenRtnetlink(int flags, uint32_t groups) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) socket.Reset();
  return socket;
}

// What the kernel says beside errno: an attribute behind its answer.
std::string WordsOf(const nlmsghdr* answer) {
  if ((answer->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  // The request is not repeated in between: NETLINK_CAP_ACK.
  const size_t before = NLMSG_LENGTH(sizeof(nlmsgerr));
  int left = static_cast<int>(answer->nlmsg_len) - static_cast<int>(before);
  auto* attribute = reinterpret_cast<const rtattr*>(reinterpret_cast<const char*>(answer) + before);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != NLMSGERR_ATTR_MSG) continue;
    const std::string words(static_cast<const char*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute));
    return words.substr(0, words.find('\0'));
  }
  return "";
}

Link LinkOf(const nlmsghdr* message) {
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  Link link;
  link.index = info->ifi_index;
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.ethernet = info->ifi_type == ARPHRD_ETHER;
  int left = static_cast<int>(IFLA_PAYLOAD(message));
  for (auto* attribute = IFLA_RTA(info); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    const auto* data = static_cast<const char*>(RTA_DATA(attribute));
    const size_t size = RTA_PAYLOAD(attribute);
    if (attribute->rta_type == IFLA_IFNAME) link.name.assign(data, ::strnlen(data, size));
    if (attribute->rta_type == IFLA_ADDRESS) link.mac.assign(data, size);
    if (attribute->rta_type == IFLA_MTU) std::memcpy(&link.mtu, data, std::min(size, sizeof(link.mtu)));
  }
  return link;
}

}  // namespace

void RtnetlinkRequest::Add(uint16_t type, const void* data, size_t size) {
  const size_t at = NLMSG_ALIGN(header()->nlmsg_len);
  if (at + RTA_SPACE(size) > sizeof(buffer_)) return;  // None is so long.
  auto* attribute = reinterpret_cast<rtattr*>(buffer_ + at);
  attribute->rta_type = type;
  attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
  std::memcpy(RTA_DATA(attribute), data, size);
  header()->nlmsg_len = static_cast<uint32_t>(at + RTA_SPACE(size));
}

Rtnetlink::Rtnetlink() : socket_(OpenRtnetlink(0, 0)) {
  const int on = 1;
  ::setsockopt(socket_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  ::setsockopt(socket_.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
}

int Rtnetlink::Do(RtnetlinkRequest* request, std::string* words) {
  nlmsghdr* const sent = request->header();
  sent->nlmsg_flags |= NLM_F_ACK;
  sent->nlmsg_seq = ++sequence_;
  if (::send(socket_.get(), sent, sent->nlmsg_len, 0) < 0) return errno;
  alignas(nlmsghdr) char buffer[kAnswerSize];
  while (true) {
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    auto left = static_cast<size_t>(got);
    for (auto* answer = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(answer, left);
         answer = NLMSG_NEXT(answer, left)) {
      if (answer->nlmsg_type != NLMSG_ERROR || answer->nlmsg_seq != sequence_) continue;
      *words = WordsOf(answer);
      return -static_cast<const nlmsgerr*>(NLMSG_DATA(answer))->error;
    }
  }
}

OutcomeOr<std::vector<Link>> Rtnetlink::Links() {
  RtnetlinkRequest request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  request.Add(IFLA_EXT_MASK, uint32_t{RTEXT_FILTER_SKIP_STATS});
  nlmsghdr* const sent = request.header();
  sent->nlmsg_seq = ++sequence_;
  if (::send(socket_.get(), sent, sent->nlmsg_len, 0) < 0) return SystemFailure("list the interfaces");
  std::vector<Link> links;
  alignas(nlmsghdr) char buffer[kAnswerSize];
  while (true) {
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemFailure("list the interfaces");
    auto left = static_cast<size_t>(got);
    for (auto* answer = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(answer, left);
         answer = NLMSG_NEXT(answer, left)) {
      if (answer->nlmsg_seq != sequence_) continue;
      if (answer->nlmsg_type == NLMSG_DONE) return links;
      if (answer->nlmsg_type == NLMSG_ERROR) {
        return SystemFailure("list the interfaces", -static_cast<const nlmsgerr*>(NLMSG_DATA(answer))->error);
      }
      if (answer->nlmsg_type == RTM_NEWLINK) links.push_back(LinkOf(answer));
    }
  }
}

UniqueFd WatchLinks() { return OpenRtnetlink(SOCK_NONBLOCK, RTMGRP_LINK); }

}  // namespace vcd::guest
