// SPDX-License-Identifier: Apache-2.0
#include "probes/guardian.h"

#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <utility>

namespace smaps_audit::probes {
namespace {

void close_range(unsigned first, unsigned last) {
  if (first <= last) ::syscall(SYS_close_range, first, last, 0);
}

/// Else the guardian of one thing would keep another's from seeing that we have gone.
void close_all_but(int one, int other) {
  const auto low = static_cast<unsigned>(std::min(one, other < 0 ? one : other));
  const auto high = static_cast<unsigned>(std::max(one, other));
  if (low > 0) close_range(0, low - 1);
  if (high > low) close_range(low + 1, high - 1);
  close_range(high + 1, std::numeric_limits<unsigned>::max());
}

[[noreturn]] void guard(int life, int keep, const std::function<void()>& act) {
  ::setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
  close_all_but(life, keep);
  char byte = 0;
  while (::read(life, &byte, 1) < 0 && errno == EINTR) {
  }
  act();
  ::_exit(0);
}

}  // namespace

Result<Guardian> Guardian::start(int keep, const std::function<void()>& act) {
  std::array<int, 2> life{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life.data()) != 0) {
    return error_from_errno(errno, "no socket pair");
  }
  const UniqueFd theirs{life[0]};
  Guardian guardian;
  guardian.life_ = UniqueFd{life[1]};
  guardian.pid_ = ::fork();
  if (guardian.pid_ < 0) return error_from_errno(errno, "no guardian process");
  if (guardian.pid_ == 0) guard(life[0], keep, act);
  return guardian;
}

Guardian::Guardian(Guardian&& other) noexcept
    : life_(std::move(other.life_)), pid_(std::exchange(other.pid_, -1)) {}

Guardian& Guardian::operator=(Guardian&& other) noexcept {
  std::swap(life_, other.life_);
  std::swap(pid_, other.pid_);
  return *this;
}

Guardian::~Guardian() {
  if (pid_ <= 0) return;
  // A child that we forked meanwhile may hold the same end: closing it would not do.
  const char over = 'o';
  static_cast<void>(::send(life_.get(), &over, 1, MSG_NOSIGNAL));
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace smaps_audit::probes
