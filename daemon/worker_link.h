// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/line_reader.h"
#include "daemon/protocol.h"
#include "daemon/scheduler.h"
#include "daemon/spawner.h"

namespace smaps_audit::service {

/// What a dead worker leaves behind.
struct WorkerLoss {
  std::string cause;           ///< a word of the metric's label
  std::string detail;          ///< for the log
  std::optional<Order> order;  ///< what it was at
};

/// The parent's side of its worker: starts it through the spawner, gives it one order at a time,
/// takes its answers, has it killed past a deadline, and starts the next one. The time is an
/// argument.
class WorkerLink {
 public:
  struct Options {
    std::uint64_t memory_limit_bytes = 0;  ///< a worker whose peak passes half of it is replaced
    Nanoseconds start_deadline = std::chrono::seconds(30);
  };

  WorkerLink(Spawner& spawner, const Options& options) : spawner_(spawner), options_(options) {}

  /// Starts a worker if there is none and it is time for one.
  Result<Ok> ensure_started(Nanoseconds now);
  [[nodiscard]] bool is_idle() const { return state_ == State::idle; }
  [[nodiscard]] bool is_running() const { return state_ == State::idle || state_ == State::busy; }
  /// Only while idle.
  void send(const Order& order, Nanoseconds deadline);
  /// Of what is under way; nullopt: of nothing. Then call expired().
  [[nodiscard]] std::optional<Nanoseconds> deadline() const;
  void expired();
  /// When the next start is due; nullopt: it runs, or is on its way.
  [[nodiscard]] std::optional<Nanoseconds> next_start() const;

  /// Readable: take answers. Descriptor -1: nothing to watch.
  [[nodiscard]] int descriptor() const { return answers_.get(); }
  std::vector<Answer> read_answers();
  /// An event of the spawner.
  std::optional<WorkerLoss> handle(const WorkerEvent& event, Nanoseconds now);

  [[nodiscard]] const std::optional<Order>& order() const { return order_; }
  /// The capture that the last audit left.
  [[nodiscard]] const UniqueFd& scratch() const { return scratch_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  enum class State : std::uint8_t { none, starting, greeting, idle, busy, dying };

  void kill(std::string cause);
  [[nodiscard]] bool is_asked_for(const Answer& answer) const;
  /// false: nobody asked for it.
  bool accept(const Answer& answer);
  std::string cause_of(int status) const;

  Spawner& spawner_;
  Options options_;
  State state_ = State::none;
  pid_t pid_ = 0;
  UniqueFd orders_;
  UniqueFd answers_;
  UniqueFd scratch_;
  std::optional<LineReader> lines_;
  std::optional<Order> order_;
  std::optional<Nanoseconds> deadline_;
  std::optional<Nanoseconds> not_before_ = Nanoseconds{};
  std::string kill_cause_;
  std::uint64_t failures_in_a_row_ = 0;
};

}  // namespace smaps_audit::service
