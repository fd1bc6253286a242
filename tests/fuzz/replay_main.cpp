// SPDX-License-Identifier: Apache-2.0
// Runs the files of a corpus through a fuzz target, without libFuzzer.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/fuzz_check.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_replay_PARSER CORPUS_DIRECTORY\n", stderr);
    return 64;
  }
  unsigned files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in) {
      std::fprintf(stderr, "cannot read %s\n", entry.path().c_str());
      return 1;
    }
    std::printf("%s\n", entry.path().c_str());
    std::fflush(stdout);  // so that the last name printed is the input that crashed
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
    ++files;
  }
  if (files == 0) std::fprintf(stderr, "no file in %s\n", argv[1]);
  return files == 0 ? 1 : 0;
}
