// SPDX-License-Identifier: Apache-2.0
#include "probes/card.h"

#include <algorithm>
#include <array>

namespace smaps_audit::probes {
namespace {

constexpr auto kFinding = DefectClass::finding;
constexpr auto kNote = DefectClass::note;
constexpr std::string_view kNoProbe = "no probe asks for it";

constexpr std::array kDefects{
    DefectRow{"K01", kFinding, "smaps leaves out huge pages without access rights",
              "protnone-thp,protnone-shmem,numa-hinted-thp,numa-hinted-shared", ""},
    DefectRow{"K02", kNote, "move_pages(2) does not find pages without access rights",
              "follow-page", ""},
    DefectRow{"K03", kFinding, "smaps_rollup skips mappings while others map memory",
              "rollup-contention", ""},
    DefectRow{"K04", kFinding, "smaps_rollup is all zero", "",
              "it was in release candidates of 6.1 only"},
    DefectRow{"K05", kNote, "VmRSS lacks what threads have just faulted", "counter-slack", ""},
    DefectRow{"K06", kNote, "VmRSS is off by what CPUs have not summed up", "counter-slack", ""},
    DefectRow{"K07", kFinding, "private copies in device mappings are invisible", "",
              "it takes a device whose memory can be mapped privately"},
    DefectRow{"K08", kFinding, "poisoned pages count as resident", "",
              "a probe would have to poison memory"},
    DefectRow{"K09", kNote, "pagemap calls a partly shared huge page exclusive", "exclusive-bit",
              ""},
    DefectRow{"K10", kNote, "pagemap lacks PM_FILE on huge pages of a file", "protnone-shmem", ""},
    DefectRow{"K11", kNote, "pagemap sets PM_FILE on the huge zero page", "zero-page", ""},
    DefectRow{"K12", kNote, "PAGEMAP_SCAN does not mark the huge zero page", "zero-page", ""},
    DefectRow{"K13", kNote, "PAGE_IS_WRITTEN of PAGEMAP_SCAN means different things", "", kNoProbe},
    DefectRow{"K14", kNote, "hazards of PAGEMAP_SCAN with write protection", "",
              "asking could hang or corrupt"},
    DefectRow{"K15", kFinding, "mprotect makes written huge pages clean: data may be lost",
              "thp-dirty", ""},
    DefectRow{"K16", kNote, "the dirty bit of a huge page of a file is lost on unmap", "",
              kNoProbe},
    DefectRow{"K19", kNote, "kpageflags lacks KPF_NOPAGE", "", kNoProbe},
    DefectRow{"K20", kNote, "smaps of hugetlb races with migration", "", kNoProbe},
    DefectRow{"K21", kNote, "shared hugetlb page tables show as private", "", kNoProbe},
    DefectRow{"K22", kNote, "smaps reads the mapcount of a migration entry", "",
              "asking could crash the kernel"},
    DefectRow{"K23", kNote, "move_pages(2) of 32-bit programs is wrong beyond 16 pages", "",
              "it takes a 32-bit program"},
    DefectRow{"K24", kNote, "FileHugePages is negative", "", kNoProbe},
    DefectRow{"K25", kNote, "node statistics are wrong after a huge page moved", "", kNoProbe},
    DefectRow{"K26", kNote, "memory.stat drifts", "", kNoProbe},
    DefectRow{"K27", kNote, "KSM counters are wrong after a fork", "", kNoProbe},
    DefectRow{"K28", kNote, "numa_maps misspells policies with balancing", "", kNoProbe},
    DefectRow{"K29", kNote, "per-CPU node statistics are left behind", "", kNoProbe},
    DefectRow{"K30", kNote, "RssFile and RssShmem are mixed up", "", kNoProbe},
    DefectRow{"K31", kNote, "VmLck leaks", "", kNoProbe},
    DefectRow{"K32", kNote, "pagemap flags of huge pages on 32-bit kernels", "",
              "it takes a 32-bit kernel"},
    DefectRow{"K33", kNote, "SHM_INFO counts hugetlb wrongly", "", kNoProbe},
};

bool is_asked_by(const DefectRow& row, std::string_view probe) {
  std::string_view rest = row.asked_by;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    if (rest.substr(0, comma) == probe) return true;
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return false;
}

void add_reason(std::string& reason, const std::string& more) {
  reason += (reason.empty() ? "" : "; ") + more;
}

CardRow judge_row(const DefectRow& row, std::span<const ProbeResult> results) {
  CardRow card{.id = std::string{row.id}, .state = DefectState::unknown, .reason = {}};
  std::string why_unknown;
  for (const ProbeResult& result : results) {
    for (const DefectSeen& seen : result.answer.defects) {
      if (seen.id != row.id) continue;
      const auto state = seen.present ? DefectState::present : DefectState::absent;
      if (card.state == DefectState::present && !seen.present) continue;
      if (card.state != state) card.reason.clear();
      card.state = state;
      if (card.reason.empty()) card.reason = result.probe + ": " + seen.reason;
    }
    const bool conclusive =
        result.answer.outcome == Outcome::pass || result.answer.outcome == Outcome::fail;
    if (is_asked_by(row, result.probe) && !conclusive) {
      add_reason(why_unknown, result.probe + ": " + result.answer.reason);
    }
  }
  if (card.state != DefectState::unknown) return card;
  card.reason = !why_unknown.empty()   ? why_unknown
                : row.asked_by.empty() ? std::string{row.why_not}
                                       : "not run: " + std::string{row.asked_by};
  return card;
}

}  // namespace

std::string_view name_of(DefectState state) {
  switch (state) {
    case DefectState::present: return "present";
    case DefectState::absent: return "absent";
    case DefectState::unknown: return "unknown";
  }
  return "unknown";
}

std::span<const DefectRow> defect_rows() { return kDefects; }

const DefectRow* find_defect_row(std::string_view id) {
  const auto* const found = std::find_if(kDefects.begin(), kDefects.end(),
                                         [id](const DefectRow& row) { return row.id == id; });
  return found == kDefects.end() ? nullptr : found;
}

std::string_view era_text(std::string_view era) {
  if (era == "E0") return "up to 6.0: every caller but a forced one takes the hint";
  if (era == "E1") return "as in 6.1: as before, and follow_page fails on what is hinted";
  if (era == "E2") return "as in 6.5: forced callers take it too";
  if (era == "E3") return "as in 6.6 and later: only writers and KVM take the hint";
  return "";
}

const CardRow* BehaviourCard::find(std::string_view id) const {
  const auto found = std::find_if(defects.begin(), defects.end(),
                                  [id](const CardRow& row) { return row.id == id; });
  return found == defects.end() ? nullptr : &*found;
}

BehaviourCard make_card(std::span<const ProbeResult> results, const HostInfo& host,
                        std::vector<std::string> livepatches) {
  BehaviourCard card;
  card.kernel_release = host.kernel_release;
  card.machine = host.machine;
  card.boot_id = host.boot_id;
  card.livepatches = std::move(livepatches);
  for (const DefectRow& row : kDefects) card.defects.push_back(judge_row(row, results));
  card.gup_era_reason = "not run: gup-fault";
  for (const ProbeResult& result : results) {
    if (result.probe != "gup-fault") continue;
    card.gup_era = result.answer.era;
    card.gup_era_reason = result.answer.reason;
  }
  return card;
}

void merge_earlier(BehaviourCard& card, const BehaviourCard& earlier) {
  if (card.boot_id != earlier.boot_id || card.livepatches != earlier.livepatches) return;
  for (CardRow& row : card.defects) {
    const CardRow* const known = earlier.find(row.id);
    if (row.state == DefectState::unknown && known != nullptr) row = *known;
  }
  if (card.gup_era.empty() && !earlier.gup_era.empty()) {
    card.gup_era = earlier.gup_era;
    card.gup_era_reason = earlier.gup_era_reason;
  }
}

std::vector<std::string> read_livepatches(KernelView& view) {
  const auto directory = view.open_directory(KernelRoot::sys, "kernel/livepatch");
  if (!directory) return {};
  auto names = view.list(*directory);
  if (!names) return {};
  std::sort(names->begin(), names->end());
  return *std::move(names);
}

}  // namespace smaps_audit::probes
