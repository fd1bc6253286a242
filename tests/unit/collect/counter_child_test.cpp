// SPDX-License-Identifier: Apache-2.0
#include "collect/counter_child.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "collect/live_kernel_view.h"
#include "tests/support/failing_kernel_view.h"

namespace smaps_audit {
namespace {

constexpr PageGeometry kPages;
constexpr std::uint64_t kPage = 4096;

RssCounterError judged(std::uint64_t missing_pages, std::uint64_t later_missing_pages,
                       std::uint64_t cpus = 2) {
  const std::array readings = {
      CounterReading{.rss_anon = (1000 - missing_pages) * kPage, .anonymous = 1000 * kPage},
      CounterReading{.rss_anon = (1037 - later_missing_pages) * kPage, .anonymous = 1037 * kPage}};
  return judge_counters(readings, cpus, kPages);
}

TEST(CounterChild, CountersThatAgreeTwiceAreExact) {
  EXPECT_EQ(judged(0, 0), RssCounterError::exact);
}

TEST(CounterChild, ADifferenceThatOneCpuMayHoldBackIsBounded) {
  EXPECT_EQ(judged(61, 62), RssCounterError::bounded);
  EXPECT_EQ(judged(0, 12), RssCounterError::bounded);
}

TEST(CounterChild, ADeficitThatNoCpuExplainsIsHeldBackByThreads) {
  EXPECT_EQ(judged(63, 100), RssCounterError::per_thread);
  EXPECT_EQ(judged(900, 930), RssCounterError::per_thread);
}

TEST(CounterChild, WithManyCpusTheBatchIsLarger) {
  EXPECT_EQ(judged(900, 930, 256), RssCounterError::bounded);
}

TEST(CounterChild, AnExcessIsNeverHeldBackByThreads) {
  const std::array readings = {CounterReading{.rss_anon = 900 * kPage, .anonymous = 0}};
  EXPECT_EQ(judge_counters(readings, 2, kPages), RssCounterError::bounded);
}

TEST(CounterChild, NoReadingIsNoProof) {
  EXPECT_EQ(judge_counters({}, 2, kPages), RssCounterError::bounded);
}

TEST(CounterChild, TheRunningKernelAnswersAlikeTwice) {
  LiveKernelView view;
  const CounterChildAnswer first = ask_counter_child(view, kPages);
  const CounterChildAnswer second = ask_counter_child(view, kPages);
  EXPECT_TRUE(first.wchan_works);
  EXPECT_EQ(first.counters, second.counters);
  EXPECT_EQ(first.exclusive_per_page, second.exclusive_per_page);
  EXPECT_EQ(first.mapcount_per_page, second.mapcount_per_page);
}

TEST(CounterChild, AChildThatCannotBeReadProvesNothing) {
  LiveKernelView live;
  FailingKernelView view{live};
  view.fail_from(1, EACCES);
  const CounterChildAnswer answer = ask_counter_child(view, kPages);
  EXPECT_FALSE(answer.wchan_works);
  EXPECT_EQ(answer.counters, RssCounterError::bounded);
  EXPECT_FALSE(answer.exclusive_per_page);
  EXPECT_FALSE(answer.mapcount_per_page);
}

}  // namespace
}  // namespace smaps_audit
