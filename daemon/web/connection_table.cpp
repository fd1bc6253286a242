// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/connection_table.h"

#include <algorithm>

namespace smaps_audit {
namespace {

constexpr std::chrono::seconds kLeastIdle{1};

}  // namespace

Admission ConnectionTable::admit(int fd, PeerKind kind, const ClientAddress& from,
                                 std::uint64_t owner, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto live = [](const auto& entry) { return !entry.second.ended; };
  if (kind == PeerKind::tcp) {
    const auto same = std::count_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
      return live(entry) && entry.second.kind == PeerKind::tcp && entry.second.from == from;
    });
    if (static_cast<std::size_t>(same) >= limits_.connections_per_address) {
      return Admission::address_limit;
    }
  }
  const auto all = static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), live));
  const bool full = all >= limits_.connections;
  if (full && !evict_one(now)) return Admission::total_limit;
  // A number that stands here still is of a connection that was never announced: it is closed.
  entries_.insert_or_assign(
      fd, Entry{.kind = kind, .from = from, .owner = owner, .phase = Phase::fresh, .since = now});
  return full ? Admission::admitted_after_eviction : Admission::admitted;
}

void ConnectionTable::enter(int fd, Phase phase, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(fd);
  if (found == entries_.end()) return;
  found->second.phase = phase;
  found->second.since = now;
  if (phase == Phase::request) found->second.any_request_line = true;
}

void ConnectionTable::request_begun(int fd, Clock::time_point now) {
  enter(fd, Phase::request, now);
}
void ConnectionTable::request_whole(int fd, Clock::time_point now) {
  enter(fd, Phase::answer, now);
}
void ConnectionTable::answered(int fd, Clock::time_point now) { enter(fd, Phase::idle, now); }

ConnectionTable::Seen ConnectionTable::leave(int fd) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(fd);
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  const Seen seen{.any_request_line = entry.any_request_line,
                  .within_request = entry.phase == Phase::request || entry.phase == Phase::fresh};
  entries_.erase(found);
  return seen;
}

ClientAddress ConnectionTable::address_of(int fd) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(fd);
  return found == entries_.end() ? ClientAddress{} : found->second.from;
}

ConnectionTable::Clock::duration ConnectionTable::allowed(Phase phase) const {
  switch (phase) {
    case Phase::fresh:
    case Phase::request: return limits_.request;
    case Phase::idle: return limits_.idle;
    case Phase::answer: return limits_.answer;
  }
  return limits_.request;
}

std::size_t ConnectionTable::expire(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (auto& [fd, entry] : entries_) {
    if (entry.ended || now - entry.since < allowed(entry.phase)) continue;
    ::shutdown(fd, SHUT_RDWR);
    entry.ended = true;
    // Nobody is let down when a connection that only idles is closed.
    if (entry.phase != Phase::idle) ++count;
  }
  return count;
}

bool ConnectionTable::evict_one(Clock::time_point now) {
  auto oldest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second.ended || entry->second.phase == Phase::answer) continue;
    if (oldest == entries_.end() || entry->second.since < oldest->second.since) oldest = entry;
  }
  if (oldest == entries_.end() || now - oldest->second.since < kLeastIdle) return false;
  ::shutdown(oldest->first, SHUT_RDWR);
  oldest->second.ended = true;
  return true;
}

std::size_t ConnectionTable::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::size_t ConnectionTable::size_of(std::uint64_t owner) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [&](const auto& entry) { return entry.second.owner == owner; }));
}

}  // namespace smaps_audit
