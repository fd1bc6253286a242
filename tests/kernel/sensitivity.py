#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sensitive: known deficits inside processes that give no peace, on a kernel with K01.

    sensitivity.py --bin DIR [--kernel 6.1] [--size N]… [--adversary NAME]… [--runs N] [--keep FILE] [--docs FILE]

`adversary --with-deficit N` holds N huge pages under PROT_NONE beside what it does; N × 2 MiB are missing from its
smaps and rollup. How often does one `check` find them, and how long does it take? And in a process that sleeps
(`workload protnone-thp`): there always, 100 % is demanded. Found means: smaps, Rss, in exactly that VMA, by exactly
that many bytes. No other finding may appear, but the rollup's K01 and K03 (kernel.md). One guest for each size.
Exit: 0, 1, 77 (cannot run here). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shlex
import statistics
import sys
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import audit_expectations as expect  # noqa: E402
import audit_scenarios as scenarios  # noqa: E402
import markdown  # noqa: E402
import vm  # noqa: E402
import wolf_adversaries  # noqa: E402

NIGHTLY = os.environ.get("SMAPS_AUDIT_NIGHTLY") == "1"
HUGE_BYTES = 2 << 20
SIZES = (1, 4, 32)
SHORT_SIZES = (4,)
# Not those that cannot hold memory (exec), whose memory two processes share (inconclusive by rule, method.md §2), whom
# another tracer holds, or that want settings of the guest.
ADVERSARIES = tuple(a.name for a in wolf_adversaries.FIRST_PART + wolf_adversaries.SECOND_PART
                    if not (a.ends or a.shared_memory or a.maybe_denied or a.settings or a.swap or a.file_system))
SHORT_ADVERSARIES = ("pulse", "threads-1m")
ASLEEP = "asleep"
DEADLINE_SECONDS = 20

ONE = r"""
start_adversary --with-deficit SIZE NAME
_status=$?
echo "$ADVERSARY_JSON" > "$RESULTS/NAME.truth"
if [ $_status = 0 ]; then
  for _i in $(seq RUNS); do
    run NAME.$_i smaps-audit check --deadline DEADLINE --format json "$ADVERSARY_PID"
  done
  stop_adversary
fi
"""
SLEEPING = r"""
if begin asleep protnone-thp MIB; then
  for _i in $(seq RUNS); do
    run asleep.$_i smaps-audit check --deadline DEADLINE --format json "$WORKLOAD_PID"
  done
  stop_workload
fi
"""


@dataclasses.dataclass
class Row:
    """All checks of one size and target."""
    size: int
    name: str
    checks: int = 0
    found: int = 0
    seconds: list[float] = dataclasses.field(default_factory=list)
    wrong: list[str] = dataclasses.field(default_factory=list)
    skipped: str = ""

    def add(self, outcome: expect.Outcome, vma: dict) -> None:
        self.wrong += expect.unbelievable(outcome)
        if self.wrong:
            return
        self.checks += 1
        self.seconds.append(outcome.seconds)
        findings = outcome.process["findings"]
        self.found += any(f["interface"] == "smaps" and f["field"] == "Rss" and vma in listed(f) for f in findings)
        self.wrong += strangers(findings, vma)

    def cells(self) -> tuple[str, ...]:
        share = f"{self.found / self.checks:.0%}" if self.checks else "–"
        middle = f"{statistics.median(self.seconds):.1f}" if self.seconds else "–"
        return (f"{self.size} ({self.size * 2} MiB)", self.name, str(self.checks), share, middle,
                f"{max(self.seconds, default=0):.1f}")


FIELDS_OF_K01 = ("Rss", "Pss", "Anonymous", "AnonHugePages")


def listed(finding: dict) -> list[dict]:
    return [{key: vma[key] for key in ("start", "end", "error_bytes")} for vma in finding["vmas"]]


def is_share_of(vma: dict, found: Sequence[dict]) -> bool:
    return ([(each["start"], each["end"]) for each in found] == [(vma["start"], vma["end"])]
            and 0 < found[0]["error_bytes"] <= vma["error_bytes"])


def strangers(findings: Sequence[dict], vma: dict) -> Iterator[str]:
    """Findings that the held deficit does not explain."""
    for finding in findings:
        what = (finding["interface"], finding["field"], finding["defect"])
        if what[::2] == ("smaps", "K01") and what[1] in FIELDS_OF_K01 and listed(finding) == [vma]:
            continue
        # A child that works on the target shares its memory: of Pss the share of it is missing.
        if what == ("smaps", "Pss", "K01") and is_share_of(vma, listed(finding)):
            continue
        # The rollup lacks the same bytes; while others map and unmap it skips VMAs as well.
        if finding["interface"] == "smaps_rollup" and finding["direction"] == "deficit":
            continue
        yield f"{what} {finding['direction']} {finding['error_bytes']} in {listed(finding)}"


def script(size: int, adversaries: Sequence[str], runs: int, sleeping_runs: int) -> str:
    text = "set_balancing 0\n" + scenarios.PRELUDE
    text += "workload protnone-self > /dev/null; echo $? > $RESULTS/affected; uname -r > $RESULTS/release\n"
    text += SLEEPING.replace("MIB", str(size * 2)).replace("RUNS", str(sleeping_runs))
    for name in adversaries:
        text += ONE.replace("SIZE", str(size)).replace("NAME", name).replace("RUNS", str(runs))
    return text.replace("DEADLINE", str(DEADLINE_SECONDS))


def rows_of(size: int, adversaries: Sequence[str], results: expect.Results) -> list[Row]:
    rows = []
    for name in (ASLEEP, *adversaries):
        row = Row(size, name)
        rows.append(row)
        truth = results.truth(name) if f"{name}.truth" in results.files else {}
        region = truth["regions"][0] if name == ASLEEP and truth.get("ready") else truth.get("deficit")
        if region is None and name != ASLEEP and "why" in truth:
            row.skipped = truth["why"]
            continue
        if region is None:
            row.wrong.append(f"did not start: {truth.get('why', 'it said nothing')}")
            continue
        vma = {"start": region["start"], "end": region["end"], "error_bytes": size * HUGE_BYTES}
        for _, outcome in results.matching(rf"{name}\.\d+"):
            row.add(outcome, vma)
    return rows


def run_size(size: int, adversaries: Sequence[str], options: argparse.Namespace) -> tuple[str, list[Row]] | None:
    """The kernel's release and what was found; None if this kernel loses nothing."""
    programs = [options.bin / "cli/smaps-audit", options.bin / "tests/workloads/workload",
                options.bin / "tests/workloads/adversary"]
    sleeping_runs = max(3, options.runs)
    seconds = 300 + (len(adversaries) + 1) * (sleeping_runs * (DEADLINE_SECONDS + 10) + 20)
    result = vm.run(options.kernel, script(size, adversaries, options.runs, sleeping_runs), programs=programs,
                    timeout=seconds)
    results = expect.Results(result.files)
    if not results.affected:
        return None
    return result.files["release"].decode().strip(), rows_of(size, adversaries, results)


def failures(rows: Sequence[Row]) -> list[str]:
    found = [f"{row.size} × 2 MiB, {row.name}: {what}" for row in rows for what in row.wrong]
    found += [f"{row.size} × 2 MiB, {row.name}: found in {row.found} of {row.checks}" for row in rows
              if row.name == ASLEEP and row.found < max(row.checks, 1)]
    if not any(row.found for row in rows if row.name != ASLEEP):
        found.append("nothing was found in any adversary")
    return found


COLUMNS = ("huge pages under PROT_NONE", "inside of", "checks", "found", "median s", "longest s")


def table(rows: Sequence[Row]) -> list[str]:
    skipped = sorted({f"{row.name} ({row.skipped})" for row in rows if row.skipped})
    return [*markdown.table([COLUMNS, *(row.cells() for row in rows if not row.skipped)], words=2),
            *(["", f"Skipped: {', '.join(skipped)}."] if skipped else [])]


DOCS_HEAD = f"""# Sensitivity

Generated by `tests/kernel/sensitivity.py` (a part of `make nightly`); do not edit. On a kernel with K01 each target
holds huge pages under PROT_NONE, which smaps leaves out, beside whatever else it does flat out
(`tests/workloads/adversary.h`). **found**: share of the checks that named exactly that VMA and exactly that many bytes.
Nothing else may be found. A check ends after {DEADLINE_SECONDS} s at the latest; what it could not finish by then is
`inconclusive`. **{ASLEEP}** is a process that sleeps: there everything that lasts one full series is found always,
and the script demands it.
"""


def with_kept(path: pathlib.Path, rows: Sequence[Row]) -> list[Row]:
    """These, and what earlier runs left in the file of other sizes and targets; it then holds all."""
    kept = [Row(**row) for row in json.loads(path.read_text())] if path.exists() else []
    found = {(row.size, row.name): row for row in [*kept, *rows]}
    order = (ASLEEP, *ADVERSARIES)
    together = sorted(found.values(), key=lambda row: (row.size, order.index(row.name)))
    path.write_text(json.dumps([vars(row) for row in together]))
    return together


def write_docs(path: pathlib.Path, release: str, rows: Sequence[Row]) -> None:
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    ran = (f"Run of {date}, kernel {release} in QEMU (TCG, 2 CPUs, 2 nodes): "
           f"`tests/kernel/sensitivity.py {shlex.join(sys.argv[1:])}`")
    path.write_text("\n".join([DOCS_HEAD, ran, "", *table(rows), ""]))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="How many known deficits are found?")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="the build directory")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("--size", type=int, action="append", help="huge pages; default 1, 4 and 32 nightly, else 4")
    parser.add_argument("--adversary", action="append", choices=ADVERSARIES)
    parser.add_argument("--runs", type=int, default=10 if NIGHTLY else 2, help="checks of each size and adversary")
    parser.add_argument("--keep", type=pathlib.Path, help="a file that gathers several runs for --docs")
    parser.add_argument("--docs", type=pathlib.Path, help="write the page there")
    options = parser.parse_args(arguments)
    adversaries = options.adversary or (ADVERSARIES if NIGHTLY else SHORT_ADVERSARIES)
    rows: list[Row] = []
    release = ""
    try:
        for size in options.size or (SIZES if NIGHTLY else SHORT_SIZES):
            found = run_size(size, adversaries, options)
            if found is None:
                print(f"SKIP {options.kernel} reports memory under PROT_NONE: nothing is missing that could be found")
                return 77
            release = found[0]
            rows += found[1]
    except vm.VmUnavailable as error:
        print(f"SKIP {error}")
        return 77
    except vm.VmError as error:
        print(f"FAIL {error}")
        return 1
    print("\n".join(table(rows)))
    shown = with_kept(options.keep, rows) if options.keep else rows
    if options.docs:
        write_docs(options.docs, release, shown)
    wrong = failures(rows)
    print("\n".join(f"FAIL {text}" for text in wrong) or "ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
