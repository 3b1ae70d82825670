// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_INTERFACES_H_
#define VCD_GUEST_AGENT_INTERFACES_H_

#include <chrono>
#include <functional>
#include <list>
#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// Sets the machine's network interfaces up as the host says. They are told apart by hardware address: their names
// depend on the order in which the kernel found them, until they have got theirs here.
class Interfaces {
 public:
  using Done = std::function<void(const Outcome&)>;

  // `load_modules` brings the drivers, group "net". How long an interface may take to appear: hot-plugging takes tens
  // of milliseconds, and the rest is for emulated machines under load.
  Interfaces(EventLoop* loop, std::function<Outcome(const std::string& group)> load_modules,
             std::chrono::milliseconds patience = std::chrono::seconds(20));
  ~Interfaces();
  Interfaces(const Interfaces&) = delete;
  Interfaces& operator=(const Interfaces&) = delete;

  // As SetInterface of the protocol says; tells `done` when it is so, or why it cannot be.
  void Set(const ::vcd::agent::v1::SetInterface& request, Done done);

  // As RemoveInterface of the protocol says. Whoever waits for that interface is told.
  Outcome Remove(const ::vcd::agent::v1::RemoveInterface& request);

  // Forgets whoever waits, without a word.
  void StopWaiting();

 private:
  struct Waiting {
    ::vcd::agent::v1::SetInterface request;
    Done done;
    EventLoop::TimerId deadline = 0;
  };

  // False while there is no such interface.
  static bool Try(const ::vcd::agent::v1::SetInterface& request, const Done& done);
  void TryWaiting();
  // Ends every wait for that interface.
  void GiveUp(const std::string& mac, const Outcome& why);
  // Listens to the kernel as long as somebody waits.
  void Listen();

  EventLoop* const loop_;
  const std::function<Outcome(const std::string&)> load_modules_;
  const std::chrono::milliseconds patience_;
  std::list<Waiting> waiting_;
  UniqueFd events_;
  EventLoop::WatchId watch_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_INTERFACES_H_
