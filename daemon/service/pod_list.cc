// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/pod_list.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/service/request_check.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace vcd {
namespace {

constexpr size_t kMaxPageSize = 1000;
constexpr size_t kMaxPageBytes = 3 << 20;
// A filter may leave few of many.
constexpr size_t kLeastAtATime = 100;

// A token is the last id of the page before it, behind a version, in base64 so that nobody builds on its form.
constexpr char kTokenPrefix[] = "1:";

std::string MakeToken(const std::string& last_id) {
  return absl::WebSafeBase64Escape(absl::StrCat(kTokenPrefix, last_id));
}

absl::StatusOr<std::string> LastIdOf(const std::string& token) {
  if (token.empty()) return std::string();
  std::string text;
  absl::string_view id;
  if (absl::WebSafeBase64Unescape(token, &text)) id = text;
  if (!absl::ConsumePrefix(&id, kTokenPrefix) || !CheckId("page_token", std::string(id)).ok()) {
    return InvalidField("page_token", "is none that ListPods gave; start again without one");
  }
  return std::string(id);
}

absl::StatusOr<v1::PodState> StateOf(absl::string_view name) {
  v1::PodState state = v1::POD_STATE_UNSPECIFIED;
  if (absl::AsciiStrToLower(name) == name &&
      v1::PodState_Parse(absl::StrCat("POD_STATE_", absl::AsciiStrToUpper(name)), &state) &&
      state != v1::POD_STATE_UNSPECIFIED) {
    return state;
  }
  return InvalidField(
      "filter", absl::StrCat("`", name, "` is no state: creating, ready, running, paused, stopping, stopped, failed"));
}

// A tag and a length.
constexpr size_t kMostBytesOfAHeader = 10;

// A response is the concatenation of its fields, and a pod in it is its bytes behind their number.
void AppendPod(int field, const PodSnapshot& pod, std::string* response) {
  using google::protobuf::internal::WireFormatLite;
  uint8_t header[kMostBytesOfAHeader];
  uint8_t* end = WireFormatLite::WriteTagToArray(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, header);
  end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(pod.bytes().size()), end);
  response->append(header, end);
  response->append(pod.bytes());
}

std::string Join(const PodSnapshots& pods, size_t pod_bytes, const v1::ListPodsResponse& rest) {
  std::string joined;
  joined.reserve(pod_bytes + pods.size() * kMostBytesOfAHeader + rest.ByteSizeLong());
  for (const auto& pod : pods) AppendPod(v1::ListPodsResponse::kPodsFieldNumber, *pod, &joined);
  rest.AppendToString(&joined);
  return joined;
}

}  // namespace

absl::StatusOr<PodFilter> PodFilter::Parse(const std::string& text) {
  PodFilter filter;
  for (absl::string_view term : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const size_t equals = term.find('=');
    absl::string_view key = term.substr(0, equals);
    absl::string_view value = equals == absl::string_view::npos ? absl::string_view() : term.substr(equals + 1);
    if (key == "state") {
      VCD_ASSIGN_OR_RETURN(const v1::PodState state, StateOf(value));
      filter.states_.push_back(state);
    } else if (key == "id" && absl::ConsumeSuffix(&value, "*")) {
      filter.id_prefixes_.emplace_back(value);
    } else if (key == "id" && !value.empty()) {
      filter.ids_.emplace_back(value);
    } else if (absl::ConsumePrefix(&key, "annotation.") && !key.empty() && equals != absl::string_view::npos) {
      filter.annotations_.emplace_back(std::string(key), std::string(value));
    } else {
      return InvalidField("filter",
                          absl::StrCat("`", term, "` is no term: state=running, id=PREFIX*, annotation.KEY=VALUE"));
    }
  }
  return filter;
}

bool PodFilter::Matches(const PodSnapshot& pod) const {
  const auto is_state = [&pod](v1::PodState state) { return pod.state() == state; };
  const auto is_id = [&pod](const std::string& id) { return pod.id() == id; };
  const auto has_prefix = [&pod](const std::string& prefix) { return absl::StartsWith(pod.id(), prefix); };
  if (!std::all_of(states_.begin(), states_.end(), is_state) || !std::all_of(ids_.begin(), ids_.end(), is_id) ||
      !std::all_of(id_prefixes_.begin(), id_prefixes_.end(), has_prefix)) {
    return false;
  }
  // The dearest last.
  if (annotations_.empty()) return true;
  const v1::PodConfig config = pod.Unpack().config();
  const auto has_annotation = [&config](const std::pair<std::string, std::string>& wanted) {
    const auto found = config.annotations().find(wanted.first);
    return found != config.annotations().end() && found->second == wanted.second;
  };
  return std::all_of(annotations_.begin(), annotations_.end(), has_annotation);
}

std::string OnePod(const PodSnapshot& pod) {
  std::string response;
  response.reserve(pod.bytes().size() + kMostBytesOfAHeader);
  AppendPod(v1::GetPodResponse::kPodFieldNumber, pod, &response);
  return response;
}

absl::StatusOr<std::string> ListPage(const PodsAfter& pods_after, const v1::ListPodsRequest& request) {
  VCD_ASSIGN_OR_RETURN(const PodFilter filter, PodFilter::Parse(request.filter()));
  VCD_ASSIGN_OR_RETURN(std::string last_id, LastIdOf(request.page_token()));
  const size_t page_size =
      request.page_size() == 0 ? kMaxPageSize : std::min<size_t>(request.page_size(), kMaxPageSize);
  // One more than fits tells whether there is a further page.
  const size_t at_a_time = std::max(page_size, kLeastAtATime) + 1;

  PodSnapshots page;
  // All of the response but the pods.
  v1::ListPodsResponse rest;
  size_t bytes = 0;
  for (;;) {
    const PodSnapshots pods = pods_after(last_id, at_a_time);
    for (const auto& pod : pods) {
      if (!filter.Matches(*pod)) continue;
      const size_t size = pod->bytes().size();
      // Only once there is a further pod for it, so that the last page's token is empty.
      if (page.size() == page_size || (!page.empty() && bytes + size > kMaxPageBytes)) {
        rest.set_next_page_token(MakeToken(page.back()->id()));
        return Join(page, bytes, rest);
      }
      bytes += size;
      page.push_back(pod);
    }
    if (pods.size() < at_a_time) return Join(page, bytes, rest);
    last_id = pods.back()->id();
  }
}

}  // namespace vcd
