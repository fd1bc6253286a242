// SPDX-License-Identifier: Apache-2.0
// Every fallback is forced: by its word on the command line, on the running kernel, in a real
// audit.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/audit_target.h"
#include "cli/command_line.h"
#include "collect/host.h"
#include "collect/live_kernel_view.h"
#include "config/settings_fields.h"

namespace smaps_audit {
namespace {

/// What each switch takes away.
const std::map<std::string_view, bool KernelCapabilities::*> kTakenAway = {
    {"pagemap-scan", &KernelCapabilities::pagemap_scan},
    {"procmap-query", &KernelCapabilities::procmap_query},
    {"pfn", &KernelCapabilities::pfn_visible},
    {"kpageflags", &KernelCapabilities::kpageflags},
    {"kpagecount", &KernelCapabilities::kpagecount},
    {"numa-maps", &KernelCapabilities::numa_maps},
    {"wchan", &KernelCapabilities::wchan},
};

/// Another program, asleep until the end: a fork of ours would carry a sanitizer's terabytes along.
class Sleeper {
 public:
  Sleeper() {
    std::array<int, 2> begun{};
    if (::pipe2(begun.data(), O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execlp("sleep", "sleep", "300", nullptr);
      ::_exit(127);
    }
    ::close(begun[1]);
    char nothing = 0;
    if (::read(begun[0], &nothing, 1) != 0) std::abort();  // closed by the exec
    ::close(begun[0]);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] int pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

ForcedFallbacks forced_by(std::string_view name) {
  const std::string word{name};
  const std::array words{"smaps-audit", "check", "1", "--without", word.c_str()};
  const Command command = parse_command_line(static_cast<int>(words.size()), words.data());
  const auto* const check = std::get_if<CheckOptions>(&command);
  if (check == nullptr) {
    ADD_FAILURE() << "--without " << name << " is no command";
    return {};
  }
  return check->common.without;
}

TEST(EveryFallback, HasAWordOnTheCommandLine) {
  EXPECT_EQ(sizeof(ForcedFallbacks), fallback_switches().size());  // a bool each
  for (const FallbackSwitch& row : fallback_switches()) {
    ForcedFallbacks alone;
    alone.*(row.flag) = true;
    EXPECT_EQ(forced_by(row.name), alone) << row.name;
  }
}

TEST(EveryFallback, HasTheSameWordInTheServicesConfiguration) {
  std::vector<std::string_view> words;
  for (const FallbackSwitch& row : fallback_switches()) words.push_back(row.name);
  EXPECT_TRUE(std::equal(words.begin(), words.end(), kFallbackWords.begin(), kFallbackWords.end()));
}

TEST(EveryFallback, IsForcedInAnAuditOfALiveProcess) {
  LiveKernelView view;
  const auto host = read_host_info(view);
  ASSERT_TRUE(host.ok());
  const auto unforced = probe_kernel_capabilities(view, host->pages, {});
  ASSERT_TRUE(unforced.ok());
  const Sleeper target;
  for (const FallbackSwitch& row : fallback_switches()) {
    SCOPED_TRACE(row.name);
    const auto taken = kTakenAway.find(row.name);
    if (taken == kTakenAway.end()) {
      ADD_FAILURE() << "no test forces this fallback";
      continue;
    }
    const auto found = probe_kernel_capabilities(view, host->pages, forced_by(row.name));
    ASSERT_TRUE(found.ok());
    EXPECT_FALSE((*found).*(taken->second));
    KernelCapabilities expected = *unforced;
    expected.*(taken->second) = false;
    for (const auto& [name, other] : kTakenAway) {
      EXPECT_EQ((*found).*other, expected.*other) << name << " went along";
    }
    const ProcessReport report = audit_target(view, *found, host->pages, target.pid(), {});
    if (report.verdict == Verdict::denied) GTEST_SKIP() << report.explanation;
    EXPECT_EQ(report.verdict, Verdict::consistent) << report.reason << report.explanation;
    EXPECT_TRUE(report.findings.empty());
  }
}

}  // namespace
}  // namespace smaps_audit
