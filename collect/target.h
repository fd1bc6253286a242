// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"
#include "parsers/proc_stat.h"
#include "parsers/proc_status.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// The numbers of one read of status, without views into its text. Bytes.
struct StatusNumbers {
  std::optional<std::uint64_t> vm_peak;
  std::optional<std::uint64_t> vm_size;
  std::optional<std::uint64_t> vm_hwm;
  std::optional<std::uint64_t> vm_rss;
  std::optional<std::uint64_t> rss_anon;
  std::optional<std::uint64_t> rss_file;
  std::optional<std::uint64_t> rss_shmem;
  std::optional<std::uint64_t> vm_pte;
  std::optional<std::uint64_t> vm_swap;
  std::optional<std::uint64_t> threads;
};

/// Why a process was not audited at all.
enum class Refusal : std::uint8_t {
  kernel_thread,
  zombie,
  gone,
  denied,
  malformed,
  no_pagemap,
  unreadable,  ///< it is there, and something else failed: EIO, ENOMEM, EMFILE
};

struct RefusedTarget {
  Refusal why = Refusal::gone;
  Error error;
};

/// What a second look at a target's stat and executable says of it.
enum class Fate : std::uint8_t {
  same,
  exited,
  executed,  ///< execve: pid and start time stay, the mm doesn't
  replaced,  ///< another process has the pid, or the thread whose mm was audited has left it
};

/// One process, opened back to back (docs/method.md §2): every file is reached through one
/// directory descriptor, so a recycled pid can't be mixed in. An execve keeps pid and start time;
/// `still_same` notices it.
class Target {
 public:
  static Result<Target> open(KernelView& view, int pid, RefusedTarget& refused);

  /// The second half of the identity: to be asked after the last read. Error `gone` if the process
  /// or its mm is another one by now. `known_page`: number of a page inside an audited VMA.
  Result<Ok> still_same(KernelView& view, std::optional<std::uint64_t> known_page) const;
  Result<Fate> fate(KernelView& view) const;

  [[nodiscard]] int pid() const { return pid_; }
  /// The thread whose mm is audited: the pid, or a living thread of a leader that has exited.
  [[nodiscard]] int mm_task() const { return mm_task_; }
  [[nodiscard]] const std::string& comm() const { return comm_; }
  [[nodiscard]] std::uint64_t start_time_ticks() const { return start_time_ticks_; }
  /// Of mm_task(): what two users of one mm have in common.
  [[nodiscard]] std::uint64_t start_code() const { return mm_start_code_; }
  [[nodiscard]] std::uint64_t start_stack() const { return mm_start_stack_; }

  [[nodiscard]] const KernelFile& directory() const { return directory_; }
  [[nodiscard]] const KernelFile& smaps() const { return smaps_; }
  [[nodiscard]] const KernelFile& pagemap() const { return pagemap_; }
  [[nodiscard]] const KernelFile& maps() const { return maps_; }
  [[nodiscard]] const std::optional<KernelFile>& numa_maps() const { return numa_maps_; }
  [[nodiscard]] const std::optional<KernelFile>& smaps_rollup() const { return smaps_rollup_; }

  /// minflt + majflt of the whole thread group.
  Result<std::uint64_t> faults(KernelView& view) const;
  Result<StatusNumbers> status(KernelView& view) const;
  Result<ProcStatm> statm(KernelView& view) const;

 private:
  Result<Ok> open_as(KernelView& view, const ProcStat& stat);
  Result<Ok> open_files(KernelView& view, bool leader_exited);
  Result<bool> open_files_of(KernelView& view, const KernelFile& task);

  int pid_ = 0;
  int mm_task_ = 0;
  std::string comm_;
  std::uint64_t start_time_ticks_ = 0;
  std::uint64_t start_code_ = 0;
  std::uint64_t start_stack_ = 0;
  std::uint64_t mm_start_code_ = 0;
  std::uint64_t mm_start_stack_ = 0;
  std::optional<FileIdentity> executable_;
  KernelFile directory_;
  KernelFile stat_;
  KernelFile status_;
  KernelFile statm_;
  KernelFile smaps_;
  KernelFile pagemap_;
  KernelFile maps_;
  std::optional<KernelFile> numa_maps_;
  std::optional<KernelFile> smaps_rollup_;
};

/// Reads a small file from offset 0 to its end. `limit` is an error (`truncated`), never a silent
/// cut.
inline constexpr std::size_t kLongestText = std::size_t{64} << 20;
Result<std::string> read_whole(KernelView& view, const KernelFile& file,
                               std::size_t limit = kLongestText);

/// Opens it for that: `path` below a root, or below a directory ("7/stat").
Result<std::string> read_file(KernelView& view, KernelRoot root, const std::string& path,
                              std::size_t limit = kLongestText);
Result<std::string> read_file(KernelView& view, const KernelFile& directory,
                              const std::string& path);

}  // namespace smaps_audit
