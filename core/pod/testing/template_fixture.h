// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_TEMPLATE_FIXTURE_H_
#define VCD_CORE_POD_TESTING_TEMPLATE_FIXTURE_H_

#include <string>

#include "core/metric/testing/recorded_metrics.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {

// A core that makes templates, and counts how machines start. Nothing runs before the test's own fixture calls Restart.
class TemplateTest : public PodRuntimeTest {
 protected:
  TemplateTest() {
    options_.templates.enabled = true;
    options_.templates.settle_time = absl::ZeroDuration();
    options_.templates.directory = options_.state_dir + "/templates";
    options_.templates.run_dir = options_.run_dir + "/templates";
    options_.metrics = &metrics_;
  }
  ~TemplateTest() override { runtime_.reset(); }

  absl::StatusOr<TemplateInfo> Prepare(const v1::PodConfig& config) {
    return Await<TemplateInfo>([&](auto done) { runtime_->PrepareTemplate(config, done); });
  }

  // The machine of a pod that was just run.
  v1::VmStatus RunAndLook(const v1::PodConfig& config) {
    const absl::StatusOr<v1::Pod> pod = Run(config);
    EXPECT_TRUE(pod.ok()) << pod.status();
    return pod.ok() ? pod->vm() : v1::VmStatus();
  }

  RecordedMetrics metrics_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_TESTING_TEMPLATE_FIXTURE_H_
