// SPDX-License-Identifier: Apache-2.0
#include "daemon/worker_link.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "tests/support/temporary_directory.h"

namespace smaps_audit::service {
namespace {

using namespace std::chrono_literals;

constexpr OrderDeadlines kDeadlines{.read = 30s, .whole = 60s};

// A link with a real worker, of whose proc mount one process' stat is a FIFO that nobody writes to.
class WorkerLinkTest : public testing::Test {
 protected:
  WorkerLinkTest() {
    std::filesystem::create_directory(directory_.file("17"));
    EXPECT_EQ(::mkfifo(directory_.file("17/stat").c_str(), 0600), 0);
    for (const char* name : {"self", "stat", "meminfo", "cpuinfo", "sys", "version"}) {
      std::filesystem::create_symlink(std::string{"/proc/"} + name, directory_.file(name));
    }
  }

  // Until `holds`, with what comes of spawner and worker.
  template <class Condition>
  [[nodiscard]] bool wait_until(Condition holds) {
    for (int i = 0; i < 3000; ++i) {
      if (holds()) return true;
      std::array<pollfd, 2> ready{
          {{spawner_.descriptor(), POLLIN, 0}, {link_.descriptor(), POLLIN, 0}}};
      ::poll(ready.data(), ready.size(), 10);
      while (const auto event = spawner_.next_event()) {
        if (auto loss = link_.handle(*event, now_)) loss_ = *std::move(loss);
      }
      static_cast<void>(link_.read_answers());
    }
    return false;
  }

  void start() {
    ASSERT_TRUE(link_.ensure_started(now_).ok());
    ASSERT_TRUE(wait_until([this] { return link_.is_idle(); }));
  }

  // A list that does not get past the FIFO.
  void get_stuck(const OrderDeadlines& deadlines = kDeadlines) {
    start();
    link_.send({.kind = OrderKind::list}, deadlines, now_);
    // It has read, and then does not for a while.
    for (int same = 0; same < 5;) {
      const std::uint64_t seen = link_.progress();
      ::usleep(50'000);
      now_ = *link_.next_look();
      ASSERT_FALSE(link_.look(now_));
      same = seen == link_.progress() ? same + 1 : 0;
      if (same == 0) last_read_ = now_;
      if (last_read_ == Nanoseconds{}) same = 0;
    }
  }

  TemporaryDirectory directory_;
  Spawner spawner_ =
      *Spawner::start({.worker_command = {SMAPS_AUDIT_TEST_WORKER, "sound", directory_.path()}});
  std::optional<std::uint64_t> oom_kills_;
  WorkerLink link_{spawner_, {.most_abandoned = 1, .oom_kills = [this] { return oom_kills_; }}};
  Nanoseconds now_ = 1000s;
  Nanoseconds last_read_{};  ///< when the last one was seen
  std::optional<WorkerLoss> loss_;
};

TEST_F(WorkerLinkTest, KillsAWorkerOfWhichNoReadEndsAndSaysWhereItWas) {
  get_stuck();
  const pid_t worker = link_.pid();
  now_ = last_read_ + kDeadlines.read - 1ns;
  EXPECT_FALSE(link_.look(now_));
  EXPECT_TRUE(link_.is_running()) << "not before its deadline";
  now_ = last_read_ + kDeadlines.read;
  EXPECT_FALSE(link_.look(now_));
  ASSERT_TRUE(wait_until([this] { return loss_.has_value(); }));
  EXPECT_EQ(loss_->cause, "deadline");
  EXPECT_EQ(loss_->pid, 17);
  EXPECT_EQ(loss_->order->kind, OrderKind::list);
  EXPECT_EQ(link_.next_start(), now_) << "the first comes at once";
  start();
  EXPECT_NE(link_.pid(), worker);
  link_.send({.kind = OrderKind::list, .pids = {17}}, kDeadlines, now_);
  EXPECT_TRUE(wait_until([this] { return link_.is_idle(); }));
}

TEST_F(WorkerLinkTest, TellsAKillForWantOfMemoryFromAnother) {
  const auto cause_of_a_kill = [&](std::optional<std::uint64_t> before,
                                   std::optional<std::uint64_t> after) {
    oom_kills_ = before;
    now_ += 2min;
    start();
    oom_kills_ = after;
    loss_.reset();
    ::kill(link_.pid(), SIGKILL);
    EXPECT_TRUE(wait_until([this] { return loss_.has_value(); }));
    return loss_ ? loss_->cause : "";
  };
  EXPECT_EQ(cause_of_a_kill(3, 4), "oom");
  EXPECT_EQ(cause_of_a_kill(4, 4), "crashed");
  EXPECT_EQ(cause_of_a_kill(std::nullopt, 4), "crashed");
  EXPECT_EQ(cause_of_a_kill(4, std::nullopt), "crashed");
}

TEST_F(WorkerLinkTest, EndsAnOrderThatTakesTooLongWhateverItsReads) {
  get_stuck({.read = 1h, .whole = 60s});
  const Nanoseconds sent = 1000s;
  now_ = sent + 59s;
  EXPECT_FALSE(link_.look(now_));
  EXPECT_TRUE(link_.is_running());
  now_ = sent + 60s;
  EXPECT_FALSE(link_.look(now_));
  ASSERT_TRUE(wait_until([this] { return loss_.has_value(); }));
  EXPECT_EQ(loss_->cause, "deadline");
}

TEST_F(WorkerLinkTest, GoesOnBesideOneThatWasKilledAndDoesNotEnd) {
  get_stuck();
  now_ += kDeadlines.read;
  EXPECT_FALSE(link_.look(now_));
  // That it has ended is not heard: as if it had not.
  EXPECT_FALSE(link_.look(now_)) << "it has time to end";
  now_ = *link_.next_look();
  const auto loss = link_.look(now_);
  ASSERT_TRUE(loss);
  EXPECT_EQ(loss->cause, "deadline");
  EXPECT_EQ(loss->pid, 17);
  EXPECT_FALSE(link_.next_start()) << "so many and no more";
  ASSERT_TRUE(wait_until([this] { return link_.next_start().has_value(); }));
  EXPECT_FALSE(loss_) << "a worker is lost once";
  start();
}

}  // namespace
}  // namespace smaps_audit::service
