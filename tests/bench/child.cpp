// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace smaps_audit::bench {
namespace {

constexpr int kCannotRun = 127;
constexpr std::uint64_t kBytesPerKib = 1024;

/// In the child: its standard files, then the program.
[[noreturn]] void become(const std::vector<std::string>& command, int input, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(kCannotRun);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) return error_from_errno(errno, "cannot make a pipe");
  return Pipe{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

Result<Ok> wait_for_ready(int fd, const std::string& program) {
  constexpr std::string_view kReady = "\"ready\":true";
  std::string line;
  std::array<char, 4096> part;
  while (line.find('\n') == std::string::npos) {
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    line.append(part.data(), static_cast<std::size_t>(got));
  }
  if (line.find(kReady) != std::string::npos) return Ok{};
  return Error{.code = ErrorCode::unsupported, .what = "is not ready: " + line, .file = program};
}

int wait_for(pid_t pid, rusage& usage) {
  int status = 0;
  while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Result<HeldChild> HeldChild::start(const std::vector<std::string>& command, bool says_ready) {
  auto input = make_pipe();
  if (!input) return input.error();
  auto output = make_pipe();
  if (!output) return output.error();
  const pid_t pid = ::fork();
  if (pid < 0) return error_from_errno(errno, "cannot fork");
  if (pid == 0) become(command, input->read_end.get(), output->write_end.get());
  output->write_end.reset();
  HeldChild child{pid, std::move(input->write_end)};
  if (says_ready) {
    const Result<Ok> ready = wait_for_ready(output->read_end.get(), command.front());
    if (!ready) return ready.error();
  }
  return child;
}

HeldChild::HeldChild(HeldChild&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), stdin_(std::move(other.stdin_)) {}

HeldChild::~HeldChild() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  rusage usage{};
  wait_for(pid_, usage);
}

Result<std::uint64_t> peak_rss_bytes(const std::vector<std::string>& command) {
  const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null) return error_from_errno(errno, "cannot open", "/dev/null");
  const pid_t pid = ::fork();
  if (pid < 0) return error_from_errno(errno, "cannot fork");
  if (pid == 0) become(command, null.get(), null.get());
  rusage usage{};
  const int status = wait_for(pid, usage);
  // 0, 1 and 2 are verdicts.
  if (!WIFEXITED(status) || WEXITSTATUS(status) > 2) {
    return Error{.code = ErrorCode::io, .what = "did not run to its end", .file = command.front()};
  }
  return static_cast<std::uint64_t>(usage.ru_maxrss) * kBytesPerKib;
}

}  // namespace smaps_audit::bench
