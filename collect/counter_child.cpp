// SPDX-License-Identifier: Apache-2.0
#include "collect/counter_child.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

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

/// So that what CPUs hold back of a counter is what one of them does.
void stay_on_this_cpu() {
  const int cpu = ::sched_getcpu();
  if (cpu < 0 || cpu >= CPU_SETSIZE) return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpu), &only);
  ::sched_setaffinity(0, sizeof only, &only);
}

/// The child: never returns. `order` tells it to touch more.
[[noreturn]] void run_child(const Work& work, int order_fd, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  stay_on_this_cpu();
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

std::optional<CounterReading> read_counters(KernelView& view, const Target& child) {
  const auto status = child.status(view);
  if (!status || !status->rss_anon) return std::nullopt;
  auto smaps = view.open_at(child.directory(), "smaps");
  if (!smaps) return std::nullopt;
  const auto text = read_whole(view, *smaps);
  if (!text) return std::nullopt;
  const auto records = parse_smaps(*text);
  if (!records) return std::nullopt;
  CounterReading reading{.rss_anon = *status->rss_anon, .anonymous = 0};
  for (const SmapsRecord& record : records->records) {
    reading.anonymous += record.values.bytes(SmapsField::anonymous).value_or(0);
  }
  return reading;
}

/// A huge page that a child inherits by fork and that we give back the first half of: then the
/// child alone maps its first page, both of us its last.
class SharedHugePage {
 public:
  explicit SharedHugePage(const PageGeometry& pages) : pages_(pages) {
    const std::size_t area = 2 * pages.pmd_bytes;
    void* at = ::mmap(nullptr, area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return;
    area_ = at;
    const auto address = reinterpret_cast<std::uintptr_t>(at);
    first_ = (address + pages.pmd_bytes - 1) / pages.pmd_bytes * pages.pmd_bytes;
    ::madvise(reinterpret_cast<void*>(first_), pages.pmd_bytes, MADV_HUGEPAGE);
    *reinterpret_cast<volatile char*>(first_) = 1;
  }
  SharedHugePage(const SharedHugePage&) = delete;
  SharedHugePage& operator=(const SharedHugePage&) = delete;
  ~SharedHugePage() {
    if (area_ != nullptr) ::munmap(area_, 2 * pages_.pmd_bytes);
  }

  void give_back_half() const {
    if (area_ == nullptr) return;
    ::madvise(reinterpret_cast<void*>(first_), pages_.pmd_bytes / 2, MADV_DONTNEED);
  }

  /// Does the child's pagemap tell the two halves apart? False where there was no huge page to be
  /// had.
  bool exclusive_per_page(KernelView& view, const Target& child) const {
    if (area_ == nullptr) return false;
    const auto word_at = [&](std::uint64_t address) {
      PagemapWord word;
      const auto got = view.pread(child.pagemap(), std::as_writable_bytes(std::span{&word, 1}),
                                  address / pages_.page_bytes * sizeof word);
      return got && *got == sizeof word ? word : PagemapWord{};
    };
    const PagemapWord first = word_at(first_);
    const PagemapWord last = word_at(first_ + pages_.pmd_bytes - pages_.page_bytes);
    return first.present() && last.present() && first.exclusive() && !last.exclusive();
  }

  /// Does the child's smaps? Likewise.
  bool mapcount_per_page(KernelView& view, const Target& child) const {
    auto smaps = view.open_at(child.directory(), "smaps");
    if (!smaps || area_ == nullptr) return false;
    const auto text = read_whole(view, *smaps);
    if (!text) return false;
    const auto records = parse_smaps(*text);
    if (!records) return false;
    return std::any_of(
        records->records.begin(), records->records.end(), [this](const SmapsRecord& record) {
          const auto bytes = [&](SmapsField field) { return record.values.bytes(field); };
          return record.header.start <= first_ && first_ < record.header.end &&
                 bytes(SmapsField::anon_huge_pages) == pages_.pmd_bytes &&
                 bytes(SmapsField::rss) == pages_.pmd_bytes &&
                 bytes(SmapsField::private_dirty) == pages_.pmd_bytes / 2;
        });
  }

 private:
  PageGeometry pages_;
  void* area_ = nullptr;
  std::uintptr_t first_ = 0;
};

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

CounterChildAnswer question(KernelView& view, pid_t pid, int ready_fd, int order_fd,
                            const SharedHugePage& huge, const PageGeometry& pages) {
  CounterChildAnswer answer;
  if (!await_bytes(ready_fd, kThreads)) return answer;
  RefusedTarget refused;
  const auto child = Target::open(view, pid, refused);
  if (!child) return answer;
  answer.wchan_works = await_sleep(view, *child);
  std::vector<CounterReading> readings;
  if (const auto first = read_counters(view, *child)) readings.push_back(*first);
  const char order = 'm';
  if (::write(order_fd, &order, 1) != 1 || !await_bytes(ready_fd, 1)) return answer;
  await_sleep(view, *child);
  if (const auto second = read_counters(view, *child)) readings.push_back(*second);
  const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
  if (readings.size() == 2) {
    answer.counters =
        judge_counters(readings, static_cast<std::uint64_t>(std::max(1L, cpus)), pages);
  }
  huge.give_back_half();
  answer.exclusive_per_page = huge.exclusive_per_page(view, *child);
  answer.mapcount_per_page = huge.mapcount_per_page(view, *child);
  return answer;
}

}  // namespace

RssCounterError judge_counters(std::span<const CounterReading> readings, std::uint64_t cpus,
                               const PageGeometry& pages) {
  bool exact = !readings.empty();
  bool by_thread = !readings.empty();
  // What the one CPU holds back, and the one that forked.
  const std::uint64_t per_cpu = 2 * (std::max<std::uint64_t>(32, 2 * cpus) - 1);
  for (const CounterReading& reading : readings) {
    exact = exact && reading.rss_anon == reading.anonymous;
    by_thread = by_thread && reading.anonymous > reading.rss_anon &&
                pages.pages(reading.anonymous - reading.rss_anon) > per_cpu;
  }
  if (exact) return RssCounterError::exact;
  return by_thread ? RssCounterError::per_thread : RssCounterError::bounded;
}

CounterChildAnswer ask_counter_child(KernelView& view, const PageGeometry& pages) {
  std::array<int, 2> ready{};
  std::array<int, 2> orders{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0) return {};
  const UniqueFd ready_read{ready[0]};
  UniqueFd ready_write{ready[1]};
  if (::pipe2(orders.data(), O_CLOEXEC) != 0) return {};
  const UniqueFd order_read{orders[0]};
  const UniqueFd order_write{orders[1]};
  const auto page_bytes = static_cast<long>(pages.page_bytes);
  const std::size_t area = (kThreads * kPagesEach + kPagesLater) * pages.page_bytes;
  void* memory = ::mmap(nullptr, area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return {};
  ::madvise(memory, area, MADV_NOHUGEPAGE);
  const SharedHugePage huge{pages};
  const Work work{static_cast<volatile char*>(memory), page_bytes, ready_write.get()};

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) run_child(work, order_read.get(), parent);
  CounterChildAnswer answer;
  if (pid > 0) {
    ready_write.reset();  // so that a child that dies ends our reads
    answer = question(view, pid, ready_read.get(), order_write.get(), huge, pages);
    ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
  }
  ::munmap(memory, area);
  return answer;
}

}  // namespace smaps_audit
