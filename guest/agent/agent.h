// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_AGENT_H_
#define VCD_GUEST_AGENT_AGENT_H_

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "guest/agent/cgroup.h"
#include "guest/agent/connection.h"
#include "guest/agent/container_sources.h"
#include "guest/agent/cpus.h"
#include "guest/agent/event_loop.h"
#include "guest/agent/interfaces.h"
#include "guest/agent/link_server.h"
#include "guest/agent/memory_watch.h"
#include "guest/agent/outcome.h"
#include "guest/agent/process.h"
#include "guest/agent/restrictions.h"
#include "guest/agent/rootfs_store.h"
#include "guest/agent/shared_files.h"
#include "guest/agent/shared_pid_namespace.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// The protocol of proto/vcd/agent/v1/agent.proto: keeps the containers, answers requests and tells what happens. One
// thread, nothing waits: what takes time is remembered with the request that asked for it and answered when it is done.
class Agent {
 public:
  struct Options {
    bool isolate = true;          // Containers get namespaces, roots and users of their own.
    std::string cgroup_root;      // Where to make control groups; empty for none.
    std::string cpu_root;         // See Cpus.
    bool set_interfaces = false;  // The network of the machine is the agent's to set up.
    RootfsStore::Options rootfs;
    // Does to the machine what HELLO asks for: clock, host name, entropy.
    std::function<void(const ::vcd::agent::v1::Hello&)> greet_machine;
    // Does the same with the clock alone, for a machine that stood still. Gets nanoseconds since 1970.
    std::function<void(uint64_t)> set_clock;
    // Ends the machine, or the program. Runs when Shutdown is done and its reply is out.
    std::function<void()> power_off;
  };

  Agent(EventLoop* loop, Options options);
  ~Agent();

  // The link to answer on. Outlives the agent's use of it.
  void SetLink(LinkServer* link) { link_ = link; }

  void OnMessage(const ::vcd::agent::v1::HostMessage& message);
  void OnLinkWritable();
  void OnDisconnected();

  // A device has come or gone: containers that wait for their disk look again.
  void OnDevicesChanged();

  // A child of this process has ended and was waited for.
  void OnReaped(pid_t pid, int wait_status);

  // Tells the host that the machine is short of memory.
  void TellPressure(double some_percent);

  // Kills every container. For an agent that ends without Shutdown.
  void KillAll();

 private:
  // A request that is to be answered. The answer to a connection that is gone is not sent.
  struct Ticket {
    uint64_t connection = 0;
    uint64_t request_id = 0;
  };

  // A process and who waits for it.
  struct Entry {
    std::unique_ptr<Process> process;
    // Until the host was told that it exists it may vanish again; after that only at the host's word.
    bool announced = false;
    bool abandoned = false;
    Outcome failure;  // Why it was abandoned, for whoever holds create_ticket.
    Ticket create_ticket;
    Ticket start_ticket;
  };

  // A connection that the host has as a process.
  struct DialEntry {
    std::unique_ptr<Connection> connection;
    bool announced = false;  // The host was told that it stands.
    Ticket ticket;
  };

  struct RunningContainer {
    // Go last: what the processes use.
    RootfsLease rootfs;
    std::vector<std::shared_ptr<SharedMount>> shares;
    Cgroup cgroup;
    std::unique_ptr<OomWatch> oom;
    UniqueFd device_rules;      // Of its control group once it is set up, for that takes disks that it may not open.
    Restrictions restrictions;  // Of its first process, and at least of all others.
    // Set where the pid namespace is shared: its end does not end what else is in the container.
    std::string mount_namespace;
    Entry init;
    std::map<std::string, Entry> execs;
    Ticket remove_ticket;    // Once it is dying: who is told when it is gone,
    Outcome remove_outcome;  // and what.
  };

  // A container with a disk or share that the kernel has not found yet.
  struct WaitingCreate {
    Ticket ticket;
    std::string missing;
    ::vcd::agent::v1::CreateContainer request;
    EventLoop::TimerId deadline = 0;
  };

  void OnHello(const ::vcd::agent::v1::HostMessage& message);
  // This machine goes on from a copy of another: its containers are to be called as it is.
  void FollowHostName(const std::string& hostname);
  void OnRequest(const Ticket& ticket, const ::vcd::agent::v1::HostMessage& message);
  void Create(const Ticket& ticket, const ::vcd::agent::v1::CreateContainer& request);
  void Start(const Ticket& ticket, const ::vcd::agent::v1::StartContainer& request);
  void Remove(const Ticket& ticket, const ::vcd::agent::v1::RemoveContainer& request);
  void Exec(const Ticket& ticket, const ::vcd::agent::v1::Exec& request);
  void Dial(const Ticket& ticket, const ::vcd::agent::v1::Exec& request);
  Outcome CheckDial(const ::vcd::agent::v1::Exec& request) const;
  void OnDialChanged(const Connection& connection);
  // Ends one that does not stand yet, so that it will not when the host has given it up.
  void CancelDial(const std::string& process_id);
  // Answers and forgets those that will never stand.
  void SettleDials();
  void SetInterface(const Ticket& ticket, const ::vcd::agent::v1::SetInterface& request);
  Outcome RemoveInterface(const ::vcd::agent::v1::RemoveInterface& request);
  Outcome Signal(const ::vcd::agent::v1::SignalProcess& request);
  Outcome ResizeTerminal(const ::vcd::agent::v1::ResizeTerminal& request);
  Outcome RemoveProcess(const ::vcd::agent::v1::RemoveProcess& request);
  Outcome UpdateResources(const ::vcd::agent::v1::UpdateResources& request);
  void GetStats(const Ticket& ticket, const ::vcd::agent::v1::GetStats& request);
  void ListProcesses(const Ticket& ticket, const ::vcd::agent::v1::ListProcesses& request);
  void TakeInput(const ::vcd::agent::v1::Input& input);
  void TakeOutputAck(const ::vcd::agent::v1::OutputAck& ack);
  void TakeOutputReceived(const ::vcd::agent::v1::OutputReceived& received);
  void Shutdown(const Ticket& ticket);

  static Outcome CheckId(const std::string& what, const std::string& id);
  bool IsTaken(const std::string& container_id) const;
  // False when it has to wait for what `missing` then names.
  bool TryCreate(const Ticket& ticket, const ::vcd::agent::v1::CreateContainer& request, std::string* missing);
  Outcome LaunchFirst(const Ticket& ticket, const ::vcd::agent::v1::CreateContainer& request, ContainerSources sources);
  // The container's control group with its limits; none where the machine has no control groups.
  OutcomeOr<Cgroup> MakeCgroup(const ::vcd::agent::v1::CreateContainer& request);
  void WatchMemory(const std::string& container_id, RunningContainer* container);
  // From here on it opens the devices of its rules only. Its first process is held.
  Outcome ConfineDevices(const std::string& container_id);
  static bool EndedForWantOfMemory(const Process& process, int wait_status, RunningContainer* container);
  void GiveUpWaiting(const std::string& container_id);
  void AbandonUnannounced();
  void Kill(RunningContainer* container);
  bool IsEmpty(const RunningContainer& container) const;
  // Its first process has ended, or is about to, which may be before it was waited for: nothing can be made in it.
  static bool IsEnding(const RunningContainer& container);
  void BeginRemoval(const std::string& container_id, const Ticket& ticket, const Outcome& outcome = Outcome());

  std::unique_ptr<Process> MakeProcess(ProcessName name, LaunchedProcess launched);
  void AbandonUnannounced(std::map<std::string, Entry>* execs);
  // Forgets those that failed and are gone.
  void SettleExecs(std::map<std::string, Entry>* execs);

  StreamOwner::Listener MakeListener();
  void OnLaunchChanged(Process* process);
  void OnFirstProcessLaunch(Entry* entry);
  void OnExecLaunch(Entry* entry);
  // Null when there is none.
  Entry* FindEntry(const std::string& container_id, const std::string& process_id);
  StreamOwner* FindProcess(const std::string& container_id, const std::string& process_id);
  static Outcome DoesNotRun(const std::string& container_id);
  static Outcome NotFound(const std::string& what);
  static Outcome ProcessNotFound(const std::string& container_id, const std::string& process_id);
  RunningContainer* FindContainer(const std::string& container_id);

  // Does what handlers must not do themselves, for they run inside the things that go: forgets failed execs and
  // containers that are completely gone, and ends a shutdown.
  void PostSettle();
  void Settle();
  void FinishShutdown();

  bool LinkTakesOutput() const;
  void PumpOutput();
  bool PumpStream(StreamOwner* process, ::vcd::agent::v1::Stream stream);
  void PumpExit(StreamOwner* process);
  std::vector<StreamOwner*> AnnouncedProcesses();

  void Answer(const Ticket& ticket, const Outcome& outcome, pid_t pid = 0);
  void Answer(const Ticket& ticket, ::vcd::agent::v1::Reply reply);
  void Send(const ::vcd::agent::v1::GuestMessage& message);

  EventLoop* const loop_;
  const Options options_;
  SharedFiles shares_;
  RootfsStore rootfs_;
  SourceFinder sources_;
  Cpus cpus_;
  SharedPidNamespace shared_pids_;
  Interfaces interfaces_;
  LinkServer* link_ = nullptr;
  bool greeted_ = false;     // The host said HELLO on this connection.
  uint64_t connection_ = 0;  // Counts HELLOs.
  std::string hostname_;     // As the last of them said.
  // Of this connection: how much output may be under way, how much was sent, how much has come. See
  // Hello.output_window.
  uint64_t output_window_ = 0;
  uint64_t output_sent_ = 0;
  uint64_t output_received_ = 0;
  const uint64_t started_boot_ns_;
  std::map<std::string, RunningContainer> containers_;
  std::map<std::string, DialEntry> dials_;  // By process id.
  std::list<RunningContainer> dying_;
  std::list<WaitingCreate> waiting_;
  uint64_t last_serial_ = 0;
  size_t next_to_pump_ = 0;
  bool pumping_ = false;
  bool settle_posted_ = false;
  bool shutting_down_ = false;
  bool shut_down_ = false;
  bool powering_off_ = false;
  Ticket shutdown_ticket_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_AGENT_H_
