// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <random>
#include <sstream>
#include <thread>

#include "store_fixture.h"

namespace smaps_audit::store {
namespace {

constexpr std::string_view kEndMark = "<end of capture>";

// Records findings with captures for ever, and announces each that is said to be committed.
[[noreturn]] void record_and_announce(const StoreFixture& fixture, int round, int announcements) {
  Store store = fixture.open(at(round));
  for (int i = 1;; ++i) {
    const int pid = round * 100'000 + i;
    // Every third time one that was seen before.
    const int seen = i % 3 == 0 ? pid - 1 : pid;
    std::string content(static_cast<std::size_t>(i % 7) * 5000, 'c');
    CaptureDraft draft = draft_with(store, content += kEndMark);
    Sighting sighted = sighting(seen, {missing("Rss", 64), missing("Pss", 64)}, at(round));
    sighted.report_json = std::string(3000, 'x');
    const Recorded recorded = store.record(sighted, std::move(draft));
    if (recorded.durability != Durability::committed) ::_exit(1);
    std::string words;
    for (const RecordedFinding& row : recorded.findings) {
      words += std::to_string(row.finding.id) + " " + std::to_string(row.finding.key.process.pid) +
               " " + row.finding.key.field + "\n";
    }
    if (::write(announcements, words.data(), words.size()) < 0) ::_exit(1);
    if (i % 20 == 0 && !store.tidy(at(round))) ::_exit(1);
  }
}

// What the child announced until it was killed, `after` its first announcement.
std::string announced_until_killed(const StoreFixture& fixture, int round,
                                   std::chrono::microseconds after) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return "";
  const pid_t child = ::fork();
  if (child == 0) record_and_announce(fixture, round, ends[1]);
  const UniqueFd out{ends[0]};
  ::close(ends[1]);
  pollfd ready{.fd = out.get(), .events = POLLIN, .revents = 0};
  ::poll(&ready, 1, 20'000);
  std::this_thread::sleep_for(after);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 1; got > 0;) {
    got = ::read(out.get(), buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

class KilledStore : public ::testing::Test, public StoreFixture {
 protected:
  void expect_stored(const std::string& announced) const {
    std::istringstream lines{announced};
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words{line};
      std::string id;
      std::string pid;
      std::string field;
      words >> id >> pid >> field;
      EXPECT_EQ(sql_text("SELECT pid || field FROM finding WHERE id=" + id), pid + field) << line;
    }
  }
  void expect_whole_captures() const {
    for (const std::string& name : names("captures")) {
      EXPECT_EQ(sql_text("SELECT count(*) FROM capture WHERE name='" + name + "'"), "1") << name;
      EXPECT_TRUE(read_whole_file(captures() + "/" + name).ends_with(kEndMark)) << name;
    }
  }
};

TEST_F(KilledStore, HoldsEverythingThatWasAnnounced) {
  constexpr int kRounds = 20;
  std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> microseconds{0, 100'000};
  std::uint64_t announced = 0;
  std::uint64_t orphans = 0;
  for (int round = 1; round <= kRounds; ++round) {
    const int after = microseconds(random);
    SCOPED_TRACE("round " + std::to_string(round) + ", killed after " + std::to_string(after) +
                 " us");
    const std::string text = announced_until_killed(*this, round, std::chrono::microseconds(after));
    announced += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
    // What the killed one left, before anybody tidies it up: a capture is whole or has no name.
    for (const std::string& name : names("captures")) {
      if (!name.ends_with(".cap")) continue;
      EXPECT_TRUE(read_whole_file(captures() + "/" + name).ends_with(kEndMark)) << name;
    }
    const Store store = open(at(1000 + round));
    EXPECT_EQ(store.health().trouble, std::nullopt);
    EXPECT_EQ(store.health().corruptions, 0U);
    EXPECT_EQ(store.health().captures_missing, 0U);
    orphans += store.health().orphans_removed;
    EXPECT_EQ(sql_text("PRAGMA integrity_check"), "ok");
    expect_stored(text);
    expect_whole_captures();
  }
  EXPECT_GE(announced, static_cast<std::uint64_t>(kRounds));
  RecordProperty("announced", std::to_string(announced));
  RecordProperty("orphans_removed", std::to_string(orphans));
}

}  // namespace
}  // namespace smaps_audit::store
