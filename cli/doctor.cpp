// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <linux/capability.h>

#include <array>
#include <ostream>
#include <span>

#include "base/parse_int.h"
#include "cli/card_store.h"
#include "cli/command_line.h"
#include "cli/exit_code.h"
#include "cli/render.h"
#include "collect/target.h"
#include "report/card_report.h"

namespace smaps_audit {
namespace {

struct Attempt {
  bool works = false;
  std::string detail;
};

// Opening is no proof: permissions of /proc files are asked again at each read.
Attempt try_read(KernelView& view, const std::string& path) {
  const Result<KernelFile> file = view.open(KernelRoot::proc, path);
  if (!file) return {false, file.error().message()};
  std::array<std::byte, 4096> buffer{};
  const Result<std::size_t> got = view.read(*file, buffer);
  if (!got) return {false, got.error().message()};
  return {true, ""};
}

DoctorFeature foreign(KernelView& view, std::string id, std::string name, const std::string& path,
                      std::string cost, std::string remedy) {
  Attempt attempt = try_read(view, path);
  return DoctorFeature{.id = std::move(id),
                       .name = std::move(name),
                       .works = attempt.works,
                       .detail = std::move(attempt.detail),
                       .cost = std::move(cost),
                       .remedy = std::move(remedy)};
}

std::vector<DoctorFeature> kernel_features(const KernelCapabilities& found) {
  return {
      {"pagemap", "pagemap (own)", found.pagemap, "",
       "there is no independent witness: nothing can be audited.", "CONFIG_PROC_PAGE_MONITOR"},
      {"pagemap-scan", "PAGEMAP_SCAN", found.pagemap_scan, "",
       "plain pagemap reads: slower on sparse mappings, zero pages are told apart by page frame "
       "numbers only.",
       "Linux 6.7"},
      {"procmap-query", "PROCMAP_QUERY", found.procmap_query, "",
       "maps is read along: a few more mappings stay uncovered where many come and go.",
       "Linux 6.11"},
      {"smaps-rollup", "smaps_rollup", found.smaps_rollup, "",
       "one witness less (checks I3), and K03 cannot be there.", "Linux 4.14"},
      {"numa-maps", "numa_maps", found.numa_maps, "",
       "one witness less (check I6); without page frame numbers shared memory stays inconclusive.",
       "CONFIG_NUMA"},
      {"wchan", "wchan", found.wchan, "",
       "no process is ever proven asleep: the totals of busy ones have wider bounds.",
       "CONFIG_KALLSYMS, and CAP_SYS_PTRACE for other users' processes"},
      {"pfn", "page frame numbers", found.pfn_visible, "",
       "memory shared by fork or KSM, and swapped pages, are \"maybe\": inconclusive where that is "
       "2 MiB or more (before Linux 6.7).",
       "CAP_SYS_ADMIN"},
      {"kpageflags", "kpageflags", found.kpageflags, "",
       "poisoned and zero pages cannot be looked up.", "CAP_DAC_READ_SEARCH or root"},
      {"kpagecount", "kpagecount", found.kpagecount, "",
       "the true Pss of shared memory stays unknown.", "CAP_DAC_READ_SEARCH or root"},
      {"huge-zero", "huge zero page is marked",
       !found.pagemap_scan ? std::nullopt : std::optional{found.scan_flags_huge_zero}, "",
       "a huge page may be the huge zero page (K12), so that it is \"maybe\".",
       "Linux 6.12.36 or 6.16"},
      {"exact-counters", "VmRSS counted exactly", found.rss_counters == RssCounterError::exact, "",
       "VmRSS may be off by a bound, and only a difference beyond it speaks.", "Linux 6.16"},
  };
}

// CapEff of our own status; nullopt where it cannot be had.
std::optional<std::uint64_t> effective_capabilities(KernelView& view) {
  constexpr std::string_view kKey = "CapEff:\t";
  const Result<std::string> status = read_file(view, KernelRoot::proc, "self/status");
  if (!status) return std::nullopt;
  const std::size_t key = status->find(kKey);
  if (key == std::string::npos) return std::nullopt;
  const std::size_t begin = key + kKey.size();
  return parse_unsigned(std::string_view{*status}.substr(begin, status->find('\n', begin) - begin),
                        16);
}

std::vector<PrivilegeLevel> levels_of(KernelView& view, bool pagemap) {
  const std::optional<std::uint64_t> effective = effective_capabilities(view);
  const auto holds = [&](unsigned capability) -> std::optional<bool> {
    if (!effective) return std::nullopt;
    return ((*effective >> capability) & 1U) != 0;
  };
  return {
      {"own processes", "Audits of the processes of this user.", pagemap},
      {"+ CAP_SYS_PTRACE", "smaps, smaps_rollup, numa_maps and wchan of other users' processes.",
       holds(CAP_SYS_PTRACE)},
      {"+ CAP_DAC_READ_SEARCH",
       "pagemap of other users' processes: the independent witness. Audits of everyone.",
       holds(CAP_DAC_READ_SEARCH)},
      {"+ CAP_SYS_ADMIN",
       "Page frame numbers: shared and swapped memory becomes conclusive, truth intervals narrow.",
       holds(CAP_SYS_ADMIN)},
  };
}

}  // namespace

DoctorReport examine(KernelView& view, const HostInfo& host,
                     const KernelCapabilities& capabilities) {
  DoctorReport report;
  report.tool_version = tool_version();
  report.host = host;
  report.features = kernel_features(capabilities);
  const std::string privilege = "CAP_SYS_PTRACE (or root)";
  report.features.push_back(foreign(view, "foreign-smaps", "smaps of pid 1", "1/smaps",
                                    "only processes of this user are audited, the rest is denied.",
                                    privilege));
  report.features.push_back(foreign(view, "foreign-rollup", "smaps_rollup of pid 1",
                                    "1/smaps_rollup", "as above.", privilege));
  report.features.push_back(foreign(view, "foreign-numa-maps", "numa_maps of pid 1", "1/numa_maps",
                                    "as above.", privilege));
  report.features.push_back(foreign(view, "foreign-pagemap", "pagemap of pid 1", "1/pagemap",
                                    "other users' processes have no independent witness.",
                                    "CAP_DAC_READ_SEARCH beside CAP_SYS_PTRACE (or root)"));
  report.levels = levels_of(view, capabilities.pagemap);
  return report;
}

namespace {

// The last behaviour card, which says nothing of another boot, nor of other live patches.
int show_card(const DoctorOptions& options, KernelView& view, const HostInfo& host, Output& output,
              CliEnvironment& environment) {
  const auto directory = spool_directory(options.spool);
  const auto card = directory ? load_card(*directory)
                              : Result<probes::BehaviourCard>{Error{
                                    .code = ErrorCode::gone, .what = "there is no home for it"}};
  if (!card) {
    complain(environment, card.error(), kExitCannotRun);
    environment.err << "smaps-audit: smaps-audit probe makes one\n" << std::flush;
    return kExitCannotRun;
  }
  const bool other_boot = card->boot_id != host.boot_id;
  if (other_boot || card->livepatches != probes::read_livepatches(view)) {
    const std::string of = other_boot ? "another boot" : "other live patches";
    const Error stale{.code = ErrorCode::gone,
                      .what = "the last behaviour card is of " + of + " (Linux " +
                              card->kernel_release + "): smaps-audit probe makes a new one"};
    return complain(environment, stale, kExitCannotRun);
  }
  if (options.common.format == Format::json) {
    output.stream() << card_text(*card);
  } else {
    write_card(output.stream(), *card, style_for(environment, options.common, output));
  }
  return finish_output(output, environment, kExitClean);
}

}  // namespace

int run_doctor(const DoctorOptions& options, CliEnvironment& environment) {
  Result<Output> output = Output::open(options.common.output, environment.out);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  const std::unique_ptr<KernelView> view =
      environment.open_view(options.common.proc_root, options.common.sys_root);
  const Result<HostInfo> host = environment.host(*view);
  if (!host) return complain(environment, host.error(), kExitCannotRun);
  if (options.kernel) return show_card(options, *view, *host, *output, environment);
  const Result<KernelCapabilities> capabilities =
      environment.capabilities(*view, host->pages, options.common.without);
  if (!capabilities) return complain(environment, capabilities.error(), kExitCannotRun);
  const DoctorReport report = examine(*view, *host, *capabilities);
  if (options.common.format == Format::json) {
    write_doctor_json(output->stream(), report);
  } else {
    write_doctor_text(output->stream(), report, style_for(environment, options.common, *output));
  }
  return finish_output(*output, environment, capabilities->pagemap ? kExitClean : kExitCannotRun);
}

}  // namespace smaps_audit
