// SPDX-License-Identifier: Apache-2.0
// A correct kernel and a target that does its worst; then a lying one. The coin of docs/method.md
// §6 is what keeps them apart, so these tests toss it with a seed of their own.
#include <gtest/gtest.h>

#include <random>

#include "collect/sampler.h"
#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr std::uint64_t kLow = 16 * kHuge;
constexpr int kRounds = 4000;

/// Has 64 pages or none of them, and smaps tells which at every moment.
SampleProcess flickering() {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 64 * kPage)};
  return process;
}

void show(SampleProcess& process, bool there) {
  SampleVma& vma = process.vmas[0];
  vma.runs.clear();
  if (there) vma.runs = {pages_in(vma.range, 0, 64)};
  vma.rss = there ? 64 * kPage : 0;
  process.vm_rss = vma.rss;
}

/// The longest series of `rounds` audits of a target that reacts to each of our calls.
unsigned longest_series(
    int rounds, std::uint64_t seed,
    const std::function<void(SampleProcess&, Moment, std::mt19937_64&)>& react) {
  std::mt19937_64 coin{seed};
  std::mt19937_64 target{seed + 1};
  unsigned longest = 0;
  for (int round = 0; round < rounds; ++round) {
    SampleProcess process = flickering();
    process.faults = 2;
    process.reads_first = [&coin](unsigned) { return coin() >> 63 != 0; };
    process.before = [&](SampleProcess& self, Moment moment) { react(self, moment, target); };
    const ProcessReport report = process.audit();
    EXPECT_NE(report.verdict, Verdict::finding);
    for (const unsigned steps : process.series_steps) longest = std::max(longest, steps);
  }
  return longest;
}

TEST(Flicker, AtRandomTimesNeverLastsASeries) {
  const unsigned longest =
      longest_series(kRounds, 1, [](SampleProcess& self, Moment, std::mt19937_64& target) {
        show(self, target() >> 63 != 0);
      });
  EXPECT_LT(longest, kSeriesSteps / 2);
}

TEST(Flicker, PhaseLockedToEveryCallNeverLastsASeries) {
  // Flips behind each of our calls, as adversary "burst" does: there for a pass, gone for a read,
  // as long as the two take turns.
  const unsigned longest =
      longest_series(kRounds, 2, [](SampleProcess& self, Moment moment, std::mt19937_64&) {
        const bool sees_pages = moment == Moment::pass || moment == Moment::smaps ||
                                moment == Moment::sweep_pass || moment == Moment::sweep_smaps;
        if (sees_pages) show(self, self.vmas[0].runs.empty());
      });
  EXPECT_LT(longest, kSeriesSteps);
}

TEST(Flicker, ThatGuessesTheNextCallLastsNoLongerThanLuckDoes) {
  // Shows the pages if it thinks that a pass comes next. Every step it has to guess one coin; with
  // 2^-24 a series it can't last in 4000.
  struct Guess {
    bool pass_next = true;
    bool guessed = false;
  };
  auto guess = std::make_shared<Guess>();
  const unsigned longest = longest_series(
      kRounds, 3, [guess](SampleProcess& self, Moment moment, std::mt19937_64& target) {
        if (moment == Moment::sweep_pass) return show(self, true);
        if (moment == Moment::sweep_smaps) return show(self, false);
        if (moment != Moment::pass && moment != Moment::smaps) return;
        if (!guess->guessed) {
          guess->pass_next = target() >> 63 != 0;
          guess->guessed = true;
          show(self, guess->pass_next);
        } else {
          // The second call of the step is known: it is the other one.
          guess->guessed = false;
          show(self, moment == Moment::pass);
        }
      });
  EXPECT_LT(longest, kSeriesSteps);
}

TEST(Flicker, OfASleeperByAnotherProcessNeverLastsASeries) {
  // adversary process-madvise: out by MADV_PAGEOUT, back by a remote read, no fault of the
  // target's.
  std::mt19937_64 coin{7};
  std::mt19937_64 other{8};
  unsigned longest = 0;
  for (int round = 0; round < kRounds; ++round) {
    SampleProcess process = flickering();
    process.asleep = true;
    process.reads_first = [&coin](unsigned) { return coin() >> 63 != 0; };
    process.before = [&](SampleProcess& self, Moment) { show(self, other() >> 63 != 0); };
    EXPECT_NE(process.audit().verdict, Verdict::finding);
    for (const unsigned steps : process.series_steps) longest = std::max(longest, steps);
  }
  EXPECT_LT(longest, kSeriesSteps / 2);
}

TEST(Flicker, ALyingSmapsAlwaysLastsTheSeries) {
  // The mutation check of the tests above: the same flicker, and 16 pages that smaps never counts.
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 coin{seed};
    std::mt19937_64 target{seed + 1};
    SampleProcess process;
    process.vmas = {resident_vma(kLow, 64 * kPage)};
    process.faults = 2;
    process.reads_first = [&coin](unsigned) { return coin() >> 63 != 0; };
    process.before = [&](SampleProcess& self, Moment) {
      SampleVma& vma = self.vmas[0];
      const std::uint64_t flickers = target() % 49;
      vma.runs = {pages_in(vma.range, 0, 16 + flickers)};
      vma.rss = flickers * kPage / 16;
    };
    const ProcessReport report = process.audit();
    ASSERT_EQ(report.verdict, Verdict::finding) << seed;
    EXPECT_EQ(process.series_steps[0], kSeriesSteps);
  }
}

TEST(Flicker, WithoutTheCoinAPhaseLockedTargetFoolsTheSeries) {
  // The negative control: what the coin is for. Passes and reads take strict turns here.
  SampleProcess process = flickering();
  process.reads_first = [](unsigned) { return true; };
  process.before = [](SampleProcess& self, Moment moment) {
    if (moment == Moment::pass || moment == Moment::sweep_pass) show(self, true);
    if (moment == Moment::smaps || moment == Moment::sweep_smaps) show(self, false);
  };
  EXPECT_EQ(process.audit().verdict, Verdict::finding);
}

}  // namespace
}  // namespace smaps_audit
