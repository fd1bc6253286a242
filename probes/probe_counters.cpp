// SPDX-License-Identifier: Apache-2.0
// P17 of docs/kernel.md §6: how far is VmRSS from the pages while many threads fault? K05 keeps
// what a thread faulted to that thread until it ends, K06 (6.2 to 6.15) keeps it to the CPU.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kThreads = 32;
constexpr std::size_t kPagesEach = 61;  // below 66, and no multiple of 32: no batch is ever full
constexpr std::size_t kStackBytes = 64 << 10;
constexpr std::int64_t kMostPagesOfThread = 66;
constexpr std::int64_t kSmallestCpuBatch = 32;

struct Crew {
  Memory memory;
  pthread_barrier_t touched{};
  pthread_barrier_t dismissed{};
};

struct Member {
  Crew* crew = nullptr;
  std::size_t number = 0;
};

void* touch_and_wait(void* argument) {
  const auto* const member = static_cast<const Member*>(argument);
  Crew& crew = *member->crew;
  touch_write(
      crew.memory.subspan(member->number * kPagesEach * kPageBytes, kPagesEach * kPageBytes));
  pthread_barrier_wait(&crew.touched);
  pthread_barrier_wait(&crew.dismissed);
  return nullptr;
}

/// An unmap makes the kernel settle what this thread's own faults count.
void settle_own_counters() {
  const Memory page = map_guarded(kPageBytes, Pages::base);
  touch_write(page);
  turn_into_guard(page);
}

void run(ProbeChild& child) {
  Crew crew;
  crew.memory = map_guarded(kThreads * kPagesEach * kPageBytes, Pages::base);
  pthread_barrier_init(&crew.touched, nullptr, kThreads + 1);
  pthread_barrier_init(&crew.dismissed, nullptr, kThreads + 1);
  std::array<Member, kThreads> members;
  std::array<pthread_t, kThreads> threads{};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  for (std::size_t i = 0; i < kThreads; ++i) {
    members[i] = {&crew, i};
    if (pthread_create(&threads[i], &attributes, touch_and_wait, &members[i]) != 0) {
      child.unproven("no threads to be had");
    }
  }
  pthread_barrier_wait(&crew.touched);
  child.declare("threads", Role::subject, crew.memory, crew.memory.size());
  child.declare_positive(ProbeChild::base_memory(kMiB), Pages::base);
  child.hold("threads-wait");
  pthread_barrier_wait(&crew.dismissed);
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  settle_own_counters();
  child.hold("threads-ended");
  child.fact("cpus", ::sysconf(_SC_NPROCESSORS_CONF));
}

/// How many pages RssAnon lacks (positive) or has too many.
std::optional<std::int64_t> missing_pages(const Observation& seen) {
  if (!seen.status || !seen.status->rss_anon) return std::nullopt;
  return (static_cast<std::int64_t>(seen.smaps_anonymous_bytes) -
          static_cast<std::int64_t>(*seen.status->rss_anon)) /
         static_cast<std::int64_t>(kPageBytes);
}

std::string missing_text(std::int64_t pages) {
  return pages == 0  ? "exact"
         : pages > 0 ? std::to_string(pages) + " pages short"
                     : std::to_string(-pages) + " pages too many";
}

Answer judge(const Trial& trial) {
  const Observation* const waiting = trial.find("threads-wait");
  const Observation* const ended = trial.find("threads-ended");
  if (waiting == nullptr || ended == nullptr) {
    return inconclusive("the child was not seen in both states");
  }
  for (const Observation* const seen : {waiting, ended}) {
    const Answer pages = judge_residency(*seen);
    if (pages.outcome != Outcome::pass) return inconclusive(pages.reason);
  }
  const auto with_threads = missing_pages(*waiting);
  const auto afterwards = missing_pages(*ended);
  if (!with_threads || !afterwards) return inconclusive("RssAnon could not be read");
  Answer answer = inconclusive("");
  answer.expected = "RssAnon exact, while the threads wait and once they have ended";
  answer.observed = "RssAnon " + missing_text(*with_threads) + " while they wait, " +
                    missing_text(*afterwards) + " afterwards";
  const auto most_of_threads = static_cast<std::int64_t>(kThreads + 1) * kMostPagesOfThread;
  const std::int64_t cpus = trial.fact("cpus").value_or(1);
  const std::int64_t most_of_cpus = cpus * std::max(kSmallestCpuBatch, 2 * cpus);
  if (*with_threads == 0 && *afterwards == 0) {
    answer.outcome = Outcome::pass;
    answer.reason = "RssAnon is what smaps counts";
    answer.defects = {{"K05", false, answer.reason}, {"K06", false, answer.reason}};
  } else if (*afterwards == 0 && *with_threads > 0 && *with_threads <= most_of_threads) {
    answer.outcome = Outcome::fail;
    answer.reason = "RssAnon lacks " + std::to_string(*with_threads) +
                    " pages until the threads that touched them end";
    answer.defects = {{"K05", true, answer.reason},
                      {"K06", false, "RssAnon is exact once the threads have ended"}};
  } else if (std::max(std::abs(*with_threads), std::abs(*afterwards)) <= most_of_cpus) {
    answer.outcome = Outcome::fail;
    answer.reason = "RssAnon is off by what the CPUs have not yet summed up";
    answer.defects = {{"K05", false, "RssAnon stays off once the threads have ended"},
                      {"K06", true, answer.reason}};
  } else {
    answer.outcome = Outcome::fail;
    answer.reason = "RssAnon is off by more than any known kernel's bound";
  }
  return answer;
}

}  // namespace

const Probe kCounterSlack{.name = "counter-slack",
                          .question = "How far is VmRSS off while many threads fault?",
                          .needs = "nothing",
                          .cost = "10 MiB, 32 threads, 0.5 s",
                          .tier = Tier::instant,
                          .run = run,
                          .judge = judge};

}  // namespace smaps_audit::probes
