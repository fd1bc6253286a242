# SPDX-License-Identifier: Apache-2.0
"""What the reports of one adversary's run add up to, what is demanded of them, and the table of it.

Python 3.11, standard library only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

EXIT_CLEAN, EXIT_FINDING, EXIT_INCONCLUSIVE = 0, 1, 2
CONCLUSIVE_SHARE_DEMANDED = 0.5
# Of these only a process that outlived its check counts: exec and exit end the memory under audit.
SHORT_LIVED = frozenset({"exec-exit", "fork-storm"})
# Another process works on the same memory: inconclusive is the right answer.
SHARED_MEMORY = frozenset({"shared-mm-vfork", "shared-mm-clone"})
COLUMNS = ("adversary", "checks", "processes", "VMA comparisons", "brackets", "conclusive", "worst suspect",
           "findings", "false suspects unconfirmed", "seconds")


@dataclasses.dataclass(frozen=True)
class Check:
    """One run of smaps-audit against an adversary. `sizes` is VmSize before it, by pid."""
    label: str
    exit_status: int
    seconds: float
    report: bytes
    sizes: Mapping[int, int]
    still_stopped: bool = False


@dataclasses.dataclass
class Tally:
    """All runs against one adversary. `evidence` keeps the whole report of each false finding."""
    name: str
    affected: bool
    checks: int = 0
    processes: int = 0
    vmas: int = 0
    brackets: int = 0
    audited_bytes: int = 0
    open_bytes: int = 0
    worst_suspect_steps: int = 0
    worst_label: str = ""
    findings: int = 0
    control_checks: int = 0
    control_suspects: int = 0
    seconds: float = 0.0
    labels: dict[str, int] = dataclasses.field(default_factory=dict)
    unusual: dict[str, int] = dataclasses.field(default_factory=dict)
    problems: dict[str, int] = dataclasses.field(default_factory=dict)
    evidence: list[bytes] = dataclasses.field(default_factory=list)

    def add_control(self, check: Check) -> None:
        """The screen alone, without the confirming series: what it suspects here is false."""
        self.control_checks += 1
        self.control_suspects += sum(len(row["findings"]) for row in json.loads(check.report)["processes"])

    def add(self, check: Check) -> None:
        self.checks += 1
        self.labels[check.label] = self.labels.get(check.label, 0) + 1
        try:
            rows = json.loads(check.report)["processes"]
        except (ValueError, KeyError):
            self._problem(check, f"exit status {check.exit_status} and no report")
            return
        false = sum(self._is_false(finding) for row in rows for finding in row["findings"])
        self.findings += false
        if false:
            self._problem(check, f"{false} false findings: " + describe(rows))
            self.evidence.append(check.report)
        allowed = {EXIT_CLEAN, EXIT_INCONCLUSIVE} | ({EXIT_FINDING} if self.affected else set())
        if check.exit_status not in allowed and not false:
            self._problem(check, f"exit status {check.exit_status}")
        for row in rows:
            if row["pid"] in check.sizes:
                self._add_row(check, row)
        if check.still_stopped:
            self._problem(check, "the target is still stopped")

    def _add_row(self, check: Check, row: Mapping) -> None:
        verdict = row["verdict"]
        if verdict != "consistent":
            word = f"{verdict} {row['reason'] or ''}".strip()
            self.unusual[word] = self.unusual.get(word, 0) + 1
        may_change_frozen = self.name == "exec-exit" or self.name in SHARED_MEMORY
        if "--freeze" in check.label and verdict != "consistent" and not may_change_frozen:
            self._problem(check, f"{verdict} {row['reason']}")
        if verdict == "vanished" and self.name in SHORT_LIVED:
            return
        self.processes += 1
        # A check that broke off tells no size: then all of the process is open.
        audited = row["audited_bytes"] or check.sizes[row["pid"]]
        self.audited_bytes += audited
        self.open_bytes += min(row["open_bytes"] or 0, audited) if row["audited_bytes"] else audited
        self.vmas += row["vmas"] or 0
        self.brackets += row["brackets"] or 0
        if (row["worst_suspect_steps"] or 0) > self.worst_suspect_steps:
            self.worst_suspect_steps, self.worst_label = row["worst_suspect_steps"], check.label

    def _is_false(self, finding: Mapping) -> bool:
        return not (self.affected and finding["defect"] == "K03")

    def _problem(self, check: Check, text: str) -> None:
        self.problem(f"{check.label}: {text}")

    def problem(self, text: str) -> None:
        self.problems[text] = self.problems.get(text, 0) + 1

    @property
    def conclusive_share(self) -> float | None:
        return 1 - self.open_bytes / self.audited_bytes if self.audited_bytes else None

    def failures(self) -> list[str]:
        failures = [f"{self.name}: {count} × {text}" for text, count in self.problems.items()]
        share = self.conclusive_share
        if share is None:
            failures.append(f"{self.name}: no process outlived its check")
        elif share < CONCLUSIVE_SHARE_DEMANDED and self.name not in SHARED_MEMORY:
            failures.append(f"{self.name}: only {share:.1%} of the audited bytes are conclusive {self.unusual}")
        return failures

    def cells(self) -> tuple[str, ...]:
        share = self.conclusive_share
        return (self.name, number(self.checks), number(self.processes), number(self.vmas), number(self.brackets),
                "–" if share is None else f"{share:.2%}", number(self.worst_suspect_steps), number(self.findings),
                f"{number(self.control_suspects)} in {number(self.control_checks)}", f"{self.seconds:.0f}")


def number(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def describe(rows: Sequence[Mapping]) -> str:
    return "; ".join(f"pid {row['pid']} {row['comm']}: " + json.dumps(finding, separators=(",", ":"))
                     for row in rows for finding in row["findings"])


def total(tallies: Sequence[Tally]) -> Tally:
    result = Tally("all", affected=False)
    for tally in tallies:
        for field in ("checks", "processes", "vmas", "brackets", "audited_bytes", "open_bytes", "findings",
                      "control_checks", "control_suspects", "seconds"):
            setattr(result, field, getattr(result, field) + getattr(tally, field))
        result.worst_suspect_steps = max(result.worst_suspect_steps, tally.worst_suspect_steps)
        for word, count in tally.labels.items():
            result.labels[word] = result.labels.get(word, 0) + count
    return result


def table(tallies: Sequence[Tally]) -> list[str]:
    """Markdown that can be read on a terminal as well."""
    rows = [COLUMNS, *(tally.cells() for tally in [*tallies, total(tallies)])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return [line(rows[0]), rule, *map(line, rows[1:])]


def failures(tallies: Sequence[Tally]) -> list[str]:
    found = [text for tally in tallies for text in tally.failures()]
    if not any(tally.control_suspects for tally in tallies):
        found.append("negative control: the screen alone suspects nothing, so these adversaries test nothing")
    return found
