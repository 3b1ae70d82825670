// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_LINK_BUDGET_H_
#define VCD_BACKENDS_AGENT_NATIVE_LINK_BUDGET_H_

#include <cstddef>
#include <cstdint>
#include <map>

namespace vcd {

// What the long unfinished messages of all guests together may take. A guest that speaks finishes its message in
// milliseconds; one that does not, and thereby holds memory that others need, loses its link. On the I/O thread.
class LinkBudget {
 public:
  class Holder {
   public:
    virtual ~Holder() = default;
    // There is no place for its unfinished message any more. It is forgotten already.
    virtual void GiveUp() = 0;
  };

  // What every link may hold and is not counted.
  static constexpr size_t kFreeBytes = size_t{64} << 10;

  explicit LinkBudget(size_t bytes = size_t{32} << 20) : bytes_(bytes) {}

  // `holder` has so much of an unfinished message now. When that is too much for all, whoever has held for the longest
  // time gives up; that may be `holder`, too.
  void Hold(Holder& holder, size_t bytes);

  // `holder` holds nothing.
  void Release(Holder& holder);

 private:
  struct Held {
    uint64_t since;  // A running number.
    size_t bytes;
  };

  const size_t bytes_;
  size_t held_ = 0;
  uint64_t last_number_ = 0;
  std::map<Holder*, Held> holders_;
  std::map<uint64_t, Holder*> oldest_first_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_LINK_BUDGET_H_
