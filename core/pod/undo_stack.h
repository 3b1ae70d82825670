// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_UNDO_STACK_H_
#define VCD_CORE_POD_UNDO_STACK_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace vcd {

// The way back from a half-done operation: each step that had an effect registers its undo; unless Commit is called,
// the destructor runs them, last first. Undo must not depend on the caller's deadline. Not thread-safe.
class UndoStack {
 public:
  UndoStack() = default;
  ~UndoStack() { Run(); }
  UndoStack(const UndoStack&) = delete;
  UndoStack& operator=(const UndoStack&) = delete;

  void Push(std::function<void()> undo) { steps_.push_back(std::move(undo)); }

  bool empty() const { return steps_.empty(); }

  // The effects stay.
  void Commit() { steps_.clear(); }

  // Undoes now.
  void Run() {
    while (!steps_.empty()) {
      std::function<void()> undo = std::move(steps_.back());
      steps_.pop_back();
      undo();
    }
  }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_UNDO_STACK_H_
