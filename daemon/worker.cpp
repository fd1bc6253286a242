// SPDX-License-Identifier: Apache-2.0
#include "daemon/worker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include "cli/audit_target.h"
#include "cli/exit_code.h"
#include "collect/capture_file.h"
#include "collect/comm.h"
#include "collect/host.h"
#include "collect/live_kernel_view.h"
#include "collect/recording_kernel_view.h"
#include "daemon/heartbeat.h"
#include "daemon/line_reader.h"
#include "daemon/protocol.h"
#include "daemon/sandbox.h"
#include "daemon/screen.h"
#include "report/process_json.h"

namespace smaps_audit::service {
namespace {

/// About half of what a pipe holds.
constexpr std::size_t kMostUnsaid = std::size_t{32} << 10;

Nanoseconds cpu_used() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

std::uint64_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

int complain(const Error& error) {
  const std::string text = "smaps-auditd: worker: " + error.message() + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  return kExitInternal;
}

class Worker {
 public:
  Worker(WorkerOptions options, HeartbeatWriter heart)
      : options_(std::move(options)),
        live_(options_.proc_root.value_or(LiveKernelView::kProcRoot),
              options_.sys_root.value_or(LiveKernelView::kSysRoot)),
        heart_(std::move(heart)),
        orders_(options_.orders.get()) {}

  int run() {
    const auto host = read_host_info(view_);
    if (!host) return complain(host.error());
    host_ = *host;
    auto capabilities = probe_kernel_capabilities(view_, host_.pages, options_.without);
    if (!capabilities) return complain(capabilities.error());
    capabilities_ = *std::move(capabilities);
    if (options_.sandbox) {
      if (const auto confined = enter_sandbox(options_.answers.get()); !confined) {
        return complain(confined.error());
      }
    }
    if (options_.once_confined) options_.once_confined();
    const Hello hello{.worker_pid = ::getpid(), .capabilities = capability_flags(capabilities_)};
    if (!say(answer_line(hello))) return kExitClean;
    for (;;) {
      const auto line = orders_.next();
      if (!line) return kExitClean;
      const auto order = parse_order(*line);
      if (!order) return complain(order.error());
      if (!obey(*order)) return kExitClean;
    }
  }

 private:
  // False when nobody listens any more.
  bool obey(const Order& order) {
    const Nanoseconds cpu = cpu_used();
    const Nanoseconds begun = view_.monotonic_now();
    bool heard = true;
    if (order.kind == OrderKind::list) heard = list(order.pids);
    if (order.kind == OrderKind::screen) heard = screen(order);
    if (order.kind == OrderKind::audit) heard = audit(order);  // a ping is only Done
    heart_.at(0);
    return heard &&
           add(answer_line(Done{.cpu = cpu_used() - cpu,
                                .wall = view_.monotonic_now() - begun,
                                .peak_rss_bytes = peak_rss_bytes()})) &&
           say_all();
  }

  bool list(const std::vector<int>& without) {
    const auto pids = list_pids(view_);
    // An empty list would say that everything has ended.
    if (!pids) return complain(pids.error()) == kExitClean;
    for (const int pid : *pids) {
      if (std::find(without.begin(), without.end(), pid) != without.end()) {
        if (!add(answer_line(LeftOut{.pid = pid}))) return false;
        continue;
      }
      const auto process = screener_.list(pid);
      if (process && !add(answer_line(*process))) return false;
    }
    screener_.forget_all_but(*pids);
    return true;
  }

  bool screen(const Order& order) {
    return std::all_of(order.pids.begin(), order.pids.end(), [&](int pid) {
      return add(answer_line(screener_.screen(pid, order.most_page_table_bytes)));
    });
  }

  bool audit(const Order& order) {
    const AuditOptions options{.deadline = order.deadline, .sharing = sharing_};
    AuditAnswer answer;
    answer.report = audit_target(view_, capabilities_, host_.pages, order.pid, options);
    if (order.capture && answer.report.verdict == Verdict::finding) record(order, answer);
    answer.json = process_to_json(answer.report);
    return add(answer_line(answer));
  }

  // The audit once more, with every read kept. What is reported is what the capture will say.
  void record(const Order& order, AuditAnswer& answer) {
    const CaptureMetadata metadata{.tool_version = SMAPS_AUDIT_VERSION,
                                   .host = host_,
                                   .capabilities = capabilities_,
                                   .pid = order.pid,
                                   .uid = static_cast<std::uint32_t>(::getuid()),
                                   .deadline_ns = order.deadline.count(),
                                   .comm = answer.report.comm};
    const auto report = record_into_scratch(order, metadata);
    if (!report) {
      answer.capture_problem = report.error().message();
      return;
    }
    // It may have ended, or changed, since: then the first audit stands, without evidence.
    if (report->verdict != Verdict::finding) {
      answer.capture_problem = "the target had changed before it could be recorded";
      return;
    }
    answer.report = *report;
    const off_t size = ::lseek(options_.scratch.get(), 0, SEEK_END);
    if (size > 0) answer.capture_bytes = static_cast<std::uint64_t>(size);
  }

  Result<ProcessReport> record_into_scratch(const Order& order, const CaptureMetadata& metadata) {
    if (::ftruncate(options_.scratch.get(), 0) != 0 ||
        ::lseek(options_.scratch.get(), 0, SEEK_SET) != 0) {
      return error_from_errno(errno, "cannot empty the scratch file");
    }
    auto writer =
        CaptureWriter::to_descriptor(UniqueFd{::dup(options_.scratch.get())}, "capture", metadata);
    if (!writer) return writer.error();
    ProcessReport report;
    {
      // The calls of audit_for_capture() and audit_bounded(), which are those of a replay.
      RecordingKernelView recording{view_, *writer};
      recording.wall_now();
      recording.monotonic_now();
      read_comm(recording, order.pid);
      report = audit_target(recording, capabilities_, host_.pages, order.pid,
                            {.deadline = order.deadline});
      recording.monotonic_now();
    }
    if (const auto finished = writer->finish(); !finished) return finished.error();
    return report;
  }

  // Many lines at once: each write wakes the parent.
  [[nodiscard]] bool add(std::string_view line) {
    unsaid_ += line;
    return unsaid_.size() < kMostUnsaid || say_all();
  }

  [[nodiscard]] bool say_all() { return say(std::exchange(unsaid_, {})); }

  [[nodiscard]] bool say(std::string_view line) const {
    while (!line.empty()) {
      const ssize_t written = ::write(options_.answers.get(), line.data(), line.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      line.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  WorkerOptions options_;
  LiveKernelView live_;
  HeartbeatWriter heart_;
  HeartbeatView view_{live_, heart_};
  Screener screener_{view_};
  LineReader orders_;
  std::string unsaid_;
  HostInfo host_;
  KernelCapabilities capabilities_;
  std::shared_ptr<MmSharing> sharing_ = std::make_shared<MmSharing>();
};

}  // namespace

int run_worker(WorkerOptions options) {
  try {
    auto heart = HeartbeatWriter::of(std::move(options.heart));
    if (!heart) return complain(heart.error());
    return Worker{std::move(options), *std::move(heart)}.run();
  } catch (const std::bad_alloc&) {
    return kExitOutOfMemory;
  }
}

}  // namespace smaps_audit::service
