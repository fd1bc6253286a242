// SPDX-License-Identifier: Apache-2.0
#include "cli_fixture.h"

#include <sstream>

#include "cli/run.h"

namespace smaps_audit {

void add_process(FakeKernelView& kernel, int pid, const std::string& comm, unsigned uid,
                 const std::string& cgroup) {
  const std::string directory = "/proc/" + std::to_string(pid);
  const std::string id = std::to_string(uid);
  kernel.set_file(directory + "/comm", comm + "\n");
  kernel.set_file(directory + "/status", "Name:\t" + comm + "\nState:\tS (sleeping)\nUid:\t" + id +
                                             "\t" + id + "\t" + id + "\t" + id + "\n");
  kernel.set_file(directory + "/cgroup", cgroup);
  kernel.set_process(pid, true);
}

ProcessReport report_with(int pid, Verdict verdict) {
  ProcessReport report;
  report.pid = pid;
  report.comm = "p" + std::to_string(pid);
  report.verdict = verdict;
  if (verdict == Verdict::finding) {
    Finding finding;
    finding.check = "I7";
    finding.field = "Rss";
    finding.expected = {4096, 4096};
    finding.error_bytes = 4096;
    report.findings.push_back(finding);
  }
  return report;
}

CliFixture::CliFixture() {
  kernel = [](FakeKernelView& fake) {
    fake.set_directory("/proc/.", {"1", "7", "42", "self", "meminfo"});
    fake.set_link("/proc/./self", "42");
    add_process(fake, 1, "init", 0, "0::/init.scope\n");
    add_process(fake, 7, "postgres", 100, "0::/system.slice/pg.service/x\n");
    add_process(fake, 42, "smaps-audit", 0, "0::/\n");
  };
  audit = [](KernelView&, int pid, const AuditOptions&) {
    return report_with(pid, Verdict::consistent);
  };
  run_probe = [](const probes::Probe& probe, const probes::ProbeSetup&) {
    probes::ProbeResult result;
    result.probe = probe.name;
    result.answer.outcome = probes::Outcome::pass;
    result.answer.reason = "well";
    return result;
  };
  capabilities.pagemap = true;
}

CliRun CliFixture::run(const std::vector<std::string>& words) {
  std::ostringstream out;
  std::ostringstream err;
  CliEnvironment environment{
      .out = out,
      .err = err,
      .out_is_terminal = terminal,
      .err_is_terminal = terminal,
      .own_pid = own_pid,
      .open_view =
          [this](const auto&, const auto&) {
            auto fake = std::make_unique<FakeKernelView>();
            kernel(*fake);
            return fake;
          },
      .host =
          [](KernelView&) {
            HostInfo host;
            host.kernel_release = "6.1.0-test";
            host.boot_id = "boot";
            host.cpus = 2;
            host.numa_nodes = 1;
            return Result<HostInfo>{host};
          },
      .capabilities =
          [this](KernelView&, const PageGeometry&, const ForcedFallbacks&) {
            return Result<KernelCapabilities>{capabilities};
          },
      .audit = [this](KernelView& view, const KernelCapabilities&, const PageGeometry&, int pid,
                      const AuditOptions& options) { return audit(view, pid, options); },
      .run_probe = [this](const auto&, const probes::Probe& probe, const auto& setup,
                          auto) { return run_probe(probe, setup); },
      .stop_signal = stop_signal,
  };
  std::vector<const char*> argv{"smaps-audit"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  CliRun result;
  result.exit_code = run_smaps_audit(static_cast<int>(argv.size()), argv.data(), environment);
  result.out = out.str();
  result.err = err.str();
  return result;
}

}  // namespace smaps_audit
