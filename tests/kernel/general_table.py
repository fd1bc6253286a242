# SPDX-License-Identifier: Apache-2.0
"""What a lie about one field must be blamed on: written from docs/kernel.md §1.3, §2, §3 and docs/method.md §7 before any
run of it. A row changes only with a reason beside it.

A lie changes one field in every read of one interface: smaps and numa_maps in one VMA, the others in their only record.
"Blame": that interface and field alone, because two others contradict it. "Pair": the two interfaces that disagree,
because nothing else tells of that field. "Relation": one record contradicts itself, and nothing tells which of its
fields lies. "Silent": no relation of a correct kernel is broken, and the reason says why that cannot be otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

EDITS = ("-8", "+8", "-2048", "+2048", "x2", "x1/2", "=0")  # kB, factors, nothing
SMALL = ("-8", "+8")
PMD_KB = 2048


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the texts say that were read beside the capture, in kB."""
    record: dict[str, int]  # the record that is lied about
    slack_kb: int  # of the counters of status, docs/kernel.md §2: 0 where they are summed on read


@dataclasses.dataclass(frozen=True)
class Expectation:
    kind: str  # blame, pair, relation, silent
    interface: str = ""
    field: str = ""
    against: str = ""
    check: str = ""
    why: str = ""


def blame(interface: str, field: str) -> tuple[Expectation, ...]:
    return (Expectation("blame", interface, field),)


def pair(interface: str, field: str, against: str) -> tuple[Expectation, ...]:
    return (Expectation("pair", interface, field, against),)


def relation(interface: str, check: str) -> tuple[Expectation, ...]:
    return (Expectation("relation", interface, check=check),)


def silent(why: str) -> tuple[Expectation, ...]:
    return (Expectation("silent", why=why),)


# (edit, value before, value after, facts) → what must be said; more than one where rounding decides.
Rule = Callable[[str, int, int, Facts], tuple[Expectation, ...]]


@dataclasses.dataclass(frozen=True)
class Row:
    interface: str
    field: str
    place: str  # the VMA: base (4 KiB pages), huge, file, shmem of `workload plain`; "" for a single record
    rule: Rule


def always(said: tuple[Expectation, ...]) -> Rule:
    return lambda *_: said


def only_rollup_tells(field: str, low: Callable[[dict], int] = lambda r: 0,
                      high: Callable[[dict], int] = lambda r: 1 << 60, granule_kb: int = 1) -> Rule:
    """smaps and its rollup are the only ones to tell of it: a pair, unless its own record bounds it as well.

    Whole pages are asked of no field (the first version of this table expected it), whole huge pages are.
    """
    def rule(interface: str) -> Rule:
        other = "smaps_rollup" if interface == "smaps" else "smaps"

        def decide(_edit: str, _before: int, after: int, facts: Facts) -> tuple[Expectation, ...]:
            own_record = not low(facts.record) <= after <= high(facts.record) or after % granule_kb
            return blame(interface, field) if own_record else pair(interface, field, other)
        return decide
    return rule


def rest(record: dict[str, int]) -> int:
    """Resident and not anonymous."""
    return record["Rss"] - record["Anonymous"]


def part_of_rss(interface: str, field: str) -> tuple[Expectation, ...]:
    """smaps and its rollup tell of each part, so the two decide which of the four lies.

    After runs beside other work: whoever maps or leaves the same files meanwhile makes clean pages shared or private,
    the two no longer agree on either, and the sum that is broken is all that can be said.
    """
    others_change_it = field in ("Shared_Clean", "Private_Clean")
    return blame(interface, field) + (relation(interface, "I2.rss_parts") if others_change_it else ())


REFERENCED = only_rollup_tells("Referenced", high=lambda r: r["Rss"])
KSM = only_rollup_tells("KSM", high=lambda r: r["Anonymous"])
LAZY_FREE = only_rollup_tells("LazyFree", high=lambda r: r["Anonymous"])
ANON_HUGE = only_rollup_tells("AnonHugePages", high=lambda r: r["Anonymous"], granule_kb=PMD_KB)
SHMEM_PMD = only_rollup_tells("ShmemPmdMapped", high=lambda r: rest(r) - r.get("FilePmdMapped", 0), granule_kb=PMD_KB)
FILE_PMD = only_rollup_tells("FilePmdMapped", high=lambda r: rest(r) - r.get("ShmemPmdMapped", 0), granule_kb=PMD_KB)
# Its own record: at most what is dirty, at least what is dirty, private and anonymous.
PSS_DIRTY_TOTAL = only_rollup_tells(
    "Pss_Dirty", low=lambda r: max(0, r["Private_Dirty"] - rest(r), r["Pss"] - r["Private_Clean"] - r["Shared_Clean"]),
    high=lambda r: min(r["Pss"], r["Private_Dirty"] + r["Shared_Dirty"]))


def pss_of_file(edit: str, _before: int, after: int, facts: Facts) -> tuple[Expectation, ...]:
    """Shared pages are rounded down a VMA: 8 kB are less than that rounding in a process with libraries."""
    if after > facts.record["Rss"] or edit not in SMALL:
        return blame("smaps", "Pss")
    # After the first run on 6.1: of a file's mapping that holds dirty pages alone Pss is Pss_Dirty, and 8 kB less break
    # Pss_Dirty <= Pss, of which nothing else in the record tells the culprit (docs/checks.md, I2.pss_dirty).
    return (silent("smaps rounds Pss down for every mapping that shares pages") + blame("smaps", "Pss") +
            relation("smaps", "I2.pss_dirty"))


def pss_total(edit: str, *_: object) -> tuple[Expectation, ...]:
    """The rollup's own classes contradict it; smaps too, unless the rounding of shared mappings hides it."""
    said = blame("smaps_rollup", "Pss")
    return said + relation("smaps_rollup", "I2.pss_classes") if edit in SMALL else said


def pss_anon(edit: str, _before: int, after: int, facts: Facts) -> tuple[Expectation, ...]:
    """8 kB: the four numbers of the relation, and rounding; more is bounded by the VMAs that hold anonymous pages."""
    if after > facts.record["Anonymous"]:
        return blame("smaps_rollup", "Pss_Anon")
    said = blame("smaps_rollup", "Pss_Anon")
    return said + relation("smaps_rollup", "I2.pss_classes") if edit in SMALL else said


def pss_class(field: str) -> Rule:
    """smaps does not tell file from shmem: where the sum with the other is wrong, nothing decides between the two."""
    def decide(_edit: str, before: int, after: int, facts: Facts) -> tuple[Expectation, ...]:
        if abs(after - before) <= 2:
            # The text was read beside the capture, and a Pss of 1 kB is soon another: both may be said.
            return silent("three roundings, 2 kB") + relation("smaps_rollup", "I2.pss_classes")
        return relation("smaps_rollup", "I2.pss_classes")
    return decide


def vm_swap(_edit: str, before: int, after: int, facts: Facts) -> tuple[Expectation, ...]:
    if abs(after - before) <= facts.slack_kb:
        return silent("the counter of swap entries may be off by so much on this kernel (K05, K06)")
    return blame("status", "VmSwap")


def rollup_swap(_edit: str, before: int, after: int, facts: Facts) -> tuple[Expectation, ...]:
    """VmSwap is the third witness where it is exact."""
    if abs(after - before) <= facts.slack_kb:
        return pair("smaps_rollup", "Swap", "smaps")
    return blame("smaps_rollup", "Swap")


def peak(field: str, of: str) -> Rule:
    """A high-water mark: below the present value it is wrong, above it contradicts nobody."""
    def decide(_edit: str, _before: int, after: int, facts: Facts) -> tuple[Expectation, ...]:
        if after < facts.record[of]:
            return blame("status", field)
        return silent("the past has no second witness: only from below does the present contradict it")
    return decide


def rows() -> list[Row]:
    table: list[Row] = []

    def add(interface: str, field: str, place: str, rule: Rule) -> None:
        table.append(Row(interface, field, place, rule))

    # smaps. Rss: page walk, numa_maps and rollup. The parts: their sum is Rss, and the rollup has each.
    for place in ("base", "huge"):
        for field in ("Size", "Rss", "Pss", "Pss_Dirty", "Private_Dirty", "Anonymous"):
            add("smaps", field, place, always(blame("smaps", field)))
    for place in ("base", "file"):
        for field in ("Shared_Clean", "Shared_Dirty", "Private_Clean"):
            add("smaps", field, place, always(part_of_rss("smaps", field)))
    add("smaps", "Rss", "file", always(blame("smaps", "Rss")))
    add("smaps", "Rss", "shmem", always(blame("smaps", "Rss")))
    add("smaps", "Pss", "file", pss_of_file)
    # Bounded by its own record and by the rollup: SwapPss ≤ Swap, VmFlags (lo, ht), Rss + Swap ≤ Size.
    for field in ("Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked"):
        add("smaps", field, "base", always(blame("smaps", field)))
    for field, rule in (("Referenced", REFERENCED), ("KSM", KSM), ("LazyFree", LAZY_FREE)):
        add("smaps", field, "base", rule("smaps"))
        add("smaps_rollup", field, "", rule("smaps_rollup"))
    for place in ("base", "huge"):
        add("smaps", "AnonHugePages", place, ANON_HUGE("smaps"))
    for place in ("base", "shmem"):
        add("smaps", "ShmemPmdMapped", place, SHMEM_PMD("smaps"))
        add("smaps", "FilePmdMapped", place, FILE_PMD("smaps"))

    # The rollup: smaps has each, the record bounds many; VmFlags say what Locked and *_Hugetlb of smaps must be.
    for field in ("Rss", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Anonymous", "Shared_Hugetlb",
                  "Private_Hugetlb", "SwapPss", "Locked"):
        add("smaps_rollup", field, "", always(part_of_rss("smaps_rollup", field)))
    add("smaps_rollup", "Swap", "", rollup_swap)
    add("smaps_rollup", "Pss", "", pss_total)
    add("smaps_rollup", "Pss_Dirty", "", PSS_DIRTY_TOTAL("smaps_rollup"))
    add("smaps_rollup", "Pss_Anon", "", pss_anon)
    for field in ("Pss_File", "Pss_Shmem"):
        add("smaps_rollup", field, "", pss_class(field))
    add("smaps_rollup", "AnonHugePages", "", ANON_HUGE("smaps_rollup"))
    add("smaps_rollup", "ShmemPmdMapped", "", SHMEM_PMD("smaps_rollup"))
    add("smaps_rollup", "FilePmdMapped", "", FILE_PMD("smaps_rollup"))

    # numa_maps: smaps has the same three numbers of the VMA, and the rollup or the page walk sides with it.
    for field in ("N*", "anon", "dirty"):
        for place in ("base", "huge"):
            add("numa_maps", field, place, always(blame("numa_maps", field)))

    # status: its own sum, statm, the page walk. statm tells file and shmem as one number.
    for field in ("VmRSS", "RssAnon", "VmSize"):
        add("status", field, "", always(blame("status", field)))
    for field in ("RssFile", "RssShmem"):
        add("status", field, "", always(relation("status", "I1.rss_parts")))
    add("status", "VmHWM", "", peak("VmHWM", "VmRSS"))
    add("status", "VmPeak", "", peak("VmPeak", "VmSize"))
    add("status", "VmSwap", "", vm_swap)
    for field in ("size", "resident", "shared"):
        add("statm", field, "", always(blame("statm", field)))
    return table


# Fields that no check asks about: field → why (docs/checks.md, "What nothing covers").
UNCOVERED = {
    "smaps": {"KernelPageSize": "a constant of the mapping, told nowhere else",
              "MMUPageSize": "a constant of the mapping, told nowhere else",
              "THPeligible": "a yes or no that depends on settings of the host, told nowhere else",
              "ProtectionKey": "told nowhere else",
              "VmFlags": "believed: they decide how the other numbers are judged"},
    "smaps_rollup": {},
    "numa_maps": {"mapped": "told again by N*, and left out where it equals anon or dirty",
                  "mapmax": "a count of other processes' mappings",
                  "swapcache": "changes under reclaim, told nowhere else",
                  "active": "changes under reclaim, told nowhere else",
                  "writeback": "changes under writeback, told nowhere else",
                  "kernelpagesize_kB": "a constant of the mapping; it decides the unit of hugetlb"},
    "status": {"VmLck": "mm->locked_vm leaks on kernels that are right otherwise (K31)",
               "VmPin": "an account of what drivers pinned, told nowhere else",
               "VmData": "an account by kind of mapping, told nowhere else",
               "VmStk": "an account by kind of mapping, told nowhere else",
               "VmExe": "derived from the program's own addresses",
               "VmLib": "derived from VmExe",
               "VmPTE": "page tables, counted nowhere else; only the cost of a walk is predicted from it",
               "HugetlbPages": "shared page tables and poisoned pages make it differ from smaps (K21)"},
    "statm": {"text": "VmExe", "lib": "always 0", "data": "VmData and VmStk", "dt": "always 0"},
}
