// SPDX-License-Identifier: Apache-2.0
#include "daemon/worker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "daemon/heartbeat.h"
#include "daemon/line_reader.h"
#include "daemon/protocol.h"
#include "daemon/spawner.h"

namespace smaps_audit::service {
namespace {

using namespace std::chrono_literals;

std::optional<WorkerEvent> wait_for_event(Spawner& spawner) {
  pollfd ready{spawner.descriptor(), POLLIN, 0};
  for (int i = 0; i < 300; ++i) {
    if (::poll(&ready, 1, 100) > 0) {
      if (const auto event = spawner.next_event()) return event;
    }
  }
  return std::nullopt;
}

class StartedWorker {
 public:
  explicit StartedWorker(const std::string& fault)
      : spawner_(*Spawner::start({.worker_command = {SMAPS_AUDIT_TEST_WORKER, fault}})) {
    std::array<int, 2> orders{};
    std::array<int, 2> answers{};
    EXPECT_EQ(::pipe2(orders.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(answers.data(), O_CLOEXEC), 0);
    orders_ = UniqueFd{orders[1]};
    answers_ = UniqueFd{answers[0]};
    lines_ = LineReader{answers_.get()};
    scratch_ = UniqueFd{::memfd_create("scratch", MFD_CLOEXEC)};
    heart_ = *make_heartbeat_file();
    EXPECT_TRUE(spawner_
                    .start_worker({.orders = UniqueFd{orders[0]},
                                   .answers = UniqueFd{answers[1]},
                                   .scratch = scratch_,
                                   .heart = heart_})
                    .ok());
    const auto event = wait_for_event(spawner_);
    EXPECT_TRUE(event && event->kind == WorkerEvent::Kind::started);
    pid_ = event ? event->pid : 0;
  }

  void order(const Order& order) {
    const std::string line = order_line(order);
    EXPECT_EQ(::write(orders_.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }

  template <class T>
  std::vector<T> until_done() {
    std::vector<T> answers;
    while (const auto line = lines_.next()) {
      const auto answer = parse_answer(*line);
      EXPECT_TRUE(answer.ok()) << *line;
      if (!answer || std::holds_alternative<Done>(*answer)) break;
      if (const auto* wanted = std::get_if<T>(&*answer)) answers.push_back(*wanted);
    }
    return answers;
  }

  Spawner spawner_;
  UniqueFd orders_;
  UniqueFd answers_;
  UniqueFd scratch_;
  UniqueFd heart_;
  LineReader lines_{-1};
  pid_t pid_ = 0;
};

TEST(Worker, ListsScreensAndAuditsAsItIsTold) {
  StartedWorker worker{"sound"};
  const auto hello = parse_answer(*worker.lines_.next());
  ASSERT_TRUE(hello.ok());
  EXPECT_EQ(std::get<Hello>(*hello).worker_pid, worker.pid_);

  worker.order({.kind = OrderKind::list});
  const auto processes = worker.until_done<ProcessListing>();
  const auto self = std::find_if(processes.begin(), processes.end(),
                                 [](const auto& process) { return process.pid == ::getpid(); });
  ASSERT_NE(self, processes.end());
  EXPECT_EQ(self->comm, "daemon_test");
  EXPECT_GT(self->rss_bytes.value_or(0), 0U);

  worker.order({.kind = OrderKind::screen, .pids = {::getpid(), 4194304}});
  const auto screenings = worker.until_done<Screening>();
  ASSERT_EQ(screenings.size(), 2U);
  EXPECT_EQ(screenings[0].problem, "");
  EXPECT_EQ(screenings[1].problem, "gone");
  EXPECT_EQ(screenings[0].start_time_ticks, self->start_time_ticks);
  EXPECT_FALSE(screenings[0].suspicious);

  worker.order({.kind = OrderKind::audit, .pid = ::getpid(), .deadline = 60s, .capture = true});
  const auto audits = worker.until_done<AuditAnswer>();
  ASSERT_EQ(audits.size(), 1U);
  EXPECT_EQ(audits[0].report.pid, ::getpid());
  EXPECT_NE(audits[0].report.verdict, Verdict::finding);
  EXPECT_FALSE(audits[0].capture_bytes) << "there is nothing to keep";
}

TEST(Worker, EndsWithItsOrders) {
  StartedWorker worker{"sound"};
  worker.lines_.next();
  worker.orders_.reset();
  const auto event = wait_for_event(worker.spawner_);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, WorkerEvent::Kind::ended);
  EXPECT_TRUE(WIFEXITED(event->status) && WEXITSTATUS(event->status) == 0);
}

TEST(Spawner, KillsAWorkerOnOrder) {
  StartedWorker worker{"hang"};
  ASSERT_TRUE(worker.spawner_.kill_worker(worker.pid_).ok());
  const auto event = wait_for_event(worker.spawner_);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, WorkerEvent::Kind::ended);
  EXPECT_EQ(event->pid, worker.pid_);
  EXPECT_TRUE(WIFSIGNALED(event->status) && WTERMSIG(event->status) == SIGKILL);
}

TEST(Spawner, KillsNobodyButItsWorkers) {
  StartedWorker worker{"sound"};
  const pid_t bystander = ::fork();
  if (bystander == 0) {
    ::pause();
    ::_exit(0);
  }
  ASSERT_TRUE(worker.spawner_.kill_worker(bystander).ok());
  ASSERT_TRUE(worker.spawner_.kill_worker(worker.pid_).ok());
  ASSERT_TRUE(wait_for_event(worker.spawner_));
  EXPECT_EQ(::waitpid(bystander, nullptr, WNOHANG), 0) << "it lives";
  ::kill(bystander, SIGKILL);
  ::waitpid(bystander, nullptr, 0);
}

TEST(Spawner, TellsHowAWorkerDied) {
  StartedWorker worker{"crash"};
  const auto event = wait_for_event(worker.spawner_);
  ASSERT_TRUE(event);
  EXPECT_TRUE(WIFSIGNALED(event->status) && WTERMSIG(event->status) == SIGABRT);
}

TEST(Spawner, SaysSoWhenItIsGone) {
  StartedWorker worker{"sound"};
  ::kill(worker.spawner_.pid(), SIGKILL);
  std::optional<WorkerEvent> event;
  while ((event = wait_for_event(worker.spawner_)) &&
         event->kind != WorkerEvent::Kind::spawner_gone) {
  }
  ASSERT_TRUE(event);
  EXPECT_EQ(worker.until_done<Done>().size(), 0U) << "its worker went with it";
}

}  // namespace
}  // namespace smaps_audit::service
