// SPDX-License-Identifier: Apache-2.0
#include "test/recovery/recovery_world.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/checkpoint/checkpoint.h"
#include "core/network/interface_names.h"
#include "core/pod/pod_state_machine.h"
#include "test/recovery/mortal_backends.h"
#include "test/recovery/mortal_filesystem.h"

namespace vcd {
namespace {

bool HasMachine(const v1::Pod& pod) {
  return pod.state() == v1::POD_STATE_READY || pod.state() == v1::POD_STATE_RUNNING ||
         pod.state() == v1::POD_STATE_PAUSED;
}

// No pod is called so.
bool Waits(const std::string& machine) { return absl::StartsWith(machine, "warm@"); }

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

void Compare(const std::string& what, const std::vector<std::string>& there, const std::vector<std::string>& expected,
             std::vector<std::string>* leaks) {
  if (there == expected) return;
  leaks->push_back(absl::StrCat(what, ": there are [", absl::StrJoin(there, " "), "], the API accounts for [",
                                absl::StrJoin(expected, " "), "]"));
}

}  // namespace

RecoveryWorld::RecoveryWorld(Filesystem* filesystem) : disk_(filesystem != nullptr ? *filesystem : posix_) {
  std::filesystem::create_directories(root() + "/rootfs");
  std::filesystem::create_directories(out_dir());
  // As far as anybody on the host looks, an ext4.
  std::string image(4096, '\0');
  image.replace(1080, 2, "\x53\xef");
  for (const char* name : {"/image", "/disk"}) std::ofstream(root() + name, std::ios::binary) << image;
  options_.state_dir = state_dir();
  options_.run_dir = run_dir();
  options_.boot_timeout = absl::Seconds(20);
  options_.stop_grace = absl::Seconds(20);
  MakeBackends();
}

RecoveryWorld::~RecoveryWorld() { KillDaemon(); }

void RecoveryWorld::MakeBackends() {
  backends_ = Backends();
  backends_.hypervisors["fake"] = std::make_unique<FakeHypervisor>(io_);
  backends_.agents["fake"] = std::make_unique<FakeAgent>(io_);
  backends_.networks["fake"] = std::make_unique<FakeNetwork>();
  v1::PodInterface interface;
  interface.set_name("eth0");
  interface.set_mac("02:00:5e:00:53:01");
  interface.add_addresses("10.0.0.2/24");
  network().SetPlan({interface});
  backends_.default_hypervisor = backends_.default_agent = backends_.default_network = "fake";
}

void RecoveryWorld::UseWarmMachines() {
  options_.templates.enabled = true;
  options_.templates.settle_time = absl::ZeroDuration();
  options_.templates.directory = state_dir() + "/templates";
  options_.templates.run_dir = run_dir() + "/templates";
  options_.templates.warm_dir = run_dir() + "/warm";
  options_.templates.warm_machines = 1;
}

bool RecoveryWorld::MakeTemplate() {
  if (!Await<TemplateInfo>([this](auto done) { runtime().PrepareTemplate({}, done); }).ok()) return false;
  // One waits for the next pod of a kind that there was one of.
  return Run(PodConfig("first")).ok() && AwaitWarmMachine() && Delete("first", /*force=*/true).ok();
}

bool RecoveryWorld::AwaitWarmMachine() {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!life().dead() && absl::Now() < deadline) {
    const std::vector<TemplateInfo> templates = runtime().ListTemplates();
    if (!templates.empty() && templates[0].warm_machines == 1) return true;
    std::this_thread::yield();
  }
  return false;
}

bool RecoveryWorld::Boot(int crash_at) {
  KillDaemon();
  daemon_ = std::make_unique<Daemon>(crash_at);
  daemon_->filesystem = std::make_unique<MortalFilesystem>(disk_, daemon_->life);
  daemon_->backends = MortalBackends(backends_, daemon_->life);
  daemon_->hooks = std::make_unique<MortalHookRunner>(hooked_host_, daemon_->life);
  options_.hooks = daemon_->hooks.get();
  auto runtime =
      PodRuntime::Open(options_, daemon_->backends, *daemon_->filesystem, io_, daemon_->pool, daemon_->events);
  if (!runtime.ok()) return false;
  daemon_->runtime = *std::move(runtime);
  daemon_->runtime->WaitReconciled();
  return true;
}

void RecoveryWorld::KillDaemon() {
  if (daemon_ == nullptr) return;
  daemon_->life.Kill();
  daemon_.reset();
}

void RecoveryWorld::LosePower() {
  KillDaemon();
  lost_power_ = true;
  MakeBackends();
  std::filesystem::remove_all(run_dir());
}

v1::ContainerConfig RecoveryWorld::ContainerConfig(const std::string& id) const {
  v1::ContainerConfig container;
  container.set_id(id);
  container.mutable_rootfs()->mutable_directory()->set_path(root() + "/rootfs");
  container.mutable_cmd()->add_args("sleep");
  return container;
}

v1::PodConfig RecoveryWorld::PodConfig(const std::string& id) const {
  v1::PodConfig config;
  config.set_id(id);
  *config.add_containers() = ContainerConfig("main");
  return config;
}

v1::ContainerConfig RecoveryWorld::LadenContainerConfig(const std::string& id) const {
  v1::ContainerConfig container = ContainerConfig(id);
  v1::Mount& directory = *container.add_mounts();
  directory.set_type("bind");
  directory.set_source(root() + "/rootfs");
  directory.set_destination("/data");
  v1::Mount& disk = *container.add_mounts();
  disk.set_type("ext4");
  disk.set_source(root() + "/image");
  disk.set_destination("/disk");
  return container;
}

v1::PodConfig RecoveryWorld::LadenPodConfig(const std::string& id) const {
  v1::PodConfig config;
  config.set_id(id);
  v1::ContainerConfig& container = *config.add_containers() = LadenContainerConfig("main");
  v1::Volume& volume = *config.add_volumes();
  volume.set_mount_tag("shared");
  volume.set_host_path(root() + "/rootfs");
  v1::Mount& mount = *container.add_mounts();
  mount.set_type("volume");
  mount.set_source("shared");
  mount.set_destination("/shared");
  return config;
}

v1::ContainerConfig RecoveryWorld::HookedContainerConfig(const std::string& id) const {
  v1::ContainerConfig container = ContainerConfig(id);
  container.mutable_hooks()->add_prestart()->set_path("/take");
  container.mutable_hooks()->add_create_container()->set_path("/look");
  container.mutable_hooks()->add_poststop()->set_path("/give-back");
  return container;
}

v1::PodConfig RecoveryWorld::HookedPodConfig(const std::string& id) const {
  v1::PodConfig config;
  config.set_id(id);
  *config.add_containers() = HookedContainerConfig("main");
  *config.mutable_hooks() = config.containers(0).hooks();
  return config;
}

v1::PodConfig RecoveryWorld::ImagePodConfig(const std::string& id) const {
  v1::PodConfig config = PodConfig(id);
  v1::ImageRootfs& image = *config.mutable_containers(0)->mutable_rootfs()->mutable_image();
  image.set_path(root() + "/image");
  return config;
}

v1::PodConfig RecoveryWorld::DiskPodConfig(const std::string& id) const {
  v1::PodConfig config = PodConfig(id);
  config.mutable_containers(0)->mutable_rootfs()->mutable_block()->set_path(root() + "/disk");
  return config;
}

Observed RecoveryWorld::Observe() {
  Observed observed;
  for (const auto& snapshot : runtime().ListPods()) {
    const v1::Pod pod = snapshot->Unpack();
    std::string& line = observed[pod.id()];
    line = StateWord(pod.state());
    for (const v1::Container& container : pod.containers()) {
      absl::StrAppend(&line, " ", container.id(), "=", StateWord(container.state()));
    }
    const std::map<std::string, std::string> annotations(pod.config().annotations().begin(),
                                                         pod.config().annotations().end());
    for (const auto& [key, value] : annotations) absl::StrAppend(&line, " ", key, "=", value);
    for (const v1::PodInterface& interface : pod.network().interfaces())
      absl::StrAppend(&line, " if.", interface.name());
    for (const v1::CniNetwork& network : NamedNetworks(pod.config().network_config())) {
      absl::StrAppend(&line, " net.", network.interface_name());
    }
  }
  return observed;
}

std::vector<std::string> RecoveryWorld::Leaks() {
  // A container's exit may just be being recorded.
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  std::vector<std::string> leaks = LeaksNow();
  while (!leaks.empty() && absl::Now() < deadline) {
    std::this_thread::yield();
    leaks = LeaksNow();
  }
  return leaks;
}

std::vector<std::string> RecoveryWorld::LeaksNow() {
  std::vector<std::string> leaks;
  std::vector<std::string> ids, with_machine;
  int talking = 0;
  for (const auto& snapshot : runtime().ListPods()) {
    const v1::Pod pod = snapshot->Unpack();
    ids.push_back(pod.id());
    if (!HasMachine(pod)) continue;
    with_machine.push_back(pod.id());
    if (pod.state() != v1::POD_STATE_PAUSED) ++talking;
    CheckGuest(pod, &leaks);
  }
  std::vector<std::string> of_pods = hypervisor().live_machines();
  of_pods.erase(std::remove_if(of_pods.begin(), of_pods.end(), Waits), of_pods.end());
  Compare("machines", of_pods, with_machine, &leaks);
  CheckWarmMachines(&leaks);
  Compare("networks", network().attached(), with_machine, &leaks);
  // A pod that was paused when its daemon came is spoken to once it is resumed.
  if (const int sessions = agent().live_sessions();
      sessions < talking || sessions > static_cast<int>(with_machine.size())) {
    leaks.push_back(absl::StrCat("sessions with guests: ", sessions, ", pods that talk: ", talking));
  }
  CheckHooks(&leaks);
  CheckFiles(ids, &leaks);
  return leaks;
}

// Each machine that waits is one that the daemon knows of, and each directory is of one that waits or waited for its
// pod.
void RecoveryWorld::CheckWarmMachines(std::vector<std::string>* leaks) {
  std::vector<std::string> waiting = hypervisor().live_machines();
  waiting.erase(std::remove_if(waiting.begin(), waiting.end(), [](const auto& name) { return !Waits(name); }),
                waiting.end());
  size_t known = 0, taken = 0;
  for (const TemplateInfo& info : runtime().ListTemplates()) known += info.warm_machines;
  for (const auto& snapshot : runtime().ListPods()) {
    if (snapshot->Unpack().vm().start() == v1::VM_START_WARM) ++taken;
  }
  std::vector<std::string> directories = Names(run_dir() + "/warm");
  if (waiting.size() != known || directories.size() != known + taken ||
      !std::includes(directories.begin(), directories.end(), waiting.begin(), waiting.end())) {
    leaks->push_back(absl::StrCat("machines that wait: [", absl::StrJoin(waiting, " "), "], directories: [",
                                  absl::StrJoin(directories, " "), "], the API accounts for ", known, " and ", taken,
                                  " pods"));
  }
}

// What lives has what its prestart hook took; what has ended may have it still as long as the pod runs: it is given
// back at the latest with that.
void RecoveryWorld::CheckHooks(std::vector<std::string>* leaks) {
  std::set<std::string> owed, allowed;
  for (const auto& snapshot : runtime().ListPods()) {
    const v1::Pod pod = snapshot->Unpack();
    if (!HasMachine(pod)) continue;
    if (!pod.config().hooks().prestart().empty()) owed.insert(pod.id());
    for (const v1::Container& container : pod.containers()) {
      if (container.config().hooks().prestart().empty()) continue;
      const std::string who = absl::StrCat(pod.id(), "/", container.id());
      const bool ended =
          container.state() == v1::CONTAINER_STATE_STOPPED || container.state() == v1::CONTAINER_STATE_FAILED;
      (ended ? allowed : owed).insert(who);
    }
  }
  const std::set<std::string> taken = hooked_host_.taken();
  for (const std::string& who : owed) {
    if (taken.count(who) == 0) leaks->push_back(absl::StrCat(who, " lives without what its prestart hook took"));
  }
  for (const std::string& who : taken) {
    if (owed.count(who) + allowed.count(who) == 0) leaks->push_back(absl::StrCat("no poststop hook ran for ", who));
  }
}

void RecoveryWorld::CheckGuest(const v1::Pod& pod, std::vector<std::string>* leaks) {
  std::set<std::string> known, live;
  for (const v1::Container& container : pod.containers()) {
    known.insert(container.id());
    if (container.state() != v1::CONTAINER_STATE_STOPPED && container.state() != v1::CONTAINER_STATE_FAILED) {
      live.insert(container.id());
    }
  }
  const std::vector<std::string> in_guest = agent().containers(pod.id());
  for (const std::string& id : in_guest) {
    if (known.count(id) == 0) leaks->push_back(absl::StrCat("container ", id, " in the guest of ", pod.id()));
  }
  for (const std::string& id : live) {
    if (std::find(in_guest.begin(), in_guest.end(), id) == in_guest.end()) {
      leaks->push_back(absl::StrCat("container ", id, " is not in the guest of ", pod.id()));
    }
  }
  // One that has ended holds what it has until it is stopped.
  const auto check_count = [&](const std::string& what, size_t there, size_t of_pod,
                               const std::function<bool(const v1::Mount&)>& is_one,
                               const std::function<bool(const v1::Rootfs&)>& root_is_one) {
    size_t least = of_pod, most = of_pod;
    for (const v1::Container& container : pod.containers()) {
      const auto& mounts = container.config().mounts();
      const size_t of_root = root_is_one(container.config().rootfs()) ? 1 : 0;
      const size_t has = of_root + static_cast<size_t>(std::count_if(mounts.begin(), mounts.end(), is_one));
      least += live.count(container.id()) * has;
      most += has;
    }
    if (there >= least && there <= most) return;
    leaks->push_back(absl::StrCat(what, " in the machine of ", pod.id(), ": ", there,
                                  ", and its containers account for ", least, " to ", most));
  };
  std::vector<std::string> names, macs;
  for (const v1::PodInterface& interface : pod.network().interfaces()) {
    names.push_back(interface.name());
    macs.push_back(interface.mac());
  }
  std::sort(names.begin(), names.end());
  std::sort(macs.begin(), macs.end());
  Compare(absl::StrCat("interfaces of ", pod.id()), network().interfaces(pod.id()), names, leaks);
  Compare(absl::StrCat("interfaces of the machine of ", pod.id()), hypervisor().nics(pod.id()), macs, leaks);
  for (const std::string& mac : macs) {
    const std::vector<v1::PodInterface> set_up = agent().interfaces(pod.id());
    const bool known = std::any_of(set_up.begin(), set_up.end(), [&](const auto& one) { return one.mac() == mac; });
    if (!known) leaks->push_back(absl::StrCat("interface ", mac, " is not set up in the guest of ", pod.id()));
  }
  check_count(
      "directories", hypervisor().directories(pod.id()).size(), static_cast<size_t>(pod.config().volumes_size()),
      [](const v1::Mount& mount) { return mount.type() == "bind"; },
      [](const v1::Rootfs& root) { return root.has_directory(); });
  check_count(
      "disks", hypervisor().disks(pod.id()).size(), 0, [](const v1::Mount& mount) { return mount.type() == "ext4"; },
      [](const v1::Rootfs& root) { return root.has_image() || root.has_block(); });
  if (hypervisor().paused(pod.id()) != (pod.state() == v1::POD_STATE_PAUSED)) {
    leaks->push_back(absl::StrCat("the vCPUs of ", pod.id(), " do not do what its state says"));
  }
}

void RecoveryWorld::CheckFiles(const std::vector<std::string>& pod_ids, std::vector<std::string>* leaks) {
  Compare("state directories", Names(state_dir() + "/pods"), pod_ids, leaks);
  Compare("run directories", Names(run_dir() + "/pods"), pod_ids, leaks);
  for (const std::string& name : Names(out_dir())) {
    if (absl::StrContains(name, ".making-")) {
      if (!lost_power_) leaks->push_back(absl::StrCat("half a checkpoint: ", name));
      continue;
    }
    const absl::Status whole = ReadCheckpoint(absl::StrCat(out_dir(), "/", name), {}).status();
    if (!whole.ok()) leaks->push_back(std::string(whole.message()));
  }
  Compare("quarantine", Names(state_dir() + "/quarantine"), {}, leaks);
  for (const std::string& id : pod_ids) {
    for (const std::string& directory : {state_dir(), run_dir()}) {
      for (const std::string& name : Names(absl::StrCat(directory, "/pods/", id))) {
        if (absl::EndsWith(name, ".tmp")) leaks->push_back(absl::StrCat("file ", directory, "/pods/", id, "/", name));
      }
    }
    std::set<std::string> logs;
    const v1::Pod pod = (*runtime().GetPod(id))->Unpack();
    std::set<std::string> written;
    for (const v1::Container& container : pod.containers()) {
      logs.insert(container.id() + ".log");
      written.insert(container.config().rootfs().block().path());
    }
    const std::string disks = absl::StrCat(state_dir(), "/pods/", id, "/disks");
    for (const std::string& name : Names(disks)) {
      if (written.count(absl::StrCat(disks, "/", name)) == 0) leaks->push_back(absl::StrCat("disk ", name, " of ", id));
    }
    for (const std::string& path : written) {
      if (!path.empty() && !std::filesystem::exists(path)) leaks->push_back(absl::StrCat(id, " has no disk ", path));
    }
    for (const std::string& name : Names(absl::StrCat(state_dir(), "/pods/", id, "/logs"))) {
      if (logs.count(name) == 0) leaks->push_back(absl::StrCat("log ", name, " of ", id));
    }
  }
}

}  // namespace vcd
