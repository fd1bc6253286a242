// SPDX-License-Identifier: Apache-2.0
#include "cli/freeze.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collect/live_kernel_view.h"
#include "collect/target.h"
#include "tests/support/failing_kernel_view.h"

namespace smaps_audit {
namespace {

using namespace std::chrono_literals;

/// A child with threads that count in shared memory; killed at the end.
class CountingChild {
 public:
  explicit CountingChild(int threads) {
    void* const shared =
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) std::abort();
    counter_ = new (shared) std::atomic<std::uint64_t>{0};
    pid_ = ::fork();
    if (pid_ == 0) run(threads);
    while (counter_->load() == 0) std::this_thread::sleep_for(1ms);
  }
  CountingChild(const CountingChild&) = delete;
  CountingChild& operator=(const CountingChild&) = delete;
  ~CountingChild() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::munmap(counter_, 4096);
  }

  [[nodiscard]] int pid() const { return pid_; }

  /// Waits up to 5 s for the counter to move; with `expect` false looks for 50 ms that it doesn't.
  [[nodiscard]] bool counts(bool expect = true) const {
    const std::uint64_t before = counter_->load();
    const auto until = std::chrono::steady_clock::now() + (expect ? 5000ms : 50ms);
    while (std::chrono::steady_clock::now() < until) {
      if (counter_->load() != before) return true;
      std::this_thread::sleep_for(1ms);
    }
    return false;
  }

  [[nodiscard]] std::vector<char> states() const {
    LiveKernelView view;
    std::vector<char> states;
    const auto directory = view.open_directory(KernelRoot::proc, std::to_string(pid_) + "/task");
    if (!directory) return states;
    const auto names = view.list(*directory);
    if (!names) return states;
    for (const std::string& name : *names) {
      const auto file = view.open_at(*directory, name + "/status");
      if (!file) continue;
      const std::string text = read_whole(view, *file).value_or("");
      const std::size_t at = text.find("State:\t");
      if (at != std::string::npos) states.push_back(text[at + 7]);
    }
    return states;
  }

 private:
  [[noreturn]] void run(int threads) {
    const auto count = [this] {
      for (;;) {
        counter_->fetch_add(1);
        std::this_thread::sleep_for(100us);
      }
    };
    std::vector<std::thread> running;
    for (int i = 1; i < threads; ++i) running.emplace_back(count);
    count();
    std::abort();
  }

  std::atomic<std::uint64_t>* counter_ = nullptr;
  pid_t pid_ = -1;
};

TEST(Freeze, HoldsEveryThreadAndLetsThemRunOn) {
  const CountingChild child{5};
  LiveKernelView view;
  {
    // The fifth thread may not be there yet; hold() looks until it finds no new one.
    const Result<Freeze> freeze = Freeze::hold(view, child.pid());
    ASSERT_TRUE(freeze.ok()) << freeze.error().message();
    EXPECT_EQ(child.states(), std::vector<char>(freeze->threads(), 't'));
    EXPECT_FALSE(child.counts(false));
  }
  EXPECT_TRUE(child.counts());
}

TEST(Freeze, LeavesAStoppedProcessStopped) {
  const CountingChild child{3};
  LiveKernelView view;
  ASSERT_EQ(::kill(child.pid(), SIGSTOP), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child.pid(), &status, WUNTRACED), child.pid());
  {
    const Result<Freeze> freeze = Freeze::hold(view, child.pid());
    ASSERT_TRUE(freeze.ok()) << freeze.error().message();
  }
  EXPECT_FALSE(child.counts(false));
  ASSERT_EQ(::kill(child.pid(), SIGCONT), 0);
  EXPECT_TRUE(child.counts());
}

TEST(Freeze, DeliversASignalThatCameMeanwhile) {
  const CountingChild child{2};
  LiveKernelView view;
  {
    const Result<Freeze> freeze = Freeze::hold(view, child.pid());
    ASSERT_TRUE(freeze.ok()) << freeze.error().message();
    ASSERT_EQ(::kill(child.pid(), SIGTERM), 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child.pid(), &status, 0), child.pid());
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(Freeze, LetsTheTargetRunOnWhenTheAuditorIsKilled) {
  const CountingChild child{4};
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t auditor = ::fork();
  ASSERT_GE(auditor, 0);
  if (auditor == 0) {
    LiveKernelView view;
    const Result<Freeze> freeze = Freeze::hold(view, child.pid());
    const char answer = freeze.ok() ? 'y' : 'n';
    if (::write(ends[1], &answer, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(ends[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_FALSE(child.counts(false));
  ASSERT_EQ(::kill(auditor, SIGKILL), 0);
  ASSERT_EQ(::waitpid(auditor, nullptr, 0), auditor);
  EXPECT_TRUE(child.counts());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Freeze, SaysThatAnotherTracerIsThere) {
  const CountingChild child{1};
  LiveKernelView view;
  const Result<Freeze> first = Freeze::hold(view, child.pid());
  ASSERT_TRUE(first.ok()) << first.error().message();
  const Result<Freeze> second = Freeze::hold(view, child.pid());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::denied);
}

/// A parent that waits in vfork for a child, until the child is told to exec or to end.
class VforkingParent {
 public:
  VforkingParent() {
    if (::pipe(ends_) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) run();
    std::this_thread::sleep_for(100ms);
  }
  VforkingParent(const VforkingParent&) = delete;
  VforkingParent& operator=(const VforkingParent&) = delete;
  ~VforkingParent() {
    let_child_end();
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] int pid() const { return pid_; }
  void let_child_end() {
    for (int& end : ends_) {
      if (end >= 0) ::close(std::exchange(end, -1));
    }
  }

 private:
  // clone() and not vfork(): a sanitizer makes a fork of that.
  [[noreturn]] void run() {
    ::close(ends_[1]);
    static std::array<char, 65536> stack;
    const auto wait_for_word = [](void* end) {
      char nothing = 0;
      while (::read(*static_cast<int*>(end), &nothing, 1) > 0) continue;
      return 0;
    };
    ::clone(wait_for_word, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, ends_);
    ::_exit(7);
  }
  int ends_[2] = {-1, -1};
  pid_t pid_ = -1;
};

TEST(Freeze, LeavesAParentThatWaitsForItsVforkChildAloneAtOnce) {
  VforkingParent parent;
  LiveKernelView view;
  const auto begun = std::chrono::steady_clock::now();
  const Result<Freeze> freeze = Freeze::hold(view, parent.pid());
  ASSERT_FALSE(freeze.ok());
  EXPECT_EQ(freeze.error().code, ErrorCode::unsupported);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s);
  parent.let_child_end();
  int status = 0;
  ASSERT_EQ(::waitpid(parent.pid(), &status, 0), parent.pid());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TEST(Freeze, ATargetThatNeverStoppedRunsOnAfterwards) {
  VforkingParent parent;
  LiveKernelView view;
  FailingKernelView blind{view};
  const std::string pid = std::to_string(parent.pid());
  blind.fail_path("/proc/" + pid + "/task/" + pid + "/wchan", EACCES);
  const Result<Freeze> freeze = Freeze::hold(blind, parent.pid(), 200ms);
  ASSERT_FALSE(freeze.ok());
  EXPECT_EQ(freeze.error().code, ErrorCode::deadline);
  // Nobody holds it any more, though we go on: it ends by itself once its child does.
  parent.let_child_end();
  int status = 0;
  ASSERT_EQ(::waitpid(parent.pid(), &status, 0), parent.pid());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TEST(Freeze, SaysThatTheProcessIsGone) {
  LiveKernelView view;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const Result<Freeze> freeze = Freeze::hold(view, child);
  ASSERT_FALSE(freeze.ok());
  EXPECT_EQ(freeze.error().code, ErrorCode::gone);
}

}  // namespace
}  // namespace smaps_audit
