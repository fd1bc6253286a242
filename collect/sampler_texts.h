// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "collect/sampler.h"

/// Private to the sampler: its loops over the texts of one file, for sweep and series.
namespace smaps_audit {

/// `callback(const SmapsText&)` for each read up to the record that reaches `until`.
template <class Callback>
Result<Ok> Sampler::each_smaps_text(std::uint64_t until, const Callback& callback) {
  Result<Ok> rewound = view_.rewind(target_.smaps());
  if (!rewound) return rewound;
  while (true) {
    const auto text = read_text(target_.smaps());
    if (!text) return text.error();
    if (text->empty()) return Ok{};
    largest_chunk_ = std::max(largest_chunk_, text->size());
    const Result<SmapsText> records = parse_smaps(*text);
    if (!records) return in_file(records.error(), target_.smaps());
    Result<Ok> called = callback(*records);
    if (!called) return called;
    if (records->records.empty() || records->records.back().header.end >= until) return Ok{};
  }
}

template <class Callback>
Result<Ok> Sampler::each_numa_text(std::uint64_t until, const Callback& callback) {
  const KernelFile& file = *target_.numa_maps();
  Result<Ok> rewound = view_.rewind(file);
  if (!rewound) return rewound;
  while (true) {
    const auto text = read_text(file);
    if (!text) return text.error();
    if (text->empty()) return Ok{};
    const Result<NumaMapsText> records = parse_numa_maps(*text);
    if (!records) return in_file(records.error(), file);
    callback(*records);
    if (records->records.empty() || records->records.back().start >= until) return Ok{};
  }
}

template <class Callback>
Result<Ok> Sampler::read_rollup(const Callback& callback) {
  const KernelFile& file = *target_.smaps_rollup();
  const auto text = read_whole(view_, file);
  if (!text) return text.error();
  const auto rollup = parse_smaps_rollup(*text);
  if (!rollup) return in_file(rollup.error(), file);
  callback(*rollup);
  return Ok{};
}

}  // namespace smaps_audit
