// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collect/kernel_view.h"
#include "collect/live_kernel_view.h"

namespace smaps_audit::bench {

/// What a call to the kernel asked for; a file is meant by its number in the order of opening.
struct BareCall {
  enum class Kind : std::uint8_t {
    open,
    close,
    read,
    pread,
    rewind,
    pagemap_scan,
    procmap_query,
    list,
    read_link,
    identify,
    owner,
    process_exists,
    same_mm,
    monotonic_now,
    wall_now,
    sleep_for,
    entropy,
    count_,
  };
  Kind kind = Kind::open;
  int flags = 0;                ///< of open: 0 or O_DIRECTORY
  std::uint32_t file = 0;       ///< the file itself; of open: the one that will be
  std::uint32_t directory = 0;  ///< of open: below which; kProcRoot, kSysRoot
  std::uint32_t path = 0;       ///< index in BareCalls::paths
  std::uint64_t a = 0;          ///< offset, start, address, pid, nanoseconds
  std::uint64_t b = 0;          ///< end, other pid
  std::uint64_t size = 0;       ///< bytes; regions of PAGEMAP_SCAN
  std::uint64_t category_anyof = 0;
  std::uint64_t return_mask = 0;
};
inline constexpr std::size_t kBareKinds = static_cast<std::size_t>(BareCall::Kind::count_);
inline constexpr std::uint32_t kProcRoot = UINT32_MAX;
inline constexpr std::uint32_t kSysRoot = UINT32_MAX - 1;

struct BareCalls {
  std::vector<BareCall> calls;
  std::vector<std::string> paths;
  std::uint32_t files = 0;
  [[nodiscard]] std::uint64_t count(BareCall::Kind kind) const;
};

/// What a list of calls brought, executed by an audit or bare: equal for a target that keeps still.
struct BareOutcome {
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;
  std::uint64_t read_bytes = 0;  ///< by read(2): smaps, numa_maps, maps
  std::uint64_t regions = 0;     ///< by PAGEMAP_SCAN
  bool operator==(const BareOutcome&) const = default;
};

/// The baseline of the benchmarks (docs/design.md, Decided 2): the same calls, nothing parsed. As a
/// view it passes every call on and notes it down; `repeat` then makes exactly the noted calls
/// again, by bare system calls into one buffer.
class BareKernelView final : public KernelView {
 public:
  explicit BareKernelView(KernelView& inner) : inner_(inner) {}

  [[nodiscard]] const BareCalls& calls() const { return calls_; }
  [[nodiscard]] const BareOutcome& outcome() const { return outcome_; }

  /// Pauses are made as well. Files that the list leaves open are closed.
  static BareOutcome repeat(const BareCalls& calls, std::vector<std::byte>& buffer,
                            const std::string& proc_root = LiveKernelView::kProcRoot);

  Result<KernelFile> open(KernelRoot root, const std::string& path) override;
  Result<KernelFile> open_directory(KernelRoot root, const std::string& path) override;
  Result<KernelFile> open_at(const KernelFile& directory, const std::string& path) override;
  Result<KernelFile> open_directory_at(const KernelFile& directory,
                                       const std::string& path) override;
  Result<std::size_t> read(const KernelFile& file, std::span<std::byte> buffer) override;
  Result<std::size_t> pread(const KernelFile& file, std::span<std::byte> buffer,
                            std::uint64_t offset) override;
  Result<Ok> rewind(const KernelFile& file) override;
  Result<PagemapScanAnswer> pagemap_scan(const KernelFile& pagemap, std::uint64_t start,
                                         std::uint64_t end, std::uint64_t category_anyof,
                                         std::uint64_t return_mask,
                                         std::span<PageRegion> regions) override;
  Result<std::optional<VmaGeometry>> procmap_query(const KernelFile& maps,
                                                   std::uint64_t address) override;
  Result<std::vector<std::string>> list(const KernelFile& directory) override;
  Result<std::string> read_link(const KernelFile& directory, const std::string& path) override;
  Result<FileIdentity> identify(const KernelFile& directory, const std::string& path) override;
  Result<std::uint32_t> owner(const KernelFile& directory) override;
  bool process_exists(int pid) override;
  Result<bool> same_mm(int pid, int other_pid) override;
  Nanoseconds monotonic_now() override;
  Nanoseconds wall_now() override;
  void sleep_for(Nanoseconds duration) override;
  std::uint64_t entropy() override;

 private:
  void close(int handle) override;
  void note(BareCall call);
  std::uint32_t path_index(const std::string& path);
  template <class Answer>
  Answer noted(BareCall call, Answer answer);
  Result<KernelFile> note_open(BareCall call, const std::string& path, Result<KernelFile> opened);
  [[nodiscard]] const KernelFile& inner_file(const KernelFile& file) const;
  [[nodiscard]] static std::uint32_t number_of(const KernelFile& file);

  KernelView& inner_;
  BareCalls calls_;
  BareOutcome outcome_;
  std::map<int, KernelFile> files_;  ///< by number, which is our handle too
  std::map<std::string, std::uint32_t> path_numbers_;
};

}  // namespace smaps_audit::bench
