// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
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
  int pid = 0;                 ///< whose files it read then, by its own word; 0: nobody's
};

/// How long an order may take.
struct OrderDeadlines {
  Nanoseconds read{};   ///< each read, and then as long again to end once killed
  Nanoseconds whole{};  ///< all of it
};

/// The parent's side of its worker: starts it through the spawner, gives it one order at a time,
/// takes its answers, watches its heartbeat, has it killed past a deadline, and starts the next
/// one, also beside one that does not even end when it is killed. The time is an argument.
class WorkerLink {
 public:
  struct Options {
    std::uint64_t memory_limit_bytes = 0;  ///< a worker whose peak passes half of it is replaced
    Nanoseconds start_deadline = std::chrono::seconds(30);
    Nanoseconds look_pause = std::chrono::seconds(1);  ///< between two looks at its heartbeat
    std::size_t most_abandoned = 3;  ///< that were killed and do not end; then none is started
    /// How often the kernel has killed for want of memory where the worker is (read_oom_kills());
    /// nullopt: unknown.
    std::function<std::optional<std::uint64_t>()> oom_kills = [] { return std::nullopt; };
  };

  WorkerLink(Spawner& spawner, const Options& options) : spawner_(spawner), options_(options) {}

  /// Starts a worker if there is none and it is time for one.
  Result<Ok> ensure_started(Nanoseconds now);
  [[nodiscard]] bool is_idle() const { return state_ == State::idle; }
  [[nodiscard]] bool is_running() const { return state_ == State::idle || state_ == State::busy; }
  /// Only while idle.
  void send(const Order& order, const OrderDeadlines& deadlines, Nanoseconds now);
  /// While something is under way: when to call look(). nullopt: nothing is.
  [[nodiscard]] std::optional<Nanoseconds> next_look() const { return next_look_; }
  /// Kills what got stuck. What does not end then is given up for lost.
  std::optional<WorkerLoss> look(Nanoseconds now);
  /// Rises with what its heartbeat has shown, look by look.
  [[nodiscard]] std::uint64_t progress() const { return progress_; }
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
  void kill_now();
  std::optional<WorkerLoss> look_at_the_killed(Nanoseconds now);
  [[nodiscard]] bool has_answers() const;
  void look_at_heart(Nanoseconds now);
  WorkerLoss lost(std::string cause, std::string detail, Nanoseconds now);
  [[nodiscard]] bool is_asked_for(const Answer& answer) const;
  /// false: nobody asked for it.
  bool accept(const Answer& answer);
  [[nodiscard]] std::string cause_of(int status) const;

  Spawner& spawner_;
  Options options_;
  State state_ = State::none;
  pid_t pid_ = 0;
  UniqueFd orders_;
  UniqueFd answers_;
  UniqueFd scratch_;
  UniqueFd heart_;
  std::optional<LineReader> lines_;
  std::optional<Order> order_;
  OrderDeadlines deadlines_;
  Nanoseconds end_by_{};  ///< of what is under way
  std::optional<Nanoseconds> killed_at_;
  std::optional<Nanoseconds> next_look_;
  std::uint64_t reads_ = 0;
  Nanoseconds last_read_{};
  std::uint64_t progress_ = 0;
  std::set<pid_t> abandoned_;
  std::optional<Nanoseconds> not_before_ = Nanoseconds{};
  std::string kill_cause_;
  std::optional<std::uint64_t> oom_kills_;  ///< when the worker was started
  std::uint64_t failures_in_a_row_ = 0;
};

}  // namespace smaps_audit::service
