// SPDX-License-Identifier: Apache-2.0
#include "audit/host_notes.h"

#include <algorithm>
#include <array>

namespace smaps_audit {
namespace {

enum Bound : std::uint8_t { node_counter, cgroup_counter, rounding, unowned_least };
constexpr std::uint64_t kUnownedShare = 64;
constexpr std::uint64_t kMostNodes = 1024;

constexpr std::array kBounds{
    HostBound{"node_counter", 125 * 4096, "cpu and node",
              "A CPU keeps up to 125 pages of each counter of a node to itself."},
    HostBound{"cgroup_counter", 64 * 4096, "cpu",
              "A CPU keeps up to 64 pages of a cgroup's charges to itself."},
    HostBound{"rounding", 2 * 1024, "process",
              "The rollup rounds Pss_Anon, Pss_File and Pss_Shmem down to a kB."},
    HostBound{
        "unowned", 32 << 20, "host",
        "Memory of a process that is ending, or of a driver that holds an address space; huge "
        "pages on their way to another node: 1/64 of the counter, and at least this much."},
};

void add(Extremes& extremes, const std::optional<std::uint64_t>& value) {
  if (value) extremes.add(*value);
}

std::uint64_t less(std::uint64_t from, std::uint64_t amount) {
  return from > amount ? from - amount : 0;
}

/// Between what and what a process put it; nothing is known of a round that it was not in.
Interval said(const Extremes& extremes, unsigned rounds) {
  return {extremes.reads == rounds ? extremes.smallest : 0, extremes.largest};
}

}  // namespace

std::span<const HostBound> host_bounds() { return kBounds; }

HostWatch::HostWatch(std::uint64_t cpus, std::optional<std::uint64_t> nodes, std::string cgroup)
    : cpus_(std::max<std::uint64_t>(cpus, 1)),
      nodes_(std::max<std::uint64_t>(nodes.value_or(kMostNodes), 1)),
      cgroup_(std::move(cgroup)) {}

void HostWatch::on_round(const HostMemory& memory) {
  ++rounds_;
  device_memory_ = device_memory_ || memory.device_memory;
  for (const Meminfo* const meminfo : {&memory.before, &memory.after}) {
    add(anon_pages_, meminfo->anon_pages);
    add(mapped_, meminfo->mapped);
    add(anon_huge_, meminfo->anon_huge_pages);
    add(file_huge_, meminfo->file_huge_pages);
    add(total_, meminfo->total);
  }
  if (memory.stat_before) add(cgroup_anon_, memory.stat_before->anon);
  if (memory.stat_after) add(cgroup_anon_, memory.stat_after->anon);
  for (const MemoryShare& one : memory.shares) {
    Share& share = shares_[{one.pid, one.start_time_ticks}];
    share.anon.add(one.pss_anon);
    share.shared.add(one.pss_shared);
    share.huge.add(one.anon_huge);
    // A process that moves between cgroups counts as what makes the sum fit.
    share.member = share.member || one.member;
  }
}

HostWatch::Sums HostWatch::sums() const {
  Sums sums;
  for (const auto& [identity, share] : shares_) {
    const Interval anon = said(share.anon, rounds_);
    sums.all_anon += anon;
    if (share.member) sums.member_anon += anon;
    sums.all_shared += said(share.shared, rounds_);
    sums.all_huge += said(share.huge, rounds_);
  }
  return sums;
}

std::uint64_t HostWatch::unowned(const Extremes& counter) const {
  return std::max(kBounds[unowned_least].bytes, counter.largest / kUnownedShare);
}

void HostWatch::add_host(std::vector<HostNote>& notes, const Sums& sums) const {
  const std::uint64_t counter_error = kBounds[node_counter].bytes * cpus_ * nodes_;
  const std::uint64_t rounded = kBounds[rounding].bytes * shares_.size();
  const auto compare = [&](std::string_view field, const Extremes& counter, std::uint64_t low,
                           std::optional<std::uint64_t> high, std::vector<std::string> defects) {
    if (!counter.seen()) return;
    HostNote note{.check = "I13",
                  .interface = "meminfo",
                  .field = std::string{field},
                  .cgroup = {},
                  .counter = {counter.smallest, counter.largest},
                  .processes_low = less(low, counter_error + unowned(counter)),
                  .processes_high = {},
                  .defects = std::move(defects)};
    if (high) note.processes_high = *high + counter_error + rounded + unowned(counter);
    notes.push_back(std::move(note));
  };
  compare("AnonPages", anon_pages_, sums.all_anon.low, sums.all_anon.high, {"K01", "K03", "K29"});
  // Drivers map pages for which no process answers: nothing bounds the sum from above. Memory that
  // is a device (DAX) is in Pss_File, and not everywhere in Mapped.
  if (!device_memory_) compare("Mapped", mapped_, sums.all_shared.low, std::nullopt, {"K29"});
  // A huge page that several processes map is told by each of them.
  compare("AnonHugePages", anon_huge_, 0, sums.all_huge.high, {"K01", "K03", "K29"});
  if (!total_.seen() || !file_huge_.seen() || file_huge_.smallest <= total_.largest) return;
  notes.push_back({.check = "I13",
                   .interface = "meminfo",
                   .field = "FileHugePages",
                   .cgroup = {},
                   .counter = {file_huge_.smallest, file_huge_.largest},
                   .processes_low = 0,
                   .processes_high = total_.largest,
                   .defects = {"K24"}});
}

/// Pages charged to a cgroup may be mapped by others, and its members may map pages charged
/// elsewhere: all that bounds this is what the others have, and what all of the host is.
void HostWatch::add_cgroup(std::vector<HostNote>& notes, const Sums& sums) const {
  if (!cgroup_anon_.seen() || !anon_pages_.seen()) return;
  const std::uint64_t counter_error =
      kBounds[cgroup_counter].bytes * cpus_ + kBounds[node_counter].bytes * cpus_ * nodes_;
  const std::uint64_t rounded = kBounds[rounding].bytes * shares_.size();
  const std::uint64_t elsewhere = less(anon_pages_.largest, cgroup_anon_.smallest);
  notes.push_back(
      {.check = "I14",
       .interface = "memory.stat",
       .field = "anon",
       .cgroup = cgroup_,
       .counter = {cgroup_anon_.smallest, cgroup_anon_.largest},
       .processes_low =
           less(sums.member_anon.low, counter_error + elsewhere + unowned(cgroup_anon_)),
       .processes_high = sums.all_anon.high + counter_error + rounded + unowned(cgroup_anon_),
       .defects = {"K01", "K03", "K26"}});
}

std::vector<HostNote> HostWatch::disputes() const {
  std::vector<HostNote> notes;
  const Sums all = sums();
  if (cgroup_.empty()) {
    add_host(notes, all);
  } else {
    add_cgroup(notes, all);
  }
  std::erase_if(notes, [](HostNote& note) {
    if (note.processes_high && note.counter.low > *note.processes_high) {
      note.direction = Direction::deficit;
      note.error_bytes = note.counter.low - *note.processes_high;
    } else if (note.processes_low > note.counter.high) {
      note.direction = Direction::excess;
      note.error_bytes = note.processes_low - note.counter.high;
    }
    return note.error_bytes == 0;
  });
  for (HostNote& note : notes) {
    note.rounds = rounds_;
    note.processes = shares_.size();
  }
  return notes;
}

std::vector<HostNote> HostWatch::notes() const {
  return rounds_ < kHostRounds ? std::vector<HostNote>{} : disputes();
}

}  // namespace smaps_audit
