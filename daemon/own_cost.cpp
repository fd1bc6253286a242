// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include "collect/live_kernel_view.h"
#include "collect/target.h"
#include "daemon/metrics.h"
#include "parsers/proc_stat.h"
#include "parsers/proc_status.h"

namespace smaps_audit::service {
namespace {

// Never a deadlock: it is its own.
std::string own(KernelView& view, const char* file) {
  return read_file(view, KernelRoot::proc, std::string{"self/"} + file).value_or("");
}

double boot_time_seconds(KernelView& view) {
  timespec since_boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto up =
      std::chrono::seconds{since_boot.tv_sec} + std::chrono::nanoseconds{since_boot.tv_nsec};
  return std::chrono::duration<double>(view.wall_now() - up).count();
}

}  // namespace

ProcessCost read_own_cost() {
  ProcessCost cost;
  LiveKernelView view;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  cost.cpu_seconds = of(usage.ru_utime) + of(usage.ru_stime);
  if (const auto status = parse_proc_status(own(view, "status")); status) {
    cost.resident_bytes = status->vm_rss.value_or(0);
    cost.virtual_bytes = status->vm_size.value_or(0);
    cost.threads = status->threads.value_or(0);
  }
  if (const auto stat = parse_proc_stat(own(view, "stat")); stat) {
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    cost.start_time_seconds =
        boot_time_seconds(view) + static_cast<double>(stat->start_time_ticks) / ticks;
  }
  if (auto fds = view.open_directory(KernelRoot::proc, "self/fd"); fds) {
    if (const auto names = view.list(*fds); names) cost.open_fds = names->size() - 1;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) cost.max_fds = limit.rlim_cur;
  return cost;
}

}  // namespace smaps_audit::service
