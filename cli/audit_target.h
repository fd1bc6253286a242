// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "audit/verdict.h"
#include "base/page_geometry.h"
#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"
#include "collect/mm_sharing.h"

namespace smaps_audit {

/// How one process is audited. A capture stores these, so that its replay does the same.
struct AuditOptions {
  bool full_series = false;  ///< capture: the whole confirming series of every VMA, never cut short
  bool confirm =
      true;  ///< false (hidden, for the negative control): a suspect is a finding at once
  bool frozen = false;  ///< the caller holds the target under ptrace (--freeze)
  Nanoseconds deadline{
      std::chrono::seconds(60)};  ///< for one process, then inconclusive{contended}
  /// For many audits in a row; not stored, nullptr in a capture. Belongs to an audit that got
  /// stuck.
  std::shared_ptr<MmSharing> sharing = nullptr;
};

/// The audit of one process, the same in every program: sweep, screen, confirm, judge.
/// Never fails: what could not be read is a verdict (denied, vanished, skipped, inconclusive).
ProcessReport audit_target(KernelView& view, const KernelCapabilities& capabilities,
                           const PageGeometry& pages, int pid, const AuditOptions& options);

}  // namespace smaps_audit
