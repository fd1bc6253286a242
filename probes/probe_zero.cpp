// SPDX-License-Identifier: Apache-2.0
// P19 of docs/kernel.md §6, K11, K12: memory that was only read. Zero pages are nobody's: no Rss,
// no file, and PAGEMAP_SCAN knows them.
#include <sys/mman.h>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kBytes = 4 * kMiB;
enum Region : std::size_t { kHuge, kBase, kWritten };

void run(ProbeChild& child) {
  const Memory huge = map_guarded(kBytes, Pages::huge);
  const Memory base = map_guarded(kBytes, Pages::base);
  const Memory written = ProbeChild::base_memory(kBytes);
  child.fact("huge_faults", faults_of_touching(huge, kPageBytes));
  touch_read(base);
  child.declare("huge-zero", Role::subject, huge, 0);
  child.declare("zero", Role::subject, base, 0);
  child.declare("written", Role::negative, written, kBytes);
  child.hold("read-only");
}

std::string zero_text(const RegionMeasure& measure) {
  return "Rss " + kib_text(measure.smaps.bytes(SmapsField::rss).value_or(0)) + ", present " +
         kib_text(measure.present_bytes.value_or(0)) + ", PM_FILE " + kib_text(measure.file_bytes) +
         (measure.scan_bytes ? ", PFNZERO " + kib_text(measure.scan_zero_bytes) : "");
}

bool is_invisible(const RegionMeasure& measure) {
  return measure.smaps.bytes(SmapsField::rss) == 0 && measure.numa_bytes.value_or(0) == 0;
}

Answer judge(const Trial& trial) {
  const Observation* const seen = trial.find("read-only");
  if (seen == nullptr || seen->measures.size() != kWritten + 1) {
    return inconclusive("the child was not seen");
  }
  if (const auto broken = broken_instrument(*seen)) return inconclusive(*broken);
  const RegionMeasure& huge = seen->measures[kHuge];
  const RegionMeasure& base = seen->measures[kBase];
  if (!huge.present_bytes) return inconclusive("pagemap cannot be read here");
  Answer answer = inconclusive("");
  answer.expected = "Rss 0 kB, present " + kib_text(kBytes) + ", PM_FILE 0 kB" +
                    (huge.scan_bytes ? ", PFNZERO " + kib_text(kBytes) : "");
  answer.observed = "huge: " + zero_text(huge) + "; base: " + zero_text(base);
  if (!is_invisible(base) || base.file_bytes != 0 || base.present_bytes != kBytes) {
    answer.outcome = Outcome::fail;
    answer.reason = "zero pages count as resident, or as those of a file";
    return answer;
  }
  if (base.scan_bytes && base.scan_zero_bytes != kBytes) {
    answer.reason = "PAGEMAP_SCAN does not know ordinary zero pages either";
    return answer;
  }
  const auto huge_pages = static_cast<std::int64_t>(kBytes / kPmdBytes);
  if (trial.fact("huge_faults") != huge_pages || huge.present_bytes != kBytes ||
      !is_invisible(huge)) {
    answer.outcome = Outcome::skipped;
    answer.reason = "reading did not bring the huge zero page (use_zero_page)";
    return answer;
  }
  const bool k11 = huge.file_bytes != 0;
  const bool k12 = huge.scan_bytes && huge.scan_zero_bytes != kBytes;
  answer.outcome = k11 || k12 ? Outcome::fail : Outcome::pass;
  answer.reason = k11 && k12 ? "pagemap calls the huge zero page one of a file, and "
                               "PAGEMAP_SCAN does not know it"
                  : k11      ? "pagemap calls the huge zero page one of a file"
                  : k12      ? "PAGEMAP_SCAN does not know the huge zero page"
                             : "zero pages are nobody's in every interface";
  answer.defects = {
      {"K11", k11, k11 ? "PM_FILE is set on the huge zero page" : "PM_FILE is not set"},
      {"K12", k12,
       !huge.scan_bytes ? "this kernel has no PAGEMAP_SCAN"
       : k12            ? "PFNZERO is not set on the huge zero page"
                        : "PFNZERO is set"}};
  return answer;
}

}  // namespace

const Probe kZeroPage{.name = "zero-page",
                      .question = "Do zero pages, huge ones too, count as nobody's?",
                      .needs = "transparent huge pages with a huge zero page",
                      .cost = "4 MiB, 0.2 s",
                      .tier = Tier::extended,
                      .run = run,
                      .judge = judge};

}  // namespace smaps_audit::probes
