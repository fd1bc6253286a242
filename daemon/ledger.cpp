// SPDX-License-Identifier: Apache-2.0
#include "daemon/ledger.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace smaps_audit::service {
namespace {

constexpr std::size_t kMostListedFindings = 1000;

bool is_rss_deficit(const Finding& finding) {
  return finding.interface == Interface::smaps && finding.field == "Rss" &&
         finding.direction == Direction::deficit && !finding.against;
}

std::size_t index_of(Verdict verdict) { return static_cast<std::size_t>(verdict); }

// Names and numbers are kept, the list of mappings is the store's business.
ProcessReport without_mappings(ProcessReport report) {
  for (Finding& finding : report.findings) finding.vmas.clear();
  report.notes.clear();
  return report;
}

void add(MemorySum& sum, std::uint64_t reported, const Interval& truth) {
  ++sum.processes;
  sum.reported_bytes += reported;
  sum.truth += truth;
}

}  // namespace

/// The largest; nullptr: nothing is left out.
const Finding* Ledger::rss_deficit_of(const Known& known) {
  const Finding* most = nullptr;
  for (const auto& [key, open] : known.open) {
    if (!is_rss_deficit(open.finding)) continue;
    if (most == nullptr || open.finding.error_bytes > most->error_bytes) most = &open.finding;
  }
  return most;
}

std::string Ledger::key_of(const Finding& finding) {
  std::string key = finding.check + "/" + std::string{name_of(finding.interface)} + "/" +
                    finding.field + "/" + std::string{name_of(finding.direction)};
  if (finding.against) key += "/" + std::string{name_of(*finding.against)};
  return key;
}

FindingChange Ledger::change(FindingChange::Kind kind, const Identity& identity, const Known& known,
                             const Finding& finding, std::string why) {
  return {.kind = kind,
          .identity = identity,
          .comm = known.listing.comm,
          .executable = known.listing.executable,
          .group = known.group.name,
          .finding = finding,
          .why = std::move(why)};
}

std::vector<FindingChange> Ledger::listed(std::vector<ProcessListing> processes,
                                          const GroupOf& group_of, Nanoseconds /*wall_now*/) {
  std::map<Identity, Known> old = std::move(known_);
  known_.clear();
  kernel_threads_ = excluded_ = 0;
  for (ProcessListing& process : processes) {
    if (process.kernel_thread) {
      ++kernel_threads_;
      continue;
    }
    auto group = group_of(process);
    if (!group) {
      ++excluded_;
      continue;
    }
    const Identity identity{process.pid, process.start_time_ticks};
    const auto before = old.find(identity);
    Known known = before == old.end() ? Known{} : std::move(before->second);
    if (before != old.end()) old.erase(before);
    known.listing = std::move(process);
    known.group = *std::move(group);
    known_.insert_or_assign(identity, std::move(known));
  }
  std::vector<FindingChange> changes;
  for (const auto& [identity, known] : old) {
    for (const auto& [key, open] : known.open) {
      changes.push_back(change(FindingChange::Kind::resolved, identity, known, open.finding,
                               "the process ended"));
    }
  }
  return changes;
}

void Ledger::screened(const Screening& screening) {
  ++screenings_;
  const auto found = known_.find({screening.pid, screening.start_time_ticks});
  if (found == known_.end() || !screening.status_rss_bytes) return;
  found->second.listing.rss_bytes = screening.status_rss_bytes;
}

std::vector<FindingChange> Ledger::audited(const ProcessReport& report, Nanoseconds wall_now) {
  ++audits_;
  std::vector<FindingChange> changes;
  const Identity identity{report.pid, report.start_time_ticks};
  const auto found = known_.find(identity);
  if (found == known_.end()) return changes;
  Known& known = found->second;
  known.audited = wall_now;
  std::set<std::string> shown;
  for (const Finding& finding : report.findings) {
    const std::string key = key_of(finding);
    shown.insert(key);
    const bool known_already = known.open.contains(key);
    OpenFinding& open = known.open[key];
    if (!known_already) open.first_seen = wall_now;
    open.last_seen = wall_now;
    open.finding = finding;
    open.finding.vmas.clear();
    changes.push_back(
        change(known_already ? FindingChange::Kind::seen_again : FindingChange::Kind::opened,
               identity, known, finding));
  }
  if (leaves_nothing_hidden(report)) {
    std::erase_if(known.open, [&](const auto& entry) {
      if (shown.contains(entry.first)) return false;
      changes.push_back(change(FindingChange::Kind::resolved, identity, known, entry.second.finding,
                               "a later audit no longer shows it"));
      return true;
    });
  }
  known.report = without_mappings(report);
  return changes;
}

std::vector<Target> Ledger::targets() const {
  std::vector<Target> targets;
  targets.reserve(known_.size());
  for (const auto& [identity, known] : known_) {
    targets.push_back({identity, known.listing.page_table_bytes});
  }
  return targets;
}

const ProcessListing* Ledger::find(const Identity& identity) const {
  const auto found = known_.find(identity);
  return found == known_.end() ? nullptr : &found->second.listing;
}

std::optional<Identity> Ledger::identity_of(int pid) const {
  const auto found = known_.lower_bound({pid, 0});
  if (found == known_.end() || found->first.pid != pid) return std::nullopt;
  return found->first;
}

bool Ledger::has_open_finding(const Identity& identity) const {
  const auto found = known_.find(identity);
  return found != known_.end() && !found->second.open.empty();
}

void Ledger::tick(Nanoseconds monotonic_now) {
  const Nanoseconds passed = monotonic_now - ticked_.value_or(monotonic_now);
  ticked_ = monotonic_now;
  const double seconds = std::chrono::duration<double>(passed).count();
  for (const auto& [identity, known] : known_) {
    const Finding* const missing = rss_deficit_of(known);
    if (missing == nullptr) continue;
    byte_seconds_[known.group.name] += seconds * static_cast<double>(missing->error_bytes);
  }
}

void Ledger::describe_process(const Known& known, GroupSnapshot& group, Snapshot& snapshot) const {
  ++group.processes;
  group.configured = group.configured || known.group.configured;
  group.status_rss_bytes += known.listing.rss_bytes.value_or(0);
  for (const auto& [key, entry] : known.open) {
    if (entry.finding.defect) group.defects.insert(*entry.finding.defect);
  }
  group.findings += known.open.size();
  if (!known.open.empty()) ++group.processes_with_finding;
  if (const Finding* const missing = rss_deficit_of(known)) {
    group.rss_deficit_bytes += missing->error_bytes;
    group.rss_deficit_by_defect[missing->defect.value_or("unknown")] += missing->error_bytes;
  }
  if (!known.report) {
    ++group.pending;
    return;
  }
  const ProcessReport& report = *known.report;
  ++group.verdicts.at(index_of(report.verdict));
  ++snapshot.verdicts.at(index_of(report.verdict));
  if (report.verdict == Verdict::inconclusive) ++snapshot.inconclusive_reasons[report.reason];
  if (!group.oldest_verdict || known.audited < *group.oldest_verdict) {
    group.oldest_verdict = known.audited;
  }
  if (!report.truth || !is_conclusive(report.verdict)) return;
  if (report.reported.rss_bytes) add(group.rss, *report.reported.rss_bytes, report.truth->rss);
  if (report.reported.pss_bytes && report.truth->pss) {
    add(group.pss, *report.reported.pss_bytes, *report.truth->pss);
  }
}

FindingSum Ledger::one_finding(const std::string& group, const ProcessListing& process,
                               const OpenFinding& open) {
  return {.group = group,
          .check = open.finding.check,
          .field = open.finding.field,
          .interface = open.finding.interface,
          .direction = open.finding.direction,
          .defect = open.finding.defect.value_or(""),
          .processes = 1,
          .error_bytes = open.finding.error_bytes,
          .first_seen = open.first_seen,
          .last_seen = open.last_seen,
          .pid = process.pid,
          .comm = process.comm};
}

void Ledger::describe(Snapshot& snapshot) const {
  std::map<std::string, GroupSnapshot> groups;
  using Kind = std::tuple<std::string, std::string, std::string, Interface, Direction, std::string>;
  std::map<Kind, FindingSum> sums;
  for (const auto& [name, byte_seconds] : byte_seconds_) {
    groups[name].underreported_byte_seconds = byte_seconds;
  }
  for (const auto& [identity, known] : known_) {
    describe_process(known, groups[known.group.name], snapshot);
    for (const auto& [key, open] : known.open) {
      const Finding& finding = open.finding;
      FindingSum& sum = sums[{known.group.name, finding.check, finding.field, finding.interface,
                              finding.direction, finding.defect.value_or("")}];
      if (sum.processes++ == 0) sum.first_seen = open.first_seen;
      sum.first_seen = std::min(sum.first_seen, open.first_seen);
      sum.last_seen = std::max(sum.last_seen, open.last_seen);
      sum.error_bytes += finding.error_bytes;
      if (snapshot.open_findings.size() < kMostListedFindings) {
        snapshot.open_findings.push_back(one_finding(known.group.name, known.listing, open));
      }
    }
  }
  for (auto& [name, group] : groups) {
    group.name = name;
    snapshot.groups.push_back(std::move(group));
  }
  for (auto& [kind, sum] : sums) {
    std::tie(sum.group, sum.check, sum.field, sum.interface, sum.direction, sum.defect) = kind;
    snapshot.findings.push_back(std::move(sum));
  }
  snapshot.processes = known_.size();
  snapshot.kernel_threads = kernel_threads_;
  snapshot.excluded = excluded_;
  snapshot.audits = audits_;
  snapshot.screenings = screenings_;
  const std::uint64_t conclusive = snapshot.verdicts.at(index_of(Verdict::consistent)) +
                                   snapshot.verdicts.at(index_of(Verdict::finding));
  if (!known_.empty()) {
    snapshot.coverage = static_cast<double>(conclusive) / static_cast<double>(known_.size());
  }
}

}  // namespace smaps_audit::service
