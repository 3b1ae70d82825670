// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_RELEASE_QUEUE_H_
#define VCD_CORE_CNI_CNI_RELEASE_QUEUE_H_

#include <map>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/cni/cni_attachment.h"
#include "core/cni/cni_plugins.h"
#include "core/os/cancellation.h"
#include "core/os/filesystem.h"
#include "core/os/mutex.h"

namespace vcd {

// Attachments that are nobody's any more and could not be taken back yet: kept in a file each, so that they survive the
// daemon and the host, and tried again, by one thread, until the plugins say that it is done. Thread-safe.
class CniReleaseQueue {
 public:
  struct Options {
    std::string directory;  // Holds `<container id>.json` of each; made when it is needed.
    // Holds `<container id>` of each whose namespace has to stay until then: plugins find in it what they have set up
    // on the host for it. Does not survive a restart of the host, nor does what they find.
    std::string netns_dir;
    absl::Duration first_delay = absl::Seconds(1);  // Doubled after each failure,
    absl::Duration last_delay = absl::Minutes(10);  // up to this.
    size_t max_pending = 4096;
  };

  // Tries what an earlier daemon has left, soon. All of them outlive this.
  CniReleaseQueue(Filesystem& filesystem, const CniPlugins& plugins, Options options);
  // Gives up what is being tried; it is tried again by the next one.
  ~CniReleaseQueue();
  CniReleaseQueue(const CniReleaseQueue&) = delete;
  CniReleaseQueue& operator=(const CniReleaseQueue&) = delete;

  // Takes one over, durably; `why` is what the last try said. Its namespace is kept when `keep_netns`: not when it is
  // somebody else's, who may soon have another interface of that name in it. kResourceExhausted when there are too
  // many.
  absl::Status Add(CniAttachment attachment, bool keep_netns, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);

  // Attachments that wait.
  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

  // Waits until no more than so many wait; false when more do at `deadline`.
  bool WaitUntilAtMost(size_t pending, absl::Time deadline) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Pending {
    absl::Time next;
    absl::Duration delay;
  };

  // Files of an earlier life, and namespaces that no file is about.
  void Load() ABSL_LOCKS_EXCLUDED(mu_);
  // Keeps the namespace under a name of the attachment's own; leaves it out when it is gone.
  absl::Status KeepNamespace(CniAttachment& attachment) const;
  void Push(const std::string& container_id, absl::Time next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Work() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Release(const std::string& container_id);
  std::string FileOf(const std::string& container_id) const;
  std::string NamespaceOf(const std::string& container_id) const;

  Filesystem& filesystem_;
  const CniPlugins& plugins_;
  const Options options_;
  Cancellation cancellation_;
  mutable Mutex mu_;
  mutable CondVar changed_;
  std::map<std::string, Pending> pending_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread worker_ ABSL_GUARDED_BY(mu_);  // Started with the first that waits.
};

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_RELEASE_QUEUE_H_
