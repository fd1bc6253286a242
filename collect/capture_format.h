// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// Private to the capture's writer and reader: the numbers of docs/capture-format.md.
namespace smaps_audit::capture_format {

/// "SMAPSCAP", version as u32, reserved u32 = 0; all little-endian.
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kMagicBytes = 8;
inline constexpr std::array<unsigned char, kHeaderBytes> kHeader = {
    'S', 'M', 'A', 'P', 'S', 'C', 'A', 'P', 1, 0, 0, 0, 0, 0, 0, 0};

/// 2^26 = 64 MiB: `zstd -d` refuses more than 2^27 unless told otherwise.
inline constexpr int kWindowLog = 26;
inline constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{1} << kWindowLog;

/// How each of our zstd frames starts: magic, descriptor (checksum, no content size, no
/// dictionary), window of 2^26 (RFC 8878 §3.1.1.1). Anything else is damage that the frame's
/// checksum, which covers the content only, would not show.
inline constexpr std::array<unsigned char, 6> kFrameStart = {0x28, 0xb5, 0x2f,
                                                             0xfd, 0x04, (kWindowLog - 10) << 3};

/// First byte of an event's body, beside the KernelOperations.
inline constexpr std::uint8_t kMetadataEvent = 0xf0;
inline constexpr std::uint8_t kEndEvent = 0xff;

}  // namespace smaps_audit::capture_format
