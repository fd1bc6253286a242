// SPDX-License-Identifier: Apache-2.0
#include "daemon/worker_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "daemon/heartbeat.h"
#include "daemon/sandbox.h"
#include "daemon/worker.h"

namespace smaps_audit::service {
namespace {

constexpr Nanoseconds kFirstPause = std::chrono::seconds(1);
constexpr Nanoseconds kLongestPause = std::chrono::minutes(1);

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "cannot make a pipe");
  return Pipe{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

}  // namespace

Result<Ok> WorkerLink::ensure_started(Nanoseconds now) {
  if (state_ != State::none || !not_before_ || now < *not_before_) return Ok{};
  auto orders = make_pipe();
  if (!orders) return orders.error();
  auto answers = make_pipe();
  if (!answers) return answers.error();
  UniqueFd scratch{::memfd_create("smaps-audit-capture", MFD_CLOEXEC)};
  if (!scratch) return error_from_errno(errno, "cannot make a scratch file for captures");
  auto heart = make_heartbeat_file();
  if (!heart) return heart.error();
  const auto asked = spawner_.start_worker({.orders = orders->read_end,
                                            .answers = answers->write_end,
                                            .scratch = scratch,
                                            .heart = *heart});
  if (!asked) return asked.error();
  if (::fcntl(answers->read_end.get(), F_SETFL, O_NONBLOCK) != 0) {
    return error_from_errno(errno, "cannot set up a pipe");
  }
  orders_ = std::move(orders->write_end);
  answers_ = std::move(answers->read_end);
  scratch_ = std::move(scratch);
  heart_ = *std::move(heart);
  lines_.emplace(answers_.get());
  oom_kills_ = options_.oom_kills();
  state_ = State::starting;
  not_before_.reset();
  next_look_ = end_by_ = now + options_.start_deadline;
  return Ok{};
}

void WorkerLink::send(const Order& order, const OrderDeadlines& deadlines, Nanoseconds now) {
  const std::string line = order_line(order);
  order_ = order;
  deadlines_ = deadlines;
  end_by_ = now + deadlines.whole;
  last_read_ = now;
  next_look_ = now + std::min(options_.look_pause, deadlines.read);
  state_ = State::busy;
  // A line is shorter than a pipe's room: it is written whole, or the worker is gone and an event
  // says so.
  [[maybe_unused]] const auto written = ::write(orders_.get(), line.data(), line.size());
}

std::optional<Nanoseconds> WorkerLink::next_start() const {
  if (abandoned_.size() >= options_.most_abandoned) return std::nullopt;
  return state_ == State::none ? not_before_ : std::nullopt;
}

bool WorkerLink::has_answers() const {
  pollfd ready{answers_.get(), POLLIN, 0};
  return answers_ && ::poll(&ready, 1, 0) > 0;
}

void WorkerLink::look_at_heart(Nanoseconds now) {
  const auto heartbeat = read_heartbeat(heart_);
  if (heartbeat && heartbeat->reads != reads_) {
    reads_ = heartbeat->reads;
    last_read_ = now;
    ++progress_;
  } else if (has_answers()) {
    last_read_ = now;  // it may wait for us
  }
}

std::optional<WorkerLoss> WorkerLink::look(Nanoseconds now) {
  if (!next_look_ || now < *next_look_) return std::nullopt;
  if (state_ == State::dying) return look_at_the_killed(now);
  if (state_ == State::busy) look_at_heart(now);
  const bool stuck = state_ == State::busy && now >= last_read_ + deadlines_.read;
  if (now >= end_by_ || stuck) {
    kill(state_ == State::busy ? "deadline" : "start_failed");
  } else {
    next_look_ = std::min({now + options_.look_pause, end_by_, last_read_ + deadlines_.read});
  }
  return std::nullopt;
}

std::optional<WorkerLoss> WorkerLink::look_at_the_killed(Nanoseconds now) {
  if (!killed_at_) {
    killed_at_ = now;
    next_look_ = now + (order_ ? deadlines_.read : options_.start_deadline);
    return std::nullopt;
  }
  next_look_.reset();
  if (pid_ == 0) return std::nullopt;  // an event will tell that it is there, or why not
  abandoned_.insert(pid_);
  return lost(kill_cause_, "killed, and does not end", now);
}

void WorkerLink::kill(std::string cause) {
  if (state_ == State::dying || state_ == State::none) return;
  kill_cause_ = std::move(cause);
  state_ = State::dying;
  kill_now();
}

void WorkerLink::kill_now() {
  killed_at_.reset();
  next_look_ = Nanoseconds{};
  if (pid_ == 0) return;
  [[maybe_unused]] const auto asked = spawner_.kill_worker(pid_);
}

std::vector<Answer> WorkerLink::read_answers() {
  std::vector<Answer> answers;
  if (!lines_) return answers;
  const LineReader::State state = lines_->fill();
  while (auto line = lines_->take()) {
    auto answer = parse_answer(*line);
    // Its last words still count, but of a worker that is being killed nothing else does.
    if (state_ == State::dying && answer && !std::holds_alternative<Refused>(*answer)) continue;
    if (!answer || !accept(*answer)) {
      kill("garbage");
      break;
    }
    answers.push_back(*std::move(answer));
  }
  if (state == LineReader::State::too_long) kill("garbage");
  // An event tells of its end; a closed pipe need not be watched until then.
  if (state == LineReader::State::ended) {
    lines_.reset();
    answers_.reset();
  }
  return answers;
}

bool WorkerLink::is_asked_for(const Answer& answer) const {
  if (std::holds_alternative<Refused>(answer)) return true;
  if (std::holds_alternative<Hello>(answer)) return state_ == State::greeting;
  if (state_ != State::busy || !order_) return false;
  if (const auto* audit = std::get_if<AuditAnswer>(&answer)) {
    return order_->kind == OrderKind::audit && order_->pid == audit->report.pid;
  }
  if (const auto* screening = std::get_if<Screening>(&answer)) {
    return order_->kind == OrderKind::screen && std::find(order_->pids.begin(), order_->pids.end(),
                                                          screening->pid) != order_->pids.end();
  }
  if (std::holds_alternative<ProcessListing>(answer) || std::holds_alternative<LeftOut>(answer)) {
    return order_->kind == OrderKind::list;
  }
  return true;
}

bool WorkerLink::accept(const Answer& answer) {
  if (state_ == State::dying) return true;
  if (!is_asked_for(answer)) return false;
  if (std::holds_alternative<Hello>(answer)) {
    state_ = State::idle;
    next_look_.reset();
  }
  const auto* const done = std::get_if<Done>(&answer);
  if (done == nullptr) return true;
  state_ = State::idle;
  order_.reset();
  next_look_.reset();
  failures_in_a_row_ = 0;
  if (options_.memory_limit_bytes != 0 && done->peak_rss_bytes > options_.memory_limit_bytes / 2) {
    kill("grew");
  }
  return true;
}

std::string WorkerLink::cause_of(int status) const {
  if (!kill_cause_.empty()) return kill_cause_;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitRefused) return "refused";
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitOutOfMemory) return "memory";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && oom_kills_) {
    const auto now = options_.oom_kills();
    if (now && *now > *oom_kills_) return "oom";
  }
  return state_ == State::greeting ? "start_failed" : "crashed";
}

std::optional<WorkerLoss> WorkerLink::handle(const WorkerEvent& event, Nanoseconds now) {
  if (event.kind == WorkerEvent::Kind::started) {
    pid_ = event.pid;
    if (state_ == State::starting) state_ = State::greeting;
    // Killed before it was there.
    if (state_ == State::dying) kill_now();
    return std::nullopt;
  }
  if (event.kind == WorkerEvent::Kind::ended && abandoned_.erase(event.pid) != 0) {
    return std::nullopt;
  }
  const bool ours = event.kind == WorkerEvent::Kind::not_started || event.pid == pid_;
  if (!ours || state_ == State::none) return std::nullopt;
  if (event.kind == WorkerEvent::Kind::not_started) {
    return lost("start_failed", std::strerror(event.status), now);
  }
  const std::string detail = WIFSIGNALED(event.status)
                                 ? std::string{"signal "} + ::strsignal(WTERMSIG(event.status))
                                 : "exit status " + std::to_string(WEXITSTATUS(event.status));
  return lost(cause_of(event.status), detail, now);
}

WorkerLoss WorkerLink::lost(std::string cause, std::string detail, Nanoseconds now) {
  WorkerLoss loss{.cause = std::move(cause),
                  .detail = std::move(detail),
                  .order = std::exchange(order_, std::nullopt)};
  if (const auto heartbeat = read_heartbeat(heart_); heartbeat && loss.order) {
    loss.pid = heartbeat->pid;
  }
  state_ = State::none;
  pid_ = 0;
  reads_ = 0;
  next_look_.reset();
  lines_.reset();
  answers_.reset();
  orders_.reset();
  heart_.reset();
  kill_cause_.clear();
  // The first one comes at once; one that never gets anything done, later and later.
  Nanoseconds pause{};
  if (failures_in_a_row_ != 0) {
    pause = kFirstPause * (1LL << std::min<std::uint64_t>(failures_in_a_row_ - 1, 6));
    pause = std::min(pause, kLongestPause);
  }
  ++failures_in_a_row_;
  not_before_ = now + pause;
  return loss;
}

}  // namespace smaps_audit::service
