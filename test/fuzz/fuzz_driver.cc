// SPDX-License-Identifier: Apache-2.0
// Main of a fuzz target in the ordinary test run: its seeds, then so many mutations of them, the same ones each time.
//   --inputs=N        mutations to try
//   --write-seeds=DIR writes the seeds there instead, for libFuzzer to begin with
//   FILE…             tries these inputs instead, such as one that libFuzzer found
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "test/fuzz/fuzz_target.h"

namespace {

using Random = std::mt19937_64;

size_t Below(Random& random, size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(random() % bound); }

// Bytes that decoders have opinions about.
char InterestingByte(Random& random) {
  constexpr unsigned char kBytes[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, 0x0a, 0x12};
  return static_cast<char>(random() % 3 == 0 ? random() : kBytes[Below(random, sizeof(kBytes))]);
}

void Mutate(Random& random, const std::vector<std::string>& seeds, std::string* input) {
  const size_t at = Below(random, input->size() + 1);
  const size_t length = Below(random, 1 + random() % 64);
  switch (random() % 6) {
    case 0:
      if (at < input->size()) (*input)[at] = static_cast<char>((*input)[at] ^ (1 << random() % 8));
      break;
    case 1:
      if (at < input->size()) (*input)[at] = InterestingByte(random);
      break;
    case 2:
      input->erase(at, length);
      break;
    case 3:
      input->insert(at, length, InterestingByte(random));
      break;
    case 4:
      input->insert(Below(random, input->size() + 1), input->substr(at, length * 4));
      break;
    case 5:
      input->insert(at, seeds[Below(random, seeds.size())]);
      break;
  }
}

int Try(const std::string& input) {
  return LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> seeds = FuzzSeeds();
  long inputs = 1000;
  bool files = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--inputs=", 0) == 0) {
      inputs = std::atol(word.c_str() + 9);
    } else if (word.rfind("--write-seeds=", 0) == 0) {
      for (size_t seed = 0; seed < seeds.size(); ++seed) {
        std::ofstream(word.substr(14) + "/seed-" + std::to_string(seed)) << seeds[seed];
      }
      return 0;
    } else {
      files = true;
      std::ifstream file(word);
      Try(std::string(std::istreambuf_iterator<char>(file), {}));
    }
  }
  if (files) return 0;
  for (const std::string& seed : seeds) Try(seed);
  Random random(20260101);
  for (long i = 0; i < inputs; ++i) {
    std::string input = seeds[Below(random, seeds.size())];
    for (size_t mutations = 1 + Below(random, 8); mutations > 0; --mutations) Mutate(random, seeds, &input);
    Try(input);
  }
  std::printf("%zu seeds and %ld mutations\n", seeds.size(), inputs);
  return 0;
}
