// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/range_set.h"
#include "tests/support/fake_kernel_view.h"

namespace smaps_audit {

/// A VMA of anonymous memory whose first pages are present and exclusive.
struct FakeVma {
  Range range;
  std::uint64_t pages = 0;            ///< that pagemap and numa_maps show
  std::uint64_t smaps_pages = pages;  ///< that smaps and its rollup tell
  std::string permissions = "rw-p";
  std::string name = {};
  bool has_file = false;
};

/// Process 7 of a kernel made of values: all files that an audit reads, asleep, of one thread.
class FakeProcess {
 public:
  explicit FakeProcess(FakeKernelView& kernel);

  std::vector<FakeVma> vmas;
  std::string comm = "fake";
  std::string wchan = "hrtimer_nanosleep";
  std::uint64_t faults = 10;
  std::uint64_t start_time = 4711;
  std::uint64_t start_code = 0x1000;
  std::uint64_t start_stack = 0x7f00;
  char state = 'S';
  std::uint64_t threads = 1;  ///< as stat counts them
  std::string flags = "4194560";
  std::size_t records_per_read = 2;  ///< of smaps
  bool scan = false;                 ///< the kernel has PAGEMAP_SCAN and PROCMAP_QUERY

  /// Writes all files anew.
  void publish();

  [[nodiscard]] std::string record(const FakeVma& vma) const;
  [[nodiscard]] std::string stat() const;
  [[nodiscard]] std::string status() const;

 private:
  void publish_pages();
  FakeKernelView& kernel_;
};

}  // namespace smaps_audit
