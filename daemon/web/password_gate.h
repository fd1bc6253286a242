// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/result.h"
#include "daemon/web/bind_address.h"
#include "daemon/web/password.h"

namespace smaps_audit {

struct PasswordLimits {
  std::size_t queue_length = 16;       ///< different credentials that wait to be looked at
  std::size_t queued_per_address = 2;  ///< … of one address
  double failures_per_address = 10;    ///< wrong passwords of one address in a row …
  double forgiven_per_second = 0.1;    ///< … and how fast they are forgotten
  std::size_t addresses_remembered = 1024;
  std::size_t results_remembered = 256;
  /// After a wrong password the thread rests this many times as long as the check took: a flood of
  /// them takes no more than 1 / (1 + rest_factor) of one core.
  double rest_factor = 4;
};

enum class PasswordAnswer : std::uint8_t {
  right,
  wrong,
  unknown,     ///< has to be computed: submit()
  too_many,    ///< this address failed too often, or has too much in the queue: 429
  overloaded,  ///< the queue is full, or the gate is closing: 503
};

/// Checks passwords against bcrypt hashes on one thread of its own and remembers the results as
/// keyed digests, so that a scrape costs a digest and not 80 ms. Thread-safe.
class PasswordGate {
 public:
  using Users = std::map<std::string, std::string, std::less<>>;
  /// Called once for each submit(), on the gate's thread or the caller's; must not call the gate.
  using Done = std::function<void(PasswordAnswer)>;

  static Result<std::unique_ptr<PasswordGate>> create(const PasswordLimits& limits);
  PasswordGate(const PasswordGate&) = delete;
  PasswordGate& operator=(const PasswordGate&) = delete;
  ~PasswordGate();

  /// From memory; never blocks for long. `users` are those of the present configuration: a result
  /// holds for the hash it was computed with, so a changed hash is a new question.
  PasswordAnswer recall(const Users& users, const Credentials& credentials,
                        const ClientAddress& from);

  /// After `unknown`. Who asks the same while it is being computed gets the same answer.
  void submit(const Users& users, const Credentials& credentials, const ClientAddress& from,
              Done done);

  /// Answers `overloaded` to all that wait, and from now on. Called by the destructor.
  void close();

 private:
  struct Job {
    SecretDigest::Value digest{};
    std::string password;
    std::string hash;
    bool known_user = false;
    ClientAddress from;
    std::vector<Done> waiting;
  };
  struct Failures {
    double count = 0;
    double at_seconds = 0;
  };

  PasswordGate(const PasswordLimits& limits, SecretDigest digest);
  void run();
  [[nodiscard]] Job* unanswered(const SecretDigest::Value& digest) const;
  void finish(Job& job, bool right);
  double failures_of(const ClientAddress& from, double now) const;
  void add_failure(const ClientAddress& from);
  static void remember(std::set<SecretDigest::Value>& results, const SecretDigest::Value& digest,
                       std::size_t limit);
  [[nodiscard]] std::pair<std::string, bool> hash_for(const Users& users,
                                                      const std::string& user) const;

  const PasswordLimits limits_;
  const SecretDigest digest_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool closing_ = false;
  std::deque<std::shared_ptr<Job>> queue_;  ///< clean addresses before those with failures
  std::shared_ptr<Job> running_;
  std::set<SecretDigest::Value> right_;
  std::set<SecretDigest::Value> wrong_;
  std::map<ClientAddress, Failures> failures_;
  std::thread thread_;
};

}  // namespace smaps_audit
