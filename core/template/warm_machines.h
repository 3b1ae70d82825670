// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_TEMPLATE_WARM_MACHINES_H_
#define VCD_CORE_TEMPLATE_WARM_MACHINES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/hypervisor/hypervisor.h"
#include "core/metric/runtime_metrics.h"
#include "core/os/cancellation.h"
#include "core/os/filesystem.h"
#include "core/os/mutex.h"
#include "core/pod/background_work.h"
#include "core/pod/boot_gate.h"
#include "core/template/template_options.h"

namespace vcd {

// What a machine that waits was made of, and for which pods.
struct WarmKind {
  std::string template_key;
  std::string template_directory;  // Tells the template from another of the same key.
  bool shared_memory = false;      // VmSpec::shared_memory.
};

// What machines of a kind are made with.
struct WarmSource {
  Hypervisor* hypervisor = nullptr;
  v1::HypervisorConfig config;
  uint64_t memory_bytes = 0;   // Of the template.
  std::shared_ptr<void> hold;  // As long as it is there, so is the template.
};

// A machine that was made before its pod, and stands still: its guest has not run since the template was written.
struct WarmMachine {
  std::string name;     // That of its run directory, and of its control group; no pod is called so.
  std::string run_dir;  // For as long as it is there, whoever has it.
  WarmKind kind;
  uint64_t memory_bytes = 0;  // What the host is reckoned to hold for it.
  Hypervisor* hypervisor = nullptr;
  std::unique_ptr<VirtualMachine> machine;
};

// Machines that wait for pods, a bounded number of each template. Each is in a directory of its own below
// TemplateOptions::warm_dir, which is made before anything else of it and removed after all else:
//
//   no machine.json    it is being made, or is a pod's; unless a pod's record names it, the next daemon ends it
//   machine.json       it waits (vcd.state.v1.WarmMachine); unless a pod's record names it, the next daemon adopts it
//
// A pod takes one by writing its name into the pod's own record; only then is machine.json removed. So it has one owner
// at any moment, whatever dies (docs/decisions/0012-machines-that-wait.md).
//
// They are made one at a time, and only while no pod boots. Thread-safe.
class WarmMachines {
 public:
  // Not OK when the template is there no more.
  using FindSource = std::function<absl::StatusOr<WarmSource>(const WarmKind& kind)>;

  // All references outlive this, and so does the work that is posted: its owner waits for that first.
  WarmMachines(const TemplateOptions& options, Filesystem& filesystem, BootGate& gate, BackgroundWork& work,
               RuntimeMetrics& metrics, FindSource find_source);

  // Ends what an earlier daemon left of machines that neither wait nor are a pod's; `of_pods` are those that records of
  // pods name. Once, before anything else; blocks on the disk.
  void EndLeftovers(const std::vector<Hypervisor*>& hypervisors, const std::set<std::string>& of_pods);

  // Takes over those that wait, and ends those that are of no use any more. Once; blocks on the machines.
  void Adopt(const std::vector<Hypervisor*>& hypervisors);

  // Ends all that wait, in the background; none is made from here on.
  void BeginShutdown();

  // One that waits, for the caller to Claim or End; null when none does.
  std::unique_ptr<WarmMachine> Take(const WarmKind& kind);

  // The record of a pod names it by now: from here on it does not wait.
  absl::Status Claim(const WarmMachine& machine);

  // Where one is, whoever has it.
  std::string RunDir(const std::string& name) const;

  // Ends one and removes all of it. Blocks.
  void End(std::unique_ptr<WarmMachine> machine);

  // Removes the directory of one that a pod had and that has ended; its console goes to `console_dir`.
  absl::Status RemoveDirectory(const std::string& name, const std::string& console_dir);

  // Has machines of that kind made, until there are as many of its template as there are to be. Where all are of the
  // other kind, one of those makes room.
  void Want(const WarmKind& kind);

  // One of that template was of no use to its pod: the others end, in the background, and none is made for
  // TemplateOptions::retry_after. So what is wrong with all of them costs few pods time.
  void OfNoUse(const std::string& template_directory);

  // Ends those of a template, in the background.
  void Drop(const std::string& template_directory);

  size_t Count(const std::string& template_directory) const;

 private:
  // What waits of one template.
  struct Shelf {
    std::deque<std::unique_ptr<WarmMachine>> machines;
    absl::Time wanted_at = absl::InfinitePast();
    absl::Time retry_at = absl::InfinitePast();  // None is made before.
  };

  void MakeNext() ABSL_LOCKS_EXCLUDED(mu_);
  void Make(const WarmKind& kind) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Boot(const WarmSource& source, WarmMachine& made);
  absl::Status AdoptOne(const std::vector<Hypervisor*>& hypervisors, const std::string& name);
  // Ends machines until one more of that kind and size may be made. False when none is to be made.
  bool MakeRoom(const WarmKind& kind, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // Lets it wait; ends it when it is not wanted any more.
  void Shelve(std::unique_ptr<WarmMachine> machine) ABSL_LOCKS_EXCLUDED(mu_);
  // After Shelve: who drops a template meanwhile looks at its shelf once, and that may have been before.
  bool DropIfGone(const WarmKind& kind) ABSL_LOCKS_EXCLUDED(mu_);
  // It has ended by itself. On the I/O thread.
  void Died(const std::string& name, const std::string& reason) ABSL_LOCKS_EXCLUDED(mu_);
  void EndLater(std::unique_ptr<WarmMachine> machine);
  absl::Status Remove(const std::vector<Hypervisor*>& hypervisors, const std::string& run_dir);
  size_t CountLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t BytesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellCountLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const TemplateOptions options_;
  Filesystem& filesystem_;
  BootGate& gate_;
  BackgroundWork& work_;
  RuntimeMetrics& metrics_;
  const FindSource find_source_;
  Cancellation shutdown_;
  std::vector<std::string> waiting_before_;  // Names of those that waited when an earlier daemon ended.

  mutable Mutex mu_;
  std::map<std::string, Shelf> shelves_ ABSL_GUARDED_BY(mu_);  // By directory of the template.
  std::deque<WarmKind> wanted_ ABSL_GUARDED_BY(mu_);
  bool making_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vcd

#endif  // VCD_CORE_TEMPLATE_WARM_MACHINES_H_
