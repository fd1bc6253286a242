// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

/// The process between the parent, which gave its capabilities away, and the workers, which need
/// them. It has one thread and does four things: start a worker, kill one on order, say when one
/// has ended, and end with the parent.
namespace smaps_audit::service {

/// What a new worker finds open.
inline constexpr int kOrderFd = 3;    ///< reads orders
inline constexpr int kAnswerFd = 4;   ///< writes answers
inline constexpr int kScratchFd = 5;  ///< the capture of an audit, an unlinked file
inline constexpr int kHeartFd = 6;    ///< its heartbeat (daemon/heartbeat.h)

/// The parent's ends of these stay with the parent.
struct WorkerFds {
  const UniqueFd& orders;
  const UniqueFd& answers;
  const UniqueFd& scratch;
  const UniqueFd& heart;
};

/// The most that a capture may take.
inline constexpr std::uint64_t kLargestScratchBytes = std::uint64_t{64} << 20;

/// What the spawner has to say.
struct WorkerEvent {
  enum class Kind : std::uint8_t { started, ended, not_started, spawner_gone };
  Kind kind = Kind::spawner_gone;
  pid_t pid = 0;
  int status = 0;  ///< of `ended`: as waitpid() gives it; of `not_started`: an errno
};

struct SpawnerOptions {
  std::vector<std::string> worker_command;  ///< program and arguments
  std::uint64_t worker_memory_bytes = 0;    ///< RLIMIT_AS; 0: none (address sanitizer)
};

/// The parent's end. Its destructor ends the spawner, and with it every worker; it waits for them
/// for some seconds at most, since a worker in a read that hangs may outlive its SIGKILL.
class Spawner {
 public:
  /// Forks; to be called with one thread, before the parent drops its capabilities.
  static Result<Spawner> start(const SpawnerOptions& options);
  Spawner(Spawner&&) noexcept = default;
  Spawner& operator=(Spawner&&) = delete;
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;
  ~Spawner();

  /// Asks for a worker with these descriptors; an event tells what came of it.
  Result<Ok> start_worker(const WorkerFds& fds);
  Result<Ok> kill_worker(pid_t pid);
  /// Readable when there is an event.
  [[nodiscard]] int descriptor() const { return control_.get(); }
  /// nullopt: nothing to say now.
  std::optional<WorkerEvent> next_event();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  Spawner(pid_t pid, UniqueFd control) : pid_(pid), control_(std::move(control)) {}

  pid_t pid_ = 0;
  UniqueFd control_;
};

}  // namespace smaps_audit::service
