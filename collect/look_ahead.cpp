// SPDX-License-Identifier: Apache-2.0
#include "collect/look_ahead.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "parsers/vma_header.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;

}  // namespace

Result<Ok> LookAhead::restart() {
  leader_.clear();
  at_end_ = false;
  if (by_query_) return Ok{};
  return view_.rewind(target_.maps());
}

Result<Ok> LookAhead::next(std::uint64_t from, std::size_t count, std::vector<Range>& vmas,
                           RangeSet& without_file) {
  if (by_query_) return next_by_query(from, count, vmas, without_file);
  while (!leader_.empty() && leader_.front().range.last <= from) leader_.pop_front();
  while (leader_.size() < count && !at_end_) {
    Result<Ok> read = read_more();
    if (!read) return read;
    while (!leader_.empty() && leader_.front().range.last <= from) leader_.pop_front();
  }
  for (std::size_t i = 0; i < std::min(count, leader_.size()); ++i) {
    const Listed& vma = leader_[i];
    vmas.push_back({std::max(vma.range.first, from), vma.range.last});
    if (!vma.has_file) add_without_file(without_file, vmas.back());
  }
  return Ok{};
}

Result<Ok> LookAhead::next_by_query(std::uint64_t from, std::size_t count, std::vector<Range>& vmas,
                                    RangeSet& without_file) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto vma = view_.procmap_query(target_.maps(), from);
    if (!vma) return vma.error();
    if (!*vma || (*vma)->start >= kKernelHalf) break;
    const std::uint64_t start = std::max((*vma)->start, from);
    if ((*vma)->end <= start) break;
    vmas.push_back({start, (*vma)->end});
    if (!(*vma)->has_file) add_without_file(without_file, vmas.back());
    from = (*vma)->end;
  }
  return Ok{};
}

Result<Ok> LookAhead::read_more() {
  buffer_.resize(kBufferBytes);
  const auto got = view_.read(target_.maps(), std::as_writable_bytes(std::span{buffer_}));
  if (!got) return got.error();
  at_end_ = *got == 0;
  const auto maps = parse_maps(std::string_view{buffer_}.substr(0, *got));
  if (!maps) return in_file(maps.error(), target_.maps());
  for (const VmaHeader& vma : *maps) {
    if (vma.start < kKernelHalf) leader_.push_back({{vma.start, vma.end}, vma.has_file()});
  }
  return Ok{};
}

}  // namespace smaps_audit
