// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/password_gate.h"

#include <algorithm>
#include <chrono>

#include "daemon/web/blocked_signals.h"

namespace smaps_audit {
namespace {

using Clock = std::chrono::steady_clock;

double now_seconds() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<PasswordGate>> PasswordGate::create(const PasswordLimits& limits) {
  auto digest = SecretDigest::create();
  if (!digest) return digest.error();
  std::unique_ptr<PasswordGate> gate(new PasswordGate(limits, *digest));
  const BlockedSignals blocked;
  try {
    gate->thread_ = std::thread([owner = gate.get()] { owner->run(); });
  } catch (const std::system_error& error) {
    return error_from_errno(error.code().value(), "cannot start the thread that checks passwords");
  }
  return gate;
}

PasswordGate::PasswordGate(const PasswordLimits& limits, SecretDigest digest)
    : limits_(limits), digest_(digest) {}

PasswordGate::~PasswordGate() {
  close();
  if (thread_.joinable()) thread_.join();
}

std::pair<std::string, bool> PasswordGate::hash_for(const Users& users,
                                                    const std::string& user) const {
  if (const auto found = users.find(user); found != users.end()) return {found->second, true};
  unsigned cost = 0;
  for (const auto& [name, hash] : users) cost = std::max(cost, bcrypt_cost(hash));
  return {dummy_bcrypt(cost), false};
}

PasswordAnswer PasswordGate::recall(const Users& users, const Credentials& credentials,
                                    const ClientAddress& from) {
  const auto [hash, known] = hash_for(users, credentials.user);
  const SecretDigest::Value digest = digest_.of(credentials.user, hash, credentials.password);
  const std::lock_guard lock(mutex_);
  if (closing_) return PasswordAnswer::overloaded;
  if (right_.contains(digest)) return PasswordAnswer::right;
  if (wrong_.contains(digest)) return PasswordAnswer::wrong;
  if (failures_of(from, now_seconds()) >= limits_.failures_per_address)
    return PasswordAnswer::too_many;
  return PasswordAnswer::unknown;
}

void PasswordGate::submit(const Users& users, const Credentials& credentials,
                          const ClientAddress& from, Done done) {
  auto [hash, known] = hash_for(users, credentials.user);
  const SecretDigest::Value digest = digest_.of(credentials.user, hash, credentials.password);
  PasswordAnswer answer = PasswordAnswer::unknown;
  {
    const std::lock_guard lock(mutex_);
    const auto of_address = std::count_if(queue_.begin(), queue_.end(),
                                          [&](const auto& job) { return job->from == from; });
    if (closing_) {
      answer = PasswordAnswer::overloaded;
    } else if (right_.contains(digest)) {
      answer = PasswordAnswer::right;
    } else if (Job* const same = unanswered(digest)) {
      same->waiting.push_back(std::move(done));
      return;
    } else if (static_cast<std::size_t>(of_address) >= limits_.queued_per_address) {
      answer = PasswordAnswer::too_many;
    } else if (queue_.size() >= limits_.queue_length) {
      answer = PasswordAnswer::overloaded;
    } else {
      auto job = std::make_shared<Job>();
      *job = {.digest = digest,
              .password = credentials.password,
              .hash = std::move(hash),
              .known_user = known,
              .from = from,
              .waiting = {}};
      job->waiting.push_back(std::move(done));
      const double now = now_seconds();
      const bool clean = failures_of(from, now) < 1;
      const auto before = std::find_if(queue_.begin(), queue_.end(), [&](const auto& other) {
        return clean && failures_of(other->from, now) >= 1;
      });
      queue_.insert(before, std::move(job));
      wake_.notify_all();
      return;
    }
  }
  done(answer);
}

PasswordGate::Job* PasswordGate::unanswered(const SecretDigest::Value& digest) const {
  if (running_ && running_->digest == digest) return running_.get();
  const auto found = std::find_if(queue_.begin(), queue_.end(),
                                  [&](const auto& job) { return job->digest == digest; });
  return found == queue_.end() ? nullptr : found->get();
}

void PasswordGate::run() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (queue_.empty()) {
      wake_.wait(lock);
      continue;
    }
    running_ = std::move(queue_.front());
    queue_.pop_front();
    const std::shared_ptr<Job> job = running_;
    lock.unlock();
    const Clock::time_point begun = Clock::now();
    const bool matches = bcrypt_matches(job->password, job->hash);
    const bool right = job->known_user && matches;
    const auto rest = (Clock::now() - begun) * limits_.rest_factor;
    wipe(job->password);
    lock.lock();
    finish(*job, right);
    running_.reset();
    const std::vector<Done> waiting = std::move(job->waiting);
    lock.unlock();
    for (const Done& done : waiting) done(right ? PasswordAnswer::right : PasswordAnswer::wrong);
    lock.lock();
    if (!right) wake_.wait_for(lock, rest, [&] { return closing_; });
  }
}

void PasswordGate::finish(Job& job, bool right) {
  remember(right ? right_ : wrong_, job.digest, limits_.results_remembered);
  if (!right) add_failure(job.from);
}

void PasswordGate::close() {
  std::deque<std::shared_ptr<Job>> left;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    left.swap(queue_);
    wake_.notify_all();
  }
  for (const auto& job : left) {
    wipe(job->password);
    for (const Done& done : job->waiting) done(PasswordAnswer::overloaded);
  }
}

double PasswordGate::failures_of(const ClientAddress& from, double now) const {
  const auto found = failures_.find(from);
  if (found == failures_.end()) return 0;
  return std::max(
      0.0, found->second.count - (now - found->second.at_seconds) * limits_.forgiven_per_second);
}

void PasswordGate::add_failure(const ClientAddress& from) {
  const double now = now_seconds();
  if (failures_.size() >= limits_.addresses_remembered && !failures_.contains(from)) {
    std::erase_if(failures_, [&](const auto& entry) { return failures_of(entry.first, now) <= 0; });
    if (failures_.size() >= limits_.addresses_remembered) failures_.erase(failures_.begin());
  }
  failures_[from] = {.count = failures_of(from, now) + 1, .at_seconds = now};
}

void PasswordGate::remember(std::set<SecretDigest::Value>& results,
                            const SecretDigest::Value& digest, std::size_t limit) {
  // The digests are random: whichever goes is as good as any other.
  if (results.size() >= limit) results.erase(results.begin());
  results.insert(digest);
}

}  // namespace smaps_audit
