// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/http_request.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace vcd {
namespace {

// A token of RFC 9110, section 5.6.2.
bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("!#$%&'*+-.^_`|~", c);
  });
}

// Visible characters, as a target has them.
bool IsVisible(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

const char* ReasonOf(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 505:
      return "HTTP Version Not Supported";
  }
  return "Error";
}

HttpRequest Refused(int code) {
  HttpRequest request;
  request.error = code;
  return request;
}

}  // namespace

size_t HttpHeadLength(absl::string_view bytes) {
  // Lines may end in LF alone (RFC 9112, section 2.2).
  for (size_t end = bytes.find('\n'); end != absl::string_view::npos; end = bytes.find('\n', end + 1)) {
    const absl::string_view rest = bytes.substr(end + 1);
    if (absl::StartsWith(rest, "\n")) return end + 2;
    if (absl::StartsWith(rest, "\r\n")) return end + 3;
  }
  return 0;
}

HttpRequest ParseHttpHead(absl::string_view head) {
  HttpRequest request;
  bool first = true;
  for (absl::string_view line : absl::StrSplit(head, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    if (first) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
      if (words.size() != 3 || !IsToken(words[0]) || !absl::StartsWith(words[1], "/") || !IsVisible(words[1]) ||
          !absl::StartsWith(words[2], "HTTP/")) {
        return Refused(400);
      }
      if (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0") return Refused(505);
      request.method = std::string(words[0]);
      request.path = std::string(words[1].substr(0, words[1].find('?')));
      first = false;
    } else if (!line.empty()) {
      const size_t colon = line.find(':');
      if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon)) || absl::StrContains(line, '\0')) {
        return Refused(400);
      }
    }
  }
  return request;
}

std::string MakeHttpResponse(int code, absl::string_view content_type, absl::string_view body, bool head_only) {
  return absl::StrCat("HTTP/1.1 ", code, " ", ReasonOf(code), "\r\nContent-Type: ", content_type,
                      "\r\nContent-Length: ", body.size(), code == 405 ? "\r\nAllow: GET, HEAD" : "",
                      "\r\nConnection: close\r\n\r\n", head_only ? absl::string_view() : body);
}

}  // namespace vcd
