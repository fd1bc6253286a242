// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/identities.h"
#include "audit/page_class.h"
#include "parsers/numa_maps.h"

namespace smaps_audit {

/// The smallest and the largest value that a witness ever showed. Bytes.
struct Extremes {
  std::uint64_t smallest = UINT64_MAX;
  std::uint64_t largest = 0;
  std::uint64_t reads = 0;

  void add(std::uint64_t value) {
    smallest = value < smallest ? value : smallest;
    largest = value > largest ? value : largest;
    ++reads;
  }
  [[nodiscard]] bool seen() const { return reads != 0; }
};

/// Whether every read of a witness lies on one side of what the others support.
enum class Contradiction : std::uint8_t { none, deficit, excess };
Contradiction compare(const Extremes& said, Interval expected);

/// What the page passes of a series agree on. L* = in all, U* = in any (docs/method.md §6).
class PageEvidence {
 public:
  void add(PageSets sets);
  [[nodiscard]] bool seen() const { return passes_ != 0; }
  [[nodiscard]] const RangeSet& in_all() const { return in_all_; }
  [[nodiscard]] const RangeSet& in_any() const { return in_any_; }
  [[nodiscard]] Interval bytes(const PageGeometry& pages) const {
    return {pages.bytes(in_all_.count()), pages.bytes(in_any_.count())};
  }

 private:
  RangeSet in_all_;
  RangeSet in_any_;
  std::uint64_t passes_ = 0;
};

/// Which witnesses of one VMA contradict each other after all reads so far.
struct Contradictions {
  Contradiction smaps_walk = Contradiction::none;   ///< smaps against the walk (I7)
  Contradiction numa_walk = Contradiction::none;    ///< numa_maps against the walk (I6, I7)
  Contradiction smaps_numa = Contradiction::none;   ///< smaps against numa_maps (I6)
  Contradiction walk_plain = Contradiction::none;   ///< PAGEMAP_SCAN against plain reads (I12)
  Contradiction smaps_plain = Contradiction::none;  ///< smaps against the plain reads
  Contradiction numa_plain = Contradiction::none;
  bool identity = false;  ///< the record contradicts itself in every read (I2)

  [[nodiscard]] bool any() const;
  [[nodiscard]] bool any_without_numa() const;
};

/// One VMA under a running series: every read must say the same for a contradiction to live.
class VmaWatch {
 public:
  VmaWatch(Range bytes, const VmaTraits& traits, bool resolve_coverage)
      : range_(bytes), traits_(traits), resolve_coverage_(resolve_coverage) {}

  void on_pass(const PagePass& pass, const PagePass* plain, const PageGeometry& pages);
  /// How often the pages are mapped, behind a pass.
  void on_mappings(const PagePass& counted, const PageGeometry& pages);
  void on_record(const SmapsRecord& record, const PageGeometry& pages);
  void on_numa(const NumaMapsRecord& record, const PageGeometry& pages);
  /// The end of one step: false if the VMA was not there with the same bounds in this read.
  bool end_step();
  /// Forgets all evidence: the VMA is another one now (docs/method.md §6, at most 3 times).
  void restart(Range bytes, const VmaTraits& traits);

  /// What its pages add to Pss; nullopt if nobody asked.
  [[nodiscard]] std::optional<Interval> pss(const PageGeometry& pages) const;

  [[nodiscard]] Contradictions contradictions(const PageGeometry& pages) const;
  /// The relations of its other fields, if one of them is broken: its record's own (I2), and those
  /// with numa_maps while the process sleeps (I6).
  [[nodiscard]] std::vector<Relation> field_relations(bool asleep, const PageGeometry& pages) const;

  [[nodiscard]] Range range() const { return range_; }
  [[nodiscard]] const VmaTraits& traits() const { return traits_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const PageEvidence& walk() const { return walk_; }
  [[nodiscard]] const PageEvidence& plain() const { return plain_; }
  /// Whose word walk() is: PAGEMAP_SCAN's where plain reads are beside it.
  [[nodiscard]] Interface walk_witness() const {
    return plain_.seen() ? Interface::pagemap_scan : Interface::pagemap;
  }
  [[nodiscard]] const Extremes& smaps_rss() const { return field(SmapsField::rss); }
  [[nodiscard]] const Extremes& field(SmapsField field) const {
    return fields_[static_cast<std::size_t>(field)];
  }
  [[nodiscard]] const Extremes& numa() const { return numa_; }
  /// Lost to memory errors in every pass. Bytes.
  [[nodiscard]] std::uint64_t poisoned() const { return poisoned_.seen() ? poisoned_.smallest : 0; }
  [[nodiscard]] unsigned steps() const { return steps_; }
  [[nodiscard]] unsigned restarts() const { return restarts_; }
  [[nodiscard]] bool present() const { return present_; }
  [[nodiscard]] bool resolve_coverage() const { return resolve_coverage_; }

 private:
  Range range_;
  VmaTraits traits_;
  bool resolve_coverage_;  ///< not a suspect: the screen had not covered it
  std::string name_;
  PageEvidence walk_;
  PageEvidence plain_;
  std::optional<std::vector<MappingRun>> mappings_;  ///< what all looks agree on
  Extremes poisoned_;
  std::array<Extremes, kSmapsFieldCount> fields_{};
  Extremes numa_;
  Extremes numa_anon_;
  Extremes numa_dirty_;
  std::unique_ptr<KeptRecord> broken_record_;  ///< the last, if all of them broke an identity
  std::uint32_t always_broken_ = UINT32_MAX;
  std::uint32_t ever_broken_ = 0;
  unsigned steps_ = 0;
  unsigned restarts_ = 0;
  bool seen_ = false;
  bool numa_comparable_ = true;
  bool present_ = true;
};

}  // namespace smaps_audit
