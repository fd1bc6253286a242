// SPDX-License-Identifier: Apache-2.0
#include "probes/card.h"

#include <algorithm>
#include <array>

namespace smaps_audit::probes {
namespace {

constexpr auto kFinding = DefectClass::finding;
constexpr auto kNote = DefectClass::note;
constexpr std::string_view kNoProbe = "no probe asks for it";

/// Class and title only of those that config/known-defects.json does not hold.
constexpr std::array kDefects{
    DefectRow{.id = "K01",
              .asked_by = "protnone-thp,protnone-shmem,numa-hinted-thp,numa-hinted-shared",
              .why_not = ""},
    DefectRow{.id = "K02", .asked_by = "follow-page", .why_not = ""},
    DefectRow{.id = "K03", .asked_by = "rollup-contention", .why_not = ""},
    DefectRow{.id = "K04",
              .asked_by = "",
              .why_not = "it was in release candidates of 6.1 only",
              .defect_class = kFinding,
              .title = "smaps_rollup is all zero"},
    DefectRow{.id = "K05", .asked_by = "counter-slack", .why_not = ""},
    DefectRow{.id = "K06", .asked_by = "counter-slack", .why_not = ""},
    DefectRow{.id = "K07",
              .asked_by = "",
              .why_not = "it takes a device whose memory can be mapped privately"},
    DefectRow{.id = "K08", .asked_by = "", .why_not = "a probe would have to poison memory"},
    DefectRow{.id = "K09", .asked_by = "exclusive-bit", .why_not = ""},
    DefectRow{.id = "K10", .asked_by = "protnone-shmem", .why_not = ""},
    DefectRow{.id = "K11", .asked_by = "zero-page", .why_not = ""},
    DefectRow{.id = "K12", .asked_by = "zero-page", .why_not = ""},
    DefectRow{.id = "K13", .asked_by = "", .why_not = kNoProbe},
    DefectRow{.id = "K14",
              .asked_by = "",
              .why_not = "asking could hang or corrupt",
              .defect_class = kNote,
              .title = "hazards of PAGEMAP_SCAN with write protection"},
    DefectRow{.id = "K15", .asked_by = "thp-dirty", .why_not = ""},
    DefectRow{.id = "K16",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "the dirty bit of a huge page of a file is lost on unmap"},
    DefectRow{.id = "K19", .asked_by = "", .why_not = kNoProbe},
    DefectRow{.id = "K20",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "smaps of hugetlb races with migration"},
    DefectRow{.id = "K21",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "shared hugetlb page tables show as private"},
    DefectRow{.id = "K22",
              .asked_by = "",
              .why_not = "asking could crash the kernel",
              .defect_class = kNote,
              .title = "smaps reads the mapcount of a migration entry"},
    DefectRow{.id = "K23",
              .asked_by = "",
              .why_not = "it takes a 32-bit program",
              .defect_class = kNote,
              .title = "move_pages(2) of 32-bit programs is wrong beyond 16 pages"},
    DefectRow{.id = "K24", .asked_by = "", .why_not = kNoProbe},
    DefectRow{.id = "K25",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "node statistics are wrong after a huge page moved"},
    DefectRow{.id = "K26", .asked_by = "", .why_not = kNoProbe},
    DefectRow{.id = "K27",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "KSM counters are wrong after a fork"},
    DefectRow{.id = "K28",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "numa_maps misspells policies with balancing"},
    DefectRow{.id = "K29", .asked_by = "", .why_not = kNoProbe},
    DefectRow{.id = "K30",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "RssFile and RssShmem are mixed up"},
    DefectRow{.id = "K31",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "VmLck leaks"},
    DefectRow{.id = "K32",
              .asked_by = "",
              .why_not = "it takes a 32-bit kernel",
              .defect_class = kNote,
              .title = "pagemap flags of huge pages on 32-bit kernels"},
    DefectRow{.id = "K33",
              .asked_by = "",
              .why_not = kNoProbe,
              .defect_class = kNote,
              .title = "SHM_INFO counts hugetlb wrongly"},
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

std::string_view title_of(std::string_view id) {
  if (const KnownDefect* const known = find_known_defect(id)) return known->title;
  const DefectRow* const row = find_defect_row(id);
  return row == nullptr ? "" : row->title;
}

DefectClass class_of(std::string_view id) {
  if (const KnownDefect* const known = find_known_defect(id)) return known->defect_class;
  const DefectRow* const row = find_defect_row(id);
  return row == nullptr ? DefectClass::finding : row->defect_class;
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

namespace {

bool by_name(const CardProbe& a, const CardProbe& b) { return a.probe < b.probe; }

void merge_nameless(BehaviourCard& card, const BehaviourCard& earlier) {
  for (const std::string& name : earlier.nameless) {
    const bool asked_again = std::any_of(
        card.probes.begin(), card.probes.end(),
        [&](const CardProbe& row) { return row.probe == name && row.outcome != Outcome::skipped; });
    if (!asked_again) card.nameless.push_back(name);
  }
}

void merge_probes(BehaviourCard& card, const BehaviourCard& earlier) {
  for (const CardProbe& known : earlier.probes) {
    const auto same = std::find_if(card.probes.begin(), card.probes.end(),
                                   [&](const CardProbe& row) { return row.probe == known.probe; });
    if (same == card.probes.end()) {
      card.probes.push_back(known);
    } else if (same->outcome == Outcome::skipped) {
      *same = known;
    }
  }
  std::sort(card.probes.begin(), card.probes.end(), by_name);
}

}  // namespace

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
  for (const ProbeResult& result : results) {
    card.probes.push_back({.probe = result.probe,
                           .outcome = result.answer.outcome,
                           .reason = result.answer.reason,
                           .taken = {}});
    if (result.answer.outcome == Outcome::fail && result.answer.present_defects().empty()) {
      card.nameless.push_back(result.probe);
    }
  }
  std::sort(card.probes.begin(), card.probes.end(), by_name);
  return card;
}

void merge_earlier(BehaviourCard& card, const BehaviourCard& earlier) {
  if (card.boot_id != earlier.boot_id || card.livepatches != earlier.livepatches) return;
  for (CardRow& row : card.defects) {
    const CardRow* const known = earlier.find(row.id);
    if (row.state == DefectState::unknown && known != nullptr) row = *known;
  }
  merge_nameless(card, earlier);
  merge_probes(card, earlier);
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
