// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_RTNETLINK_H_
#define VCD_GUEST_AGENT_RTNETLINK_H_

#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"

// As much of rtnetlink(7) as the agent needs; the library for it would be a tenth of the agent.
namespace vcd::guest {

// A request, put together attribute by attribute. Attributes must fit into 512 bytes, together with the header.
class RtnetlinkRequest {
 public:
  // `header` is what rtnetlink has for that type: ifinfomsg, ifaddrmsg, rtmsg, ndmsg.
  template <typename Header>
  RtnetlinkRequest(uint16_t type, uint16_t flags, const Header& header) {
    nlmsghdr* const begin = this->header();
    begin->nlmsg_len = NLMSG_LENGTH(sizeof(header));
    begin->nlmsg_type = type;
    begin->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    std::memcpy(NLMSG_DATA(begin), &header, sizeof(header));
  }

  void Add(uint16_t type, const void* data, size_t size);
  void Add(uint16_t type, const std::string& data) { Add(type, data.data(), data.size()); }
  void Add(uint16_t type, uint32_t value) { Add(type, &value, sizeof(value)); }

  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_); }

 private:
  alignas(nlmsghdr) char buffer_[512] = {};
};

// A network interface as the kernel tells it.
struct Link {
  int index = 0;
  std::string name;
  std::string mac;  // 6 bytes.
  uint32_t mtu = 0;
  bool up = false;
  bool ethernet = false;
};

// A conversation with the kernel of the network namespace that it was begun in.
class Rtnetlink {
 public:
  // Also without success: then every request fails.
  Rtnetlink();

  // Sends it and waits for the kernel's word, which comes at once. 0, or errno; `words` is what the kernel says of it
  // beside that, often nothing.
  int Do(RtnetlinkRequest* request, std::string* words);

  OutcomeOr<std::vector<Link>> Links();

 private:
  UniqueFd socket_;
  uint32_t sequence_ = 0;
};

// A socket that becomes readable when interfaces come, go or change. Does not block.
UniqueFd WatchLinks();

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_RTNETLINK_H_
