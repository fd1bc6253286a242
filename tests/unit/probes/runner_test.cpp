// SPDX-License-Identifier: Apache-2.0
#include "probes/runner.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/parse_int.h"
#include "collect/live_kernel_view.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

using std::chrono::steady_clock;
constexpr std::size_t kBytes = 4 * kMiB;

void hold_memory(ProbeChild& child) {
  const Memory memory = ProbeChild::base_memory(kBytes);
  write_pattern(memory, 1);
  child.declare("memory", Role::subject, memory, kBytes);
  child.declare_positive(ProbeChild::base_memory(kMiB), Pages::base);
  child.hold("held");
  child.fact("data_intact", holds_pattern(memory, 1) ? 1 : 0);
}

Answer judge_memory(const Trial& trial) {
  return with_data_check(trial, judge_residency(trial, "held"));
}

/// The runner on this machine, with workloads of its own.
class ProbeRunner : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto host = read_host_info(view_);
    ASSERT_TRUE(host.ok());
    const auto capabilities = probe_kernel_capabilities(view_, host->pages, {});
    ASSERT_TRUE(capabilities.ok());
    capabilities_ = *capabilities;
    if (!capabilities_.pagemap) GTEST_SKIP() << "pagemap cannot be read here";
  }

  ProbeResult run(void (*workload)(ProbeChild&), Sabotage sabotage = Sabotage::none,
                  std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
    const Probe probe{.name = "test",
                      .question = {},
                      .needs = {},
                      .cost = {},
                      .run = workload,
                      .judge = judge_memory};
    const ProbeEnvironment environment{.view = view_,
                                       .capabilities = capabilities_,
                                       .pages = {},
                                       .audit = [](int) { return ProcessReport{}; },
                                       .stopped = [this] { return stopped_; }};
    const ProbeSetup setup{.proc_root = LiveKernelView::kProcRoot, .sabotage = sabotage};
    ProbeResult result = run_probe(environment, probe, setup, deadline);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left behind";
    EXPECT_EQ(errno, ECHILD);
    return result;
  }

  LiveKernelView view_;
  KernelCapabilities capabilities_;
  bool stopped_ = false;
};

TEST_F(ProbeRunner, MeasuresWhatAChildDeclares) {
  const ProbeResult result = run(hold_memory);
  EXPECT_EQ(result.answer.outcome, Outcome::pass) << result.answer.reason;
  EXPECT_GT(result.duration.count(), 0);
  EXPECT_GE(result.peak_rss_bytes, kBytes);
}

TEST_F(ProbeRunner, BelievesNoChildThatLies) {
  const ProbeResult result = run(hold_memory, Sabotage::lies);
  EXPECT_EQ(result.answer.outcome, Outcome::inconclusive);
  EXPECT_NE(result.answer.reason.find("no interface confirms"), std::string::npos)
      << result.answer.reason;
}

TEST_F(ProbeRunner, EndsAChildThatIsStuckWhenItsTimeIsOver) {
  const auto begun = steady_clock::now();
  const ProbeResult result = run(hold_memory, Sabotage::stuck, std::chrono::seconds(1));
  EXPECT_EQ(result.answer.outcome, Outcome::inconclusive);
  EXPECT_EQ(result.answer.reason, "the probe's child did not answer within 1 s");
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST_F(ProbeRunner, TellsHowAChildDied) {
  const ProbeResult result = run(hold_memory, Sabotage::dies);
  EXPECT_EQ(result.answer.outcome, Outcome::inconclusive);
  EXPECT_NE(result.answer.reason.find("SIGKILL"), std::string::npos) << result.answer.reason;
}

TEST_F(ProbeRunner, TellsWhatAChildComplainedOf) {
  const ProbeResult result = run([](ProbeChild&) {
    errno = ENOMEM;
    die("mmap of something");
  });
  EXPECT_EQ(result.answer.outcome, Outcome::inconclusive);
  EXPECT_NE(result.answer.reason.find("mmap of something: Cannot allocate memory"),
            std::string::npos)
      << result.answer.reason;
}

TEST_F(ProbeRunner, PassesOnWhyAChildCouldNotRun) {
  const ProbeResult skipped = run([](ProbeChild& child) { child.skip("no such thing here"); });
  EXPECT_EQ(skipped.answer.outcome, Outcome::skipped);
  EXPECT_EQ(skipped.answer.reason, "no such thing here");
  const ProbeResult unproven = run([](ProbeChild& child) { child.unproven("it never came"); });
  EXPECT_EQ(unproven.answer.outcome, Outcome::inconclusive);
}

TEST_F(ProbeRunner, RefusesAChildThatTalksNonsense) {
  const ProbeResult result = run([](ProbeChild& child) {
    child.fact("two words", 1);
    child.hold("never");
  });
  EXPECT_EQ(result.answer.outcome, Outcome::inconclusive);
  EXPECT_NE(result.answer.reason.find("two words"), std::string::npos) << result.answer.reason;
}

TEST_F(ProbeRunner, StopsWhenAsked) {
  stopped_ = true;
  const ProbeResult result = run(hold_memory);
  EXPECT_EQ(result.answer.outcome, Outcome::inconclusive);
  EXPECT_EQ(result.answer.reason, "interrupted");
}

TEST_F(ProbeRunner, TakesCompanionsAlong) {
  const ProbeResult result = run([](ProbeChild& child) {
    const pid_t companion = fork_companion([] {
      while (true) ::pause();
    });
    child.unproven(std::to_string(companion));
  });
  const auto pid = static_cast<pid_t>(parse_unsigned(result.answer.reason).value_or(0));
  ASSERT_GT(pid, 0);
  // A zombie has ended; only its new parent has not asked for it yet.
  const auto runs = [&] {
    const auto file = view_.open(KernelRoot::proc, std::to_string(pid) + "/stat");
    const auto text = file ? read_whole(view_, *file) : Result<std::string>{file.error()};
    if (!text) return false;
    const auto stat = parse_proc_stat(*text);
    return stat.ok() && stat->state != 'Z';
  };
  for (int attempt = 0; attempt < 500 && runs(); ++attempt) ::usleep(10000);
  EXPECT_FALSE(runs()) << "process " << pid << " was left behind";
}

}  // namespace
}  // namespace smaps_audit::probes
