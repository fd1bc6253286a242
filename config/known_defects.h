// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smaps_audit {

enum class DefectClass : std::uint8_t {
  finding,  ///< a number that users read is wrong
  note,     ///< imprecision or a wrong flag that no Rss or Pss depends on
};

/// By what behaviour a defect is recognised; never by kernel version.
struct DefectSignature {
  std::vector<std::string> interfaces;  ///< who is wrong, as name_of(Interface) spells it
  std::string direction;                ///< "deficit" or "excess"
  std::uint64_t granule_bytes = 0;      ///< the error is a multiple of this; 0: of anything
  std::vector<std::string> sided_by;    ///< witnesses that contradict it
  bool varies = false;                  ///< differs from read to read of an unchanged process
  bool needs_awake = false;             ///< only while threads of the target run
};

/// One row of config/known-defects.json, which is compiled in.
struct KnownDefect {
  std::string id;  ///< "K01"
  DefectClass defect_class = DefectClass::finding;
  std::string title;     ///< one line
  std::string versions;  ///< where it was seen, in words, for people only
  DefectSignature signature;
  std::vector<std::string> what_to_do;
  std::vector<std::string> links;
};

/// All rows, in the order of the file. Parsed once; never changes.
const std::vector<KnownDefect>& known_defects();

/// nullptr if there is no such defect.
const KnownDefect* find_known_defect(std::string_view id);

}  // namespace smaps_audit
