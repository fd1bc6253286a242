// SPDX-License-Identifier: Apache-2.0
// Every reason of report/reasons.cpp is given by a real audit of a kernel made of values.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/audit_target.h"
#include "cli/bounded_audit.h"
#include "report/reasons.h"
#include "tests/unit/cli/cli_fixture.h"
#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = 2097152;
constexpr std::uint64_t kLow = 64 * kHuge;
constexpr std::uint64_t kPagesPerHuge = kHuge / kPage;
constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;

/// Process 7: a small mapping, and at kLow + kHuge a large one.
class Kernel {
 public:
  explicit Kernel(std::uint64_t large_pages = 2 * kPagesPerHuge) {
    found.pagemap = true;
    found.smaps_rollup = true;
    found.numa_maps = true;
    found.wchan = true;
    found.rss_counters = RssCounterError::exact;
    process.records_per_read = 100;
    process.vmas = {
        {.range = {kLow, kLow + 16 * kPage}, .pages = 4},
        {.range = {kLow + kHuge, kLow + kHuge + large_pages * kPage}, .pages = large_pages}};
    process.publish();
  }

  FakeVma& large() { return process.vmas[1]; }
  std::string reason(AuditOptions options = {}) {
    const ProcessReport report = audit_target(view, found, PageGeometry{}, 7, options);
    for (const Finding& finding : report.findings) {
      ADD_FAILURE() << finding.check << ' ' << finding.field << " in " << finding.brackets
                    << " brackets, steps " << report.worst_suspect_steps;
    }
    EXPECT_NE(report.verdict, Verdict::consistent);
    return report.reason;
  }
  /// `change` runs before read number `number` of smaps.
  void before_smaps_read(std::uint64_t number, std::function<void()> change) {
    view.on_call([this, number, change = std::move(change)](std::string_view operation,
                                                            const std::string& path) {
      if (operation == "read" && path == "/proc/7/smaps" && ++smaps_reads == number) change();
    });
  }
  /// The pages of the large mapping may be shared with another process, as seen without PFNs.
  void share_large_pages() {
    std::map<std::uint64_t, std::uint64_t> words;
    for (std::uint64_t page = 0; page < large().pages; ++page) {
      words[large().range.first / kPage + page] = kPresent;
    }
    for (std::uint64_t page = 0; page < 4; ++page) {
      words[kLow / kPage + page] = kPresent | (std::uint64_t{1} << 56);
    }
    view.set_words("/proc/7/pagemap", words);
  }

  FakeKernelView view;
  FakeProcess process{view};
  KernelCapabilities found;
  std::uint64_t smaps_reads = 0;
};

std::string maybe_pages() {
  Kernel kernel;
  kernel.found.numa_maps = false;
  kernel.share_large_pages();
  return kernel.reason();
}

std::string shared_mm() {
  Kernel kernel;
  kernel.share_large_pages();
  kernel.view.set_directory("/proc/.", {"7", "8"});
  kernel.view.set_file("/proc/./8/stat", kernel.process.stat());
  EXPECT_EQ(audit_target(kernel.view, kernel.found, PageGeometry{}, 7, {}).verdict,
            Verdict::consistent);  // numa_maps vouches for it
  kernel.view.set_same_mm(7, 8, true);
  return kernel.reason();
}

/// The large mapping is told by smaps once, and maps never knew it.
std::string coverage() {
  Kernel kernel;
  const FakeVma small = kernel.process.vmas[0];
  kernel.view.set_file("/proc/7/maps", "08000000-08010000 rw-p 00000000 00:00 0 \n");
  kernel.before_smaps_read(
      2, [&] { kernel.view.set_chunks("/proc/7/smaps", {kernel.process.record(small)}); });
  return kernel.reason();
}

/// A suspicious mapping that is gone when it is looked at again.
std::string unstable() {
  Kernel kernel;
  kernel.large().smaps_pages = 0;
  kernel.process.publish();
  kernel.before_smaps_read(3, [&] {
    kernel.process.vmas.pop_back();
    kernel.process.publish();
  });
  return kernel.reason();
}

/// Suspicious mappings of a running process: two keep the series going by growing in turn, and are
/// right in the end; the third has grown shortly before.
std::string series() {
  Kernel kernel;
  kernel.process.wchan = "0";
  kernel.process.vmas.pop_back();
  for (const std::uint64_t start : {kLow + 16 * kHuge, kLow + 32 * kHuge, kLow + 48 * kHuge}) {
    kernel.process.vmas.push_back(
        {.range = {start, start + 2 * kHuge}, .pages = 2 * kPagesPerHuge, .smaps_pages = 0});
  }
  const auto publish = [&kernel] {
    kernel.process.publish();
    kernel.view.remove("/proc/7/smaps_rollup");  // which would be a suspect of its own
  };
  publish();
  kernel.view.on_call([&](std::string_view operation, const std::string& path) {
    if (operation != "read" || path != "/proc/7/smaps") return;
    // The sweep takes two reads, each step of the series one.
    const std::uint64_t step = ++kernel.smaps_reads - 2;
    auto& vmas = kernel.process.vmas;
    if (step == 20 || step == 41 || step == 62) vmas[1].range.last += kPage;
    if (step == 30 || step == 51 || step == 72) vmas[2].range.last += kPage;
    if (step == 80) vmas[3].range.last += kPage;
    if (step == 85) vmas[1].smaps_pages = vmas[2].smaps_pages = vmas[1].pages;
    publish();
  });
  return kernel.reason();
}

std::string address_space() {
  Kernel kernel;
  kernel.found.numa_maps = false;
  kernel.large() = {.range = {kLow + kHuge, kLow + kHuge + (std::uint64_t{1} << 40)}, .pages = 1};
  kernel.process.publish();
  return kernel.reason();
}

std::string contended() {
  Kernel kernel;
  kernel.view.set_call_time(std::chrono::seconds(2));
  return kernel.reason();
}

std::string stuck() {
  // What the stuck thread uses has to outlive the test.
  static Kernel& kernel = *new Kernel;
  static auto& never = *new std::promise<void>;
  kernel.view.on_call([](std::string_view operation, const std::string& path) {
    if (operation == "read" && path == "/proc/7/smaps") never.get_future().wait();
  });
  constexpr auto kSoon = std::chrono::milliseconds(20);
  return audit_bounded(kernel.view, kernel.found, PageGeometry{}, 7, {.deadline = kSoon}, kSoon)
      .reason;
}

std::string read_error() {
  Kernel kernel;
  kernel.view.set_errno("/proc/7/statm", EIO);
  return kernel.reason();
}

std::string malformed() {
  Kernel kernel;
  kernel.view.set_file("/proc/7/status", "VmRSS: much\n");
  return kernel.reason();
}

std::string no_pagemap() {
  Kernel kernel;
  kernel.view.remove("/proc/7/pagemap");
  return kernel.reason();
}

std::string permission() {
  Kernel kernel;
  kernel.view.set_errno("/proc/7/pagemap", EACCES);
  return kernel.reason();
}

std::string hidepid() {
  Kernel kernel;
  kernel.view.set_errno("/proc/7", ENOENT);
  return kernel.reason();
}

std::string gone() {
  Kernel kernel;
  kernel.view.remove("/proc/7");
  kernel.view.set_process(7, false);
  return kernel.reason();
}

std::string exited() {
  Kernel kernel;
  kernel.before_smaps_read(1, [&] { kernel.view.remove("/proc/7"); });
  return kernel.reason();
}

std::string exec() {
  Kernel kernel;
  kernel.before_smaps_read(1, [&] {
    kernel.process.start_code = 0x2000;
    kernel.process.publish();
  });
  return kernel.reason();
}

std::string identity() {
  Kernel kernel;
  kernel.before_smaps_read(1, [&] {
    kernel.process.start_time = 9999;
    kernel.process.publish();
  });
  return kernel.reason();
}

std::string kernel_thread() {
  Kernel kernel;
  kernel.process.flags = "2129984";
  kernel.process.publish();
  return kernel.reason();
}

std::string zombie() {
  Kernel kernel;
  kernel.process.state = 'Z';
  kernel.process.publish();
  return kernel.reason();
}

std::string self() {
  const CliRun run = CliFixture{}.run({"check", "42", "--format", "json"});
  return nlohmann::json::parse(run.out)["processes"][0]["reason"];
}

const std::map<std::string_view, std::string (*)()> kForced = {
    {"maybe_pages", maybe_pages},
    {"coverage", coverage},
    {"unstable", unstable},
    {"contended", contended},
    {"series", series},
    {"stuck", stuck},
    {"address_space", address_space},
    {"shared_mm", shared_mm},
    {"read_error", read_error},
    {"malformed", malformed},
    {"no_pagemap", no_pagemap},
    {"permission", permission},
    {"hidepid", hidepid},
    {"gone", gone},
    {"exited", exited},
    {"exec", exec},
    {"identity", identity},
    {"self", self},
    {"kernel_thread", kernel_thread},
    {"zombie", zombie},
};

TEST(EveryReason, IsGivenByAnAuditThatForcesIt) {
  for (const ReasonText& reason : reason_texts()) {
    const auto forced = kForced.find(reason.word);
    if (forced == kForced.end()) {
      ADD_FAILURE() << "no test forces the reason " << reason.word;
      continue;
    }
    SCOPED_TRACE(reason.word);
    EXPECT_EQ(forced->second(), reason.word);
  }
}

TEST(EveryReason, ThatIsForcedIsInTheTable) {
  for (const auto& [word, force] : kForced) EXPECT_NE(find_reason(word), nullptr) << word;
}

}  // namespace
}  // namespace smaps_audit
