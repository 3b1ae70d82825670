// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_TEMPLATE_TEMPLATES_H_
#define VCD_CORE_TEMPLATE_TEMPLATES_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/agent/agent.h"
#include "core/hypervisor/hypervisor.h"
#include "core/metric/runtime_metrics.h"
#include "core/os/cancellation.h"
#include "core/os/filesystem.h"
#include "core/os/mutex.h"
#include "core/pod/background_work.h"
#include "core/pod/boot_gate.h"
#include "core/template/template_info.h"
#include "core/template/template_options.h"
#include "core/template/template_store.h"
#include "core/template/warm_machines.h"

namespace vcd {

// A machine that could go on from a template. The backends outlive whoever is given it.
struct TemplateSubject {
  Hypervisor* hypervisor = nullptr;
  Agent* agent = nullptr;
  std::string agent_name;       // For people.
  std::string trust_domain;     // Not empty.
  v1::HypervisorConfig config;  // As Hypervisor::Resolve returned it.
};

// Machines that were booted once, and that pods go on from: finds them, has them made in the background, bounds what
// they take, and drops those that are of no use. Only machines that agree in all that matters (Hypervisor::ImageKey)
// and are of one trust domain share a template. What was there when an earlier daemon ended is there again.
//
// Thread-safe. Templates are made one at a time, with the first place in the boot gate that is free.
class Templates {
 public:
  // All references outlive this, and so does the work that is posted: its owner waits for that first.
  Templates(const TemplateOptions& options, Filesystem& filesystem, BootGate& gate, BackgroundWork& work,
            RuntimeMetrics& metrics);

  // Loads what there is, and ends the machines that an earlier daemon was making templates of. Until then every machine
  // boots. Once; blocks on the disk.
  void Open(const std::vector<Hypervisor*>& hypervisors);

  // No more templates are made from here on; the one that is being made is given up, and machines that wait end.
  void BeginShutdown();

  struct Entry;
  // A template in use: it stays on disk until this is gone. Move-only.
  class Lease {
   public:
    Lease(Templates* owner, std::shared_ptr<Entry> entry) : owner_(owner), entry_(std::move(entry)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    const std::string& key() const;
    const std::string& directory() const;  // VmSpec::image_dir.

    // What came of it; once at most. One that is damaged, or of no use twice in a row, is dropped.
    void Succeeded();
    void Failed(const absl::Status& why);

    // A machine of it that waits, with memory that can be shared or without; null when none does. It is to be handed to
    // `warm()` again, or claimed there.
    std::unique_ptr<WarmMachine> TakeWarm(bool shared_memory);
    // Has machines made that wait for the next pods of that kind.
    void KeepWarm(bool shared_memory);
    // One that had waited was of no use: the others end, and none is made for a while.
    void WarmFailed();

   private:
    Templates* owner_;
    std::shared_ptr<Entry> entry_;
  };

  // The template for a machine that starts now. Not OK: it must boot, and the message says why, for people. Where that
  // is because there is none, one will be made. Blocks on the disk when the machine's files are new.
  absl::StatusOr<Lease> Use(const TemplateSubject& subject, const CallContext& context);

  // What a machine that starts now will take of the host's memory if it goes on from a template: what the first of its
  // clones took, or all that its guest may have as long as none was measured. Nothing when it will boot. A guess that
  // blocks on nothing, by the machines that used the templates before; Use decides.
  std::optional<uint64_t> CloneMemory(const TemplateSubject& subject) const;

  // Has `measure` tell what a clone of that template takes of the host's memory, unless that is known.
  void MeasureClone(const std::string& key, const std::function<uint64_t()>& measure);

  // Has the template made unless it is there, once Open has returned; `done` runs once, on any thread, when it is, or
  // could not be. It must not block. kFailedPrecondition when there can be none for that machine. Blocks on the disk,
  // and on Open.
  void Prepare(const TemplateSubject& subject, const CallContext& context,
               std::function<void(absl::StatusOr<TemplateInfo>)> done);

  // In order of key. Those that failed are among them until they may be made again, or are too many.
  std::vector<TemplateInfo> List() const;

  // Drops the templates whose key begins with that, or all for `*`; returns their keys. One that failed may be made
  // again from then on. kInvalidArgument when several keys begin so. Blocks on the disk.
  absl::StatusOr<std::vector<std::string>> Delete(const std::string& key);

  const TemplateOptions& options() const { return options_; }

  // Machines that wait for pods.
  WarmMachines& warm() { return warm_; }

 private:
  using Done = std::function<void(absl::StatusOr<TemplateInfo>)>;

  WarmKind WarmKindOf(const Entry& entry, bool shared_memory) const;
  absl::StatusOr<WarmSource> FindWarmSource(const WarmKind& kind) ABSL_LOCKS_EXCLUDED(mu_);
  // Why there can be none, or the key.
  absl::StatusOr<std::string> KeyOf(const TemplateSubject& subject, const CallContext& context) const;
  // A new entry, to be made.
  std::shared_ptr<Entry> AddLocked(const TemplateSubject& subject, const std::string& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Begins to make the next one, if there is one and none is being made.
  void BuildNext() ABSL_LOCKS_EXCLUDED(mu_);
  // With a place in the boot gate, or the reason why there is none.
  void Build(const std::shared_ptr<Entry>& entry, const absl::Status& admitted) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status BuildIn(Entry& entry, const std::string& directory);
  // Makes room for one more of that size. kResourceExhausted, for people.
  absl::Status MakeRoom(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // Puts an entry aside: it is not found any more, and goes from the disk with its last lease. Returns whether it may
  // go now.
  bool DropLocked(const std::shared_ptr<Entry>& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveFiles(const Entry& entry);
  void Return(const std::shared_ptr<Entry>& entry) ABSL_LOCKS_EXCLUDED(mu_);
  void Fail(const std::shared_ptr<Entry>& entry, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  // The template of that key, if there is one of which no clone was measured.
  Entry* UnmeasuredLocked(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether it failed so long ago that it is tried as if it were new.
  static bool HasPassed(const Entry& entry, absl::Time now);
  // Those, and the oldest when there are too many.
  void ForgetFailuresLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const TemplateOptions options_;
  BootGate& gate_;
  BackgroundWork& work_;
  RuntimeMetrics& metrics_;
  TemplateStore store_;
  Cancellation shutdown_;

  mutable Mutex mu_;
  std::map<std::string, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mu_);  // By key.
  std::deque<std::shared_ptr<Entry>> to_build_ ABSL_GUARDED_BY(mu_);
  bool building_ ABSL_GUARDED_BY(mu_) = false;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  CondVar opened_;

  // Asks this, by its machines' ends, up to its own; its lock is taken after `mu_`.
  WarmMachines warm_;
};

}  // namespace vcd

#endif  // VCD_CORE_TEMPLATE_TEMPLATES_H_
