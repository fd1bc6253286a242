// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "probes/known_memory.h"

/// What a workload needs beside the memory that it knows (probes/known_memory.h).
namespace smaps_audit::workloads {

using namespace probes;  // NOLINT(google-build-using-namespace)

/// Exit statuses, as everywhere in the project.
inline constexpr int kExitUsage = 64;
inline constexpr int kExitInternal = 70;
inline constexpr int kExitCannotRun = 77;

/// The whole of a small file, such as one in /proc.
std::string read_text(const char* path);

/// The number behind `key` in a text of "key number" lines; 0 where it is absent.
std::uint64_t number_in(std::string_view text, std::string_view key);

}  // namespace smaps_audit::workloads
