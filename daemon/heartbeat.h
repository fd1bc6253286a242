// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collect/kernel_view.h"

/// How the parent sees that a worker gets on: a file in memory, which the worker maps and the
/// parent reads. Costs no system call of the worker, and wakes nobody.
namespace smaps_audit::service {

struct Heartbeat {
  std::uint64_t reads = 0;  ///< calls into the kernel that have ended, and pauses
  int pid = 0;              ///< whose files the call under way is about; 0: nobody's
};

Result<UniqueFd> make_heartbeat_file();
/// nullopt: there is nothing to be read. A pid that makes no sense is 0.
std::optional<Heartbeat> read_heartbeat(const UniqueFd& file);

/// The worker's side.
class HeartbeatWriter {
 public:
  /// Maps the file.
  static Result<HeartbeatWriter> of(UniqueFd file);
  HeartbeatWriter(HeartbeatWriter&& other) noexcept;
  HeartbeatWriter& operator=(HeartbeatWriter&&) = delete;
  HeartbeatWriter(const HeartbeatWriter&) = delete;
  HeartbeatWriter& operator=(const HeartbeatWriter&) = delete;
  ~HeartbeatWriter();

  void at(int pid);
  void beat();

 private:
  explicit HeartbeatWriter(std::uint64_t* words) : words_(words) {}

  std::uint64_t* words_;
};

/// Another view, with a heartbeat after each call, and before it the pid that it is about. Its
/// files are the other view's.
class HeartbeatView final : public KernelView {
 public:
  HeartbeatView(KernelView& inner, HeartbeatWriter& heart) : inner_(inner), heart_(heart) {}

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
  [[nodiscard]] int owner_of(int handle) const;
  template <class Call>
  auto about(int pid, Call call) -> decltype(call());
  template <class Call>
  auto about(const KernelFile& file, Call call) -> decltype(call());
  Result<KernelFile> opened(int pid, Result<KernelFile> file);

  KernelView& inner_;
  HeartbeatWriter& heart_;
  /// Pid by handle, of all that were ever opened: a number that is used again is set again.
  std::map<int, int> owners_;
};

}  // namespace smaps_audit::service
