// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "collect/byte_codec.h"

namespace smaps_audit {

/// Stores the little-endian 64-bit words of a pagemap as runs of equal words, runs that ascend by
/// one (neighbouring page frames), and literal words in between. `data` must be whole words.
void encode_words(std::span<const std::byte> data, ByteWriter& out);

/// Error `malformed`, sticking in `in`, if the runs hold more or less than `size` bytes.
/// Allocates `size` bytes at the most.
std::vector<std::byte> decode_words(ByteReader& in, std::size_t size);

}  // namespace smaps_audit
