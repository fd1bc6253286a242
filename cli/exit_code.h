// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace smaps_audit {

/// docs/design.md, "Exit". A signal adds 128 + its number.
inline constexpr int kExitClean = 0;
inline constexpr int kExitFinding = 1;
inline constexpr int kExitInconclusive = 2;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitBadData = 65;
inline constexpr int kExitInternal = 70;
inline constexpr int kExitCannotRun = 77;
inline constexpr int kExitBadConfig = 78;
inline constexpr int kExitSignalBase = 128;

}  // namespace smaps_audit
