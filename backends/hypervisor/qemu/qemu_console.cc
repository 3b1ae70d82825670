// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_console.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "core/hypervisor/console_log.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"

namespace vcd {
namespace {

// A turn takes at most so much, and the next comes no sooner than this when it took all: 6.4 MB/s.
constexpr size_t kTurnBytes = 64 << 10;
constexpr absl::Duration kRest = absl::Milliseconds(10);

}  // namespace

// Shared with the handlers on the I/O thread, which may outlive the console.
class QemuConsole::Reading : public std::enable_shared_from_this<Reading> {
 public:
  Reading(IoThread& io, UniqueFd socket, const std::string& run_dir, uint64_t max_bytes,
          std::function<void()> on_closed)
      : io_(io), socket_(io.context(), socket.Release()), log_(run_dir, max_bytes), on_closed_(std::move(on_closed)) {}

  void Start() {
    io_.Post([self = shared_from_this()] { self->WaitReadable(); });
  }

  void Abandon() {
    {
      MutexLock lock(&callback_mu_);
      on_closed_ = nullptr;
    }
    io_.Post([self = shared_from_this()] { self->Close(); });
  }

 private:
  void WaitReadable() {
    if (!socket_.is_open()) return;
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const asio::error_code& error) {
                         if (!error) self->Read();
                       });
  }

  void Read() {
    char buffer[kTurnBytes];
    size_t taken = 0;
    while (socket_.is_open() && taken < kTurnBytes) {
      const ssize_t got = recv(socket_.native_handle(), buffer, kTurnBytes - taken, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return WaitReadable();
      if (got <= 0) return End();
      taken += static_cast<size_t>(got);
      log_.Append(absl::string_view(buffer, static_cast<size_t>(got)));
    }
    rest_ = Timer(io_, absl::Now() + kRest, [weak = weak_from_this()] {
      if (const std::shared_ptr<Reading> self = weak.lock()) self->WaitReadable();
    });
  }

  void End() {
    Close();
    // Held while it runs, so that Abandon waits for it.
    MutexLock lock(&callback_mu_);
    if (on_closed_ == nullptr) return;
    std::exchange(on_closed_, nullptr)();
  }

  void Close() {
    rest_ = Timer();
    asio::error_code ignored;
    if (socket_.is_open()) socket_.close(ignored);
  }

  IoThread& io_;
  // On the I/O thread only.
  asio::posix::stream_descriptor socket_;
  ConsoleLog log_;
  Timer rest_;

  Mutex callback_mu_;
  std::function<void()> on_closed_ ABSL_GUARDED_BY(callback_mu_);
};

QemuConsole::QemuConsole(IoThread& io, UniqueFd socket, const std::string& run_dir, uint64_t max_bytes,
                         std::function<void()> on_closed)
    : reading_(std::make_shared<Reading>(io, std::move(socket), run_dir, max_bytes, std::move(on_closed))) {
  reading_->Start();
}

QemuConsole::~QemuConsole() { reading_->Abandon(); }

}  // namespace vcd
