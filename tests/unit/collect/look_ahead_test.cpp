// SPDX-License-Identifier: Apache-2.0
#include "collect/look_ahead.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

/// By query and by a second descriptor on maps: the same answers.
class LookAheadTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    process.scan = true;
    for (std::uint64_t i = 1; i <= 5; ++i) {
      process.vmas.push_back({.range = {i * 0x10000, i * 0x10000 + 0x8000}});
    }
    process.publish();
    RefusedTarget refused;
    Result<Target> opened = Target::open(view, 7, refused);
    ASSERT_TRUE(opened.ok());
    target = std::make_unique<Target>(*std::move(opened));
    ahead = std::make_unique<LookAhead>(view, *target, GetParam());
    ASSERT_TRUE(ahead->restart().ok());
  }
  std::vector<Range> next(std::uint64_t from, std::size_t count) {
    std::vector<Range> vmas;
    without_file.clear();
    const Result<Ok> done = ahead->next(from, count, vmas, without_file);
    EXPECT_TRUE(done.ok());
    return vmas;
  }
  FakeKernelView view;
  FakeProcess process{view};
  std::unique_ptr<Target> target;
  std::unique_ptr<LookAhead> ahead;
  RangeSet without_file;  ///< of the last next()
};

INSTANTIATE_TEST_SUITE_P(ByQueryAndByMaps, LookAheadTest, testing::Bool());

TEST_P(LookAheadTest, TellsTheFirstVmasFromTheStart) {
  EXPECT_EQ(next(0, 2), (std::vector<Range>{{0x10000, 0x18000}, {0x20000, 0x28000}}));
}

TEST_P(LookAheadTest, GoesOnBehindAnAddress) {
  next(0, 2);
  EXPECT_EQ(next(0x28000, 2), (std::vector<Range>{{0x30000, 0x38000}, {0x40000, 0x48000}}));
  EXPECT_EQ(next(0x48000, 9), (std::vector<Range>{{0x50000, 0x58000}}));
  EXPECT_TRUE(next(0x58000, 9).empty());
}

TEST_P(LookAheadTest, CutsAVmaThatTheAddressLiesIn) {
  EXPECT_EQ(next(0x24000, 1), (std::vector<Range>{{0x24000, 0x28000}}));
}

TEST_P(LookAheadTest, TellsWhichVmasMapNoFile) {
  process.vmas[1].has_file = true;
  process.publish();
  ASSERT_TRUE(ahead->restart().ok());
  EXPECT_EQ(next(0, 3).size(), 3u);
  EXPECT_TRUE(without_file.contains({0x10000, 0x18000}));
  EXPECT_FALSE(without_file.contains({0x20000, 0x28000}));
  EXPECT_TRUE(without_file.contains({0x30000, 0x38000}));
}

TEST(LookAhead, LeavesOutWhatIsOutOfOrder) {
  RangeSet without_file;
  add_without_file(without_file, {0x3000, 0x5000});
  add_without_file(without_file, {0x1000, 0x2000});
  add_without_file(without_file, {0x4000, 0x6000});
  EXPECT_EQ(without_file.ranges(), (std::vector<Range>{{0x3000, 0x5000}}));
}

TEST_P(LookAheadTest, StartsAgain) {
  next(0x48000, 9);
  ASSERT_TRUE(ahead->restart().ok());
  EXPECT_EQ(next(0, 1), (std::vector<Range>{{0x10000, 0x18000}}));
}

TEST_P(LookAheadTest, PassesAnErrorOn) {
  view.set_errno("/proc/7/maps", ESRCH);
  std::vector<Range> vmas;
  const Result<Ok> done = ahead->next(0, 1, vmas, without_file);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::gone);
}

TEST_P(LookAheadTest, LeavesTheKernelsOwnPagesOut) {
  process.vmas.push_back({.range = {0xffffffffff600000, 0xffffffffff601000},
                          .permissions = "--xp",
                          .name = "[vsyscall]"});
  process.publish();
  ASSERT_TRUE(ahead->restart().ok());
  EXPECT_EQ(next(0, 9).size(), 5u);
}

TEST(LookAhead, AnAnswerThatEndsBelowTheAddressIsTheEnd) {
  FakeKernelView view;
  FakeProcess process{view};
  process.scan = true;
  process.vmas = {{.range = {0x10000, 0x20000}}};
  process.publish();
  RefusedTarget refused;
  const Result<Target> target = Target::open(view, 7, refused);
  ASSERT_TRUE(target.ok());
  view.set_vmas("/proc/7/maps", {{.start = 0x30000, .end = 0x20000}});
  LookAhead ahead{view, *target, true};
  std::vector<Range> vmas;
  RangeSet without_file;
  ASSERT_TRUE(ahead.next(0x10000, 9, vmas, without_file).ok());
  EXPECT_TRUE(vmas.empty());
}

}  // namespace
}  // namespace smaps_audit
