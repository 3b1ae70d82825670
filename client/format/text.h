// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_FORMAT_TEXT_H_
#define VCD_CLIENT_FORMAT_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/event.pb.h"
#include "proto/vcd/v1/pod.pb.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd::client {

// Without control characters: messages carry words of guests, which must not steer the terminal. Newlines stay when
// `keep_newlines`, and are blanks otherwise.
std::string Printable(const std::string& text, bool keep_newlines = false);

// The first line of a text, at most some 80 characters of it, for a cell of a table: `…` stands for what is left out.
std::string Brief(const std::string& text);

// `running` for POD_STATE_RUNNING, and so on; a number for values of a later release.
std::string Word(v1::PodState state);
std::string Word(v1::ContainerState state);
std::string Word(v1::EventType type);

// How a process ended: `0`, `143 (signal 15)`, `137 (out of memory)`.
std::string ExitWord(const v1::ExitStatus& status);

// How long ago, in the largest fitting unit: `8s`, `5m`, `3h`, `12d`.
std::string Age(absl::Duration age);

// In the largest fitting unit: `512B`, `1.5KiB`, `20.0MiB`.
std::string Bytes(uint64_t bytes);

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
google::protobuf::Timestamp ToTimestamp(absl::Time time);

}  // namespace vcd::client

#endif  // VCD_CLIENT_FORMAT_TEXT_H_
