// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_TESTING_RANDOM_MESSAGES_H_
#define VCD_CORE_STATE_TESTING_RANDOM_MESSAGES_H_

#include <cstdint>
#include <random>
#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace vcd {

void AppendUtf8(uint32_t code, std::string* text);

// Fills messages at random, with what is hard to print or to read more often than chance would bring it. The same seed
// gives the same messages.
class RandomMessages {
 public:
  explicit RandomMessages(uint32_t seed) : random_(seed) {}

  void Fill(google::protobuf::Message& message, int depth = 0);

 private:
  int Below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool Chance(int one_in) { return Below(one_in) == 0; }
  template <typename T>
  T Integer();
  double Double();
  std::string Text();
  void FillTime(google::protobuf::Message& message);
  void SetValue(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field, int depth);

  std::mt19937 random_;
};

}  // namespace vcd

#endif  // VCD_CORE_STATE_TESTING_RANDOM_MESSAGES_H_
