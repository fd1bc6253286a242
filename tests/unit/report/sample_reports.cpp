// SPDX-License-Identifier: Apache-2.0
#include "sample_reports.h"

namespace smaps_audit::samples {
namespace {

Finding deficit(Interface interface, std::uint64_t reported, std::uint64_t truth) {
  Finding finding;
  finding.check = interface == Interface::smaps_rollup ? "I3" : "I7";
  finding.field = "Rss";
  finding.interface = interface;
  finding.reported_bytes = reported;
  finding.expected = {truth, truth};
  finding.error_bytes = truth - reported;
  finding.exact = true;
  finding.brackets = 3;
  finding.basis = Basis::asleep;
  return finding;
}

}  // namespace

ProcessReport k01_by_mprotect() {
  constexpr std::uint64_t kTruth = 68919296;
  constexpr std::uint64_t kReported = 1810432;
  ProcessReport process;
  process.pid = 4211;
  process.start_time_ticks = 123456;
  process.comm = "postgres";
  process.verdict = Verdict::finding;
  process.reported = {.rss_bytes = kReported,
                      .pss_bytes = 1000000,
                      .anon_huge_bytes = 0,
                      .status_rss_bytes = kTruth,
                      .rollup_rss_bytes = kReported,
                      .numa_maps_bytes = kTruth};
  process.truth = TrueMemory{.rss = {kTruth, kTruth}, .pss = std::nullopt, .by_scan = false};
  process.audited_bytes = 80 * kMiB;
  process.vmas = 31;
  process.brackets = 40;
  for (const Interface interface : {Interface::smaps, Interface::smaps_rollup}) {
    Finding finding = deficit(interface, kReported, kTruth);
    finding.defect = "K01";
    finding.cause = Cause::mprotect;
    if (interface == Interface::smaps) {
      finding.vmas = {
          {.start = 0x7f1200000000, .end = 0x7f1204000000, .name = "", .error_bytes = 64 * kMiB}};
      finding.vmas_total = 1;
    }
    process.findings.push_back(finding);
  }
  return process;
}

ProcessReport k01_by_hints_with_many_vmas() {
  ProcessReport process = k01_by_mprotect();
  process.pid = 4194303;
  process.comm = "fifteen_bytes_x";
  process.truth->rss = {68919296, 70000000};
  Finding& smaps = process.findings[0];
  smaps.cause = Cause::numa_hint;
  smaps.exact = false;
  smaps.basis = Basis::series;
  smaps.brackets = 24;
  smaps.vmas.clear();
  for (std::uint64_t i = 0; i < kMaxListedVmas; ++i) {
    const std::uint64_t start = 0x7f1200000000 + i * 2 * kMiB;
    smaps.vmas.push_back({.start = start,
                          .end = start + 2 * kMiB,
                          .name = "/a/very/long/path/that/goes/on/and/on/and/on/to/the/file.so",
                          .error_bytes = 2 * kMiB});
  }
  smaps.vmas_total = 100;
  process.findings[1].defect = "K03";
  process.findings[1].cause.reset();
  Finding note = smaps;
  note.check = "I12";
  note.interface = Interface::pagemap_scan;
  process.notes.push_back(note);
  return process;
}

ProcessReport k03() {
  ProcessReport process = k01_by_mprotect();
  process.pid = 5000;
  process.comm = "mapper";
  process.reported.rss_bytes = 68919296;
  process.reported.rollup_rss_bytes = 40 * kMiB;  // the screen's; the worst read is the finding's
  process.findings.erase(process.findings.begin());
  Finding& finding = process.findings.front();
  finding = deficit(Interface::smaps_rollup, 30 * kMiB, 68919296);
  finding.defect = "K03";
  finding.exact = false;
  finding.basis = Basis::series;
  finding.brackets = 24;
  return process;
}

ProcessReport consistent_with_notes() {
  ProcessReport process = consistent();
  process.pid = 4212;
  process.comm = "threads";
  process.reported.status_rss_bytes = 68919296 - 2 * kMiB;
  Finding lag = deficit(Interface::status, 68919296 - 2 * kMiB, 68919296);
  lag.check = "I4";
  lag.field = "VmRSS";
  lag.defect = "K05";
  Finding flag = lag;
  flag.check = "I10";
  flag.direction = Direction::excess;
  flag.field = "EXCLUSIVE";
  flag.interface = Interface::pagemap;
  flag.error_bytes = kMiB;
  flag.defect = "K09";
  process.notes = {lag, flag};
  return process;
}

HostNote host_note() {
  HostNote note;
  note.check = "I13";
  note.interface = "meminfo";
  note.field = "AnonPages";
  note.counter = {4096 * kMiB, 4100 * kMiB};
  note.processes_low = 3000 * kMiB;
  note.processes_high = 3276 * kMiB;
  note.error_bytes = 820 * kMiB;
  note.rounds = 24;
  note.processes = 212;
  note.defects = {"K01", "K03", "K29"};
  return note;
}

HostNote cgroup_note() {
  HostNote note = host_note();
  note.check = "I14";
  note.interface = "memory.stat";
  note.field = "anon";
  note.cgroup = "/system.slice/a-service-of-a-long-name.service";
  note.direction = Direction::excess;
  note.counter = {100 * kMiB, 101 * kMiB};
  note.processes_low = 200 * kMiB;
  note.error_bytes = 99 * kMiB;
  note.defects = {"K01", "K03", "K26"};
  return note;
}

ProcessReport undecided_pair() {
  ProcessReport process = k01_by_mprotect();
  process.pid = 17;
  process.comm = "forker";
  process.findings.resize(1);
  process.findings[0].against = Interface::numa_maps;
  process.findings[0].defect.reset();
  process.findings[0].cause.reset();
  process.truth->rss = {1810432, 68919296};
  return process;
}

ProcessReport unknown_excess() {
  ProcessReport process = k01_by_mprotect();
  process.pid = 18;
  process.comm = "exceeder";
  process.findings.resize(1);
  Finding& finding = process.findings[0];
  finding.direction = Direction::excess;
  finding.field = "Private_Dirty";
  finding.check = "I2";
  finding.basis = Basis::same_record;
  finding.defect.reset();
  finding.cause.reset();
  finding.reported_bytes = 4 * kMiB;
  finding.expected = {2 * kMiB, 2 * kMiB};
  finding.error_bytes = 2 * kMiB;
  return process;
}

ProcessReport consistent() {
  ProcessReport process = k01_by_mprotect();
  process.pid = 1;
  process.comm = "systemd";
  process.verdict = Verdict::consistent;
  process.findings.clear();
  process.reported.rss_bytes = process.reported.status_rss_bytes;
  process.reported.rollup_rss_bytes = process.reported.status_rss_bytes;
  return process;
}

ProcessReport inconclusive() {
  ProcessReport process = consistent();
  process.pid = 77;
  process.comm = "java";
  process.verdict = Verdict::inconclusive;
  process.reason = "maybe_pages";
  process.open_bytes = 12 * kMiB;
  process.truth->rss = {56336384, 68919296};
  process.reported.numa_maps_bytes.reset();
  return process;
}

ProcessReport denied() {
  ProcessReport process;
  process.pid = 99;
  process.comm = "sshd";
  process.verdict = Verdict::denied;
  process.reason = "permission";
  return process;
}

ProcessReport vanished() {
  ProcessReport process;
  process.pid = 100;
  process.verdict = Verdict::vanished;
  process.reason = "gone";
  return process;
}

ProcessReport kernel_thread() {
  ProcessReport process;
  process.pid = 2;
  process.comm = "kthreadd";
  process.verdict = Verdict::skipped;
  process.reason = "kernel_thread";
  process.kernel_thread = true;
  return process;
}

AuditReport report_of(std::vector<ProcessReport> processes) {
  AuditReport report;
  report.tool_version = "0.1.0";
  report.host.kernel_release = "6.1.0-56-cloud-amd64";
  report.host.machine = "x86_64";
  report.host.boot_id = "2b7a1f60-0000-4000-8000-000000000001";
  report.host.cpus = 2;
  report.host.numa_nodes = 2;
  report.host.thp = "madvise";
  report.started = std::chrono::seconds(1'700'000'000) + std::chrono::microseconds(42);
  report.duration = std::chrono::milliseconds(1500);
  for (const ProcessReport& process : processes) report.summary.count(process);
  report.processes = std::move(processes);
  return report;
}

AuditReport whole_host() {
  std::vector<ProcessReport> processes{k01_by_mprotect(), k01_by_hints_with_many_vmas(), k03(),
                                       undecided_pair(), unknown_excess()};
  for (int i = 0; i < 1995; ++i) {
    ProcessReport process = i % 100 == 0 ? inconclusive() : i % 10 == 1 ? denied() : consistent();
    if (i % 200 == 0) process.reason = "contended";
    if (i % 50 == 2) process = kernel_thread();
    process.pid = 10000 + i;
    process.open_bytes += static_cast<std::uint64_t>(i) * 4096;
    processes.push_back(process);
  }
  processes.push_back(vanished());
  return report_of(std::move(processes));
}

}  // namespace smaps_audit::samples
