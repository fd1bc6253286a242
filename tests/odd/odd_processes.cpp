// SPDX-License-Identifier: Apache-2.0
// Processes that are odd in how they live and die.
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/odd/odd_modes.h"
#include "tests/workloads/memory.h"

namespace smaps_audit::odd {
namespace {

using workloads::die;
using workloads::kExitCannotRun;
using workloads::kPageBytes;

constexpr std::size_t kStackBytes = 65536;

void sleep_microseconds(long microseconds) {
  const timespec pause{.tv_sec = 0, .tv_nsec = microseconds * 1000};
  ::nanosleep(&pause, nullptr);
}

/// Seeded by the time: no run is like another.
long random_below(long limit) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_nsec / 64 % limit;
}

void die_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
}

void* hold_as_thread(void*) {
  const pid_t pid = ::getpid();
  sleep_microseconds(100000);  // until the leader is dead
  announce(pid, kTouchedBytes);
  hold();
  ::_exit(0);
}

/// Flips its pages for as long as the other user of this mm lives.
int flip(void* memory) {
  char* const pages = static_cast<char*>(memory);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    for (std::size_t i = 0; i < kTouchedBytes; i += kPageBytes) pages[i] = 2;
    sleep_microseconds(200);
    ::madvise(pages, kTouchedBytes, MADV_DONTNEED);
  }
  return 0;
}

int wait_for_end(void* /*nothing*/) {
  hold();
  return 0;
}

}  // namespace

int run_plain(const char* /*argument*/) {
  touch(kTouchedBytes);
  announce(::getpid(), kTouchedBytes);
  hold();
  return 0;
}

int run_zombie(const char* /*argument*/) {
  const pid_t child = ::fork();
  if (child < 0) die("fork");
  if (child == 0) ::_exit(0);
  siginfo_t info;
  if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0) die("waitid");
  announce(child, 0);
  hold();
  return 0;
}

int run_dead_leader(const char* /*argument*/) {
  touch(kTouchedBytes);
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, hold_as_thread, nullptr) != 0) die("pthread_create");
  ::pthread_exit(nullptr);
}

int run_traced(const char* /*argument*/) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) die("fork");
  if (child == 0) {
    die_with_parent(parent);
    touch(kTouchedBytes);
    for (;;) ::pause();
  }
  sleep_microseconds(100000);
  if (::ptrace(PTRACE_SEIZE, child, nullptr, nullptr) != 0) die("PTRACE_SEIZE");
  if (::ptrace(PTRACE_INTERRUPT, child, nullptr, nullptr) != 0) die("PTRACE_INTERRUPT");
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) die("waitpid");
  announce(child, kTouchedBytes);
  hold();
  ::kill(child, SIGKILL);
  return 0;
}

int run_vfork_parent(const char* /*argument*/) {
  touch(kTouchedBytes);
  announce(::getpid(), kTouchedBytes);
  static std::array<char, kStackBytes> stack;
  if (::clone(wait_for_end, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD,
              nullptr) < 0) {
    die("clone");
  }
  return 0;
}

/// ARGUMENT "still": the other user of the mm sleeps as well.
int run_shared_mm(const char* argument) {
  const bool still = argument != nullptr && std::strcmp(argument, "still") == 0;
  touch(kTouchedBytes);
  char* const flipped = touch(kTouchedBytes);
  static std::array<char, kStackBytes> stack;
  const pid_t other = ::clone(still ? wait_for_end : flip, stack.data() + stack.size(),
                              CLONE_VM | SIGCHLD, flipped);
  if (other < 0) die("clone");
  announce(::getpid(), kTouchedBytes);
  hold();
  ::kill(other, SIGKILL);
  return 0;
}

/// ARGUMENT: the program to execute next, which gets our own name as its ARGUMENT: with a setuid
/// copy of this one the process changes its privileges all the time.
int run_exec_loop(const char* argument) {
  if (argument == nullptr) return workloads::kExitUsage;
  touch((1 + static_cast<std::size_t>(random_below(3))) << 20);
  if (::getenv("ODD_TARGET_ANNOUNCED") == nullptr) {
    ::setenv("ODD_TARGET_ANNOUNCED", "1", 1);
    announce(::getpid(), 0);
  }
  if (told_to_end()) return 0;
  sleep_microseconds(random_below(8000));
  std::array<char, 4096> self{};
  // Without the setuid program's identity the next one is ours again, to be looked at.
  if (::seteuid(::getuid()) != 0) die("seteuid");
  if (::readlink("/proc/self/exe", self.data(), self.size() - 1) <= 0) die("readlink");
  ::execl(argument, argument, "exec-loop", self.data(), nullptr);
  die("execl");
}

/// Children that come and go under one pid, of different sizes.
int run_pid_reuse(const char* /*argument*/) {
  const pid_t parent = ::getpid();
  // A pid that others will hardly take meanwhile.
  pid_t wanted = 30000 + static_cast<pid_t>(random_below(2000));
  bool announced = false;
  while (!told_to_end()) {
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uintptr_t>(&wanted);
    arguments.set_tid_size = 1;
    const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) {
      die_with_parent(parent);
      touch((1 + static_cast<std::size_t>(random_below(8))) << 20);
      sleep_microseconds(random_below(20000));
      ::_exit(0);
    }
    if (child < 0 && errno == EEXIST && !announced) {
      ++wanted;
      continue;
    }
    if (child < 0 && errno == EEXIST) continue;
    if (child < 0) return errno == EPERM ? kExitCannotRun : (std::perror("clone3"), 70);
    if (!announced) announce(wanted, 0);
    announced = true;
    ::waitpid(wanted, nullptr, 0);
  }
  return 0;
}

}  // namespace smaps_audit::odd
