// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kServedBytes = 16 * kMiB;
constexpr std::size_t kMovedBytes = 8 * kMiB;
constexpr std::size_t kStackBytes = 256 * 1024;
constexpr std::size_t kMostCopiedPages = 32;
constexpr std::chrono::milliseconds kLongestRest{30};

// Linux 6.8; not in the headers of Debian 12.
struct UffdioMove {
  __u64 dst;
  __u64 src;
  __u64 len;
  __u64 mode;
  __s64 move;
};
constexpr std::uint64_t kFeatureMove = std::uint64_t{1} << 16U;
constexpr std::uint64_t kMoveAllowSrcHoles = 2;
// _IOWR(UFFDIO, 0x05, struct uffdio_move)
constexpr unsigned long kUffdioMove = _IOWR(UFFDIO, 0x05, UffdioMove);

std::uint64_t address_of(const std::byte* at) { return reinterpret_cast<std::uintptr_t>(at); }

int open_userfaultfd(const Run& run, std::uint64_t features) {
  const int fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  if (fd < 0) run.skip("no userfaultfd", errno);
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = features;
  if (ioctl(fd, UFFDIO_API, &api) != 0) {
    run.skip(features == 0 ? "UFFDIO_API" : "no UFFDIO_MOVE (UFFDIO_API)", errno);
  }
  return fd;
}

void register_missing(int fd, Memory memory) {
  uffdio_register wanted{};
  wanted.range = {address_of(memory.data()), memory.size()};
  wanted.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (ioctl(fd, UFFDIO_REGISTER, &wanted) != 0) die("UFFDIO_REGISTER");
}

/// Pages that are there already stay; whoever waits is woken in any case.
void copy_into(int fd, Memory pages, const std::vector<std::byte>& source) {
  uffdio_copy copy{};
  copy.dst = address_of(pages.data());
  copy.src = address_of(source.data());
  copy.len = pages.size();
  if (ioctl(fd, UFFDIO_COPY, &copy) == 0 || errno == ENOENT || errno == ESRCH) return;
  uffdio_range range{address_of(pages.data()), pages.size()};
  if (ioctl(fd, UFFDIO_WAKE, &range) != 0) die("UFFDIO_WAKE");
}

/// Serves faults with more pages than were asked for, and brings pages nobody asked for.
void serve(const Run& run, int fd, Memory memory) {
  const std::vector<std::byte> source(kMostCopiedPages * kPageBytes, std::byte{7});
  Random random(1);
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  while (!run.over()) {
    if (poll(&waiting, 1, 1) == 0) {
      copy_into(fd, random_run(memory, random, kMostCopiedPages), source);
      continue;
    }
    uffd_msg message{};
    if (read(fd, &message, sizeof message) != static_cast<ssize_t>(sizeof message)) continue;
    if (message.event != UFFD_EVENT_PAGEFAULT) continue;
    const std::uint64_t offset =
        (message.arg.pagefault.address - address_of(memory.data())) / kPageBytes * kPageBytes;
    const std::size_t wanted = (1 + random() % kMostCopiedPages) * kPageBytes;
    copy_into(fd, memory.subspan(offset, std::min(wanted, memory.size() - offset)), source);
  }
}

/// Moves all it can; what could not be moved stays where it is and comes with the next call.
bool move_pages_of_target(int fd, Memory from, const std::byte* to) {
  std::size_t done = 0;
  while (done < from.size()) {
    UffdioMove move{.dst = address_of(to) + done,
                    .src = address_of(from.data()) + done,
                    .len = from.size() - done,
                    .mode = kMoveAllowSrcHoles,
                    .move = 0};
    if (ioctl(fd, kUffdioMove, &move) == 0) return true;
    if (move.move > 0) {
      done += static_cast<std::size_t>(move.move);
    } else if (errno == EAGAIN) {
      continue;
    } else if (errno == EEXIST || errno == EBUSY || errno == ENOENT) {
      done += kPageBytes;  // this one has to stay
    } else {
      return false;
    }
  }
  return true;
}

/// There and back again, in one piece mostly, with a rest of any length at either end.
void move_there_and_back(const Run& run, int fd, Memory home, Memory away) {
  Random random(1);
  while (!run.over()) {
    const bool all = random() % 4 != 0;
    const Memory moved = all ? home : random_run(home, random, 256);
    std::byte* const there = away.data() + (moved.data() - home.data());
    if (!move_pages_of_target(fd, moved, there)) die("UFFDIO_MOVE");
    random_pause(random, kLongestRest);
    if (!move_pages_of_target(fd, {there, moved.size()}, moved.data())) die("UFFDIO_MOVE");
    random_pause(random, kLongestRest);
  }
}

struct Mover {
  const Run* run;
  int fd;
  Memory home;
  Memory away;
};

int move_in_clone(void* argument) {
  const auto* const mover = static_cast<Mover*>(argument);
  die_with_parent();
  move_there_and_back(*mover->run, mover->fd, mover->home, mover->away);
  _exit(0);
}

/// The target sleeps all the time: no fault, no switch of its threads tells what is done to it.
/// The kernel lets only a process that shares the address space move pages in it.
void be_moved(const Run& run, Pages pages) {
  const int fd = open_userfaultfd(run, kFeatureMove);
  const Memory home = map_guarded(kMovedBytes, pages);
  const Memory away = map_guarded(kMovedBytes, pages);
  const Memory stack = map_guarded(kStackBytes, Pages::base);
  register_missing(fd, away);
  touch_write(home);
  register_missing(fd, home);
  UffdioMove probe{address_of(away.data()), address_of(home.data()), kPageBytes, 0, 0};
  if (ioctl(fd, kUffdioMove, &probe) != 0) run.skip("UFFDIO_MOVE", errno);
  run.announce({getpid()});
  Mover mover{&run, fd, home, away};
  const pid_t child = clone(move_in_clone, stack.data() + stack.size(), CLONE_VM | SIGCHLD, &mover);
  if (child < 0) die("clone");
  wait_for(child);
}

}  // namespace

void run_uffd_copy(const Run& run) {
  const int fd = open_userfaultfd(run, 0);
  const Memory memory = map_guarded(kServedBytes, Pages::base);
  register_missing(fd, memory);
  in_child([&] { serve(run, fd, memory); });
  touch_write(memory);
  run.announce({getpid()});
  Random random(2);
  while (!run.over()) {
    advise(random_run(memory, random, 64), MADV_DONTNEED);
    touch_write(random_run(memory, random, 64));
    if (random() % 64 == 0) random_pause(random, kLongestRest);
  }
}

void run_uffd_move(const Run& run) { be_moved(run, Pages::base); }

void run_uffd_move_thp(const Run& run) { be_moved(run, Pages::huge); }

}  // namespace smaps_audit::workloads
