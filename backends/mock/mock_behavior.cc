// SPDX-License-Identifier: Apache-2.0
#include "backends/mock/mock_behavior.h"

#include <google/protobuf/descriptor.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Where operations end and what is of the machine as such begins.
constexpr int kFirstMachineField = 64;
constexpr int kFirstGuestField = 20;
constexpr int kFirstNetworkField = 40;

bool IsNetworkField(int number) { return number >= kFirstNetworkField && number < kFirstMachineField; }

std::string KnownAnnotations() {
  const Descriptor& descriptor = *v1::MockBehavior::descriptor();
  std::string names;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (!IsNetworkField(field.number())) absl::StrAppend(&names, names.empty() ? "" : ", ", field.name());
  }
  return names;
}

absl::Status ParseField(const FieldDescriptor& field, const std::string& text, MockBehavior* behavior) {
  if (field.number() < kFirstMachineField) {
    VCD_ASSIGN_OR_RETURN(behavior->faults[static_cast<MockOperation>(field.number())], ParseMockFault(text));
    return absl::OkStatus();
  }
  if (text == "none") return absl::OkStatus();
  VCD_ASSIGN_OR_RETURN(const absl::Duration duration, ParseMockDuration(text));
  (field.number() == v1::MockBehavior::kDieAfterFieldNumber ? behavior->die_after : behavior->silent_after) = duration;
  return absl::OkStatus();
}

}  // namespace

bool IsGuestOperation(MockOperation operation) {
  const int number = static_cast<int>(operation);
  return number >= kFirstGuestField && number < kFirstNetworkField;
}

std::string MockOperationName(MockOperation operation) {
  return v1::MockBehavior::descriptor()->FindFieldByNumber(static_cast<int>(operation))->name();
}

absl::StatusOr<MockBehavior> ParseMockBehavior(const v1::MockBehavior& message, const std::string& prefix) {
  MockBehavior behavior;
  behavior.message = message;
  const Descriptor& descriptor = *v1::MockBehavior::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    const std::string text = message.GetReflection()->GetString(message, &field);
    if (text.empty()) continue;
    const absl::Status parsed = ParseField(field, text, &behavior);
    if (!parsed.ok()) return InvalidField(absl::StrCat(prefix, field.name()), parsed.message());
  }
  return behavior;
}

absl::StatusOr<MockBehavior> ParseMockAnnotations(const std::map<std::string, std::string>& annotations) {
  v1::MockBehavior message;
  for (const auto& [key, value] : annotations) {
    if (!absl::StartsWith(key, kMockAnnotationPrefix)) continue;
    const std::string name = key.substr(sizeof(kMockAnnotationPrefix) - 1);
    const FieldDescriptor* field = v1::MockBehavior::descriptor()->FindFieldByName(name);
    if (field == nullptr) {
      return InvalidField(key, absl::StrCat("is no fault of a mock pod; known are ", KnownAnnotations()));
    }
    if (IsNetworkField(field->number())) {
      return InvalidField(key,
                          "comes before the machine, and so before its annotations: use the daemon's [mock] table, "
                          "or vcd.v1.MockService/SetBehavior before the pod is created");
    }
    if (value.empty()) return InvalidField(key, "is empty; leave it out, or say none");
    message.GetReflection()->SetString(&message, field, value);
  }
  return ParseMockBehavior(message, kMockAnnotationPrefix);
}

}  // namespace vcd
