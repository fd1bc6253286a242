// SPDX-License-Identifier: Apache-2.0
#include "probes/catalogue.h"

#include <algorithm>
#include <array>

#include "probes/all_probes.h"

namespace smaps_audit::probes {
namespace {

constexpr std::array kProbes{
    &kControl,          &kProtnoneThp,   &kProtnoneBase,   &kProtnoneShmem,
    &kFollowPage,       &kFollForce,     &kThpDirty,       &kCounterSlack,
    &kRollupContention, &kNumaHintedThp, &kNumaHintedBase, &kNumaHintedShared,
    &kNumaHintedShmem,  &kGupFault,      &kMigrationRace,  &kKvmFault,
    &kLongtermPin,      &kExclusiveBit,  &kZeroPage,       &kGuard,
    &kSecretmem,        &kHugetlb,       &kLazyfree,       &kSwap,
    &kKsmUnmerge,
};

}  // namespace

std::span<const Probe* const> catalogue() { return kProbes; }

const Probe* find_probe(std::string_view name) {
  const auto* const found = std::find_if(kProbes.begin(), kProbes.end(),
                                         [name](const Probe* row) { return row->name == name; });
  return found == kProbes.end() ? nullptr : *found;
}

Result<std::vector<const Probe*>> choose(const Choice& choice) {
  std::vector<const Probe*> chosen;
  for (const std::string& name : choice.names) {
    const Probe* const probe = find_probe(name);
    if (probe == nullptr) {
      return Error{.code = ErrorCode::usage,
                   .what = "there is no probe \"" + name + "\"; probe --list shows what there is"};
    }
    if (std::find(chosen.begin(), chosen.end(), probe) == chosen.end()) chosen.push_back(probe);
  }
  if (!choice.names.empty()) return chosen;
  for (const Probe* const probe : kProbes) {
    const bool wanted = probe->tier == Tier::instant ||
                        (probe->tier == Tier::balanced && (choice.allow_sysctl || choice.all)) ||
                        (probe->tier == Tier::extended && choice.all);
    if (wanted) chosen.push_back(probe);
  }
  return chosen;
}

}  // namespace smaps_audit::probes
