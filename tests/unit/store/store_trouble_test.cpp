// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "store_fixture.h"

namespace smaps_audit::store {
namespace {

// No file of this process grows beyond `bytes` meanwhile: a full disk without a disk.
class NoFileGrowsBeyond {
 public:
  explicit NoFileGrowsBeyond(rlim_t bytes) {
    before_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit lower{.rlim_cur = bytes, .rlim_max = limit_.rlim_max};
    if (::setrlimit(RLIMIT_FSIZE, &lower) != 0) std::abort();
  }
  NoFileGrowsBeyond(const NoFileGrowsBeyond&) = delete;
  NoFileGrowsBeyond& operator=(const NoFileGrowsBeyond&) = delete;
  ~NoFileGrowsBeyond() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }

 private:
  rlimit limit_{};
  void (*before_)(int) = nullptr;
};

class StoreTrouble : public ::testing::Test, public StoreFixture {
 protected:
  // Overwrites everything behind the first page.
  void damage() const {
    const auto size = std::filesystem::file_size(database());
    const UniqueFd fd{::open(database().c_str(), O_WRONLY | O_CLOEXEC)};
    const std::string garbage(size - 4096, '\xA5');
    ASSERT_EQ(::pwrite(fd.get(), garbage.data(), garbage.size(), 4096),
              static_cast<ssize_t>(garbage.size()));
  }
  [[nodiscard]] std::size_t count_aside(const std::string& prefix) const {
    std::size_t count = 0;
    for (const std::string& name : names()) count += name.starts_with(prefix) ? 1U : 0U;
    return count;
  }
};

TEST_F(StoreTrouble, MovesAFileThatIsNoDatabaseAside) {
  std::filesystem::create_directories(directory());
  write_whole_file(database(), std::string(100'000, 'x'));
  Store store = open(at(0));
  const StoreHealth health = store.health();
  EXPECT_EQ(health.corruptions, 1U);
  ASSERT_TRUE(health.corruption);
  EXPECT_EQ(health.corruption->code, ErrorCode::malformed);
  EXPECT_EQ(health.moved_to, database() + ".corrupt-20261123T060408Z");
  EXPECT_EQ(health.trouble, std::nullopt);
  EXPECT_EQ(std::filesystem::file_size(*health.moved_to), 100'000U);
  EXPECT_EQ(store.record(sighting(7, {missing("Rss", 64)}, at(1))).durability,
            Durability::committed);
}

TEST_F(StoreTrouble, MovesADamagedDatabaseAsideWithItsCaptures) {
  {
    Store store = open();
    for (int pid = 1; pid <= 50; ++pid) {
      store.record(sighting(pid, {missing("Rss", 64)}, at(1)), draft_with(store, "evidence"));
    }
  }
  damage();
  Store store = open(at(60));
  EXPECT_EQ(store.health().corruptions, 1U);
  EXPECT_TRUE(store.open_findings(at(61))->empty());
  EXPECT_EQ(names("captures.corrupt-20261123T060508Z").size(), 50U);
  EXPECT_TRUE(names("captures").empty());
  EXPECT_EQ(store.health().orphans_removed, 0U);
}

TEST_F(StoreTrouble, BeginsAnewWhenTheDatabaseBreaksUnderIt) {
  Store store = open();
  for (int pid = 1; pid <= 400; ++pid) {
    Sighting seen = sighting(pid, {missing("Rss", 64)}, at(1));
    seen.report_json = std::string(10'000, 'x');
    store.record(seen);
  }
  ASSERT_TRUE(store.tidy(at(2)));
  damage();
  Recorded recorded;
  for (int pid = 1; pid <= 400 && store.health().corruptions == 0; ++pid) {
    recorded = store.record(sighting(pid, {missing("Rss", 65)}, at(3)));
    ASSERT_EQ(recorded.durability, Durability::committed);
  }
  EXPECT_EQ(store.health().corruptions, 1U);
  EXPECT_EQ(store.health().trouble, std::nullopt);
  // What was being written when it showed is in the new one.
  const auto open = store.open_findings(at(4));
  ASSERT_TRUE(open) << open.error().message();
  ASSERT_EQ(open->size(), 1U);
  EXPECT_EQ(open->front().key, recorded.findings[0].finding.key);
}

TEST_F(StoreTrouble, KeepsFewDamagedDatabases) {
  for (int round = 0; round < 5; ++round) {
    std::filesystem::create_directories(captures());
    write_whole_file(database(), "no database at all");
    const Store store = open(at(round));
    EXPECT_EQ(store.health().corruptions, 1U);
  }
  EXPECT_EQ(count_aside("findings.db.corrupt-"), 2U);
  EXPECT_EQ(count_aside("captures.corrupt-"), 2U);
  EXPECT_TRUE(std::filesystem::exists(database() + ".corrupt-20261123T060412Z"));
}

TEST_F(StoreTrouble, NoticesThatItsDatabaseWasTakenAway) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64)}, at(1)));
  for (const std::string& name : names()) {
    if (name.starts_with("findings.db")) std::filesystem::remove(directory() + "/" + name);
  }
  EXPECT_EQ(store.record(sighting(8, {missing("Rss", 64)}, at(2))).durability,
            Durability::committed);
  EXPECT_EQ(sql_text("SELECT group_concat(pid) FROM finding"), "8");
}

TEST_F(StoreTrouble, HoldsFindingsInMemoryUntilThereIsRoom) {
  Store store = open();
  store.record(sighting(1, {missing("Rss", 64)}, at(1)));
  store.record(sighting(2, {missing("Rss", 64)}, at(1)));
  {
    const NoFileGrowsBeyond full{1};
    const Recorded recorded = store.record(sighting(7, {missing("Rss", 64)}, at(10)));
    EXPECT_EQ(recorded.durability, Durability::pending);
    ASSERT_EQ(recorded.findings.size(), 1U);
    EXPECT_EQ(recorded.findings[0].finding.id, 0);
    EXPECT_EQ(recorded.findings[0].change, Change::fresh);
    const Recorded again = store.record(sighting(7, {missing("Rss", 70)}, at(20)));
    EXPECT_EQ(again.findings[0].change, Change::repeated);
    EXPECT_EQ(store.end_process({kBoot, 1, 98765}, at(30)).durability, Durability::pending);
    // Ended and back, both while nothing could be written.
    store.record(sighting(2, {}, at(40)));
    store.record(sighting(2, {missing("Rss", 1)}, at(50)));
    // What ends nothing waits for nothing.
    EXPECT_EQ(store.record(sighting(3, {}, at(51))).durability, Durability::committed);
    EXPECT_FALSE(store.tidy(at(60)));
    const StoreHealth health = store.health();
    ASSERT_TRUE(health.trouble);
    EXPECT_FALSE(health.trouble->message().empty());
    EXPECT_EQ(health.failed_writes, 6U);
    EXPECT_EQ(health.pending, 4U);
    EXPECT_EQ(health.corruptions, 0U);
  }
  const Result<Tidied> tidied = store.tidy(at(61));
  ASSERT_TRUE(tidied) << tidied.error().message();
  EXPECT_EQ(tidied->resolved.size(), 2U);
  EXPECT_EQ(store.health().pending, 0U);
  EXPECT_EQ(store.health().trouble, std::nullopt);
  EXPECT_EQ(sql_text("SELECT resolved_why FROM finding WHERE pid=1"), "process_ended");
  EXPECT_EQ(sql_text("SELECT times_seen || ' ' || (worst_error_bytes >> 20) || ' ' || "
                     "((last_seen_ns - first_seen_ns) / 1000000000) FROM finding WHERE pid=7"),
            "2 70 10");
  EXPECT_EQ(sql_text("SELECT times_seen || ' ' || ifnull(resolved_ns, 'open') FROM finding "
                     "WHERE pid=2"),
            "2 open");
}

TEST_F(StoreTrouble, TriesAgainAfterAMoment) {
  Store store = open();
  {
    const NoFileGrowsBeyond full{1};
    store.record(sighting(7, {missing("Rss", 64)}, at(10)));
    store.record(sighting(8, {missing("Rss", 64)}, at(12)));
    EXPECT_EQ(store.health().failed_writes, 1U);
  }
  EXPECT_EQ(store.record(sighting(9, {missing("Rss", 64)}, at(14))).durability,
            Durability::pending);
  EXPECT_EQ(store.record(sighting(7, {missing("Rss", 64)}, at(15))).durability,
            Durability::committed);
  EXPECT_EQ(store.open_findings(at(16))->size(), 3U);
}

TEST_F(StoreTrouble, LosesAndCountsWhatTheQueueCannotHold) {
  Store store = open();
  const NoFileGrowsBeyond full{1};
  Recorded recorded;
  for (int pid = 1; pid <= static_cast<int>(kMostPending) + 1; ++pid) {
    recorded = store.record(sighting(pid, {missing("Rss", 64)}, at(1)));
  }
  EXPECT_EQ(recorded.durability, Durability::lost);
  EXPECT_GE(store.health().lost, 1U);
  EXPECT_LE(store.health().pending, 2 * kMostPending);
}

TEST_F(StoreTrouble, BeginsOnAFullDisk) {
  std::optional<Store> store;
  {
    const NoFileGrowsBeyond full{1};
    store.emplace(open());
    EXPECT_TRUE(store->health().trouble);
    EXPECT_FALSE(store->begin_capture());
    EXPECT_EQ(store->record(sighting(7, {missing("Rss", 64)}, at(1))).durability,
              Durability::pending);
  }
  EXPECT_EQ(store->record(sighting(8, {missing("Rss", 64)}, at(20))).durability,
            Durability::committed);
  EXPECT_EQ(sql_text("SELECT count(*) FROM finding"), "2");
}

TEST_F(StoreTrouble, KeepsNoHalfOfACapture) {
  Store store = open();
  CaptureDraft draft = draft_with(store, "a");
  const UniqueFd scratch{::open((directory() + "/scratch").c_str(), O_RDWR | O_CREAT, 0600)};
  const std::string content(100'000, 'c');
  ASSERT_EQ(::write(scratch.get(), content.data(), content.size()), 100'000);
  {
    const NoFileGrowsBeyond full{50'000};
    const Result<Ok> copied = draft.copy_from(scratch.get(), content.size());
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().errno_value, EFBIG);
  }
  const Result<Ok> more = draft.copy_from(scratch.get(), content.size() + 1);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, ErrorCode::truncated);
  ASSERT_TRUE(draft.copy_from(scratch.get(), content.size()));
  const Recorded recorded =
      store.record(sighting(7, {missing("Rss", 64)}, at(1)), std::move(draft));
  ASSERT_FALSE(recorded.capture_problem);
  EXPECT_EQ(read_whole_file(captures() + "/" + names("captures")[0]), content);
}

TEST_F(StoreTrouble, WaitsForAnotherWriterButNotForEver) {
  Store store = open();
  Result<Database> other = Database::open(database(), OpenMode::read_write);
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));
  EXPECT_EQ(store.record(sighting(7, {missing("Rss", 64)}, at(1))).durability, Durability::pending);
  EXPECT_EQ(store.health().trouble->code, ErrorCode::deadline);
  ASSERT_TRUE(other->execute("ROLLBACK"));
  ASSERT_TRUE(store.tidy(at(2)));
  EXPECT_EQ(sql_text("SELECT count(*) FROM finding"), "1");
}

// The real thing: a file system of 4 MiB, in a mount namespace of our own.
TEST_F(StoreTrouble, GoesOnWhenAFileSystemIsFullAndRecovers) {
  std::filesystem::create_directories(directory());
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", directory().c_str(), "tmpfs", 0, "size=4m") != 0) {
    GTEST_SKIP() << "mounting a tmpfs takes CAP_SYS_ADMIN: " << std::strerror(errno);
  }
  {
    Store store = open();
    const UniqueFd filler{
        ::open((directory() + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    const std::string block(4096, 'f');
    while (::write(filler.get(), block.data(), block.size()) > 0) continue;
    int committed = 0;
    int pending = 0;
    for (int pid = 1; pid <= 50; ++pid) {
      Sighting seen = sighting(pid, {missing("Rss", 64)}, at(pid));
      seen.report_json = std::string(10'000, 'x');
      const Recorded recorded = store.record(seen);
      ++(recorded.durability == Durability::committed ? committed : pending);
    }
    EXPECT_GT(pending, 0);
    ASSERT_TRUE(store.health().trouble);
    EXPECT_EQ(store.health().trouble->errno_value, ENOSPC);
    EXPECT_EQ(store.health().pending, static_cast<std::uint64_t>(pending));
    ASSERT_EQ(::ftruncate(filler.get(), 0), 0);
    const Result<Tidied> tidied = store.tidy(at(60));
    EXPECT_TRUE(tidied) << tidied.error().message();
    EXPECT_EQ(store.health().trouble, std::nullopt);
    EXPECT_EQ(sql_text("SELECT count(*) FROM finding"), "50");
    EXPECT_EQ(sql_text("PRAGMA integrity_check"), "ok");
  }
  ::umount(directory().c_str());
}

}  // namespace
}  // namespace smaps_audit::store
