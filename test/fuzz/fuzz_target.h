// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_FUZZ_FUZZ_TARGET_H_
#define VCD_TEST_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a fuzz target gives; see fuzz_test.bzl. The driver brings main for the ordinary test run, libFuzzer for long
// ones.

// Inputs to begin with: small, and each of a kind that noise would not find.
std::vector<std::string> FuzzSeeds();

// Crashes when what it tests goes wrong on this input. Always 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// An input for a decoder of frames, as a script: each step is a byte that says what, two that say how many bytes
// follow, and those bytes. Steps make it possible for mutations to get past the checksum.
namespace vcd {

// Adds a step that sends the bytes as the body of a whole frame.
void AddFrameStep(std::string_view body, std::string* script);
// Adds one that sends them as they are.
void AddRawStep(std::string_view bytes, std::string* script);

// What such a script puts on the wire, step by step.
std::vector<std::string> WireOf(std::string_view script);

}  // namespace vcd

#endif  // VCD_TEST_FUZZ_FUZZ_TARGET_H_
