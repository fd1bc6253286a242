// SPDX-License-Identifier: Apache-2.0
#include "audit/host_notes.h"

#include <gtest/gtest.h>

#include <set>

#include "config/known_defects.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kMiB = 1048576;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kProcesses = 8;

/// Eight processes with an eighth of `anon` each, on a host whose counters say the same.
HostMemory host_of(std::uint64_t anon) {
  HostMemory memory;
  memory.before = {.total = 16 * kGiB,
                   .anon_pages = anon,
                   .mapped = 100 * kMiB,
                   .anon_huge_pages = anon / 2,
                   .file_huge_pages = 0,
                   .hardware_corrupted = 0};
  memory.after = memory.before;
  for (std::uint64_t i = 0; i < kProcesses; ++i) {
    memory.shares.push_back({.pid = static_cast<int>(100 + i),
                             .start_time_ticks = i,
                             .pss_anon = anon / kProcesses,
                             .pss_shared = 10 * kMiB,
                             .anon_huge = anon / 2 / kProcesses,
                             .member = i == 0});
  }
  return memory;
}

HostMemory with_counter(HostMemory memory, std::optional<std::uint64_t> Meminfo::*field,
                        std::uint64_t value) {
  memory.before.*field = value;
  memory.after.*field = value;
  return memory;
}

std::vector<HostNote> notes_of(const std::vector<HostMemory>& rounds, std::string cgroup = "") {
  HostWatch watch{2, 1, std::move(cgroup)};
  for (const HostMemory& round : rounds) watch.on_round(round);
  return watch.notes();
}

std::vector<HostMemory> again(const HostMemory& memory, unsigned times = kHostRounds) {
  return std::vector<HostMemory>(times, memory);
}

TEST(HostWatch, SaysNothingWhereTheSumsAgree) {
  HostWatch watch{2, 1, ""};
  watch.on_round(host_of(4 * kGiB));
  EXPECT_FALSE(watch.alive());
  EXPECT_TRUE(notes_of(again(host_of(4 * kGiB))).empty());
}

TEST(HostWatch, NotesAnonymousMemoryThatNoProcessShows) {
  const auto notes =
      notes_of(again(with_counter(host_of(4 * kGiB), &Meminfo::anon_pages, 5 * kGiB)));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].check, "I13");
  EXPECT_EQ(notes[0].field, "AnonPages");
  EXPECT_EQ(notes[0].direction, Direction::deficit);
  EXPECT_EQ(notes[0].counter, (Interval{5 * kGiB, 5 * kGiB}));
  EXPECT_EQ(notes[0].rounds, kHostRounds);
  EXPECT_EQ(notes[0].processes, kProcesses);
  // 1 GiB less 2 CPUs x 125 pages, rounding, and 1/64 of 5 GiB.
  EXPECT_EQ(notes[0].error_bytes, kGiB - 2 * 125 * 4096 - kProcesses * 2048 - 5 * kGiB / 64);
}

TEST(HostWatch, NotesMoreThanTheHostHas) {
  const auto notes =
      notes_of(again(with_counter(host_of(4 * kGiB), &Meminfo::anon_pages, 3 * kGiB)));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].direction, Direction::excess);
}

TEST(HostWatch, IsSilentWithinItsBounds) {
  for (const std::uint64_t counter : {4 * kGiB + 60 * kMiB, 4 * kGiB - 60 * kMiB}) {
    HostWatch watch{2, 1, ""};
    watch.on_round(with_counter(host_of(4 * kGiB), &Meminfo::anon_pages, counter));
    EXPECT_FALSE(watch.alive()) << counter;
  }
}

TEST(HostWatch, GrowsItsBoundWithCpusAndNodes) {
  const HostMemory off = with_counter(host_of(100 * kMiB), &Meminfo::anon_pages, 200 * kMiB);
  HostWatch small{2, 1, ""};
  small.on_round(off);
  EXPECT_TRUE(small.alive());
  for (HostWatch large : {HostWatch{128, 2, ""}, HostWatch{2, std::nullopt, ""}}) {
    large.on_round(off);
    EXPECT_FALSE(large.alive());
  }
}

TEST(HostWatch, NeedsAllRounds) {
  const HostMemory off = with_counter(host_of(4 * kGiB), &Meminfo::anon_pages, 5 * kGiB);
  EXPECT_TRUE(notes_of(again(off, kHostRounds - 1)).empty());
}

TEST(HostWatch, EndsWithTheFirstRoundThatFits) {
  const HostMemory off = with_counter(host_of(4 * kGiB), &Meminfo::anon_pages, 5 * kGiB);
  std::vector<HostMemory> rounds = again(off);
  rounds[5] = host_of(4 * kGiB);
  EXPECT_TRUE(notes_of(rounds).empty());
}

// A gibibyte that goes to and fro between two processes is seen twice in every round.
TEST(HostWatch, BelievesMemoryThatMovesBetweenProcesses) {
  std::vector<HostMemory> rounds = again(host_of(4 * kGiB));
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    rounds[i].shares[i % 2].pss_anon += kGiB;
    rounds[i].shares[2].pss_anon += i % 3 == 0 ? kGiB : 0;
  }
  EXPECT_TRUE(notes_of(rounds).empty());
}

// Always the same amount, always in another process.
TEST(HostWatch, BelievesProcessesThatComeAndGo) {
  std::vector<HostMemory> rounds =
      again(with_counter(host_of(4 * kGiB), &Meminfo::anon_pages, 5 * kGiB));
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    rounds[i].shares.push_back({.pid = static_cast<int>(1000 + i), .pss_anon = kGiB});
  }
  EXPECT_TRUE(notes_of(rounds).empty());
  for (HostMemory& round : rounds) {
    round = with_counter(round, &Meminfo::anon_pages, 4 * kGiB);
  }
  EXPECT_TRUE(notes_of(rounds).empty());
}

TEST(HostWatch, NotesHugePagesOnlyWhereProcessesShowFewer) {
  const HostMemory host = host_of(4 * kGiB);
  const auto fewer = notes_of(again(with_counter(host, &Meminfo::anon_huge_pages, 4 * kGiB)));
  ASSERT_EQ(fewer.size(), 1U);
  EXPECT_EQ(fewer[0].field, "AnonHugePages");
  // Shared after a fork: every process tells the same pages.
  EXPECT_TRUE(notes_of(again(with_counter(host, &Meminfo::anon_huge_pages, 0))).empty());
}

TEST(HostWatch, NotesMappedOnlyWhereProcessesShowMore) {
  HostMemory host = with_counter(host_of(4 * kGiB), &Meminfo::mapped, kGiB);
  EXPECT_TRUE(notes_of(again(host)).empty());
  host.shares[0].pss_shared = 2 * kGiB;
  const auto more = notes_of(again(host));
  ASSERT_EQ(more.size(), 1U);
  EXPECT_EQ(more[0].field, "Mapped");
  EXPECT_EQ(more[0].direction, Direction::excess);
  EXPECT_FALSE(more[0].processes_high.has_value());
  host.device_memory = true;
  EXPECT_TRUE(notes_of(again(host)).empty());
}

TEST(HostWatch, NamesTheCounterThatWentBelowZero) {
  const auto notes = notes_of(
      again(with_counter(host_of(4 * kGiB), &Meminfo::file_huge_pages, UINT64_MAX - 2 * kMiB)));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].defects, std::vector<std::string>{"K24"});
}

TEST(HostWatch, AsksNothingOfCountersThatAreAbsent) {
  HostMemory memory = host_of(4 * kGiB);
  memory.before = memory.after = {};
  EXPECT_TRUE(notes_of(again(memory)).empty());
}

TEST(HostWatch, NotesACgroupThatHasMoreThanAllProcesses) {
  HostMemory memory = host_of(kGiB);
  memory.stat_before = memory.stat_after = MemoryStat{.anon = kGiB};
  EXPECT_TRUE(notes_of(again(memory), "/a").empty()) << "others may map what is charged there";
  memory = with_counter(memory, &Meminfo::anon_pages, 2 * kGiB);
  memory.stat_before = memory.stat_after = MemoryStat{.anon = 2 * kGiB};
  const auto notes = notes_of(again(memory), "/a");
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].check, "I14");
  EXPECT_EQ(notes[0].cgroup, "/a");
  EXPECT_EQ(notes[0].direction, Direction::deficit);
}

TEST(HostWatch, BelievesMembersWhosePagesAreChargedElsewhere) {
  HostMemory memory = host_of(kGiB);
  memory.stat_before = memory.stat_after = MemoryStat{.anon = 0};
  EXPECT_TRUE(notes_of(again(memory), "/a").empty());
}

TEST(HostWatch, NamesOnlyDefectsThatTheTableHolds) {
  HostMemory memory = with_counter(host_of(4 * kGiB), &Meminfo::anon_pages, 8 * kGiB);
  memory.stat_before = memory.stat_after = MemoryStat{.anon = 8 * kGiB};
  for (const char* cgroup : {"", "/a"}) {
    for (const HostNote& note : notes_of(again(memory), cgroup)) {
      for (const std::string& id : note.defects) EXPECT_NE(find_known_defect(id), nullptr) << id;
    }
  }
}

TEST(HostBounds, SayWhy) {
  std::set<std::string_view> ids;
  for (const HostBound& bound : host_bounds()) {
    EXPECT_TRUE(ids.insert(bound.id).second);
    EXPECT_NE(bound.bytes, 0U) << bound.id;
    EXPECT_TRUE(bound.why.ends_with('.')) << bound.id;
  }
}

}  // namespace
}  // namespace smaps_audit
