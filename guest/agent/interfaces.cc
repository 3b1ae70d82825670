// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/interfaces.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "guest/agent/interface_check.h"
#include "guest/agent/rtnetlink.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::InterfaceAddress;
using ::vcd::agent::v1::Neighbor;
using ::vcd::agent::v1::Route;
using ::vcd::agent::v1::SetInterface;

// More than a machine has places for.
constexpr size_t kMaxWaiting = 64;

uint8_t FamilyOf(const std::string& address) { return address.size() == 4 ? AF_INET : AF_INET6; }
uint8_t Byte(uint32_t value) { return static_cast<uint8_t>(value); }

const Link* FindLink(const std::vector<Link>& links, const std::string& mac) {
  for (const Link& link : links) {
    if (link.ethernet && link.mac == mac) return &link;
  }
  return nullptr;
}

// One interface on its way to what the host wants of it.
class Setup {
 public:
  Setup(Rtnetlink* kernel, const Link& link, const SetInterface& wanted)
      : kernel_(kernel), link_(link), wanted_(wanted) {}

  Outcome Run(const std::vector<Link>& links) {
    Outcome done = link_.name == wanted_.name() ? Outcome() : TakeName(links);
    if (done.ok() && wanted_.mtu() != 0 && wanted_.mtu() != link_.mtu) {
      done = Change(IFLA_MTU, wanted_.mtu(), "set the MTU to " + std::to_string(wanted_.mtu()));
    }
    for (const InterfaceAddress& address : wanted_.addresses()) {
      if (done.ok()) done = AddAddress(address);
    }
    if (done.ok()) done = Switch(link_.index, true);
    for (const Neighbor& neighbor : wanted_.neighbors()) {
      if (done.ok()) done = AddNeighbor(neighbor);
    }
    for (const Route& route : wanted_.routes()) {
      if (done.ok()) done = AddRoute(route);
    }
    return done;
  }

 private:
  Outcome Do(RtnetlinkRequest* request, const std::string& step, int tolerated = 0) {
    std::string words;
    const int error = kernel_->Do(request, &words);
    if (error == 0 || error == tolerated) return Outcome();
    std::string message = SystemFailure("interface " + wanted_.name() + ": " + step, error).message();
    if (!words.empty()) message += " (" + words + ")";
    return Outcome(ErrorCode::ERROR_CODE_SYSTEM, message);
  }

  static ifinfomsg HeaderOf(int index) {
    ifinfomsg header{};
    header.ifi_index = index;
    return header;
  }

  template <typename Value>
  Outcome Change(uint16_t attribute, const Value& value, const std::string& step) {
    RtnetlinkRequest request(RTM_NEWLINK, 0, HeaderOf(link_.index));
    request.Add(attribute, value);
    return Do(&request, step);
  }

  Outcome Switch(int index, bool up) {
    ifinfomsg header = HeaderOf(index);
    header.ifi_flags = up ? IFF_UP : 0;
    header.ifi_change = IFF_UP;
    RtnetlinkRequest request(RTM_NEWLINK, 0, header);
    return Do(&request, up ? "take it up" : "take it down");
  }

  Outcome Rename(int index, const std::string& name) {
    RtnetlinkRequest request(RTM_NEWLINK, 0, HeaderOf(index));
    request.Add(IFLA_IFNAME, name + '\0');
    return Do(&request, "name it");
  }

  // The kernel names interfaces as they come, so one that waits for its own name may have this one's. One that is up
  // has been set up, and keeps it.
  Outcome TakeName(const std::vector<Link>& links) {
    for (const Link& other : links) {
      if (other.name != wanted_.name()) continue;
      if (other.up) {
        return Outcome(ErrorCode::ERROR_CODE_EXISTS,
                       "interface " + wanted_.name() + ": another one has that name already");
      }
      if (Outcome done = Rename(other.index, "vcd" + std::to_string(other.index)); !done.ok()) return done;
    }
    // Only one that is down can be renamed.
    Outcome done = link_.up ? Switch(link_.index, false) : Outcome();
    return done.ok() ? Rename(link_.index, wanted_.name()) : done;
  }

  Outcome AddAddress(const InterfaceAddress& wanted) {
    const std::string& address = wanted.address();
    ifaddrmsg header{};
    header.ifa_family = FamilyOf(address);
    header.ifa_prefixlen = Byte(wanted.prefix_length());
    header.ifa_index = static_cast<uint32_t>(link_.index);
    RtnetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
    request.Add(IFA_LOCAL, address);
    request.Add(IFA_ADDRESS, address);
    if (header.ifa_family == AF_INET6) {
      // Whoever gave the address out sees to it that nobody else has it; asking takes a second.
      request.Add(IFA_FLAGS, uint32_t{IFA_F_NODAD});
    } else if (wanted.prefix_length() < 31) {
      std::string broadcast = address;
      for (uint32_t bit = wanted.prefix_length(); bit < 32; ++bit) {
        broadcast[bit / 8] = static_cast<char>(broadcast[bit / 8] | (0x80 >> bit % 8));
      }
      request.Add(IFA_BROADCAST, broadcast);
    }
    return Do(&request, "add the address " + AddressText(address) + "/" + std::to_string(wanted.prefix_length()));
  }

  Outcome AddNeighbor(const Neighbor& wanted) {
    ndmsg header{};
    header.ndm_family = FamilyOf(wanted.address());
    header.ndm_ifindex = link_.index;
    header.ndm_state = NUD_PERMANENT;
    RtnetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
    request.Add(NDA_DST, wanted.address());
    request.Add(NDA_LLADDR, wanted.mac());
    return Do(&request, "add the neighbour " + AddressText(wanted.address()));
  }

  Outcome AddRoute(const Route& wanted) {
    rtmsg header{};
    header.rtm_family = FamilyOf(wanted.destination());
    header.rtm_dst_len = Byte(wanted.prefix_length());
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_BOOT;
    header.rtm_scope = Byte(wanted.scope());
    header.rtm_type = RTN_UNICAST;
    header.rtm_flags = wanted.onlink() ? RTNH_F_ONLINK : 0;
    RtnetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
    request.Add(RTA_OIF, static_cast<uint32_t>(link_.index));
    if (wanted.prefix_length() != 0) request.Add(RTA_DST, wanted.destination());
    if (!wanted.gateway().empty()) request.Add(RTA_GATEWAY, wanted.gateway());
    if (!wanted.source().empty()) request.Add(RTA_PREFSRC, wanted.source());
    if (wanted.metric() != 0) request.Add(RTA_PRIORITY, wanted.metric());
    if (wanted.mtu() != 0) {
      struct {
        rtattr head;
        uint32_t mtu;
      } metrics{{sizeof(metrics), RTAX_MTU}, wanted.mtu()};
      request.Add(RTA_METRICS, &metrics, sizeof(metrics));
    }
    std::string step =
        "add the route to " + AddressText(wanted.destination()) + "/" + std::to_string(wanted.prefix_length());
    if (!wanted.gateway().empty()) step += " by " + AddressText(wanted.gateway());
    // The kernel makes some of them by itself, of the addresses.
    return Do(&request, step, EEXIST);
  }

  Rtnetlink* const kernel_;
  const Link& link_;
  const SetInterface& wanted_;
};

}  // namespace

Interfaces::Interfaces(EventLoop* loop, std::function<Outcome(const std::string& group)> load_modules,
                       std::chrono::milliseconds patience)
    : loop_(loop), load_modules_(std::move(load_modules)), patience_(patience) {}

Interfaces::~Interfaces() { StopWaiting(); }

void Interfaces::Set(const SetInterface& request, Done done) {
  Outcome ready = CheckInterface(request);
  if (ready.ok() && waiting_.size() >= kMaxWaiting) ready = Invalid("too many interfaces are waited for already");
  if (ready.ok()) ready = load_modules_("net");
  if (!ready.ok()) return done(ready);
  waiting_.push_back({request, std::move(done), 0});
  const std::string mac = request.mac();
  waiting_.back().deadline = loop_->After(patience_, [this, mac, name = request.name()] {
    GiveUp(mac, Outcome(ErrorCode::ERROR_CODE_SYSTEM,
                        "interface " + name + ": no network device with the hardware address " + MacText(mac) +
                            " has appeared; was it attached to the machine?"));
  });
  // Listening first: what comes after the look is told.
  Listen();
  TryWaiting();
}

bool Interfaces::Try(const SetInterface& request, const Done& done) {
  Rtnetlink kernel;
  OutcomeOr<std::vector<Link>> links = kernel.Links();
  if (!links.ok()) {
    done(links.outcome());
    return true;
  }
  const Link* const link = FindLink(*links, request.mac());
  if (link == nullptr) return false;
  done(Setup(&kernel, *link, request).Run(*links));
  return true;
}

void Interfaces::TryWaiting() {
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    if (!Try(waiting->request, waiting->done)) {
      ++waiting;
      continue;
    }
    loop_->Cancel(waiting->deadline);
    waiting = waiting_.erase(waiting);
  }
  Listen();
}

void Interfaces::Listen() {
  if (waiting_.empty()) {
    loop_->Unwatch(std::exchange(watch_, 0));
    return events_.Reset();
  }
  if (events_.valid()) return;
  events_ = WatchLinks();
  watch_ = loop_->Watch(events_.get(), EPOLLIN, [this](uint32_t) {
    char event[8192];
    // ENOBUFS says that events were dropped; there are others behind it.
    while (::recv(events_.get(), event, sizeof(event), 0) >= 0 || errno == EINTR || errno == ENOBUFS) {
    }
    TryWaiting();
  });
}

Outcome Interfaces::Remove(const ::vcd::agent::v1::RemoveInterface& request) {
  if (Outcome checked = CheckMac(request.mac()); !checked.ok()) return checked;
  GiveUp(request.mac(), Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "the interface was removed meanwhile"));
  Rtnetlink kernel;
  OutcomeOr<std::vector<Link>> links = kernel.Links();
  if (!links.ok()) return links.outcome();
  const Link* const link = FindLink(*links, request.mac());
  if (link == nullptr) return Outcome();
  ifinfomsg header{};
  header.ifi_index = link->index;
  header.ifi_change = IFF_UP;
  RtnetlinkRequest down(RTM_NEWLINK, 0, header);
  std::string words;
  const int error = kernel.Do(&down, &words);
  // It may go by itself meanwhile.
  return error == 0 || error == ENODEV ? Outcome() : SystemFailure("take interface " + link->name + " down", error);
}

void Interfaces::GiveUp(const std::string& mac, const Outcome& why) {
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    if (waiting->request.mac() != mac) {
      ++waiting;
      continue;
    }
    loop_->Cancel(waiting->deadline);
    const Done done = std::move(waiting->done);
    waiting = waiting_.erase(waiting);
    done(why);
  }
  Listen();
}

void Interfaces::StopWaiting() {
  for (const Waiting& waiting : waiting_) loop_->Cancel(waiting.deadline);
  waiting_.clear();
  Listen();
}

}  // namespace vcd::guest
