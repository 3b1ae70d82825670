// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/link_budget.h"

namespace vcd {

void LinkBudget::Hold(Holder& holder, size_t bytes) {
  if (bytes <= kFreeBytes) return Release(holder);
  const auto [found, is_new] = holders_.try_emplace(&holder, Held{last_number_ + 1, 0});
  if (is_new) oldest_first_.emplace(++last_number_, &holder);
  held_ += bytes - found->second.bytes;
  found->second.bytes = bytes;
  while (held_ > bytes_) {
    Holder* const oldest = oldest_first_.begin()->second;
    Release(*oldest);
    oldest->GiveUp();
  }
}

void LinkBudget::Release(Holder& holder) {
  const auto found = holders_.find(&holder);
  if (found == holders_.end()) return;
  held_ -= found->second.bytes;
  oldest_first_.erase(found->second.since);
  holders_.erase(found);
}

}  // namespace vcd
