// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_IO_THREAD_H_
#define VCD_CORE_OS_IO_THREAD_H_

#include <asio.hpp>
#include <functional>
#include <thread>
#include <utility>

namespace vcd {

// The one thread that waits for sockets, processes and timers (docs/architecture.md). Work on it must not block.
class IoThread {
 public:
  IoThread() : work_(asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}

  // Ends the loop and joins the thread. Handlers that have not run are destroyed without running.
  ~IoThread() {
    context_.stop();
    thread_.join();
  }
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  asio::io_context& context() { return context_; }

  // Runs `task` on the thread, soon.
  void Post(std::function<void()> task) { asio::post(context_, std::move(task)); }

  bool OnThread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_IO_THREAD_H_
