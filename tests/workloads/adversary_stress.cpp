// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/parse_int.h"
#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

struct Stressor {
  std::string_view name;
  std::vector<std::string> words;
};

const std::vector<Stressor>& stressors() {
  static const std::vector<Stressor> all{
      {"stress-vm", {"--vm", "2", "--vm-bytes", "32m"}},
      {"stress-mmap", {"--mmap", "2", "--mmap-bytes", "16m"}},
      {"stress-madvise", {"--madvise", "2"}},
      {"stress-fork", {"--fork", "2", "--fork-max", "8"}},
      {"stress-userfaultfd", {"--userfaultfd", "2", "--userfaultfd-bytes", "8m"}},
      {"stress-memfd", {"--memfd", "2", "--memfd-bytes", "16m"}},
      {"stress-numa", {"--numa", "2"}},
  };
  return all;
}

void collect_children(pid_t of, std::vector<pid_t>& found) {
  const std::string task = "/proc/" + std::to_string(of) + "/task/" + std::to_string(of);
  std::ifstream file(task + "/children");
  for (std::string word; file >> word;) {
    const std::optional<std::uint64_t> pid = parse_unsigned(word);
    if (!pid) continue;
    found.push_back(static_cast<pid_t>(*pid));
    collect_children(found.back(), found);
  }
}

[[noreturn]] void become_stress_ng(const Run& run) {
  const char* const named = std::getenv("STRESS_NG");
  const std::string program = named != nullptr ? named : "stress-ng";
  const char* const directory = std::getenv("TMPDIR");
  std::vector<std::string> words{program,       "--quiet",
                                 "--temp-path", directory != nullptr ? directory : "/tmp",
                                 "--timeout",   "0"};
  for (const Stressor& stressor : stressors()) {
    if (stressor.name == run.name()) {
      words.insert(words.end(), stressor.words.begin(), stressor.words.end());
    }
  }
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Its messages are nobody's JSON.
  if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0) die("dup2");
  execvp(arguments[0], arguments.data());
  _exit(errno == ENOENT ? kExitCannotRun : kExitInternal);
}

}  // namespace

void print_tree(pid_t root) {
  std::vector<pid_t> found;
  collect_children(root, found);
  std::string line;
  for (const pid_t pid : found) line += (line.empty() ? "" : " ") + std::to_string(pid);
  std::puts(line.c_str());
}

void run_stress(const Run& run) {
  const pid_t child = in_child([&] { become_stress_ng(run); });
  constexpr std::chrono::seconds kPatience{20};
  const auto until = Run::Clock::now() + kPatience;
  std::vector<pid_t> workers;
  while (workers.size() < 2 && Run::Clock::now() < until) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      run.skip(WIFEXITED(status) && WEXITSTATUS(status) == kExitCannotRun
                   ? "no stress-ng"
                   : "stress-ng has no such stressor here, or not on this kernel");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    workers.clear();
    collect_children(child, workers);
  }
  if (workers.empty()) run.skip("stress-ng started no worker");
  run.announce({child});
  wait_for(child);
}

}  // namespace smaps_audit::workloads
