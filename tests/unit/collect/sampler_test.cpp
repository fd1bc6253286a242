// SPDX-License-Identifier: Apache-2.0
// The order of reads, and which pages each bracket covers (docs/method.md §3, §6).
#include "collect/sampler.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = 2097152;
constexpr Nanoseconds kForever = std::chrono::hours(1);

/// Writes down what it is given; wants one series of `steps` if `plan` says so.
class Notebook final : public SampleSink {
 public:
  SeriesPlan plan;
  unsigned steps = 1;
  std::vector<Range> ranges;
  std::vector<Range> counted;

  std::vector<std::string> order;
  std::vector<std::uint64_t> faults;
  std::vector<std::string> uncovered;
  std::vector<bool> asleep;
  std::optional<SweepEnd> end;
  std::vector<MappingRun> mapped;

  void on_chunk(const Chunk& chunk) override {
    order.emplace_back("chunk");
    faults.push_back(chunk.faults);
    for (const SmapsRecord& record : chunk.text.records) {
      const Range range{record.header.start, record.header.end};
      const bool both = chunk.before.covered.contains(range) && chunk.after.covered.contains(range);
      if (!both) uncovered.emplace_back(record.header.name);
    }
  }
  void on_numa(const NumaMapsText&) override { order.emplace_back("numa"); }
  void on_rollup(const SmapsRecord&) override { order.emplace_back("rollup"); }
  void on_sweep_end(const SweepEnd& sweep_end) override { end = sweep_end; }
  SeriesPlan plan_series() override { return std::exchange(plan, {}); }
  bool wants_numa() override { return true; }
  void on_listing(const SmapsText&) override { order.emplace_back("listing"); }
  std::span<const Range> watched_ranges() override { return ranges; }
  void on_pass(const PagePass&, const PagePass* plain) override {
    order.emplace_back(plain == nullptr ? "pass" : "passes");
  }
  std::span<const Range> counted_ranges() override { return counted; }
  void on_mappings(const PagePass& pass) override {
    for (const MappingRun& run : pass.mappings) mapped.push_back(run);
  }
  void on_series_smaps(const SmapsText&) override { order.emplace_back("smaps"); }
  void on_series_numa(const NumaMapsText&) override { order.emplace_back("numa"); }
  void on_series_rollup(const SmapsRecord&) override { order.emplace_back("rollup"); }
  void on_series_status(const StatusNumbers&, const ProcStatm&) override {
    order.emplace_back("status");
  }
  StepDecision on_step(unsigned step, const std::optional<Stillness>& still) override {
    order.emplace_back("step");
    if (still) asleep.push_back(still->asleep);
    return step >= steps ? StepDecision::done : StepDecision::go_on;
  }
};

class SamplerTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    process.scan = GetParam();
    capabilities.pagemap_scan = capabilities.procmap_query = GetParam();
    capabilities.numa_maps = capabilities.smaps_rollup = capabilities.wchan = true;
    for (std::uint64_t i = 0; i < 7; ++i) {
      process.vmas.push_back(
          {.range = {kHuge + i * 16 * kPage, kHuge + (i * 16 + 8) * kPage}, .pages = i});
    }
  }
  Result<Ok> run(bool random_pauses = false) {
    process.publish();
    RefusedTarget refused;
    const Result<Target> target = Target::open(view, 7, refused);
    EXPECT_TRUE(target.ok());
    Sampler sampler{view,
                    capabilities,
                    PageGeometry{},
                    *target,
                    {.deadline = view.monotonic_now() + deadline, .random_pauses = random_pauses}};
    Result<Ok> done = sampler.sweep(notes);
    if (done) done = sampler.confirm(notes);
    cost = sampler.cost();
    return done;
  }
  FakeKernelView view;
  FakeProcess process{view};
  KernelCapabilities capabilities;
  Nanoseconds deadline = kForever;
  Notebook notes;
  SampleCost cost;
};

INSTANTIATE_TEST_SUITE_P(PlainAndScan, SamplerTest, testing::Bool());

TEST_P(SamplerTest, CoversEveryVmaOfEveryChunkBeforeAndAfter) {
  for (const std::size_t records : {1u, 2u, 3u, 7u}) {
    notes = {};
    process.records_per_read = records;
    ASSERT_TRUE(run().ok());
    EXPECT_TRUE(notes.uncovered.empty()) << records;
    EXPECT_EQ(notes.faults.size(), (7 + records - 1) / records);
    ASSERT_TRUE(notes.end);
    EXPECT_TRUE(notes.end->asleep);
    EXPECT_EQ(notes.end->awake_threads, 0u);
  }
}

TEST_P(SamplerTest, CoversVmasThatShareABlockOrAreFarApart) {
  process.vmas = {{.range = {kPage, 2 * kPage}, .pages = 1},
                  {.range = {3 * kPage, 600 * kPage}, .pages = 597},
                  {.range = {600 * kPage, 2000 * kPage}, .pages = 3},
                  {.range = {0x7f0000000000, 0x7f0000001000}, .pages = 1},
                  {.range = {0xffffffffff600000, 0xffffffffff601000},
                   .permissions = "--xp",
                   .name = "[vsyscall]"}};
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(notes.uncovered, std::vector<std::string>{"[vsyscall]"});
}

TEST_P(SamplerTest, AVmaThatAppearedAfterTheFirstPassIsNotCovered) {
  process.records_per_read = 1;
  bool added = false;
  view.on_call([&](std::string_view operation, const std::string& path) {
    if (operation != "read" || path != "/proc/7/smaps" || std::exchange(added, true)) return;
    FakeVma late{.range = {kPage, 9 * kPage}, .pages = 2, .name = "late"};
    view.set_chunks(path, {process.record(late), process.record(process.vmas[0])});
  });
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(notes.uncovered, std::vector<std::string>{"late"});
}

TEST_P(SamplerTest, CountsTheFaultsOfEachBracketFromBeforeItsFirstPass) {
  process.records_per_read = 4;
  view.on_call([&](std::string_view operation, const std::string& path) {
    if (operation == "read" && path == "/proc/7/smaps") {
      process.faults += 100;
      view.set_file("/proc/7/stat", process.stat());
    }
  });
  ASSERT_TRUE(run().ok());
  // Every read adds a hundred. The second bracket is counted from behind the first pass on, so it
  // holds the first read, too: more than needed, never less.
  EXPECT_EQ(notes.faults, (std::vector<std::uint64_t>{100, 200}));
}

TEST_P(SamplerTest, ReadsTheTotalsAfterTheChunks) {
  process.records_per_read = 7;
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(notes.order, (std::vector<std::string>{"chunk", "rollup", "numa"}));
}

TEST_P(SamplerTest, ASeriesIsAPassAndThenStepsOfReadsAndAPass) {
  notes.plan = {.wanted = true};
  notes.steps = 2;
  notes.ranges = {process.vmas[1].range};
  process.records_per_read = 7;
  ASSERT_TRUE(run().ok());
  const std::string pass = GetParam() ? "passes" : "pass";
  EXPECT_EQ(std::vector<std::string>(notes.order.begin() + 3, notes.order.end()),
            (std::vector<std::string>{pass, pass, "smaps", "numa", "status", "step", pass, "smaps",
                                      "numa", "status", "step"}));
}

TEST_P(SamplerTest, TheCoinDecidesWhichComesFirst) {
  notes.plan = {.wanted = true};
  notes.steps = 64;
  notes.ranges = {process.vmas[1].range};
  ASSERT_TRUE(run(true).ok());
  const std::string pass = GetParam() ? "passes" : "pass";
  int pass_first = 0;
  for (std::size_t i = 1; i < notes.order.size(); ++i) {
    if (notes.order[i - 1] == "step" && notes.order[i] == pass) ++pass_first;
  }
  EXPECT_GT(pass_first, 16);
  EXPECT_LT(pass_first, 48);
  EXPECT_GT(view.slept(), Nanoseconds{0});
}

TEST_P(SamplerTest, TheCoinPutsStatusBeforeOrBehindTheOtherReads) {
  notes.plan = {.wanted = true, .whole_mm = true};
  notes.steps = 64;
  notes.ranges = {process.vmas[1].range};
  ASSERT_TRUE(run(true).ok());
  std::vector<bool> is_status;  // of the sweep and of each step two reads, each of two calls
  for (const std::string& call : view.calls()) {
    const bool status = call.ends_with("/statm");
    const bool read = call.starts_with("pread");
    if (read && (status || call.ends_with("/smaps_rollup"))) is_status.push_back(status);
  }
  ASSERT_EQ(is_status.size(), 4u + 4u * 64u);
  int first = 0;
  for (std::size_t i = 4; i < is_status.size(); i += 4) first += is_status[i] ? 1 : 0;
  EXPECT_GT(first, 16);
  EXPECT_LT(first, 48);
}

TEST_P(SamplerTest, AWholeSeriesListsFirstAndReadsTheTotals) {
  notes.plan = {.wanted = true, .whole_mm = true};
  process.records_per_read = 7;
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(notes.order[3], "listing");
  EXPECT_NE(std::find(notes.order.begin() + 3, notes.order.end(), "rollup"), notes.order.end());
}

TEST_P(SamplerTest, APassTellsTheMappingsOfWhatIsCountedOnly) {
  notes.plan = {.wanted = true};
  notes.ranges = {process.vmas[1].range, process.vmas[2].range, process.vmas[4].range};
  notes.counted = {process.vmas[2].range};
  ASSERT_TRUE(run().ok());
  ASSERT_EQ(notes.mapped.size(), 2u);
  for (const MappingRun& run : notes.mapped) {
    EXPECT_EQ(run.first, process.vmas[2].range.first / kPage);
    EXPECT_EQ(run.last, run.first + process.vmas[2].pages);
  }
}

TEST_P(SamplerTest, APlainPassTellsTheMappingsWithoutASecondRead) {
  const auto preads = [this] {
    return std::count(view.calls().begin(), view.calls().end(), "pread /proc/7/pagemap");
  };
  notes.plan = {.wanted = true};
  notes.ranges = {process.vmas[3].range};
  ASSERT_TRUE(run().ok());
  const auto uncounted = preads();
  notes.plan = {.wanted = true};
  notes.counted = notes.ranges;
  ASSERT_TRUE(run().ok());
  const auto more = preads() - 2 * uncounted;
  EXPECT_EQ(more, GetParam() ? 2 : 0) << "two passes";
}

TEST_P(SamplerTest, BeginsNoSeriesThatItsDeadlineWouldCutIfSomethingIsFoundAlready) {
  process.records_per_read = 7;
  const SeriesPlan plan{.wanted = true, .whole_mm = true, .if_in_time = true};
  const auto begun = [this] {
    return std::find(notes.order.begin(), notes.order.end(), "listing") != notes.order.end();
  };
  notes = {};
  notes.plan = plan;
  deadline = std::chrono::milliseconds(10);  // a call takes a microsecond
  ASSERT_TRUE(run().ok());
  EXPECT_TRUE(begun());

  view.set_call_time(std::chrono::microseconds(60));
  notes = {};
  notes.plan = plan;
  ASSERT_TRUE(run().ok());
  EXPECT_FALSE(begun());

  notes = {};
  notes.plan = plan;
  notes.plan.if_in_time = false;
  notes.steps = kSeriesSteps;
  EXPECT_EQ(run().error().code, ErrorCode::deadline);
  EXPECT_TRUE(begun());
}

TEST_P(SamplerTest, ASleeperIsAskedAgainAtThreeEightAndTwentyFour) {
  notes.plan = {.wanted = true};
  notes.steps = 24;
  notes.ranges = {process.vmas[1].range};
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(notes.asleep, (std::vector<bool>{true, true, true}));
}

TEST_P(SamplerTest, AFaultWakesItForTheRestOfTheSeries) {
  notes.plan = {.wanted = true};
  notes.steps = 24;
  notes.ranges = {process.vmas[1].range};
  unsigned reads = 0;
  view.on_call([&](std::string_view operation, const std::string& path) {
    // The sweep's chunks and its end, then one read a step.
    if (operation != "read" || path != "/proc/7/smaps" || ++reads != 12) return;
    ++process.faults;
    view.set_file("/proc/7/stat", process.stat());
  });
  ASSERT_TRUE(run().ok());
  ASSERT_EQ(notes.asleep.size(), 3u);
  EXPECT_FALSE(notes.asleep[2]);
}

TEST_P(SamplerTest, ASharedMmIsNeverAsleep) {
  notes.plan = {.wanted = true};
  notes.steps = 3;
  notes.ranges = {process.vmas[1].range};
  process.publish();
  view.set_file("/proc/./8/stat", process.stat());
  view.set_same_mm(7, 8, true);
  view.on_call([&](std::string_view, const std::string&) {
    view.set_directory("/proc/.", {"7", "8"});
  });
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(notes.asleep, std::vector<bool>{false});
}

TEST_P(SamplerTest, EndsAtItsDeadline) {
  deadline = std::chrono::microseconds(30);
  const Result<Ok> done = run();
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::deadline);
}

TEST_P(SamplerTest, TellsWhatItCost) {
  ASSERT_TRUE(run().ok());
  EXPECT_GT(cost.text_bytes, 1000u);
  EXPECT_GT(cost.reads, 4u);
  EXPECT_EQ(cost.predicted_lock, std::chrono::microseconds(150));  // 40 kB of page tables
}

TEST(Sampler, AVmaIsLeftOutOnlyIfItIsBeyondTheAddressBudget) {
  FakeKernelView view;
  FakeProcess process{view};
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  // 256 GiB are the budget. A VMA of 200 is walked twice, and both times or not at all.
  process.vmas = {{.range = {kGiB, 201 * kGiB}, .name = "[anon:fits]"},
                  {.range = {512 * kGiB, 600 * kGiB}, .name = "[anon:does not]"},
                  {.range = {2048 * kGiB, 2050 * kGiB}, .name = "[anon:last]"}};
  process.records_per_read = 1;
  process.publish();
  RefusedTarget refused;
  const Result<Target> target = Target::open(view, 7, refused);
  ASSERT_TRUE(target.ok());
  const KernelCapabilities capabilities;
  const PageGeometry large{.page_bytes = 65536, .pmd_bytes = std::uint64_t{512} << 20};
  Sampler sampler{
      view, capabilities, large, *target, {.deadline = view.monotonic_now() + kForever}};
  Notebook notes;
  ASSERT_TRUE(sampler.sweep(notes).ok());
  EXPECT_EQ(notes.uncovered, std::vector<std::string>{"[anon:does not]"});
}

}  // namespace
}  // namespace smaps_audit
