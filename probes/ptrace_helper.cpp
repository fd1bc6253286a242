// SPDX-License-Identifier: Apache-2.0
#include "probes/ptrace_helper.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "probes/child.h"

namespace smaps_audit::probes {
namespace {

template <class T>
bool read_all(int fd, T& value) {
  ssize_t got = 0;
  do {
    got = ::read(fd, &value, sizeof value);
  } while (got < 0 && errno == EINTR);
  return got == sizeof value;
}

template <class T>
bool write_all(int fd, const T& value) {
  return ::write(fd, &value, sizeof value) == sizeof value;
}

int access_memory(const std::string& path, bool writing, std::uint64_t address,
                  std::uint64_t& word) {
  const UniqueFd memory{::open(path.c_str(), (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC)};
  if (!memory) return errno;
  const auto offset = static_cast<off_t>(address);
  const ssize_t done = writing ? ::pwrite(memory.get(), &word, sizeof word, offset)
                               : ::pread(memory.get(), &word, sizeof word, offset);
  return done == sizeof word ? 0 : errno;
}

}  // namespace

PtraceHelper::PtraceHelper(const std::string& proc_root) {
  std::array<int, 2> orders{};
  std::array<int, 2> replies{};
  if (::pipe2(orders.data(), O_CLOEXEC) != 0 || ::pipe2(replies.data(), O_CLOEXEC) != 0) {
    die("pipe2");
  }
  orders_ = UniqueFd{orders[1]};
  replies_ = UniqueFd{replies[0]};
  const pid_t target = ::getpid();
  pid_ = fork_companion([&] {
    ::close(orders[1]);
    ::close(replies[0]);
    Order order;
    while (read_all(orders[0], order)) {
      if (!write_all(replies[1], serve(order, target, proc_root))) return;
    }
  });
  ::close(orders[0]);
  ::close(replies[1]);
  ::prctl(PR_SET_PTRACER, pid_);  // for Yama; without it there is nothing to allow
}

PtraceHelper::~PtraceHelper() {
  orders_.reset();
  wait_for_companion(pid_);
}

PtraceHelper::Reply PtraceHelper::serve(const Order& order, pid_t target,
                                        const std::string& proc_root) {
  Reply reply;
  if (::ptrace(PTRACE_ATTACH, target, nullptr, nullptr) != 0) return reply;
  int status = 0;
  while (::waitpid(target, &status, __WALL) < 0 && errno == EINTR) {
  }
  reply.attached = WIFSTOPPED(status);
  auto* const address = reinterpret_cast<void*>(order.address);
  reply.answer.word = order.word;
  errno = 0;
  switch (order.way) {
    case Way::peek:
      reply.answer.word =
          static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKDATA, target, address, nullptr));
      reply.answer.errno_value = errno;
      break;
    case Way::poke:
      if (::ptrace(PTRACE_POKEDATA, target, address, order.word) != 0) {
        reply.answer.errno_value = errno;
      }
      break;
    case Way::mem_read:
    case Way::mem_write:
      reply.answer.errno_value =
          access_memory(proc_root + "/" + std::to_string(target) + "/mem",
                        order.way == Way::mem_write, order.address, reply.answer.word);
      break;
  }
  ::ptrace(PTRACE_DETACH, target, nullptr, nullptr);
  return reply;
}

std::optional<PtraceHelper::Answer> PtraceHelper::ask(Way way, const void* address,
                                                      std::uint64_t word) {
  const Order order{way, reinterpret_cast<std::uintptr_t>(address), word};
  Reply reply;
  if (!write_all(orders_.get(), order) || !read_all(replies_.get(), reply)) return std::nullopt;
  return reply.attached ? std::optional{reply.answer} : std::nullopt;
}

}  // namespace smaps_audit::probes
