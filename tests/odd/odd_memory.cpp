// SPDX-License-Identifier: Apache-2.0
// Processes that are odd in what they are called and what they map.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "tests/odd/odd_modes.h"
#include "tests/workloads/memory.h"

namespace smaps_audit::odd {
namespace {

using workloads::die;
using workloads::kPageBytes;

constexpr std::size_t kFileBytes = 16 * kPageBytes;

// What a file may be called. The kernel writes '\n' as \012 and leaves all else as it is.
const std::array<std::string, 14> kNames = {
    "\xff\xfe\x80 no UTF-8",
    "\xc2\x9b"
    "2J the C1 form of an escape",
    "ends in (deleted)",
    "two\nlines",
    "a\nRss:               999 kB\nPss:             999 kB\n",
    "Rss:               999 kB",
    "7f0000000000-7f0000400000 rw-p 00000000 00:00 0",
    "\n7f0000000000-7f0000400000 rw-p 00000000 00:00 0\nSize:  4096 kB\n",
    "VmFlags: ht pf io",
    "\x1b[31mred\x1b]0;title\x07",
    "tab\tequals=N0=99 blank anon=77",
    "back\\slash \\012 \"quote\"",
    "[heap]",
    "\r\x7f\x01\x02",
};

void map_file(const std::string& path, bool unlinked) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, kFileBytes) != 0) die("file of that name");
  void* const shared = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  void* const own = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  if (shared == MAP_FAILED || own == MAP_FAILED) die("mmap of that file");
  for (std::size_t at = 0; at < kFileBytes; at += kPageBytes) {
    static_cast<char*>(shared)[at] = 1;
    if (at % (2 * kPageBytes) == 0) static_cast<char*>(own)[at] = 1;
  }
  if (unlinked) ::unlink(path.c_str());
  ::close(file);
}

}  // namespace

std::size_t from_hex(const char* digits, char* bytes, std::size_t room) {
  const auto value = [](char digit) { return digit >= 'a' ? digit - 'a' + 10 : digit - '0'; };
  std::size_t filled = 0;
  for (; filled < room && digits[0] != '\0' && digits[1] != '\0'; digits += 2) {
    bytes[filled++] = static_cast<char>(value(digits[0]) * 16 + value(digits[1]));
  }
  return filled;
}

/// ARGUMENT: the name, in hex digits.
int run_comm(const char* argument) {
  std::array<char, 17> name{};
  if (argument == nullptr || from_hex(argument, name.data(), 16) == 0) {
    return workloads::kExitUsage;
  }
  if (::prctl(PR_SET_NAME, name.data()) != 0) die("PR_SET_NAME");
  touch(kTouchedBytes);
  announce(::getpid(), kTouchedBytes);
  hold();
  return 0;
}

/// ARGUMENT: a directory to make the files in. Each name is mapped twice, once more after its file
/// was unlinked; then there are memfds and, where the kernel has them, names of anonymous memory.
int run_names(const char* argument) {
  if (argument == nullptr) return workloads::kExitUsage;
  const std::string below = std::string{argument} + "/";
  const std::string below_gone = below + "gone ";
  for (const std::string& name : kNames) {
    map_file(below + name, false);
    map_file(below_gone + name, true);
    const int memory = ::memfd_create(name.c_str(), MFD_CLOEXEC);
    if (memory < 0 || ::ftruncate(memory, kFileBytes) != 0) die("memfd_create");
    void* const at = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (at == MAP_FAILED) die("mmap of a memfd");
    *static_cast<char*>(at) = 1;
  }
  constexpr int kSetVma = 0x53564d41;  // PR_SET_VMA, PR_SET_VMA_ANON_NAME: 5.17
  char* const named = touch(kTouchedBytes);
  ::prctl(kSetVma, 0, named, kTouchedBytes, "Rss: 99 kB (deleted)");
  announce(::getpid(), kTouchedBytes);
  hold();
  return 0;
}

/// As many mappings as a process may have, each of one touched page.
int run_all_vmas(const char* /*argument*/) {
  void* last = nullptr;
  std::size_t mappings = 0;
  for (;; ++mappings) {
    const int protection = mappings % 2 == 0 ? PROT_READ | PROT_WRITE : PROT_READ;
    void* const at =
        ::mmap(nullptr, kPageBytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) break;
    last = at;
  }
  // Room for stdio's buffer.
  if (last != nullptr) ::munmap(last, kPageBytes);
  announce(::getpid(), mappings * kPageBytes / 2);
  hold();
  return 0;
}

}  // namespace smaps_audit::odd
