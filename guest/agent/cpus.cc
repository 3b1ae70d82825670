// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/cpus.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

// For the kernel to find a CPU that was plugged in: a tenth of a second, on an emulated machine.
constexpr std::chrono::seconds kAppearTime{20};

// The numbers of the CPUs that are there, in order.
std::vector<uint32_t> Present(const std::string& root) {
  std::vector<uint32_t> cpus;
  for (const std::string& name : ListDirectory(root)) {
    if (name.size() < 4 || name.size() > 8 || name.compare(0, 3, "cpu") != 0) continue;
    const std::string number = name.substr(3);
    if (!std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; })) continue;
    cpus.push_back(static_cast<uint32_t>(std::stoul(number)));
  }
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

// The first one has no such file: it cannot go.
std::string SwitchOf(const std::string& root, uint32_t cpu) { return root + "/cpu" + std::to_string(cpu) + "/online"; }

Outcome Switch(const std::string& root, uint32_t cpu, bool online) {
  const std::string path = SwitchOf(root, cpu);
  const std::string wanted = online ? "1" : "0";
  const std::string is = ReadLine(path);
  if (is == wanted || (is.empty() && online)) return Outcome();
  const std::string step = "take CPU " + std::to_string(cpu) + (online ? " online" : " offline");
  if (is.empty()) return Outcome(ErrorCode::ERROR_CODE_SYSTEM, step + ": the kernel cannot");
  if (Outcome written = WriteFile(path, wanted); !written.ok())
    return Outcome(written.code(), step + ": " + written.message());
  if (ReadLine(path) == wanted) return Outcome();
  return Outcome(ErrorCode::ERROR_CODE_SYSTEM, step + ": the kernel did not");
}

}  // namespace

void Cpus::Set(uint32_t count, Done done) {
  if (done_ != nullptr) {
    Finish(Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "another number of CPUs was asked for meanwhile"));
  }
  if (root_.empty()) return done(Outcome(ErrorCode::ERROR_CODE_SYSTEM, "the CPUs of this machine are not the agent's"));
  if (count == 0) return done(Invalid("a machine has at least one CPU"));
  wanted_ = count;
  done_ = std::move(done);
  if (Try()) return;
  deadline_ = loop_->After(kAppearTime, [this] {
    Finish(Outcome(ErrorCode::ERROR_CODE_SYSTEM, "only " + std::to_string(Present(root_).size()) + " of " +
                                                     std::to_string(wanted_) + " CPUs have appeared"));
  });
}

void Cpus::OnDevicesChanged() {
  if (done_ != nullptr) (void)Try();
}

bool Cpus::Try() {
  const std::vector<uint32_t> cpus = Present(root_);
  if (cpus.size() < wanted_) return false;
  Outcome outcome;
  for (size_t i = 0; i < cpus.size() && outcome.ok(); ++i) outcome = Switch(root_, cpus[i], i < wanted_);
  Finish(outcome);
  return true;
}

void Cpus::Finish(const Outcome& outcome) {
  loop_->Cancel(std::exchange(deadline_, 0));
  std::exchange(done_, nullptr)(outcome);
}

}  // namespace vcd::guest
