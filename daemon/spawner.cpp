// SPDX-License-Identifier: Apache-2.0
#include "daemon/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "daemon/privileges.h"

namespace smaps_audit::service {
namespace {

constexpr std::size_t kWorkerFds = 4;
constexpr int kControlFd = 3;   // of the spawner
constexpr int kEndPauses = 50;  // of 0.1 s, at most, until its workers are gone

struct SpawnOrder {
  enum class Kind : std::uint8_t { start, kill };
  Kind kind = Kind::start;
  pid_t pid = 0;
};

// One message of SOCK_SEQPACKET, with the descriptors of a new worker.
union ControlBuffer {
  std::array<char, CMSG_SPACE(kWorkerFds * sizeof(int))> bytes;
  cmsghdr aligned;
};

bool send_order(int socket, SpawnOrder order, const int* fds) {
  iovec data{&order, sizeof order};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  ControlBuffer control{};
  if (fds != nullptr) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(kWorkerFds * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds, kWorkerFds * sizeof(int));
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof order);
}

// What runs in the spawner.
class SpawnerLoop {
 public:
  SpawnerLoop(int control, const SpawnerOptions& options) : control_(control), options_(options) {}

  // Until the parent is gone.
  void run() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    const UniqueFd children{::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
    for (;;) {
      std::array<pollfd, 2> ready{{{control_, POLLIN, 0}, {children.get(), POLLIN, 0}}};
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
      signalfd_siginfo info{};
      while (::read(children.get(), &info, sizeof info) > 0) {
      }
      reap();
      if (ready[0].revents != 0 && !take_order()) return;
    }
  }

  // Whoever stops the service is to find nothing left of it. What not even SIGKILL ends is left
  // behind.
  void end_all() {
    for (const pid_t pid : workers_) ::kill(pid, SIGKILL);
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    const timespec pause{0, 100'000'000};
    for (int i = 0; i < kEndPauses && !workers_.empty(); ++i) {
      ::sigtimedwait(&child, nullptr, &pause);
      reap();
    }
  }

 private:
  void say(WorkerEvent event) const {
    [[maybe_unused]] const auto sent = ::send(control_, &event, sizeof event, MSG_NOSIGNAL);
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      std::erase(workers_, pid);
      say({.kind = WorkerEvent::Kind::ended, .pid = pid, .status = status});
    }
  }

  bool take_order() {
    SpawnOrder order;
    iovec data{&order, sizeof order};
    ControlBuffer control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t size = ::recvmsg(control_, &message, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) return true;
    if (size != static_cast<ssize_t>(sizeof order)) return false;
    if (order.kind == SpawnOrder::Kind::kill) {
      // Only its own children: a number from a broken parent hits nobody else.
      if (std::find(workers_.begin(), workers_.end(), order.pid) != workers_.end()) {
        ::kill(order.pid, SIGKILL);
      }
      return true;
    }
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_len != CMSG_LEN(kWorkerFds * sizeof(int))) return false;
    std::array<int, kWorkerFds> fds{};
    std::memcpy(fds.data(), CMSG_DATA(header), sizeof fds);
    start(fds);
    for (const int fd : fds) ::close(fd);
    return true;
  }

  void start(const std::array<int, kWorkerFds>& fds) {
    const pid_t spawner = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
      say({.kind = WorkerEvent::Kind::not_started, .status = errno});
      return;
    }
    if (pid == 0) become_worker(fds, spawner);
    workers_.push_back(pid);
    say({.kind = WorkerEvent::Kind::started, .pid = pid});
  }

  [[noreturn]] void become_worker(const std::array<int, kWorkerFds>& fds, pid_t spawner) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != spawner) ::_exit(EXIT_FAILURE);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    // First out of the way of the numbers that they are to have.
    std::array<int, kWorkerFds> high{};
    for (std::size_t i = 0; i < fds.size(); ++i) high[i] = ::fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
    for (std::size_t i = 0; i < high.size(); ++i) {
      if (::dup2(high[i], kOrderFd + static_cast<int>(i)) < 0) ::_exit(EXIT_FAILURE);
    }
    // Of what whoever started the service left open, nothing (systemd's sockets).
    ::close_range(kHeartFd + 1, ~0U, 0);
    if (options_.worker_memory_bytes != 0) {
      const rlimit most{options_.worker_memory_bytes, options_.worker_memory_bytes};
      ::setrlimit(RLIMIT_AS, &most);
    }
    // Of the scratch file; a write beyond it is an error, not a signal.
    const rlimit largest_file{kLargestScratchBytes, kLargestScratchBytes};
    ::setrlimit(RLIMIT_FSIZE, &largest_file);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::vector<char*> words;
    words.reserve(options_.worker_command.size() + 1);
    for (const std::string& word : options_.worker_command) {
      words.push_back(const_cast<char*>(word.c_str()));
    }
    words.push_back(nullptr);
    ::execv(words[0], words.data());
    ::_exit(127);
  }

  int control_;
  const SpawnerOptions& options_;
  std::vector<pid_t> workers_;
};

}  // namespace

Result<Spawner> Spawner::start(const SpawnerOptions& options) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return error_from_errno(errno, "cannot make a socket for the spawner");
  }
  UniqueFd ours{pair[0]};
  UniqueFd theirs{pair[1]};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return error_from_errno(errno, "cannot fork the spawner");
  if (pid == 0) {
    ours.reset();
    if (!keep_reading_capabilities()) ::_exit(EXIT_FAILURE);
    // After the capabilities: whoever changes them loses the signal.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "smaps-spawner");
    if (::getppid() != parent) ::_exit(EXIT_FAILURE);
    // The sockets that systemd hands over are the parent's business.
    if (::dup3(theirs.get(), kControlFd, O_CLOEXEC) < 0 && errno != EINVAL) ::_exit(EXIT_FAILURE);
    ::close_range(kControlFd + 1, ~0U, 0);
    SpawnerLoop loop{kControlFd, options};
    loop.run();
    loop.end_all();
    ::_exit(EXIT_SUCCESS);
  }
  return Spawner{pid, std::move(ours)};
}

Spawner::~Spawner() {
  if (!control_) return;
  control_.reset();
  ::waitpid(pid_, nullptr, 0);
}

Result<Ok> Spawner::start_worker(const WorkerFds& fds) {
  const std::array<int, kWorkerFds> numbers{fds.orders.get(), fds.answers.get(), fds.scratch.get(),
                                            fds.heart.get()};
  if (!send_order(control_.get(), {.kind = SpawnOrder::Kind::start}, numbers.data())) {
    return error_from_errno(errno, "cannot ask the spawner for a worker");
  }
  return Ok{};
}

Result<Ok> Spawner::kill_worker(pid_t pid) {
  if (!send_order(control_.get(), {.kind = SpawnOrder::Kind::kill, .pid = pid}, nullptr)) {
    return error_from_errno(errno, "cannot ask the spawner to kill a worker");
  }
  return Ok{};
}

std::optional<WorkerEvent> Spawner::next_event() {
  WorkerEvent event;
  const ssize_t size = ::recv(control_.get(), &event, sizeof event, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size != static_cast<ssize_t>(sizeof event)) return WorkerEvent{};
  return event;
}

}  // namespace smaps_audit::service
