// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/protocol.h"
#include "daemon/scheduler.h"
#include "daemon/snapshot.h"

namespace smaps_audit::service {

/// Where a process belongs; nullopt: the rules exclude it.
struct GroupChoice {
  std::string name;
  bool configured = false;
};
using GroupOf = std::function<std::optional<GroupChoice>(const ProcessListing&)>;

/// A finding that began, is still there, or went.
struct FindingChange {
  enum class Kind : std::uint8_t { opened, seen_again, resolved };
  Kind kind = Kind::opened;
  Identity identity;
  std::string comm;
  std::string executable;
  std::string group;
  Finding finding;
  std::string why;  ///< of `resolved`
};

/// What is known of every process, and what has been found: pure, the time is an argument.
class Ledger {
 public:
  /// A sweep's list. Processes that are gone are forgotten; their findings are resolved.
  std::vector<FindingChange> listed(std::vector<ProcessListing> processes, const GroupOf& group_of,
                                    Nanoseconds wall_now);
  void screened(const Screening& screening);
  /// Takes one audit. One that leaves nothing hidden resolves what it no longer shows.
  std::vector<FindingChange> audited(const ProcessReport& report, Nanoseconds wall_now);

  [[nodiscard]] std::vector<Target> targets() const;
  [[nodiscard]] const ProcessListing* find(const Identity& identity) const;
  /// The process that has this pid now.
  [[nodiscard]] std::optional<Identity> identity_of(int pid) const;
  [[nodiscard]] bool has_open_finding(const Identity& identity) const;
  /// Adds what was left out since the last call to the groups' byte-seconds.
  void tick(Nanoseconds monotonic_now);
  /// Fills groups, findings, verdicts and counts.
  void describe(Snapshot& snapshot) const;

 private:
  struct OpenFinding {
    Finding finding;
    Nanoseconds first_seen{};
    Nanoseconds last_seen{};
  };
  struct Known {
    ProcessListing listing;
    GroupChoice group;
    std::optional<ProcessReport> report;      ///< of the last audit, its mappings left out
    Nanoseconds audited{};                    ///< wall clock
    std::map<std::string, OpenFinding> open;  ///< by key_of()
  };

  /// What smaps leaves out of Rss by its open findings: the largest, for each is of the whole
  /// process.
  static const Finding* rss_deficit_of(const Known& known);
  static std::string key_of(const Finding& finding);
  static FindingChange change(FindingChange::Kind kind, const Identity& identity,
                              const Known& known, const Finding& finding, std::string why = {});
  static FindingSum one_finding(const std::string& group, const ProcessListing& process,
                                const OpenFinding& open);
  void describe_process(const Known& known, GroupSnapshot& group, Snapshot& snapshot) const;

  std::map<Identity, Known> known_;
  std::map<std::string, double> byte_seconds_;  ///< by group
  std::optional<Nanoseconds> ticked_;
  std::uint64_t kernel_threads_ = 0;
  std::uint64_t excluded_ = 0;
  std::uint64_t audits_ = 0;
  std::uint64_t screenings_ = 0;
};

}  // namespace smaps_audit::service
