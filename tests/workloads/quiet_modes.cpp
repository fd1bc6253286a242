// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/workloads/hints.h"
#include "tests/workloads/memory.h"
#include "tests/workloads/modes.h"
#include "tests/workloads/truth.h"

namespace smaps_audit::workloads {
namespace {

constexpr const char* kNoHugePages = "no transparent huge pages to be had";
constexpr std::size_t kFileBytes = 4 * kMiB;

/// A file of kFileBytes with all pages in the page cache; it has no name any more.
int make_unlinked_file() {
  const char* const directory = std::getenv("TMPDIR");
  std::string path = std::string(directory != nullptr ? directory : "/tmp") + "/workload-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) die("mkstemp");
  if (unlink(path.c_str()) != 0) die("unlink");
  const std::string content(kFileBytes, 'x');
  if (write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    die("write");
  }
  return fd;
}

/// `mappings`: how many of this process the pages end up in.
Region map_and_touch(int fd, int protection, int flags, const char* permissions,
                     std::uint64_t mappings = 1) {
  void* const base = mmap(nullptr, kFileBytes, protection, flags, fd, 0);
  if (base == MAP_FAILED) die("mmap");
  const Memory memory{static_cast<std::byte*>(base), kFileBytes};
  if ((protection & PROT_WRITE) != 0) {
    touch_write(memory);
  } else {
    touch_read(memory);
  }
  return {.memory = memory,
          .permissions = permissions,
          .touched_bytes = memory.size(),
          .pss_bytes = memory.size() / mappings};
}

int run_hinted(const char* mode, std::uint64_t mib, Pages pages) {
  const HintedMemory hinted = make_hinted(mib * kMiB, pages);
  const std::uint64_t deficit_bytes = pages == Pages::huge ? hinted.memory.size() : 0;
  return declare_and_hold(
      {.mode = mode,
       .regions = {{hinted.memory, "rw-p", hinted.memory.size(), deficit_bytes}},
       .kernel_state_proven = hinted.proven,
       .why = hinted.why});
}

/// Rss of the VMA that starts at `memory`, as this process's own smaps has it.
std::uint64_t rss_bytes_in_own_smaps(Memory memory) {
  const std::string smaps = read_text("/proc/self/smaps");
  char start[32];
  std::snprintf(start, sizeof start, "%zx-", reinterpret_cast<std::size_t>(memory.data()));
  const std::size_t header = smaps.find(start);
  const std::string_view key = "\nRss:";
  const std::size_t rss = header == std::string::npos ? header : smaps.find(key, header);
  if (rss == std::string::npos) return 0;
  const std::size_t digits = smaps.find_first_not_of(' ', rss + key.size());
  const std::string line = "Rss " + smaps.substr(digits, smaps.find(' ', digits) - digits);
  return number_in(line, "Rss") * 1024;
}

}  // namespace

int run_hinted_thp(std::uint64_t mib) { return run_hinted("hinted-thp", mib, Pages::huge); }

int run_hinted_base(std::uint64_t mib) { return run_hinted("hinted-base", mib, Pages::base); }

int run_hinted_thp_partial(std::uint64_t mib) {
  HintedMemory hinted = make_hinted(mib * kMiB, Pages::huge);
  std::uint64_t back_bytes = 0;
  if (hinted.proven) {
    const std::size_t blocks = hinted.memory.size() / kPmdBytes;
    const std::uint64_t touched = touch_back(hinted.memory, 3, (blocks + 2) / 3);
    hinted.proven = touched > 0;
    if (!hinted.proven) hinted.why = "the scanner did not leave alone what was touched back";
    back_bytes = touched * kPmdBytes;
  }
  return declare_and_hold({.mode = "hinted-thp-partial",
                           .regions = {{hinted.memory, "rw-p", hinted.memory.size(),
                                        hinted.memory.size() - back_bytes}},
                           .kernel_state_proven = hinted.proven,
                           .why = hinted.why});
}

int run_protnone_thp(std::uint64_t mib) {
  const Memory memory = map_guarded(mib * kMiB, Pages::huge);
  const bool huge = fill_with_huge_pages(memory);
  protect(memory, PROT_NONE);
  return declare_and_hold({.mode = "protnone-thp",
                           .regions = {{memory, "---p", memory.size(), memory.size()}},
                           .kernel_state_proven = huge,
                           .why = huge ? "each 2 MiB came by one fault" : kNoHugePages});
}

int run_plain(std::uint64_t mib) {
  const Memory base = map_guarded(mib * kMiB, Pages::base);
  touch_write(base);
  const Memory huge = map_guarded(mib * kMiB, Pages::huge);
  const bool proven = fill_with_huge_pages(huge);
  const int file = make_unlinked_file();
  constexpr int kReadWrite = PROT_READ | PROT_WRITE;
  return declare_and_hold(
      {.mode = "plain",
       .regions = {{base, "rw-p", base.size(), 0},
                   {huge, "rw-p", huge.size(), 0},
                   map_and_touch(file, PROT_READ, MAP_PRIVATE, "r--p", 2),
                   map_and_touch(file, kReadWrite, MAP_PRIVATE, "rw-p"),
                   map_and_touch(file, kReadWrite, MAP_SHARED, "rw-s", 2),
                   map_and_touch(-1, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, "rw-s")},
       .kernel_state_proven = proven,
       .why = proven ? "touched" : kNoHugePages});
}

int run_protnone_self(std::uint64_t mib) {
  const Memory memory = map_guarded(mib * kMiB, Pages::huge);
  const bool huge = fill_with_huge_pages(memory);
  protect(memory, PROT_NONE);
  const std::uint64_t rss_bytes = rss_bytes_in_own_smaps(memory);
  const bool affected = rss_bytes != memory.size();
  declare({.mode = "protnone-self",
           .regions = {{memory, "---p", memory.size(), memory.size()}},
           .kernel_state_proven = huge,
           .why = !huge ? kNoHugePages
                        : (affected ? "affected: smaps shows " : "healthy: smaps shows ") +
                              std::to_string(rss_bytes)});
  return !huge ? kExitCannotRun : (affected ? 1 : 0);
}

int run_many_vmas(std::uint64_t vmas) {
  const Memory memory = map_guarded(vmas * kPageBytes, Pages::base);
  touch_write(memory);
  for (std::size_t at = kPageBytes; at < memory.size(); at += 2 * kPageBytes) {
    protect(memory.subspan(at, kPageBytes), PROT_READ);
  }
  return declare_and_hold({.mode = "many-vmas",
                           .regions = {{memory, "rw-p", memory.size(), 0, vmas}},
                           .why = "touched, every other page read-only"});
}

int run_big_4k(std::uint64_t mib) {
  const Memory memory = map_guarded(mib * kMiB, Pages::base);
  touch_write(memory);
  return declare_and_hold(
      {.mode = "big-4k", .regions = {{memory, "rw-p", memory.size(), 0}}, .why = "touched"});
}

}  // namespace smaps_audit::workloads
