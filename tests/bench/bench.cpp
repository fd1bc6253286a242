// SPDX-License-Identifier: Apache-2.0
// bench WORKLOAD SMAPS-AUDIT [--tiny]: what an audit costs, as Markdown on stdout. Ratios only mean
// something within one run; nothing is asserted but that the measurements could be taken.
#include <chrono>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/child.h"
#include "tests/bench/measure.h"
#include "tests/bench/samples.h"

namespace smaps_audit::bench {
namespace {

struct Sizes {
  unsigned rounds = 15;
  unsigned many_vmas = 20'000;
  unsigned big_mib = 4096;
  unsigned few_vmas_for_memory = 100;
  unsigned many_vmas_for_memory = 60'000;
  unsigned processes = 1000;
};
constexpr Sizes kTiny{.rounds = 2,
                      .many_vmas = 50,
                      .big_mib = 8,
                      .few_vmas_for_memory = 20,
                      .many_vmas_for_memory = 200,
                      .processes = 5};

struct Programs {
  std::string workload;
  std::string smaps_audit;
};

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

std::string spread(const Quartiles& q, double scale, int digits, const char* unit) {
  return fixed(q.median * scale, digits) + unit + " (" + fixed(q.low * scale, digits) + " … " +
         fixed(q.high * scale, digits) + ")";
}

std::string milliseconds(const std::vector<double>& seconds) {
  return spread(quartiles_of(seconds), 1e3, 1, " ms");
}

std::string ratio(const std::vector<double>& measured, const std::vector<double>& base) {
  return spread(ratio_of(measured, base), 1, 2, "");
}

std::string today() {
  const std::chrono::year_month_day date{
      std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now())};
  std::ostringstream text;
  text << std::setfill('0') << static_cast<int>(date.year()) << '-' << std::setw(2)
       << static_cast<unsigned>(date.month()) << '-' << std::setw(2)
       << static_cast<unsigned>(date.day());
  return text.str();
}

void print_times(const std::string& title, const AuditTimes& times) {
  std::vector<double> read_and_parse;
  for (std::size_t i = 0; i < times.cat.size(); ++i) {
    read_and_parse.push_back(times.cat[i] + times.parse[i]);
  }
  const double parse_seconds = quartiles_of(times.parse).median;
  std::cout << "\n## " << title << "\n\n"
            << "smaps: " << times.text_bytes << " bytes. Calls of an audit: " << times.calls << " ("
            << times.calls_by_kind << "). The bare view "
            << (times.same_outcome ? "got the same answers" : "got other answers (something moved)")
            << ". Findings: " << times.findings << ", inconclusive: " << times.inconclusive
            << ".\n\n| what | time | / cat smaps | / bare |\n|---|---|---|---|\n";
  const auto row = [&](const char* what, const std::vector<double>& seconds) {
    std::cout << "| " << what << " | " << milliseconds(seconds) << " | "
              << ratio(seconds, times.cat) << " | " << ratio(seconds, times.bare) << " |\n";
  };
  row("cat smaps (64 KiB reads)", times.cat);
  row("cat smaps, parsed", read_and_parse);
  row("bare view (same calls, nothing parsed)", times.bare);
  row("check", times.check);
  row("check, verdict and JSON", times.check_json);
  std::cout << "\nparse_smaps alone: "
            << fixed(parse_seconds > 0 ? static_cast<double>(times.text_bytes) / parse_seconds / 1e9
                                       : 0.0,
                     2)
            << " GB/s\n";
}

Result<Ok> run_single(const Bench& bench, const Programs& programs, const std::string& title,
                      const std::string& mode, unsigned number) {
  const auto child = HeldChild::start({programs.workload, mode, std::to_string(number)}, true);
  if (!child) return child.error();
  const auto times = measure(bench, {child->pid()});
  if (!times) return times.error();
  print_times(title, *times);
  return Ok{};
}

Result<Ok> run_screening(const Bench& bench, unsigned processes) {
  std::vector<HeldChild> children;
  std::vector<int> pids;
  for (unsigned i = 0; i < processes; ++i) {
    auto child = HeldChild::start({"cat"}, false);
    if (!child) return child.error();
    pids.push_back(child->pid());
    children.push_back(*std::move(child));
  }
  const auto times = measure(bench, pids);
  if (!times) return times.error();
  print_times(std::to_string(processes) + " small processes (cat), one after the other", *times);
  return Ok{};
}

/// Comes first: a child's peak includes what we had resident at the fork.
Result<Ok> run_memory(const Programs& programs, const Sizes& sizes) {
  std::cout
      << "\n## Peak resident memory of `smaps-audit check PID`\n\n| VMAs | peak |\n|---|---|\n";
  for (const unsigned vmas : {sizes.few_vmas_for_memory, sizes.many_vmas_for_memory}) {
    const auto child =
        HeldChild::start({programs.workload, "many-vmas", std::to_string(vmas)}, true);
    if (!child) return child.error();
    const auto peak = peak_rss_bytes({programs.smaps_audit, "check", std::to_string(child->pid())});
    if (!peak) return peak.error();
    constexpr double kMib = 1024.0 * 1024.0;
    std::cout << "| " << vmas << " | " << fixed(static_cast<double>(*peak) / kMib, 2) << " MiB"
              << " |" << std::endl;
  }
  return Ok{};
}

std::string cpu_model() {
  std::ifstream info{"/proc/cpuinfo"};
  constexpr std::string_view kKey = "model name";
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with(kKey)) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

void print_heading(const Bench& bench, const Sizes& sizes) {
  std::cout
      << "# What an audit costs\n\nWritten by `make bench`; the notes on where the time goes are "
         "in profile.md.\n\n- machine: "
      << cpu_model() << ", " << bench.host.cpus.value_or(0) << " CPUs, " << bench.host.machine
      << "\n- kernel: " << bench.host.kernel_release << "\n- capabilities: PAGEMAP_SCAN "
      << (bench.capabilities.pagemap_scan ? "yes" : "no") << ", PROCMAP_QUERY "
      << (bench.capabilities.procmap_query ? "yes" : "no") << ", numa_maps "
      << (bench.capabilities.numa_maps ? "yes" : "no") << ", PFNs "
      << (bench.capabilities.pfn_visible ? "yes" : "no") << "\n- date: " << today()
      << "\n- rounds: " << sizes.rounds
      << ", all rows of a table interleaved; medians (first … third quartile); ratios are "
         "taken round by round\n";
}

int fail(const Error& error) {
  std::cerr << "bench: " << error.message() << '\n';
  return 1;
}

int run(const Programs& programs, const Sizes& sizes) {
  const auto bench = prepare(sizes.rounds);
  if (!bench) return fail(bench.error());
  print_heading(*bench, sizes);
  Result<Ok> done = run_memory(programs, sizes);
  if (done) {
    done = run_single(*bench, programs, std::to_string(sizes.many_vmas) + " VMAs", "many-vmas",
                      sizes.many_vmas);
  }
  if (done) {
    done = run_single(*bench, programs, std::to_string(sizes.big_mib) + " MiB of 4 KiB pages",
                      "big-4k", sizes.big_mib);
  }
  if (done) done = run_screening(*bench, sizes.processes);
  return done ? 0 : fail(done.error());
}

}  // namespace
}  // namespace smaps_audit::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool tiny = words.size() == 3 && words[2] == "--tiny";
  if (words.size() != 2 && !tiny) {
    std::cerr << "usage: bench WORKLOAD SMAPS-AUDIT [--tiny]\n";
    return 64;
  }
  using namespace smaps_audit::bench;
  return run({words[0], words[1]}, tiny ? kTiny : Sizes{});
}
