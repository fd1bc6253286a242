// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "collect/kernel_ioctls.h"

namespace smaps_audit::service {
namespace {

int report_descriptor = -1;

struct NamedCall {
  int number;
  const char* name;
};

// What the metric names by name; everything else is "other".
constexpr std::array kNamedCalls{
    NamedCall{SYS_socket, "socket"},
    NamedCall{SYS_connect, "connect"},
    NamedCall{SYS_ptrace, "ptrace"},
    NamedCall{SYS_process_vm_readv, "process_vm_readv"},
    NamedCall{SYS_process_vm_writev, "process_vm_writev"},
    NamedCall{SYS_pidfd_open, "pidfd_open"},
    NamedCall{SYS_pidfd_getfd, "pidfd_getfd"},
    NamedCall{SYS_execve, "execve"},
    NamedCall{SYS_execveat, "execveat"},
    NamedCall{SYS_openat, "open_for_writing"},
    NamedCall{SYS_open, "open"},
    NamedCall{SYS_clone, "clone"},
    NamedCall{SYS_clone3, "clone3"},
    NamedCall{SYS_fork, "fork"},
    NamedCall{SYS_kill, "kill"},
    NamedCall{SYS_mprotect, "mprotect_exec"},
    NamedCall{SYS_mmap, "mmap_exec"},
    NamedCall{SYS_ioctl, "ioctl"},
    NamedCall{SYS_fcntl, "fcntl"},
};

constexpr std::array kAllowed{
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fsync),

    SCMP_SYS(dup),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(kcmp),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getrusage),
    SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(uname),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
};

const char* name_of_call(int number) {
  for (const NamedCall& call : kNamedCalls) {
    if (call.number == number) return call.name;
  }
  return "other";
}

// Async-signal-safe: only write and _exit.
extern "C" void on_refused(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const auto put = [](const char* text) {
    [[maybe_unused]] const auto written = ::write(report_descriptor, text, std::strlen(text));
  };
  put("\n{\"refused\":\"");
  put(name_of_call(info->si_syscall));
  put("\"}\n");
  ::_exit(kExitRefused);
}

struct FilterRelease {
  void operator()(void* filter) const { seccomp_release(filter); }
};

using Filter = std::unique_ptr<void, FilterRelease>;

bool allow(const Filter& filter, int call) {
  return seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) == 0;
}

bool allow_if(const Filter& filter, int call, scmp_arg_cmp condition) {
  return seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}

// Of the call's argument number `argument`: equal to `value`, or none of the bits of `mask`.
scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}
scmp_arg_cmp has_none_of(unsigned argument, std::uint64_t mask) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = 0};
}

bool add_rules(const Filter& filter) {
  for (const int call : kAllowed) {
    if (!allow(filter, call)) return false;
  }
  // O_RDONLY is 0, and O_TMPFILE holds O_DIRECTORY, which is harmless.
  static_assert(O_RDONLY == 0);
  constexpr std::uint64_t kWrites =
      O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
  return allow_if(filter, SCMP_SYS(openat), has_none_of(2, kWrites)) &&
         // Not F_SETOWN and F_SETSIG, which would have the kernel send signals.
         allow_if(filter, SCMP_SYS(fcntl), equals(1, F_DUPFD_CLOEXEC)) &&
         allow_if(filter, SCMP_SYS(fcntl), equals(1, F_GETFL)) &&
         allow_if(filter, SCMP_SYS(fcntl), equals(1, F_GETFD)) &&
         allow_if(filter, SCMP_SYS(fcntl), equals(1, F_SETFD)) &&
         allow_if(filter, SCMP_SYS(mmap), has_none_of(2, PROT_EXEC)) &&
         allow_if(filter, SCMP_SYS(mprotect), has_none_of(2, PROT_EXEC)) &&
         allow_if(filter, SCMP_SYS(kill), equals(1, 0)) &&
         allow_if(filter, SCMP_SYS(tgkill), equals(0, static_cast<std::uint64_t>(::getpid()))) &&
         // Resource limits are read, never set.
         allow_if(filter, SCMP_SYS(prlimit64), equals(2, 0)) &&
         allow_if(filter, SCMP_SYS(ioctl), equals(1, uapi::kPagemapScan)) &&
         allow_if(filter, SCMP_SYS(ioctl), equals(1, uapi::kProcmapQuery));
}

}  // namespace

Result<Ok> enter_sandbox(int report_fd) {
  report_descriptor = report_fd;
  struct sigaction action {};
  action.sa_sigaction = on_refused;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGSYS, &action, nullptr) != 0) {
    return error_from_errno(errno, "cannot watch for refused calls");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return error_from_errno(errno, "cannot set no_new_privs");
  }
  const Filter filter{seccomp_init(SCMP_ACT_TRAP)};
  if (!filter || !add_rules(filter)) {
    return Error{.code = ErrorCode::unsupported, .what = "cannot make the seccomp filter"};
  }
  if (const int failed = seccomp_load(filter.get()); failed != 0) {
    return error_from_errno(-failed, "cannot load the seccomp filter");
  }
  return Ok{};
}

}  // namespace smaps_audit::service
