// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/environment.h"
#include "tests/support/fake_kernel_view.h"

namespace smaps_audit {

struct CliRun {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// The program over a kernel made of values and an audit that is given.
class CliFixture {
 public:
  CliFixture();

  std::function<void(FakeKernelView&)> kernel;  ///< sets the kernel up; by default pids 1, 7 and 42
  std::function<ProcessReport(KernelView&, int, const AuditOptions&)> audit;
  std::function<probes::ProbeResult(const probes::Probe&, const probes::ProbeSetup&)> run_probe;
  std::function<int()> stop_signal = [] { return 0; };
  bool terminal = false;
  KernelCapabilities capabilities;
  int own_pid = 42;

  CliRun run(const std::vector<std::string>& words);
};

/// A process of the default kernel: comm, status (uid) and cgroup.
void add_process(FakeKernelView& kernel, int pid, const std::string& comm, unsigned uid,
                 const std::string& cgroup);

ProcessReport report_with(int pid, Verdict verdict);

}  // namespace smaps_audit
