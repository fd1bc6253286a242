// SPDX-License-Identifier: Apache-2.0
#include "collect/counter_child.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "collect/guards.h"
#include "collect/target.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kThreads = 16;
constexpr std::size_t kPagesEach = 61;  // 61 × 16 is no multiple of 32, the smallest batch
constexpr std::size_t kPagesLater = 37;
constexpr std::size_t kThreadStackBytes = 64 << 10;

struct Work {
  volatile char* pages;
  long page_bytes;
  int ready_fd;
};

void touch(const Work& work, std::size_t first, std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    work.pages[i * static_cast<std::size_t>(work.page_bytes)] = 1;
  }
}

struct ThreadWork {
  const Work* work;
  std::size_t number;
};

void* fault_and_sleep(void* argument) {
  const auto* mine = static_cast<const ThreadWork*>(argument);
  touch(*mine->work, mine->number * kPagesEach, kPagesEach);
  const char done = 't';
  static_cast<void>(!::write(mine->work->ready_fd, &done, 1));
  while (true) ::pause();
}

/// The child: never returns. `order` tells it to touch more.
[[noreturn]] void run_child(const Work& work, int order_fd, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  static std::array<ThreadWork, kThreads> mine;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kThreadStackBytes);
  for (std::size_t i = 0; i < kThreads; ++i) {
    mine[i] = {&work, i};
    pthread_t thread{};
    if (pthread_create(&thread, &attributes, fault_and_sleep, &mine[i]) != 0) ::_exit(1);
  }
  char order = 0;
  if (::read(order_fd, &order, 1) != 1) ::_exit(1);
  touch(work, kThreads * kPagesEach, kPagesLater);
  static_cast<void>(!::write(work.ready_fd, &order, 1));
  while (true) ::pause();
}

bool await_bytes(int fd, std::size_t count) {
  char byte = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (::read(fd, &byte, 1) != 1) return false;
  }
  return true;
}

/// RssAnon − Σ Anonymous of the child, nullopt if it can't be read.
std::optional<bool> counter_is_exact(KernelView& view, const Target& child) {
  const auto status = child.status(view);
  if (!status || !status->rss_anon) return std::nullopt;
  auto smaps = view.open_at(child.directory(), "smaps");
  if (!smaps) return std::nullopt;
  const auto text = read_whole(view, *smaps);
  if (!text) return std::nullopt;
  const auto records = parse_smaps(*text);
  if (!records) return std::nullopt;
  std::uint64_t anonymous = 0;
  for (const SmapsRecord& record : records->records) {
    anonymous += record.values.bytes(SmapsField::anonymous).value_or(0);
  }
  return anonymous == *status->rss_anon;
}

bool all_threads_sleep(KernelView& view, const Target& child) {
  const ThreadsState before = read_threads(view, child, true);
  return before.threads.size() == kThreads + 1 &&
         proven_asleep(before, read_threads(view, child, true));
}

/// A thread that has just reported still has to reach its pause().
bool await_sleep(KernelView& view, const Target& child) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (all_threads_sleep(view, child)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

CounterChildAnswer question(KernelView& view, pid_t pid, int ready_fd, int order_fd) {
  CounterChildAnswer answer;
  if (!await_bytes(ready_fd, kThreads)) return answer;
  RefusedTarget refused;
  const auto child = Target::open(view, pid, refused);
  if (!child) return answer;
  answer.wchan_works = await_sleep(view, *child);
  const auto first = counter_is_exact(view, *child);
  const char order = 'm';
  if (::write(order_fd, &order, 1) != 1 || !await_bytes(ready_fd, 1)) return answer;
  await_sleep(view, *child);
  const auto second = counter_is_exact(view, *child);
  answer.counters_exact = first.value_or(false) && second.value_or(false);
  return answer;
}

}  // namespace

CounterChildAnswer ask_counter_child(KernelView& view) {
  std::array<int, 2> ready{};
  std::array<int, 2> orders{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0) return {};
  const UniqueFd ready_read{ready[0]};
  UniqueFd ready_write{ready[1]};
  if (::pipe2(orders.data(), O_CLOEXEC) != 0) return {};
  const UniqueFd order_read{orders[0]};
  const UniqueFd order_write{orders[1]};
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  const std::size_t area =
      (kThreads * kPagesEach + kPagesLater) * static_cast<std::size_t>(page_bytes);
  void* pages = ::mmap(nullptr, area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return {};
  ::madvise(pages, area, MADV_NOHUGEPAGE);
  const Work work{static_cast<volatile char*>(pages), page_bytes, ready_write.get()};

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) run_child(work, order_read.get(), parent);
  CounterChildAnswer answer;
  if (pid > 0) {
    ready_write.reset();  // so that a child that dies ends our reads
    answer = question(view, pid, ready_read.get(), order_write.get());
    ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
  }
  ::munmap(pages, area);
  return answer;
}

}  // namespace smaps_audit
