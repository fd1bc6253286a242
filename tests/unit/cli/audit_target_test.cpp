// SPDX-License-Identifier: Apache-2.0
// Whatever call fails, and however: a verdict with a reason, never a finding, never a crash.
#include "cli/audit_target.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>
#include <vector>

#include "collect/host.h"
#include "collect/live_kernel_view.h"
#include "tests/support/failing_kernel_view.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = 2097152;
constexpr std::uint64_t kLow = 64 * kHuge;
constexpr std::uint64_t kHidden = 2 * kHuge;
constexpr std::array kErrnos = {ENOENT, ESRCH, EACCES, EPERM, EIO, EINTR, ENOMEM, EINVAL, ENOTTY};
const PageGeometry kPages;

KernelCapabilities capabilities(bool scan) {
  KernelCapabilities found;
  found.pagemap = true;
  found.pagemap_scan = scan;
  found.procmap_query = scan;
  found.smaps_rollup = true;
  found.numa_maps = true;
  found.wchan = true;
  found.rss_counters = RssCounterError::exact;
  return found;
}

/// Five VMAs, in three reads. The last one is small, or, if the kernel `lies`, huge pages that K01
/// leaves out.
void fill(FakeProcess& process, bool lies) {
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::uint64_t start = kLow + i * 16 * kPage;
    process.vmas.push_back({.range = {start, start + 8 * kPage}, .pages = 1 + i});
  }
  const std::uint64_t last = kLow + 4 * kHuge;
  if (lies) {
    process.vmas.push_back({.range = {last, last + kHidden},
                            .pages = kHidden / kPage,
                            .smaps_pages = 0,
                            .permissions = "---p"});
  } else {
    process.vmas.push_back({.range = {last, last + 64 * kPage}, .pages = 40});
  }
  process.publish();
}

class Kernel {
 public:
  explicit Kernel(bool scan = false, bool lies = false) : scan_(scan) {
    process.scan = scan;
    fill(process, lies);
  }

  ProcessReport audit(const AuditOptions& options = {}) { return audit_through(view, options); }
  ProcessReport audit_through(KernelView& through, const AuditOptions& options = {}) const {
    return audit_target(through, capabilities(scan_), kPages, 7, options);
  }

  FakeKernelView view;
  FakeProcess process{view};

 private:
  bool scan_;
};

void expect_reasoned(const ProcessReport& report, const std::string& where) {
  EXPECT_TRUE(report.findings.empty()) << where << report.findings.front().check;
  EXPECT_NE(report.verdict, Verdict::finding) << where;
  if (report.verdict == Verdict::consistent) return;
  EXPECT_FALSE(report.reason.empty()) << where;
  EXPECT_FALSE(report.explanation.empty()) << where;
}

TEST(AuditTarget, SaysConsistentOfAnHonestKernel) {
  for (const bool scan : {false, true}) {
    for (const bool full : {false, true}) {
      Kernel kernel{scan};
      const ProcessReport report = kernel.audit({.full_series = full});
      EXPECT_EQ(report.verdict, Verdict::consistent) << report.reason << report.explanation;
      EXPECT_EQ(report.comm, "fake");
      EXPECT_EQ(report.vmas, 5u);
      EXPECT_EQ(report.truth->rss, (Interval{50 * kPage, 50 * kPage}));
      EXPECT_EQ(kernel.view.open_files(), 0u);
    }
  }
}

TEST(AuditTarget, FindsTheLieOfAKernel) {
  for (const bool scan : {false, true}) {
    Kernel kernel{scan, true};
    const ProcessReport report = kernel.audit();
    EXPECT_EQ(report.verdict, Verdict::finding);
    std::vector<Interface> about_rss;
    for (const Finding& finding : report.findings) {
      EXPECT_EQ(finding.defect, "K01");
      EXPECT_EQ(finding.cause, Cause::mprotect);
      if (finding.field != "Rss") continue;
      EXPECT_EQ(finding.error_bytes, kHidden);
      about_rss.push_back(finding.interface);
    }
    EXPECT_EQ(about_rss, (std::vector{Interface::smaps, Interface::smaps_rollup}));
  }
}

TEST(AuditTarget, NoFailingCallOfAnHonestKernelBecomesAFinding) {
  for (const bool scan : {false, true}) {
    for (const bool full : {false, true}) {
      Kernel kernel{scan};
      FailingKernelView counting{kernel.view};
      kernel.audit_through(counting, {.full_series = full});
      ASSERT_GT(counting.calls(), 40u);
      for (std::uint64_t call = 1; call <= counting.calls(); ++call) {
        // In a full series each errno has its turn, so that the test stays short.
        for (const int error : kErrnos) {
          if (full && error != kErrnos[call % kErrnos.size()]) continue;
          FailingKernelView failing{kernel.view};
          failing.fail_call(call, error);
          const ProcessReport report = kernel.audit_through(failing, {.full_series = full});
          expect_reasoned(report, std::to_string(call) + " errno " + std::to_string(error) + " ");
        }
      }
      EXPECT_EQ(kernel.view.open_files(), 0u);
    }
  }
}

TEST(AuditTarget, AProcessThatGoesAwayAtAnyCallHasVanished) {
  for (const bool scan : {false, true}) {
    Kernel kernel{scan, true};  // even where the kernel lies
    FailingKernelView counting{kernel.view};
    kernel.audit_through(counting);
    for (std::uint64_t call = 1; call <= counting.calls(); ++call) {
      kernel.view.set_process(7, false);
      FailingKernelView failing{kernel.view};
      failing.fail_from(call, call % 2 == 0 ? ENOENT : ESRCH);
      const ProcessReport report = kernel.audit_through(failing);
      EXPECT_EQ(report.verdict, Verdict::vanished) << call;
      EXPECT_TRUE(report.findings.empty());
      EXPECT_FALSE(report.reason.empty());
    }
  }
}

TEST(AuditTarget, AFileThatIsDeniedIsNeverReadAsZero) {
  for (const char* name : {"stat", "smaps", "pagemap", "maps", "status", "statm"}) {
    Kernel kernel{false, true};
    kernel.view.set_errno(std::string{"/proc/7/"} + name, EACCES);
    const ProcessReport report = kernel.audit();
    EXPECT_EQ(report.verdict, Verdict::denied) << name;
    EXPECT_EQ(report.reason, "permission") << name;
    EXPECT_FALSE(report.truth) << name;
    EXPECT_FALSE(report.reported.rss_bytes) << name;
  }
}

TEST(AuditTarget, ADeniedProcessHasItsNameWhereThatCanBeRead) {
  Kernel kernel;
  kernel.view.set_file("/proc/7/comm", "a \xff)\n b\n");
  kernel.view.set_errno("/proc/7/smaps", EACCES);
  EXPECT_EQ(kernel.audit().verdict, Verdict::denied);
  EXPECT_EQ(kernel.audit().comm, "a \xff)\n b");
  kernel.view.set_errno("/proc/7/comm", EACCES);
  EXPECT_EQ(kernel.audit().comm, "");
}

TEST(AuditTarget, AHiddenProcessIsDeniedAndNotGone) {
  Kernel kernel;
  kernel.view.set_errno("/proc/7", ENOENT);
  EXPECT_EQ(kernel.audit().verdict, Verdict::denied);
  EXPECT_EQ(kernel.audit().reason, "hidepid");
  kernel.view.set_process(7, false);
  EXPECT_EQ(kernel.audit().verdict, Verdict::vanished);
}

TEST(AuditTarget, FaultsOfAnotherUserOfTheMmAreInNoCounterThatIsRead) {
  Kernel kernel;
  kernel.view.set_directory("/proc/.", {"7", "8"});
  kernel.view.set_file("/proc/./8/stat", kernel.process.stat());
  EXPECT_EQ(kernel.audit().truth->rss, (Interval{50 * kPage, 50 * kPage}));  // a fork
  kernel.view.set_same_mm(7, 8, true);
  const ProcessReport report = kernel.audit();
  EXPECT_EQ(report.verdict, Verdict::consistent);
  EXPECT_EQ(report.truth->rss, (Interval{0, report.audited_bytes}));
}

TEST(AuditTarget, APidThatComesBackBetweenTwoQuestionsIsNotHidden) {
  Kernel kernel;
  kernel.view.set_errno("/proc/7", ENOENT);
  unsigned opened = 0;
  kernel.view.on_call([&](std::string_view operation, const std::string& path) {
    if (operation == "open_directory" && path == "/proc/7" && ++opened == 2) {
      kernel.view.set_errno("/proc/7", 0);
    }
  });
  EXPECT_EQ(kernel.audit().verdict, Verdict::consistent);
}

TEST(AuditTarget, MissingWitnessesAreDoneWithout) {
  for (const char* name : {"numa_maps", "smaps_rollup"}) {
    Kernel kernel;
    kernel.view.set_errno(std::string{"/proc/7/"} + name, ENOENT);
    EXPECT_EQ(kernel.audit().verdict, Verdict::consistent) << name;
  }
}

TEST(AuditTarget, KernelThreadsAndZombiesAreSkipped) {
  Kernel kernel;
  kernel.process.flags = "2129984";  // PF_KTHREAD
  kernel.process.publish();
  EXPECT_EQ(kernel.audit().verdict, Verdict::skipped);
  EXPECT_TRUE(kernel.audit().kernel_thread);
  kernel.process.flags = "0";
  kernel.process.state = 'Z';
  kernel.process.publish();
  EXPECT_EQ(kernel.audit().verdict, Verdict::skipped);
  EXPECT_EQ(kernel.audit().reason, "zombie");
}

TEST(AuditTarget, ATruncatedSmapsIsMalformedWhereverItIsCut) {
  Kernel kernel{false, true};
  const std::string whole =
      kernel.process.record(kernel.process.vmas[0]) + kernel.process.record(kernel.process.vmas[1]);
  for (std::size_t cut = 1; cut < whole.size(); cut += 7) {
    kernel.view.set_chunks("/proc/7/smaps", {whole.substr(0, cut)});
    const ProcessReport report = kernel.audit();
    EXPECT_TRUE(report.findings.empty()) << cut;
    const bool at_record_end = cut == kernel.process.record(kernel.process.vmas[0]).size();
    if (at_record_end) continue;
    EXPECT_EQ(report.verdict, Verdict::inconclusive) << cut;
    EXPECT_EQ(report.reason, "malformed") << cut;
  }
}

TEST(AuditTarget, AnEmptyOrBrokenFileIsNeverAFinding) {
  for (const char* name :
       {"stat", "status", "statm", "smaps_rollup", "numa_maps", "maps", "smaps"}) {
    for (const char* text :
         {"", "\n", "garbage", "7f00-6f00 rw-p 0 00:00 0\n", "Rss: -1 kB\n", "\xff\xfe\n"}) {
      Kernel kernel{false, true};
      const std::string path = std::string{"/proc/7/"} + name;
      if (std::string_view{name} == "smaps") {
        kernel.view.set_chunks(path, {text});
      } else {
        kernel.view.set_file(path, text);
      }
      const ProcessReport report = kernel.audit();
      if (std::string_view{name} == "numa_maps" && std::string_view{text}.empty()) continue;
      EXPECT_TRUE(report.findings.empty()) << name << ": " << text;
      EXPECT_FALSE(report.reason.empty()) << name << ": " << text;
    }
  }
}

TEST(AuditTarget, SmapsInReadsOfOneRecordIsTheSame) {
  for (const bool scan : {false, true}) {
    for (const std::size_t records : {1u, 3u, 100u}) {
      Kernel kernel{scan};
      kernel.process.records_per_read = records;
      kernel.process.publish();
      const ProcessReport report = kernel.audit();
      EXPECT_EQ(report.verdict, Verdict::consistent);
      EXPECT_EQ(report.brackets, (5 + records - 1) / records);
    }
  }
}

TEST(AuditTarget, AShortReadOfPagemapIsReadOn) {
  Kernel kernel{false, true};
  kernel.view.on_call([&](std::string_view operation, const std::string& path) {
    if (operation != "pread" || path != "/proc/7/pagemap") return;
    // Every other call ends in the middle of the last VMA.
    static bool cut = false;
    cut = !cut;
    std::map<std::uint64_t, std::uint64_t> words;
    for (const FakeVma& vma : kernel.process.vmas) {
      for (std::uint64_t page = 0; page < vma.pages; ++page) {
        words[vma.range.first / kPage + page] = (std::uint64_t{1} << 63) | (std::uint64_t{1} << 56);
      }
    }
    kernel.view.set_words(path, words,
                          cut ? (kLow + 4 * kHuge) / kPage + 100 : std::uint64_t{1} << 52);
  });
  const ProcessReport report = kernel.audit();
  EXPECT_TRUE(report.verdict == Verdict::finding || report.verdict == Verdict::vanished);
}

TEST(AuditTarget, APagemapThatEndsIsAnAddressSpaceThatIsGone) {
  Kernel kernel{false, true};
  kernel.view.set_words("/proc/7/pagemap", {}, kLow / kPage + 10);
  const ProcessReport report = kernel.audit();
  EXPECT_EQ(report.verdict, Verdict::vanished);
  EXPECT_TRUE(report.findings.empty());
}

TEST(AuditTarget, AnExecDuringTheAuditVanishesItsFindings) {
  Kernel kernel{false, true};
  std::uint64_t reads = 0;
  kernel.view.on_call([&](std::string_view operation, const std::string& path) {
    if (operation != "read" || path != "/proc/7/smaps" || ++reads != 4) return;
    kernel.process.start_code = 0x2000;
    kernel.view.set_file("/proc/7/stat", kernel.process.stat());
  });
  const ProcessReport report = kernel.audit();
  EXPECT_EQ(report.verdict, Verdict::vanished);
  EXPECT_TRUE(report.findings.empty());
}

TEST(AuditTarget, APidThatIsRecycledVanishesItsFindings) {
  Kernel kernel{false, true};
  std::uint64_t reads = 0;
  kernel.view.on_call([&](std::string_view operation, const std::string& path) {
    if (operation != "read" || path != "/proc/7/smaps" || ++reads != 4) return;
    kernel.process.start_time = 9999;
    kernel.view.set_file("/proc/7/stat", kernel.process.stat());
  });
  EXPECT_EQ(kernel.audit().verdict, Verdict::vanished);
}

TEST(AuditTarget, ADeadlineMakesItContended) {
  Kernel kernel{false, true};
  kernel.view.set_call_time(std::chrono::seconds(2));
  const ProcessReport report = kernel.audit();
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.reason, "contended");
  EXPECT_FALSE(report.explanation.empty());
}

TEST(AuditTarget, ANameThatLiesIsOnlyAName) {
  for (const char* comm : {"x) R 1 (y", ")", "(", "a b\nc", "smaps\n7 (x", "\xff\xfe\xfd", ""}) {
    Kernel kernel;
    kernel.process.comm = comm;
    kernel.process.publish();
    const ProcessReport report = kernel.audit();
    EXPECT_EQ(report.verdict, Verdict::consistent) << comm << report.explanation;
    EXPECT_EQ(report.comm, comm);
    EXPECT_EQ(report.start_time_ticks, 4711u);
  }
}

TEST(AuditTarget, AMappingWhoseNameLiesIsOnlyAName) {
  for (const char* name : {"[heap] Rss: 99999 kB", "Rss:           99999 kB", "VmFlags: ht pf",
                           "/tmp/x (deleted)", "400000-500000 rw-p 00000000 00:00 0", "\x01\xff"}) {
    Kernel kernel;
    kernel.process.vmas[4].name = name;
    kernel.process.publish();
    const ProcessReport report = kernel.audit();
    EXPECT_EQ(report.verdict, Verdict::consistent) << name << report.explanation;
    EXPECT_EQ(report.reported.rss_bytes, 50 * kPage);
  }
}

/// A small program that sleeps until its end.
class QuietChild {
 public:
  QuietChild() {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      // Another program: a fork of ours would carry a sanitizer's terabytes along.
      ::execlp("sleep", "sleep", "300", nullptr);
      ::_exit(127);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  QuietChild(const QuietChild&) = delete;
  QuietChild& operator=(const QuietChild&) = delete;
  ~QuietChild() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] int pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST(AuditTarget, NoFailingCallOfALiveAuditBecomesAFinding) {
  LiveKernelView whole;
  const auto host = read_host_info(whole);
  ASSERT_TRUE(host.ok());
  KernelCapabilities found = capabilities(false);
  found.procmap_query = false;
  const QuietChild child;
  const TemporaryDirectory proc;
  show_only_process(proc, child.pid());
  LiveKernelView live{proc.path()};
  FailingKernelView counting{live};
  const ProcessReport unharmed = audit_target(counting, found, host->pages, child.pid(), {});
  if (unharmed.verdict == Verdict::denied) GTEST_SKIP() << unharmed.explanation;
  const std::uint64_t calls = std::min<std::uint64_t>(counting.calls(), 2000);
  for (std::uint64_t call = 1; call <= calls; ++call) {
    // Each errno has its turn, so that the test stays short.
    const int error = kErrnos[call % kErrnos.size()];
    FailingKernelView failing{live};
    failing.fail_call(call, error);
    const ProcessReport report = audit_target(failing, found, host->pages, child.pid(), {});
    EXPECT_TRUE(report.findings.empty()) << call << ' ' << error;
    EXPECT_EQ(report.reason.empty(), report.verdict == Verdict::consistent) << call;
  }
}

}  // namespace
}  // namespace smaps_audit
