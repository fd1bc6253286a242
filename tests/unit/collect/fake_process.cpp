// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/collect/fake_process.h"

#include <fmt/format.h>

#include <map>

#include "parsers/pagemap.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kExclusive = std::uint64_t{1} << 56;

std::string fields_of(std::uint64_t pages) {
  const std::uint64_t kib = pages * kPage / 1024;
  std::string text;
  for (const char* name :
       {"Rss", "Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty",
        "Referenced", "Anonymous", "LazyFree", "AnonHugePages", "Swap", "SwapPss", "Locked"}) {
    const std::string_view field{name};
    const bool all = field == "Rss" || field.starts_with("Pss") || field == "Private_Dirty" ||
                     field == "Referenced" || field == "Anonymous";
    text += fmt::format("{:<16}{:>8} kB\n", std::string{field} + ":", all ? kib : 0);
  }
  return text;
}

std::string header_of(const FakeVma& vma) {
  return fmt::format("{:08x}-{:08x} {} 00000000 00:00 {}                          {}\n",
                     vma.range.first, vma.range.last, vma.permissions, vma.has_file ? 9 : 0,
                     vma.name);
}

}  // namespace

FakeProcess::FakeProcess(FakeKernelView& kernel) : kernel_(kernel) {}

std::string FakeProcess::record(const FakeVma& vma) const {
  return header_of(vma) +
         fmt::format(
             "Size:           {:>8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
             vma.range.length() / 1024) +
         fields_of(vma.smaps_pages) + "THPeligible:           0\nVmFlags: rd wr mr mw me ac \n";
}

std::string FakeProcess::stat() const {
  return fmt::format(
      "7 ({}) {} 1 7 7 0 -1 {} {} 0 0 0 0 0 0 0 20 0 {} 0 {} 0 0 0 {} 0 {} 0 0 0 0 0 0 0 0 0 0 0 0 "
      "0 0 0 "
      "0 0 0 0 0 0 0 0 0 0\n",
      comm, state, flags, faults, threads, start_time, start_code, start_stack);
}

std::string FakeProcess::status() const {
  std::uint64_t size = 0;
  std::uint64_t pages = 0;
  for (const FakeVma& vma : vmas) {
    size += vma.range.length() / 1024;
    pages += vma.pages;
  }
  const std::uint64_t rss = pages * kPage / 1024;
  return fmt::format(
      "Name:\tfake\nState:\tS (sleeping)\nTgid:\t7\nPid:\t7\nUid:\t0\t0\t0\t0\nVmSize:\t{:>8} kB\n"
      "VmRSS:\t{:>8} kB\nRssAnon:\t{:>8} kB\nRssFile:\t       0 kB\nRssShmem:\t       0 kB\n"
      "VmPTE:\t      40 kB\nVmSwap:\t       0 kB\nThreads:\t1\nvoluntary_ctxt_switches:\t5\n"
      "nonvoluntary_ctxt_switches:\t1\n",
      size, rss, rss);
}

void FakeProcess::publish_pages() {
  std::map<std::uint64_t, std::uint64_t> words;
  std::vector<PageRegion> regions;
  std::vector<VmaGeometry> geometry;
  for (const FakeVma& vma : vmas) {
    const std::uint64_t first = vma.range.first / kPage;
    for (std::uint64_t page = first; page < first + vma.pages; ++page) {
      words[page] = kPresent | kExclusive | (page + 1000);
    }
    if (vma.pages != 0) {
      regions.push_back({vma.range.first, vma.range.first + vma.pages * kPage, page_is::kPresent});
    }
    geometry.push_back({.start = vma.range.first, .end = vma.range.last, .has_file = vma.has_file});
  }
  kernel_.set_words("/proc/7/pagemap", words);
  if (!scan) return;
  kernel_.set_scan("/proc/7/pagemap", regions);
  kernel_.set_vmas("/proc/7/maps", geometry);
}

void FakeProcess::publish() {
  std::vector<std::string> smaps;
  std::string maps;
  std::string numa;
  std::uint64_t told = 0;
  std::uint64_t pages = 0;
  std::uint64_t size_pages = 0;
  for (std::size_t i = 0; i < vmas.size(); ++i) {
    const FakeVma& vma = vmas[i];
    if (i % records_per_read == 0) smaps.emplace_back();
    smaps.back() += record(vma);
    maps += header_of(vma);
    numa += fmt::format("{:08x} default", vma.range.first);
    if (vma.pages != 0) {
      numa += fmt::format(" anon={0} dirty={0} N0={0} kernelpagesize_kB=4", vma.pages);
    }
    numa += "\n";
    told += vma.smaps_pages;
    pages += vma.pages;
    size_pages += vma.range.length() / kPage;
  }
  kernel_.set_process(7, true);
  kernel_.set_chunks("/proc/7/smaps", smaps);
  kernel_.set_file("/proc/7/maps", maps);
  kernel_.set_file("/proc/7/numa_maps", numa);
  const Range all =
      vmas.empty() ? Range{} : Range{vmas.front().range.first, vmas.back().range.last};
  kernel_.set_file(
      "/proc/7/smaps_rollup",
      fmt::format("{:08x}-{:08x} ---p 00000000 00:00 0                          [rollup]\n",
                  all.first, all.last) +
          fields_of(told));
  kernel_.set_file("/proc/7/stat", stat());
  kernel_.set_file("/proc/7/status", status());
  kernel_.set_file("/proc/7/statm", fmt::format("{} {} 0 1 0 1 0\n", size_pages, pages));
  kernel_.set_identity("/proc/7/exe", {.device = 1, .inode = 2, .change_time_ns = 3});
  kernel_.set_directory("/proc/7/task", {"7"});
  kernel_.set_file("/proc/7/task/7/wchan", wchan);
  kernel_.set_file("/proc/7/task/7/syscall", "35 0x7ffd 0x0 0x0 0x0 0x0 0x0 0x7ffd 0x7f\n");
  kernel_.set_file("/proc/7/task/7/status", status());
  kernel_.set_file("/proc/vmstat", "nr_free_pages 1\nthp_fault_alloc 5\nthp_collapse_alloc 2\n");
  kernel_.set_directory("/proc/.", {"1", "7", "self"});
  publish_pages();
}

}  // namespace smaps_audit
