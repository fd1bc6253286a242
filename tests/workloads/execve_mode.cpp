// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "tests/workloads/memory.h"
#include "tests/workloads/modes.h"
#include "tests/workloads/truth.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kArgumentBytes = 100000;  // less than the kernel's 128 KiB for one
constexpr int kPatienceMs = 10000;

/// Whoever touches `memory` waits until somebody brings its pages, and nobody does. -1: cannot.
int make_bottomless(Memory memory) {
  const int fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  uffdio_api api{};
  api.api = UFFD_API;
  if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0) return -1;
  uffdio_register wanted{};
  wanted.range = {reinterpret_cast<std::uintptr_t>(memory.data()), memory.size()};
  wanted.mode = UFFDIO_REGISTER_MODE_MISSING;
  return ioctl(fd, UFFDIO_REGISTER, &wanted) == 0 ? fd : -1;
}

/// The kernel copies the arguments from the last to the first, into an mm to come; it charges them
/// to the one that we have.
void exec_without_end(Memory first, std::size_t count) {
  std::string big(kArgumentBytes, 'x');
  std::vector<char*> arguments(count + 1, big.data());
  arguments.front() = reinterpret_cast<char*>(first.data());
  arguments.push_back(nullptr);
  char* const no_environment[] = {nullptr};
  execve("/proc/self/exe", arguments.data(), no_environment);
  _exit(kExitInternal);
}

}  // namespace

int run_stuck_in_execve(std::uint64_t arguments) {
  const Memory memory = map_guarded(kPageBytes, Pages::base);
  const int fd = make_bottomless(memory);
  if (fd < 0) {
    return declare_and_hold({.mode = "stuck-in-execve",
                             .kernel_state_proven = false,
                             .why = "no userfaultfd, errno " + std::to_string(errno)});
  }
  std::thread(exec_without_end, memory, static_cast<std::size_t>(arguments)).detach();
  pollfd fault{.fd = fd, .events = POLLIN, .revents = 0};
  const bool stuck = poll(&fault, 1, kPatienceMs) == 1;
  const int status =
      declare_and_hold({.mode = "stuck-in-execve",
                        .regions = {{.memory = memory}},
                        .kernel_state_proven = stuck,
                        .why = stuck ? "a fault waits for its page" : "nobody asked for the page"});
  _exit(status);
}

}  // namespace smaps_audit::workloads
