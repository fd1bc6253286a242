// SPDX-License-Identifier: Apache-2.0
#include "collect/sampler.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "collect/sampler_texts.h"

namespace smaps_audit {
namespace {

// With a buffer at least as large as the kernel's, every read(2) of a seq_file returns whole
// records.
constexpr std::size_t kTextBufferBytes = std::size_t{64} << 10;
constexpr std::size_t kSmallestChunkBytes = 4096;  // the seq_file's first buffer
constexpr std::size_t kSmallestRecordBytes = 600;  // of smaps
// Per page-table page, before anything was measured (docs/design.md, "Gentle").
constexpr Nanoseconds kWalkPerPageTable = std::chrono::microseconds(15);
constexpr std::uint64_t kPageTableBytes = 4096;

/// Merges two ascending lists of VMAs; where they overlap, the union.
void merge_vmas(std::vector<Range>& vmas) {
  std::sort(vmas.begin(), vmas.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const Range& vma : vmas) {
    if (kept != 0 && vma.first < vmas[kept - 1].last) {
      vmas[kept - 1].last = std::max(vmas[kept - 1].last, vma.last);
    } else {
      vmas[kept++] = vma;
    }
  }
  vmas.resize(kept);
}

std::uint64_t since(std::optional<std::uint64_t> before, std::optional<std::uint64_t> after) {
  return before && after && *after > *before ? *after - *before : 0;
}

}  // namespace

Sampler::Sampler(KernelView& view, const KernelCapabilities& capabilities,
                 const PageGeometry& pages, const Target& target, const SampleLimits& limits)
    : view_(view),
      capabilities_(capabilities),
      pages_(pages),
      target_(target),
      limits_(limits),
      reader_(view, capabilities, pages),
      look_ahead_(view, target, capabilities.procmap_query),
      buffer_(kTextBufferBytes, '\0') {}

Result<Ok> Sampler::within_deadline(const KernelFile& file) const {
  if (view_.monotonic_now() <= limits_.deadline) return Ok{};
  return Error{.code = ErrorCode::deadline, .what = {}, .file = file.path()};
}

/// One read(2); empty at the end of the file.
Result<std::string_view> Sampler::read_text(const KernelFile& file) {
  Result<Ok> in_time = within_deadline(file);
  if (!in_time) return in_time.error();
  const Nanoseconds began = view_.monotonic_now();
  const auto got = view_.read(file, std::as_writable_bytes(std::span{buffer_}));
  if (!got) return got.error();
  cost_.reading += view_.monotonic_now() - began;
  cost_.text_bytes += *got;
  ++cost_.reads;
  return std::string_view{buffer_}.substr(0, *got);
}

std::size_t Sampler::expected_vmas() const {
  return std::bit_ceil(std::max(largest_chunk_, kSmallestChunkBytes)) / kSmallestRecordBytes + 1;
}

Result<Ok> Sampler::sweep(SampleSink& sink) {
  const Nanoseconds began = view_.monotonic_now();
  const ThreadsState threads_before = read_threads(view_, target_, capabilities_.wchan);
  // Asked behind the first look at the threads: whoever sleeps from there on makes no new sharer.
  SweepEnd end;
  end.mm_shared = limits_.sharing != nullptr ? limits_.sharing->may_be_shared(view_, target_)
                                             : may_share_mm(view_, target_);
  const Vmstat vmstat_before = read_vmstat(view_);
  const auto faults_before = target_.faults(view_);
  if (!faults_before) return faults_before.error();
  const auto status_before = target_.status(view_);
  if (!status_before) return status_before.error();
  end.status_before = *status_before;
  if (status_before->vm_pte) {
    cost_.predicted_lock = kWalkPerPageTable * (*status_before->vm_pte / kPageTableBytes);
  }

  Result<Ok> swept = sweep_chunks(sink);
  if (swept) swept = sweep_totals(sink);
  if (!swept) return swept;

  const auto status_after = target_.status(view_);
  if (!status_after) return status_after.error();
  end.status_after = *status_after;
  if (const auto statm = target_.statm(view_)) end.statm = *statm;
  const auto faults_after = target_.faults(view_);
  if (!faults_after) return faults_after.error();
  const Vmstat vmstat_after = read_vmstat(view_);
  const ThreadsState threads_after = read_threads(view_, target_, capabilities_.wchan);

  end.faults = *faults_after - *faults_before;
  end.awake_threads = awake_threads(threads_before, threads_after);
  end.asleep =
      capabilities_.wchan && !end.mm_shared && proven_asleep(threads_before, threads_after);
  end.huge_faults = since(vmstat_before.thp_fault_alloc, vmstat_after.thp_fault_alloc) +
                    since(vmstat_before.thp_file_mapped, vmstat_after.thp_file_mapped);
  end.collapses =
      since(vmstat_before.thp_collapse_alloc, vmstat_after.thp_collapse_alloc) +
      since(vmstat_before.thp_collapse_alloc_failed, vmstat_after.thp_collapse_alloc_failed);
  sweep_took_ = view_.monotonic_now() - began;
  sink.on_sweep_end(end);
  return Ok{};
}

/// G0 P0 text1 P1 G1 text2 P2 G2 …: every pass serves as the end of one bracket and the start of
/// the next; the fault guard of a bracket is read before its first and after its second pass.
Result<Ok> Sampler::sweep_chunks(SampleSink& sink) {
  PagePass before;
  PagePass after;
  Result<Ok> restarted = look_ahead_.restart();
  if (!restarted) return restarted;
  auto oldest_faults = target_.faults(view_);
  if (!oldest_faults) return oldest_faults.error();
  Result<Ok> first = look_ahead_pass(SmapsText{}, before);
  if (!first) return first;
  auto faults = target_.faults(view_);
  if (!faults) return faults.error();

  return each_smaps_text(UINT64_MAX, [&](const SmapsText& text) -> Result<Ok> {
    after.clear();
    Result<Ok> passed = look_ahead_pass(text, after);
    if (!passed) return passed;
    const auto newest_faults = target_.faults(view_);
    if (!newest_faults) return newest_faults.error();
    sink.on_chunk({text, before, after, *newest_faults - *oldest_faults});
    std::swap(before, after);
    oldest_faults = faults;
    faults = newest_faults;
    return Ok{};
  });
}

/// Covers the VMAs of the chunk just read and those that the next one will probably hold.
Result<Ok> Sampler::look_ahead_pass(const SmapsText& text, PagePass& pass) {
  vmas_.clear();
  without_file_.clear();
  std::uint64_t end = 0;
  for (const SmapsRecord& record : text.records) {
    end = record.header.end;
    if (record.header.start >= kKernelHalf) break;
    vmas_.push_back({record.header.start, record.header.end});
    if (!record.header.has_file()) add_without_file(without_file_, vmas_.back());
  }
  if (end < kKernelHalf) {
    Result<Ok> looked = look_ahead_.next(end, expected_vmas(), vmas_, without_file_);
    if (!looked) return looked;
  }
  merge_vmas(vmas_);
  if (!capabilities_.pagemap_scan) {
    std::erase_if(vmas_, [&](const Range& vma) {
      // Decided once: the VMA is walked again in the pass that ends its bracket.
      if (vma.first < budgeted_until_) return left_out_.contains({vma.first, vma.first + 1});
      budgeted_until_ = vma.last;
      if (vma.length() > address_budget_) {
        left_out_.append(vma);
        return true;
      }
      address_budget_ -= vma.length();
      return false;
    });
  }
  const Nanoseconds began = view_.monotonic_now();
  Result<Ok> walked =
      reader_.walk(target_.pagemap(), vmas_, pass, without_file_, Mappings::counted);
  cost_.reading += view_.monotonic_now() - began;
  return walked;
}

Result<Ok> Sampler::sweep_totals(SampleSink& sink) {
  if (target_.smaps_rollup()) {
    Result<Ok> in_time = within_deadline(*target_.smaps_rollup());
    if (!in_time) return in_time;
    Result<Ok> read = read_rollup([&](const SmapsRecord& rollup) { sink.on_rollup(rollup); });
    if (!read) return read;
  }
  if (!target_.numa_maps() || !capabilities_.numa_maps) return Ok{};
  return each_numa_text(UINT64_MAX, [&](const NumaMapsText& text) { sink.on_numa(text); });
}

}  // namespace smaps_audit
