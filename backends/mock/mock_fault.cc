// SPDX-License-Identifier: Apache-2.0
#include "backends/mock/mock_fault.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

constexpr char kKnownParts[] =
    "delay=DURATION, hang, stuck=DURATION, error=CODE:MESSAGE (at the end), die, after=N, times=N, or none alone";
constexpr absl::Duration kLongest = absl::Hours(24);
// Nothing ends it, not even the end of the daemon's patience.
constexpr absl::Duration kLongestStuck = absl::Minutes(10);
constexpr size_t kMaxMessageBytes = 1024;

absl::Status Problem(absl::string_view part, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(part), "\" ", problem));
}

std::string Trimmed(const std::string& text) { return std::string(absl::StripAsciiWhitespace(text)); }

// CODE or CODE:MESSAGE.
absl::Status ParseError(const std::string& value, absl::Status* error) {
  const size_t colon = value.find(':');
  const std::string name = Trimmed(value.substr(0, colon));
  std::string message = colon == std::string::npos ? "" : Trimmed(value.substr(colon + 1));
  if (message.size() > kMaxMessageBytes) return Problem("error", "has a message of more than 1024 bytes");
  // All behind it is the message; what was meant otherwise would be lost in silence.
  for (const char* key : {"delay=", "stuck=", "after=", "times="}) {
    for (size_t at = message.find(key); at != std::string::npos; at = message.find(key, at + 1)) {
      if (at > 0 && Trimmed(message.substr(0, at)).back() == ',') {
        return Problem(key, "stands behind `error`, whose message takes the rest: put `error` last");
      }
    }
  }
  if (message.empty()) message = "a mock fault";
  for (int code = 1; code <= 16; ++code) {
    const absl::Status candidate(static_cast<absl::StatusCode>(code), message);
    if (absl::StatusCodeToString(candidate.code()) != name) continue;
    *error = candidate;
    return absl::OkStatus();
  }
  return Problem(name, "is no canonical code of an error, such as UNAVAILABLE, INTERNAL or RESOURCE_EXHAUSTED");
}

absl::Status ParseDurationPart(const std::string& key, const std::string& value, absl::Duration limit,
                               absl::Duration* duration) {
  const absl::StatusOr<absl::Duration> parsed = ParseMockDuration(value);
  if (!parsed.ok()) return Problem(key, parsed.status().message());
  if (*parsed > limit) return Problem(key, absl::StrCat("is more than ", absl::FormatDuration(limit)));
  *duration = *parsed;
  return absl::OkStatus();
}

absl::Status ParsePart(const std::string& key, const std::optional<std::string>& value, MockFault* fault) {
  const bool flag = key == "hang" || key == "die";
  if (flag && value.has_value()) return Problem(key, "takes no value");
  if (key == "hang") {
    fault->hang = true;
  } else if (key == "die") {
    fault->die = true;
  } else if (key != "delay" && key != "stuck" && key != "error" && key != "after" && key != "times") {
    return Problem(key, absl::StrCat("is unknown; known are ", kKnownParts));
  } else if (!value.has_value()) {
    return Problem(key, absl::StrCat("needs a value: ", key, "=…"));
  } else if (key == "delay") {
    return ParseDurationPart(key, *value, kLongest, &fault->delay);
  } else if (key == "stuck") {
    return ParseDurationPart(key, *value, kLongestStuck, &fault->stuck);
  } else if (key == "error") {
    return ParseError(*value, &fault->error);
  } else {
    uint32_t count = 0;
    if (!absl::SimpleAtoi(*value, &count)) return Problem(*value, absl::StrCat("is no number for `", key, "`"));
    if (key == "after") fault->after = count;
    if (key == "times") fault->times = count;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MockFault> ParseMockFault(const std::string& text) {
  MockFault fault;
  if (Trimmed(text) == "none") return fault;
  std::set<std::string> seen;
  size_t at = 0;
  while (at <= text.size()) {
    size_t end = text.find(',', at);
    // The message of an error may have commas.
    const std::string from_here = Trimmed(text.substr(at));
    if (from_here.rfind("error=", 0) == 0) end = std::string::npos;
    const std::string part = Trimmed(text.substr(at, end == std::string::npos ? end : end - at));
    const size_t equals = part.find('=');
    const std::string key = Trimmed(part.substr(0, equals));
    std::optional<std::string> value;
    if (equals != std::string::npos) value = Trimmed(part.substr(equals + 1));
    const absl::Status parsed = ParsePart(key, value, &fault);
    if (!parsed.ok()) return parsed;
    if (!seen.insert(key).second) return Problem(key, "is there twice");
    if (end == std::string::npos) break;
    at = end + 1;
  }
  if (seen.count("die") != 0 && seen.count("error") != 0) {
    return absl::InvalidArgumentError("`die` and `error` exclude each other: what dies fails anyway");
  }
  if (fault.hang && (fault.die || !fault.error.ok())) {
    return absl::InvalidArgumentError("after `hang` comes nothing; `delay` waits first");
  }
  const bool does_something = fault.hang || fault.die || !fault.error.ok() || seen.count("delay") + seen.count("stuck");
  if (!does_something) {
    return absl::InvalidArgumentError("says how often, and not what: add delay, hang, stuck, error or die");
  }
  return fault;
}

absl::StatusOr<absl::Duration> ParseMockDuration(const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(Trimmed(text), &duration) || duration < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("is \"", absl::CHexEscape(text), "\", which is no duration such as 200ms, 2s or 1m30s"));
  }
  if (duration > kLongest) return absl::InvalidArgumentError("is more than 24h");
  return duration;
}

}  // namespace vcd
