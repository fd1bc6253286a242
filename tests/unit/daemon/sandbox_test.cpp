// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <string>

#include "daemon/protocol.h"

namespace smaps_audit::service {
namespace {

struct Outcome {
  int status = 0;
  std::string said;
};

// In a child of its own, confined.
Outcome confined(const std::function<void()>& act) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    if (!enter_sandbox(pipe[1])) ::_exit(99);
    act();
    ::_exit(0);
  }
  ::close(pipe[1]);
  Outcome outcome;
  std::array<char, 256> text{};
  for (ssize_t size = 0; (size = ::read(pipe[0], text.data(), text.size())) > 0;) {
    outcome.said.append(text.data(), static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  EXPECT_EQ(::waitpid(child, &outcome.status, 0), child);
  return outcome;
}

struct Attempt {
  const char* name;
  std::function<void()> act;
};

TEST(Sandbox, RefusesByNameWhatAWorkerHasNoBusinessWith) {
  const std::array<Attempt, 16> attempts{{
      {"socket", [] { ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"connect", [] { static_cast<void>(::connect(0, nullptr, 0)); }},
      {"ptrace", [] { ::syscall(SYS_ptrace, 16, 1, 0, 0); }},
      {"process_vm_readv", [] { ::syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0); }},
      {"process_vm_writev", [] { ::syscall(SYS_process_vm_writev, 1, 0, 0, 0, 0, 0); }},
      {"pidfd_open", [] { ::syscall(SYS_pidfd_open, 1, 0); }},
      {"pidfd_getfd", [] { ::syscall(SYS_pidfd_getfd, 0, 0, 0); }},
      {"execve", [] { ::execl("/bin/true", "true", nullptr); }},
      {"open_for_writing", [] { ::open("/tmp/smaps-audit-never", O_WRONLY | O_CREAT, 0600); }},
      {"fork", [] { ::syscall(SYS_fork); }},
      {"kill", [] { ::kill(::getppid(), SIGTERM); }},
      {"mmap_exec",
       [] {
         static_cast<void>(
             ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
       }},
      {"ioctl", [] { ::syscall(SYS_ioctl, 0, 0x5401, 0); }},
      {"fcntl", [] { ::fcntl(0, F_SETOWN, ::getppid()); }},
      {"fcntl", [] { ::fcntl(0, F_SETFL, O_ASYNC); }},
      {"other", [] { ::syscall(SYS_unlinkat, AT_FDCWD, "/tmp/smaps-audit-never", 0); }},
  }};
  for (const Attempt& attempt : attempts) {
    const Outcome outcome = confined(attempt.act);
    ASSERT_TRUE(WIFEXITED(outcome.status)) << attempt.name;
    EXPECT_EQ(WEXITSTATUS(outcome.status), kExitRefused) << attempt.name;
    const auto answer = parse_answer(outcome.said);
    ASSERT_TRUE(answer.ok()) << attempt.name << ": " << outcome.said;
    EXPECT_EQ(std::get<Refused>(*answer).call, attempt.name);
  }
}

TEST(Sandbox, LetsAWorkerRead) {
  const Outcome outcome = confined([] {
    const int status = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    std::array<char, 64> text{};
    if (status < 0 || ::read(status, text.data(), text.size()) <= 0) ::_exit(1);
    if (::kill(::getppid(), 0) != 0) ::_exit(2);
    if (::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0) ::_exit(3);
  });
  ASSERT_TRUE(WIFEXITED(outcome.status));
  EXPECT_EQ(WEXITSTATUS(outcome.status), 0) << outcome.said;
}

}  // namespace
}  // namespace smaps_audit::service
