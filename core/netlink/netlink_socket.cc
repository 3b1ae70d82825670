// SPDX-License-Identifier: Apache-2.0
#include "core/netlink/netlink_socket.h"

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr int kDumpAttempts = 10;

// What the kernel said beside the number (NETLINK_EXT_ACK), if anything.
std::string Explanation(nlmsgerr* error) {
  nlmsghdr* header = reinterpret_cast<nlmsghdr*>(reinterpret_cast<char*>(error) - NLMSG_HDRLEN);
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  size_t offset = sizeof *error;
  // The request follows, unless the kernel left it out.
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) offset += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof error->msg;
  const size_t size = header->nlmsg_len - NLMSG_HDRLEN;
  if (offset >= size) return {};
  nlattr* const first = reinterpret_cast<nlattr*>(reinterpret_cast<char*>(error) + offset);
  nlattr* const message = nla_find(first, static_cast<int>(size - offset), NLMSGERR_ATTR_MSG);
  if (message == nullptr) return {};
  // It ends with a zero byte, or should.
  const char* const text = static_cast<const char*>(nla_data(message));
  return std::string(text, strnlen(text, static_cast<size_t>(nla_len(message))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetlinkSocket>> NetlinkSocket::Open(const NetworkNamespace& netns) {
  return Connect([&netns](const std::function<absl::Status()>& connect) { return netns.Run(connect); });
}

absl::StatusOr<std::unique_ptr<NetlinkSocket>> NetlinkSocket::OpenHere() {
  return Connect([](const std::function<absl::Status()>& connect) { return connect(); });
}

absl::StatusOr<std::unique_ptr<NetlinkSocket>> NetlinkSocket::Connect(
    const std::function<absl::Status(const std::function<absl::Status()>& connect)>& run) {
  std::unique_ptr<NetlinkSocket> opened(new NetlinkSocket);
  opened->socket_.reset(nl_socket_alloc());
  if (opened->socket_ == nullptr) return absl::ResourceExhaustedError("open netlink: no memory");
  const absl::Status connected =
      run([&opened] { return opened->Result(nl_connect(opened->get(), NETLINK_ROUTE), "open netlink"); });
  VCD_RETURN_IF_ERROR(connected);
  nl_socket_modify_err_cb(opened->get(), NL_CB_CUSTOM, &NetlinkSocket::OnError, opened.get());
  // Only makes errors say more; an old kernel goes without.
  const int on = 1;
  (void)::setsockopt(nl_socket_get_fd(opened->get()), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return opened;
}

int NetlinkSocket::OnError(sockaddr_nl*, nlmsgerr* error, void* self) {
  NetlinkSocket* const socket = static_cast<NetlinkSocket*>(self);
  socket->error_number_ = -error->error;
  socket->explanation_ = Explanation(error);
  return NL_STOP;
}

absl::Status NetlinkSocket::Result(int result, absl::string_view step) {
  const int error_number = std::exchange(error_number_, 0);
  const std::string explanation = std::exchange(explanation_, {});
  if (result >= 0) return absl::OkStatus();
  if (error_number == 0) return absl::InternalError(absl::StrCat(step, ": ", nl_geterror(result)));
  const absl::Status status = PosixError(error_number, step);
  if (explanation.empty()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), " (", explanation, ")"));
}

absl::StatusOr<NlCache> NetlinkSocket::Dump(absl::string_view step,
                                            const std::function<int(nl_sock*, nl_cache**)>& fill) {
  int result = 0;
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    nl_cache* cache = nullptr;
    result = fill(get(), &cache);
    if (result >= 0) return NlCache(cache);
    if (result != -NLE_DUMP_INTR) break;
  }
  return Result(result, step);
}

}  // namespace vcd
