// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "probes/probe.h"

/// Every probe, each in the file probe_*.cpp that its name leads to. The catalogue lists them.
namespace smaps_audit::probes {

extern const Probe kControl;
extern const Probe kProtnoneThp;
extern const Probe kProtnoneBase;
extern const Probe kProtnoneShmem;
extern const Probe kFollowPage;
extern const Probe kFollForce;
extern const Probe kThpDirty;
extern const Probe kCounterSlack;
extern const Probe kRollupContention;
extern const Probe kNumaHintedThp;
extern const Probe kNumaHintedBase;
extern const Probe kNumaHintedShared;
extern const Probe kNumaHintedShmem;
extern const Probe kGupFault;
extern const Probe kMigrationRace;
extern const Probe kKvmFault;
extern const Probe kLongtermPin;
extern const Probe kExclusiveBit;
extern const Probe kZeroPage;
extern const Probe kGuard;
extern const Probe kSecretmem;
extern const Probe kHugetlb;
extern const Probe kLazyfree;
extern const Probe kSwap;
extern const Probe kKsmUnmerge;

}  // namespace smaps_audit::probes
