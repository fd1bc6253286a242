// SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kForkedBytes = 8 * kMiB;
constexpr std::size_t kCopiedBytes = kMiB;
constexpr std::size_t kLiveChildren = 8;
constexpr std::size_t kRelayBytes = 4 * kMiB;
constexpr std::size_t kStackBytes = 256 * 1024;

/// The clone shares this process's memory, thread-local storage included; its parent sleeps
/// meanwhile and must not touch anything.
struct SharedWork {
  const Run* run;
  Memory memory;
  pid_t parent;
};

int work_on_shared_memory(void* argument) {
  const auto* const work = static_cast<SharedWork*>(argument);
  die_with_parent();
  work->run->announce({work->parent, getpid()});
  pulse(*work->run, work->memory);
  _exit(0);
}

void share_memory(const Run& run, int flags) {
  const Memory memory = map_guarded(kPulseBytes, Pages::base);
  const Memory stack = map_guarded(kStackBytes, Pages::base);
  touch_write(memory);
  SharedWork work{&run, memory, getpid()};
  const pid_t child =
      clone(work_on_shared_memory, stack.data() + stack.size(), flags | SIGCHLD, &work);
  if (child < 0) die("clone");
  wait_for(child);
}

constexpr std::size_t kRelayStacks = 64;  // whoever is about to exit still stands on one
constexpr unsigned kRelayRuns = 8;

struct Relay {
  Run::Clock::time_point end;
  Memory memory;
  Memory stacks;
  pid_t target;
  std::size_t turn;
  Random random;
};

/// Works a little, hands on to a new process of the same memory, and is gone: whoever lists /proc
/// and then looks finds nobody.
int run_relay(void* argument) {
  auto* const relay = static_cast<Relay*>(argument);
  for (unsigned run = 0; run < kRelayRuns; ++run) {
    const Memory some = random_run(relay->memory, relay->random, relay->memory.size() / kPageBytes);
    if ((relay->random() & 1) != 0) {
      touch_write(some);
    } else {
      advise(some, MADV_DONTNEED);
    }
  }
  if (Run::Clock::now() >= relay->end || getppid() != relay->target) _exit(0);
  const std::size_t turn = ++relay->turn % kRelayStacks;
  std::byte* const stack =
      relay->stacks.data() + (turn + 1) * (relay->stacks.size() / kRelayStacks);
  clone(run_relay, stack, CLONE_VM | CLONE_PARENT | SIGCHLD, relay);
  _exit(0);
}

}  // namespace

void run_fork_storm(const Run& run) {
  const Memory memory = map_guarded(kForkedBytes, Pages::base);
  touch_write(memory);
  run.announce({getpid()});
  std::vector<pid_t> children;
  while (!run.over()) {
    children.push_back(in_child([memory] { touch_write(memory.first(kCopiedBytes)); }));
    touch_write(memory.last(kCopiedBytes));
    if (children.size() < kLiveChildren) continue;
    wait_for(children.front());
    children.erase(children.begin());
  }
  for (const pid_t child : children) wait_for(child);
}

void run_exec_exit(const Run& run) {
  const pid_t execs = in_child([&run] { exec_again(run.end()); });
  const pid_t spawns = in_child([&run] {
    const Memory memory = map_guarded(kCopiedBytes, Pages::base);
    while (!run.over()) wait_for(in_child([memory] { touch_write(memory); }));
  });
  run.announce({execs, spawns});
  wait_for(execs);
  wait_for(spawns);
}

void exec_again(Run::Clock::time_point end) {
  if (Run::Clock::now() >= end) _exit(0);
  die_with_parent();
  touch_write(map_guarded(kCopiedBytes, Pages::base));
  std::string end_ns = std::to_string(end.time_since_epoch().count());
  std::array<char, 10> name{"adversary"};
  std::array<char, 11> again{"exec-again"};
  std::array<char*, 4> words{name.data(), again.data(), end_ns.data(), nullptr};
  execv("/proc/self/exe", words.data());
  die("execv");
}

void run_shared_mm_vfork(const Run& run) { share_memory(run, CLONE_VM | CLONE_VFORK); }

void run_shared_mm_relay(const Run& run) {
  signal(SIGCHLD, SIG_IGN);
  Relay relay{.end = run.end(),
              .memory = map_guarded(kRelayBytes, Pages::base),
              .stacks = map_guarded(kRelayStacks * kStackBytes, Pages::base),
              .target = getpid(),
              .turn = 0,
              .random = {}};
  touch_write(relay.memory);
  touch_write(relay.stacks);
  run.announce({getpid()});
  if (clone(run_relay, relay.stacks.data() + kStackBytes, CLONE_VM | SIGCHLD, &relay) < 0) {
    die("clone");
  }
  std::this_thread::sleep_until(run.end());
}

void run_shared_mm_clone(const Run& run) { share_memory(run, CLONE_VM); }

}  // namespace smaps_audit::workloads
