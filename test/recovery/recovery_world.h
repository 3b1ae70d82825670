// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_RECOVERY_WORLD_H_
#define VCD_TEST_RECOVERY_RECOVERY_WORLD_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/testing/fake_agent.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/network/testing/fake_network.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/pod/pod_runtime.h"
#include "core/pod/testing/pod_client.h"
#include "test/recovery/crash_point.h"
#include "test/recovery/mortal_hooks.h"

namespace vcd {

// Pods as the API shows them, one line each: "running main=running side=stopped org.example.key=1 if.eth0
// net.eth0": state, containers, annotations, the interfaces it has and those of its configuration. Every pod has an
// interface by itself.
using Observed = std::map<std::string, std::string>;

// A host with its disk, machines, guests and networks, on which daemons live and die. Calls go to the daemon of the
// moment.
class RecoveryWorld : public PodClient {
 public:
  // `filesystem` is the disk; null for the host's own.
  explicit RecoveryWorld(Filesystem* filesystem = nullptr);
  ~RecoveryWorld() override;

  // Daemons from here on make templates, and keep one machine waiting.
  void UseWarmMachines();
  // Makes a template and waits until a machine waits. False when none comes, or the daemon is dead.
  bool MakeTemplate();
  bool AwaitWarmMachine();

  // Starts a daemon that dies at step `crash_at`, or lives when that is 0, and waits until it has reconciled
  // everything, or is dead. False when it could not start.
  bool Boot(int crash_at = 0);
  // The daemon dies `steps` steps from now.
  void CrashIn(int steps) { daemon_->life.DieIn(steps); }
  // kill -9.
  void KillDaemon();
  // The host loses power: the daemon, all machines, guests and networks, and what is under the run directory.
  void LosePower();

  PodRuntime& runtime() override { return *daemon_->runtime; }
  CrashPoint& life() { return daemon_->life; }

  v1::ContainerConfig ContainerConfig(const std::string& id) const;
  v1::PodConfig PodConfig(const std::string& id) const;
  // The same with a directory and a disk of the host mounted; and a pod with such a container and a volume for it.
  v1::ContainerConfig LadenContainerConfig(const std::string& id) const;
  v1::PodConfig LadenPodConfig(const std::string& id) const;
  // The same with hooks that take something and give it back.
  v1::ContainerConfig HookedContainerConfig(const std::string& id) const;
  v1::PodConfig HookedPodConfig(const std::string& id) const;

  // A pod whose container has a root file system from an image: what a checkpoint can hold.
  v1::PodConfig ImagePodConfig(const std::string& id) const;
  // The same with one that it writes to.
  v1::PodConfig DiskPodConfig(const std::string& id) const;
  // Where checkpoints go.
  std::string out_dir() const { return root() + "/out"; }
  // Keeps the guest that a pod has now, and gives it to the pod's next machine, as a checkpoint would.
  void KeepGuest(const std::string& id) { kept_guest_ = agent().Guest(id); }
  void GiveKeptGuest(const std::string& id) { agent().GiveGuest(id, kept_guest_); }

  Observed Observe();
  // What the host holds that the API does not account for, or the other way round, for people. Waits up to ten
  // seconds for what goes on in the background of the daemon.
  std::vector<std::string> Leaks();

  const std::string& root() const { return directory_.path(); }
  std::string state_dir() const { return root() + "/state"; }
  std::string run_dir() const { return root() + "/run"; }

 private:
  // Everything that dies with a daemon.
  struct Daemon {
    explicit Daemon(int crash_at) : life(crash_at) {}
    CrashPoint life;
    std::unique_ptr<Filesystem> filesystem;
    std::unique_ptr<HookRunner> hooks;
    Backends backends;
    EventBus events;
    WorkerPool pool{16};
    std::unique_ptr<PodRuntime> runtime;
  };
  void MakeBackends();
  FakeHypervisor& hypervisor() { return static_cast<FakeHypervisor&>(*backends_.hypervisors["fake"]); }
  FakeAgent& agent() { return static_cast<FakeAgent&>(*backends_.agents["fake"]); }
  FakeNetwork& network() { return static_cast<FakeNetwork&>(*backends_.networks["fake"]); }
  std::vector<std::string> LeaksNow();
  void CheckWarmMachines(std::vector<std::string>* leaks);
  void CheckHooks(std::vector<std::string>* leaks);
  void CheckGuest(const v1::Pod& pod, std::vector<std::string>* leaks);
  void CheckFiles(const std::vector<std::string>& pod_ids, std::vector<std::string>* leaks);

  // In memory: what these tests are about is the order of the writes, and there are many.
  TemporaryDirectory directory_{"/dev/shm"};
  PosixFilesystem posix_;
  Filesystem& disk_;
  IoThread io_;
  Backends backends_;
  HookedHost hooked_host_;
  PodRuntimeOptions options_;
  std::unique_ptr<Daemon> daemon_;
  std::shared_ptr<SimulatedGuest> kept_guest_;
  // Nobody knows of what was half made then until a checkpoint is made in the same place.
  bool lost_power_ = false;
};

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_RECOVERY_WORLD_H_
