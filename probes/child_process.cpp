// SPDX-License-Identifier: Apache-2.0
#include "probes/child_process.h"

#include <fcntl.h>
#include <numaif.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/parse_int.h"
#include "collect/target.h"

namespace smaps_audit::probes {
namespace {

using std::chrono::steady_clock;
constexpr std::size_t kLongestLine = 4096;

void bound(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
  const rlimit limit{soft, hard};
  ::setrlimit(resource, &limit);
}

/// Private writable memory of this process, of which a fork inherits its parent's.
rlim_t data_bytes(KernelView& view) {
  const auto text = read_file(view, KernelRoot::proc, "self/status");
  const std::size_t key = text ? text->find("\nVmData:") : std::string::npos;
  if (key == std::string::npos) return 0;
  const std::size_t digits = text->find_first_of("0123456789", key);
  const auto kib =
      parse_unsigned(std::string_view{*text}.substr(digits, text->find(' ', digits) - digits));
  return kib.value_or(0) * 1024;
}

void live_within_bounds(KernelView& view, const ProbeSetup& setup) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
  bound(RLIMIT_CORE, 0, 0);
  bound(RLIMIT_CPU, kChildCpuSeconds, kChildCpuSeconds + 1);
  const rlim_t data = data_bytes(view);
  if (data != 0) bound(RLIMIT_DATA, data + kChildMemoryBytes, data + kChildMemoryBytes);
  write_file(setup.proc_root + "/self/oom_score_adj", "1000");
  ::prctl(PR_SET_NAME, "probe-child");
  // Without MPOL_F_MOF nothing is scanned; a kernel without NUMA has nothing that scans.
  ::set_mempolicy(MPOL_LOCAL, nullptr, 0);
}

/// The child: never returns.
[[noreturn]] void run_child(KernelView& view, const Probe& probe, const ProbeSetup& setup,
                            pid_t parent, const std::array<int, 3>& fds) {
  const auto [tell_fd, order_fd, stderr_fd] = fds;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  // A terminal's Ctrl-C is the parent's business: it ends us in order.
  ::setpgid(0, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::dup2(stderr_fd, STDERR_FILENO);
  live_within_bounds(view, setup);
  char order = 0;
  if (::read(order_fd, &order, 1) != 1) ::_exit(1);
  ProbeChild child{view, setup, tell_fd, order_fd};
  probe.run(child);
  child.done();
}

std::string text_of(int fd) {
  std::string text(512, '\0');
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text.substr(0, text.find('\n'));
}

}  // namespace

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      messages_(std::move(other.messages_)),
      orders_(std::move(other.orders_)),
      stderr_(std::move(other.stderr_)),
      unread_(std::move(other.unread_)),
      status_(other.status_),
      cost_(other.cost_),
      cgroup_(std::move(other.cgroup_)) {}

Result<ChildProcess> ChildProcess::spawn(KernelView& view, const Probe& probe,
                                         const ProbeSetup& setup) {
  ChildProcess process;
  std::array<int, 2> messages{};
  std::array<int, 2> orders{};
  if (::pipe2(messages.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "no pipe");
  process.messages_ = UniqueFd{messages[0]};
  UniqueFd tell{messages[1]};
  // A socket, because writing to a pipe whose child died would kill us by SIGPIPE.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, orders.data()) != 0) {
    return error_from_errno(errno, "no socket pair");
  }
  const UniqueFd order{orders[0]};
  process.orders_ = UniqueFd{orders[1]};
  process.stderr_ = UniqueFd{::memfd_create("probe-stderr", MFD_CLOEXEC)};
  if (!process.stderr_) return error_from_errno(errno, "no memory file");

  const pid_t parent = ::getpid();
  process.pid_ = ::fork();
  if (process.pid_ < 0) return error_from_errno(errno, "no process for the probe");
  if (process.pid_ == 0) {
    ::close(messages[0]);
    ::close(orders[1]);  // so that a parent that dies ends the child's reads
    run_child(view, probe, setup, parent, {tell.get(), order.get(), process.stderr_.get()});
  }
  process.pidfd_ = UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, process.pid_, 0))};
  process.cgroup_ = OwnCgroup::create(view, kChildMemoryBytes);
  if (process.cgroup_ && !process.cgroup_->admit(process.pid_)) process.cgroup_.reset();
  process.go_on();
  return process;
}

void ChildProcess::go_on() const {
  const char order = 'g';
  // A child that is gone shows at the next read.
  static_cast<void>(::send(orders_.get(), &order, 1, MSG_NOSIGNAL));
}

Result<ChildMessage> ChildProcess::next(steady_clock::time_point deadline,
                                        const std::function<bool()>& stopped) {
  for (;;) {
    const std::size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return parse_child_message(line);
    }
    if (unread_.size() > kLongestLine) return parse_child_message(unread_);
    if (stopped()) return Error{.code = ErrorCode::usage, .what = "interrupted"};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return Error{.code = ErrorCode::deadline, .what = "no answer"};
    pollfd ready{.fd = messages_.get(), .events = POLLIN, .revents = 0};
    const int polled = ::poll(&ready, 1, static_cast<int>(left.count()));
    if (polled <= 0) continue;  // EINTR, or the deadline: both are looked at above
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(messages_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Error{.code = ErrorCode::gone, .what = how_it_ended()};
    unread_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string ChildProcess::how_it_ended() {
  end();
  const int status = status_.value_or(0);
  const std::string said = text_of(stderr_.get());
  std::string text;
  if (WIFSIGNALED(status)) {
    text = std::string{"the probe's child was ended by SIG"} + ::sigabbrev_np(WTERMSIG(status));
    if (WTERMSIG(status) == SIGXCPU) text += ": it had used up its CPU time";
  } else {
    text = "the probe's child ended early with status " + std::to_string(WEXITSTATUS(status));
  }
  return said.empty() ? text : text + ": " + said;
}

ChildProcess::Cost ChildProcess::end() {
  if (pid_ <= 0 || status_) return cost_;
  // One that has closed its pipe is about to exit: how, is worth a moment.
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (pidfd_ && messages_) ::poll(&ended, 1, unread_.empty() ? 50 : 0);
  ::kill(pid_, SIGKILL);
  int status = 0;
  rusage usage{};
  while (::wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  status_ = status;
  const auto nanoseconds = [](const timeval& time) {
    return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
  };
  cost_ = {.cpu = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
           .peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
  cgroup_.reset();
  return cost_;
}

}  // namespace smaps_audit::probes
