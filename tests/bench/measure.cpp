// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/measure.h"

#include <chrono>
#include <cstddef>
#include <span>
#include <sstream>
#include <utility>

#include "cli/audit_target.h"
#include "collect/live_kernel_view.h"
#include "parsers/smaps.h"
#include "report/report.h"

namespace smaps_audit::bench {
namespace {

constexpr std::size_t kCatBytes = std::size_t{64} << 10;

template <class Work>
double seconds_of(Work work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// One trace and its texts for all processes together.
class Measurement {
 public:
  Measurement(const Bench& bench, const std::vector<int>& pids) : bench_(bench), pids_(pids) {}

  Result<AuditTimes> run() {
    const Result<Ok> prepared = trace();
    if (!prepared) return prepared.error();
    for (unsigned round = 0; round < bench_.rounds; ++round) {
      const Result<Ok> catted = cat();
      if (!catted) return catted.error();
      times_.check.push_back(seconds_of([&] { check(view_); }));
      times_.bare.push_back(seconds_of([&] { bare(); }));
      times_.check_json.push_back(seconds_of([&] {
        check(view_);
        write_report();
      }));
    }
    return std::move(times_);
  }

 private:
  /// The first audit warms up, the second one's calls are the list.
  Result<Ok> trace() {
    check(view_);
    BareKernelView traced{view_};
    check(traced);
    calls_ = traced.calls();
    times_.calls = calls_.calls.size();
    times_.calls_by_kind =
        std::to_string(calls_.count(BareCall::Kind::read)) + " read, " +
        std::to_string(calls_.count(BareCall::Kind::pread)) + " pread, " +
        std::to_string(calls_.count(BareCall::Kind::pagemap_scan)) + " PAGEMAP_SCAN, " +
        std::to_string(calls_.count(BareCall::Kind::procmap_query)) + " PROCMAP_QUERY, " +
        std::to_string(calls_.count(BareCall::Kind::open)) + " open";
    times_.same_outcome = BareKernelView::repeat(calls_, buffer_) == traced.outcome();
    for (const ProcessReport& process : report_.processes) {
      if (process.verdict == Verdict::finding) ++times_.findings;
      if (process.verdict != Verdict::finding && process.verdict != Verdict::consistent) {
        ++times_.inconclusive;
      }
    }
    report_.host = bench_.host;
    return Ok{};
  }

  Result<Ok> cat() {
    text_.resize(kCatBytes);
    times_.text_bytes = 0;
    double reading = 0;
    double parsing = 0;
    for (const int pid : pids_) {
      auto file = view_.open(KernelRoot::proc, std::to_string(pid) + "/smaps");
      if (!file) return file.error();
      for (;;) {
        Result<std::size_t> got = std::size_t{0};
        reading +=
            seconds_of([&] { got = view_.read(*file, std::as_writable_bytes(std::span{text_})); });
        if (!got) return got.error();
        if (*got == 0) break;
        times_.text_bytes += *got;
        const std::string_view chunk{text_.data(), *got};
        bool parsed = true;
        parsing += seconds_of([&] { parsed = parse_smaps(chunk).ok(); });
        if (!parsed) return Error{.code = ErrorCode::malformed, .what = "smaps does not parse"};
      }
    }
    times_.parse.push_back(parsing);
    times_.cat.push_back(reading);
    return Ok{};
  }

  void check(KernelView& view) {
    report_.processes.clear();
    report_.summary = {};
    for (const int pid : pids_) {
      report_.processes.push_back(
          audit_target(view, bench_.capabilities, bench_.host.pages, pid, {}));
      report_.summary.count(report_.processes.back());
    }
  }

  void bare() { BareKernelView::repeat(calls_, buffer_); }

  void write_report() {
    std::ostringstream json;
    write_json(json, report_);
  }

  const Bench& bench_;
  const std::vector<int>& pids_;
  LiveKernelView view_;
  BareCalls calls_;
  std::vector<std::byte> buffer_;
  std::string text_;
  AuditReport report_;
  AuditTimes times_;
};

}  // namespace

Result<Bench> prepare(unsigned rounds) {
  LiveKernelView view;
  const auto host = read_host_info(view);
  if (!host) return host.error();
  const auto capabilities = probe_kernel_capabilities(view, host->pages, {});
  if (!capabilities) return capabilities.error();
  return Bench{*host, *capabilities, rounds};
}

Result<AuditTimes> measure(const Bench& bench, const std::vector<int>& pids) {
  return Measurement{bench, pids}.run();
}

}  // namespace smaps_audit::bench
