// SPDX-License-Identifier: Apache-2.0
#include "test/recovery/scenarios.h"

#include <signal.h>

#include <thread>

#include "absl/status/status.h"

namespace vcd {
namespace {

v1::CniNetwork Lan(const std::string& interface_name) {
  v1::CniNetwork network;
  network.set_name("lan");
  network.set_interface_name(interface_name);
  return network;
}

void Nothing(RecoveryWorld&) {}
void Ready(RecoveryWorld& world) { (void)world.Create(world.PodConfig("web")); }
void Running(RecoveryWorld& world) { (void)world.Run(world.PodConfig("web")); }
void Paused(RecoveryWorld& world) {
  Running(world);
  (void)world.Pause("web");
}
void Stopped(RecoveryWorld& world) {
  Running(world);
  (void)world.Stop("web");
}
void WithSide(RecoveryWorld& world) {
  Running(world);
  (void)world.CreateContainer("web", world.ContainerConfig("side"));
}
void WithInterface(RecoveryWorld& world) {
  Running(world);
  (void)world.AttachInterface("web", Lan("eth1"));
}
void WithRunningSide(RecoveryWorld& world) {
  WithSide(world);
  (void)world.StartContainer("web", "side");
}
void Laden(RecoveryWorld& world) { (void)world.Run(world.LadenPodConfig("web")); }
void WithLadenSide(RecoveryWorld& world) {
  Running(world);
  (void)world.CreateContainer("web", world.LadenContainerConfig("side"));
  (void)world.StartContainer("web", "side");
}
void Hooked(RecoveryWorld& world) { (void)world.Run(world.HookedPodConfig("web")); }
void HookedStopped(RecoveryWorld& world) {
  Hooked(world);
  (void)world.Stop("web");
}
void WithHookedSide(RecoveryWorld& world) {
  Running(world);
  (void)world.CreateContainer("web", world.HookedContainerConfig("side"));
  (void)world.StartContainer("web", "side");
}
void WithStoppedHookedSide(RecoveryWorld& world) {
  WithHookedSide(world);
  (void)world.StopContainer("web", "side");
}
void WithPausedSide(RecoveryWorld& world) {
  WithRunningSide(world);
  (void)world.Pause("web");
}
void WithStoppedSide(RecoveryWorld& world) {
  WithRunningSide(world);
  (void)world.StopContainer("web", "side");
}

void WithImage(RecoveryWorld& world) {
  (void)world.Run(world.ImagePodConfig("web"));
  (void)world.DetachInterface("web", "eth0");
}
void WithPausedImage(RecoveryWorld& world) {
  WithImage(world);
  (void)world.Pause("web");
}
void WrittenDown(RecoveryWorld& world) {
  world.KeepGuest("web");
  (void)world.Checkpoint("web", world.out_dir() + "/one", /*stop=*/true);
  (void)world.Delete("web");
}
void Checkpointed(RecoveryWorld& world) {
  WithImage(world);
  WrittenDown(world);
}
void WithNetworkImage(RecoveryWorld& world) { (void)world.Run(world.ImagePodConfig("web")); }
void CheckpointedWithNetwork(RecoveryWorld& world) {
  WithNetworkImage(world);
  WrittenDown(world);
}
void WithDisk(RecoveryWorld& world) { (void)world.Run(world.DiskPodConfig("web")); }
void CheckpointedWithDisk(RecoveryWorld& world) {
  WithDisk(world);
  WrittenDown(world);
}
absl::Status Checkpoint(RecoveryWorld& world, bool stop, const std::string& request_id) {
  return world.Checkpoint("web", world.out_dir() + "/one", stop, request_id).status();
}
absl::Status Restore(RecoveryWorld& world, const std::string& request_id) {
  world.GiveKeptGuest("web");
  return world.Restore(world.out_dir() + "/one", "web", request_id).status();
}

// As the API has it: what is gone needs no deletion.
absl::Status Deleted(const absl::Status& status) { return absl::IsNotFound(status) ? absl::OkStatus() : status; }

// The exit of a container is recorded by a worker.
void AwaitMainStopped(RecoveryWorld& world) {
  while (!world.life().dead() && world.Get("web").containers(0).state() != v1::CONTAINER_STATE_STOPPED) {
    std::this_thread::yield();
  }
}

}  // namespace

std::vector<Scenario> Scenarios() {
  using W = RecoveryWorld;
  using Id = std::string;
  return {
      {"CreatePod", Nothing, [](W& w, const Id& id) { return w.Create(w.PodConfig("web"), id).status(); }, {}},
      {"RunPod", Nothing, [](W& w, const Id& id) { return w.Run(w.PodConfig("web"), id).status(); }, {}},
      {"RunPod (with volume, mounts and disk)",
       Nothing,
       [](W& w, const Id& id) { return w.Run(w.LadenPodConfig("web"), id).status(); },
       {}},
      {"StopPod (with volume, mounts and disk)",
       Laden,
       [](W& w, const Id& id) { return w.Stop("web", false, id).status(); },
       {}},
      {"CreateContainer (with mount and disk)",
       Running,
       [](W& w, const Id& id) { return w.CreateContainer("web", w.LadenContainerConfig("side"), id).status(); },
       {}},
      {"StopContainer (with mount and disk)",
       WithLadenSide,
       [](W& w, const Id& id) { return w.StopContainer("web", "side", id).status(); },
       {}},
      {"RunPod (with hooks)",
       Nothing,
       [](W& w, const Id& id) { return w.Run(w.HookedPodConfig("web"), id).status(); },
       {}},
      {"StartPod (stopped, with hooks)",
       HookedStopped,
       [](W& w, const Id& id) { return w.Start("web", id).status(); },
       {}},
      {"StopPod (with hooks)", Hooked, [](W& w, const Id& id) { return w.Stop("web", false, id).status(); }, {}},
      {"CreateContainer (with hooks)",
       Running,
       [](W& w, const Id& id) { return w.CreateContainer("web", w.HookedContainerConfig("side"), id).status(); },
       {}},
      {"StartContainer (stopped, with hooks)",
       WithStoppedHookedSide,
       [](W& w, const Id& id) { return w.StartContainer("web", "side", id).status(); },
       {"running main=running side=ready if.eth0 net.eth0"}},
      {"DeleteContainer (force, with hooks)",
       WithHookedSide,
       [](W& w, const Id& id) { return Deleted(w.DeleteContainer("web", "side", id, /*force=*/true)); },
       // Ended, and not deleted yet.
       {"running main=running side=stopped if.eth0 net.eth0"}},
      {"StartPod (ready)", Ready, [](W& w, const Id& id) { return w.Start("web", id).status(); }, {}},
      {"StartPod (stopped)", Stopped, [](W& w, const Id& id) { return w.Start("web", id).status(); }, {}},
      {"PausePod", Running, [](W& w, const Id& id) { return w.Pause("web", id).status(); }, {}},
      {"ResumePod", Paused, [](W& w, const Id& id) { return w.Resume("web", id).status(); }, {}},
      {"StopPod", Running, [](W& w, const Id& id) { return w.Stop("web", false, id).status(); }, {}},
      {"StopPod (force)", Running, [](W& w, const Id& id) { return w.Stop("web", true, id).status(); }, {}},
      {"StopPod (paused)", Paused, [](W& w, const Id& id) { return w.Stop("web", false, id).status(); }, {}},
      {"DeletePod (stopped)",
       Stopped,
       [](W& w, const Id& id) { return Deleted(w.Delete("web", false, id).status()); },
       {}},
      {"DeletePod (ready)", Ready, [](W& w, const Id& id) { return Deleted(w.Delete("web", false, id).status()); }, {}},
      {"DeletePod (force)",
       Running,
       [](W& w, const Id& id) { return Deleted(w.Delete("web", true, id).status()); },
       {}},
      {"CheckpointPod", WithImage, [](W& w, const Id& id) { return Checkpoint(w, /*stop=*/false, id); }, {}},
      {"CheckpointPod (stop)", WithImage, [](W& w, const Id& id) { return Checkpoint(w, /*stop=*/true, id); }, {}},
      {"CheckpointPod (paused)", WithPausedImage, [](W& w, const Id& id) { return Checkpoint(w, false, id); }, {}},
      {"CheckpointPod (with a network)",
       WithNetworkImage,
       [](W& w, const Id& id) { return Checkpoint(w, /*stop=*/false, id); },
       {}},
      {"CheckpointPod (with a disk)",
       WithDisk,
       [](W& w, const Id& id) { return Checkpoint(w, /*stop=*/false, id); },
       {}},
      {"RestorePod", Checkpointed, Restore, {}},
      {"RestorePod (with a disk)", CheckpointedWithDisk, Restore, {}},
      {"RestorePod (with a network)", CheckpointedWithNetwork, Restore, {}},
      {"UpdatePod", Running, [](W& w, const Id& id) { return w.Update("web", 2, 192, id).status(); }, {}},
      {"AttachInterface",
       Running,
       [](W& w, const Id& id) { return w.AttachInterface("web", Lan("eth1"), id).status(); },
       {}},
      {"DetachInterface",
       WithInterface,
       [](W& w, const Id& id) { return w.DetachInterface("web", "eth1", id).status(); },
       {}},
      {"UpdatePodAnnotations",
       Running,
       [](W& w, const Id& id) { return w.Annotate("web", "org.example.key", "1", id).status(); },
       {}},
      {"CreateContainer",
       Running,
       [](W& w, const Id& id) { return w.CreateContainer("web", w.ContainerConfig("side"), id).status(); },
       {}},
      {"StartContainer (ready)",
       WithSide,
       [](W& w, const Id& id) { return w.StartContainer("web", "side", id).status(); },
       {}},
      {"StartContainer (stopped)",
       WithStoppedSide,
       [](W& w, const Id& id) { return w.StartContainer("web", "side", id).status(); },
       // Made in the guest and recorded, not released yet.
       {"running main=running side=ready if.eth0 net.eth0"}},
      {"StopContainer",
       WithRunningSide,
       [](W& w, const Id& id) { return w.StopContainer("web", "side", id).status(); },
       {}},
      {"StopContainer (force, paused)",
       WithPausedSide,
       [](W& w, const Id& id) { return w.StopContainer("web", "side", id, /*force=*/true).status(); },
       {}},
      {"DeleteContainer (force, paused)",
       WithPausedSide,
       [](W& w, const Id& id) { return Deleted(w.DeleteContainer("web", "side", id, /*force=*/true)); },
       // Ended, and not deleted yet.
       {"paused main=paused side=stopped if.eth0 net.eth0"}},
      {"DeleteContainer",
       WithStoppedSide,
       [](W& w, const Id& id) { return Deleted(w.DeleteContainer("web", "side", id)); },
       {}},
      {"KillContainer",
       Running,
       [](W& w, const Id& id) {
         const absl::Status status = w.Kill("web", SIGKILL, id);
         if (status.ok()) AwaitMainStopped(w);
         return status;
       },
       {}},
      {"Exec", Running, [](W& w, const Id& id) { return w.Exec("web", {"cat"}, id).status(); }, {}},
  };
}

}  // namespace vcd
