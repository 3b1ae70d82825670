// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_ENVIRONMENT_H_
#define VCD_CORE_POD_POD_ENVIRONMENT_H_

#include "core/device/disk_claims.h"
#include "core/event/event_bus.h"
#include "core/lock/pod_lock_table.h"
#include "core/network/port_claims.h"
#include "core/os/io_thread.h"
#include "core/pod/background_work.h"
#include "core/pod/boot_gate.h"
#include "core/pod/log_threads.h"
#include "core/pod/pod_registry.h"
#include "core/pod/pod_runtime.h"
#include "core/state/state_store.h"
#include "core/template/templates.h"

namespace vcd {

// What every pod works with. All of it is owned by the runtime or its caller and outlives the pods.
struct PodEnvironment {
  const PodRuntimeOptions& options;
  const Backends& backends;
  StateStore& store;
  PodRegistry& registry;
  PodLockTable& locks;
  BootGate& boot_gate;
  EventBus& events;
  IoThread& io;
  BackgroundWork& work;
  DiskClaims& disks;
  PortClaims& ports;
  LogThreads& log_threads;
  Templates& templates;
  RuntimeMetrics& metrics;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_ENVIRONMENT_H_
