// SPDX-License-Identifier: Apache-2.0
#include "tests/workloads/adversary_support.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace smaps_audit::workloads {

Memory random_run(Memory memory, Random& random, std::size_t most_pages) {
  const std::size_t pages = memory.size() / kPageBytes;
  const std::size_t length = 1 + random() % most_pages;
  const std::size_t first = random() % (pages - length + 1);
  return memory.subspan(first * kPageBytes, length * kPageBytes);
}

void random_pause(Random& random, std::chrono::microseconds longest) {
  const auto most = static_cast<std::size_t>(longest.count()) >> (random() % 8);
  std::this_thread::sleep_for(std::chrono::microseconds(random() % (most + 1)));
}

void die_with_parent() {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) die("PR_SET_PDEATHSIG");
}

void wait_for(pid_t pid) {
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int make_file(std::size_t bytes) {
  const char* const directory = std::getenv("TMPDIR");
  std::string path = std::string(directory != nullptr ? directory : "/tmp") + "/adversary-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) die("mkstemp");
  if (unlink(path.c_str()) != 0) die("unlink");
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) die("ftruncate");
  return fd;
}

Memory map_file(int fd, std::size_t bytes, int flags) {
  void* const base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (base == MAP_FAILED) die("mmap");
  return {static_cast<std::byte*>(base), bytes};
}

int make_memfd(const char* name, std::size_t bytes) {
  const int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) die("memfd_create");
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) die("ftruncate");
  return fd;
}

bool write_text(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const std::size_t length = std::strlen(text);
  const bool written = write(fd, text, length) == static_cast<ssize_t>(length);
  const int error = errno;
  close(fd);
  errno = error;
  return written;
}

std::string text_or_empty(const char* path) {
  return access(path, R_OK) == 0 ? read_text(path) : std::string{};
}

}  // namespace smaps_audit::workloads
