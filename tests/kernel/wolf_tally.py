# SPDX-License-Identifier: Apache-2.0
"""What the reports of one adversary's run add up to, what is demanded of them, and the table of it.

Python 3.11, standard library only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

import markdown
from wolf_adversaries import Adversary

EXIT_CLEAN, EXIT_FINDING, EXIT_INCONCLUSIVE, EXIT_CANNOT_RUN = 0, 1, 2, 77
CONCLUSIVE_SHARE_DEMANDED = 0.5
# Demanded to suspect something, sooner or later, where it is among those that run.
CONTROL_ADVERSARY = "mremap"
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

    def rows(self) -> list[Mapping] | None:
        try:
            return json.loads(self.report)["processes"]
        except (ValueError, KeyError):
            return None


@dataclasses.dataclass
class Tally:
    """All runs against one adversary. `evidence` keeps the whole report of each false finding, and of what
    confirmed it or did not. `known` counts the findings that this kernel has earned."""
    name: str
    affected: bool
    adversary: Adversary = Adversary("")
    skipped: str = ""
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
    known: dict[str, int] = dataclasses.field(default_factory=dict)
    unusual: dict[str, int] = dataclasses.field(default_factory=dict)  # neither consistent nor a finding
    unusual_open_bytes: dict[str, int] = dataclasses.field(default_factory=dict)
    problems: dict[str, int] = dataclasses.field(default_factory=dict)
    evidence: list[bytes] = dataclasses.field(default_factory=list)

    def as_json(self) -> dict:
        """Without the reports of `evidence`."""
        return {key: value for key, value in vars(self).items() if key not in ("adversary", "evidence")}

    @classmethod
    def from_json(cls, kept: Mapping, adversary: Adversary) -> Tally:
        return cls(**kept, adversary=adversary)

    def add_control(self, check: Check) -> None:
        """The screen alone, without the confirming series: what it suspects here is false."""
        self.control_checks += 1
        self.control_suspects += sum(len(row["findings"]) for row in check.rows() or [])

    def add(self, check: Check, confirming: Sequence[Check] = ()) -> None:
        """`confirming`: on an affected kernel, the same processes frozen right behind a finding."""
        self.checks += 1
        self.labels[check.label] = self.labels.get(check.label, 0) + 1
        rows = check.rows()
        if rows is None:
            # Another tracer holds the process; of what has ended by then there is no capture.
            refused = self.adversary.maybe_denied and check.exit_status == EXIT_CANNOT_RUN and "--freeze" in check.label
            given_up = (self.adversary.short_lived and check.exit_status == EXIT_INCONCLUSIVE and
                        check.label == "capture")
            if not (refused or given_up):
                self._problem(check, f"exit status {check.exit_status} and no report")
            return
        confirmed = {row["pid"] for again in confirming for row in again.rows() or []
                     if any(finding["defect"] == "K01" for finding in row["findings"])}
        false = [(row, finding) for row in rows for finding in row["findings"]
                 if not self._is_earned(row, finding, confirmed)]
        self.findings += len(false)
        if false:
            self._problem(check, f"{len(false)} false findings: " + describe(false))
            self.evidence += [check.report, *(again.report for again in confirming)]
        allowed = {EXIT_CLEAN, EXIT_INCONCLUSIVE} | ({EXIT_FINDING} if self.affected else set())
        if check.exit_status not in allowed and not false:
            self._problem(check, f"exit status {check.exit_status}")
        for row in rows:
            if row["pid"] in check.sizes:
                self._add_row(check, row)
        if check.still_stopped:
            self._problem(check, "the target is still stopped")

    def _is_earned(self, row: Mapping, finding: Mapping, confirmed: set[int]) -> bool:
        """K01 if the frozen process shows it as well; K03 if nothing else is said against smaps."""
        defect = finding["defect"]
        smaps_blamed = any(other["interface"] == "smaps" and other["defect"] != "K01" for other in row["findings"])
        earned = self.affected and (defect == "K01" and row["pid"] in confirmed or
                                    defect == "K03" and not smaps_blamed)
        if earned:
            self.known[defect] = self.known.get(defect, 0) + 1
        return earned

    def _add_row(self, check: Check, row: Mapping) -> None:
        verdict = row["verdict"]
        if verdict not in ("consistent", "finding"):
            word = f"{verdict} {row['reason'] or ''}".strip()
            self.unusual[word] = self.unusual.get(word, 0) + 1
            self.unusual_open_bytes[word] = self.unusual_open_bytes.get(word, 0) + (row["open_bytes"] or 0)
        if "--freeze" in check.label and verdict not in ("consistent", "finding"):
            excused = (self.adversary.ends or self.adversary.shared_memory or self.adversary.maybe_denied or
                       self.adversary.changed_outside and verdict == "inconclusive")
            if not excused:
                self._problem(check, f"{verdict} {row['reason']}")
        if verdict == "vanished" and self.adversary.short_lived:
            return
        if verdict == "denied" and self.adversary.maybe_denied and "--freeze" in check.label:
            return
        self.processes += 1
        # A check that broke off tells no size: then all of the process is open.
        audited = row["audited_bytes"] or check.sizes[row["pid"]]
        self.audited_bytes += audited
        self.open_bytes += min(row["open_bytes"] or 0, audited) if row["audited_bytes"] else audited
        self.vmas += row["vmas"] or 0
        self.brackets += row["brackets"] or 0
        # What is found is no suspect any more.
        if verdict != "finding" and (row["worst_suspect_steps"] or 0) > self.worst_suspect_steps:
            self.worst_suspect_steps, self.worst_label = row["worst_suspect_steps"], check.label

    def _problem(self, check: Check, text: str) -> None:
        self.problem(f"{check.label}: {text}")

    def problem(self, text: str) -> None:
        self.problems[text] = self.problems.get(text, 0) + 1

    @property
    def conclusive_share(self) -> float | None:
        return 1 - self.open_bytes / self.audited_bytes if self.audited_bytes else None

    def failures(self) -> list[str]:
        failures = [f"{self.name}: {count} × {text}" for text, count in self.problems.items()]
        if self.skipped:
            return failures
        share = self.conclusive_share
        if share is None:
            failures.append(f"{self.name}: no process outlived its check")
        elif share < CONCLUSIVE_SHARE_DEMANDED and not self.adversary.shared_memory:
            failures.append(f"{self.name}: only {share:.1%} of the audited bytes are conclusive: {self.answers()}")
        return failures

    def answers(self) -> str:
        """How often which answer came that decides nothing, and how much it left open each time."""
        def answer(word: str, count: int) -> str:
            mib = self.unusual_open_bytes.get(word, 0) / count / 2**20
            return f"{count} × {word}" + (f" ({mib:.1f} MiB open)" if mib else "")

        return ", ".join(answer(word, count) for word, count in sorted(self.unusual.items()))

    def cells(self) -> tuple[str, ...]:
        share = self.conclusive_share
        return (self.name, number(self.checks), number(self.processes), number(self.vmas), number(self.brackets),
                "–" if share is None else f"{share:.2%}", number(self.worst_suspect_steps), number(self.findings),
                f"{number(self.control_suspects)} in {number(self.control_checks)}", f"{self.seconds:.0f}")


def number(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def describe(findings: Sequence[tuple[Mapping, Mapping]]) -> str:
    return "; ".join(f"pid {row['pid']} {row['comm']}: " + json.dumps(finding, separators=(",", ":"))
                     for row, finding in findings)


def total(tallies: Sequence[Tally]) -> Tally:
    result = Tally("all", affected=False)
    for tally in tallies:
        for field in ("checks", "processes", "vmas", "brackets", "audited_bytes", "open_bytes", "findings",
                      "control_checks", "control_suspects", "seconds"):
            setattr(result, field, getattr(result, field) + getattr(tally, field))
        result.worst_suspect_steps = max(result.worst_suspect_steps, tally.worst_suspect_steps)
        for counts, more in ((result.labels, tally.labels), (result.known, tally.known)):
            for word, count in more.items():
                counts[word] = counts.get(word, 0) + count
    return result


def table(tallies: Sequence[Tally]) -> list[str]:
    ran = [tally for tally in tallies if not tally.skipped]
    return markdown.table([COLUMNS, *(tally.cells() for tally in [*ran, total(ran)])])


def section(title: str, tallies: Sequence[Tally]) -> list[str]:
    """The table of one machine and what stands below it."""
    ran = [tally for tally in tallies if not tally.skipped]
    everything = total(ran)
    lines = [f"## {title[0].upper()}{title[1:]}", "", *table(tallies), ""]
    if everything.seconds:
        lines.append(f"{number(everything.processes)} process audits in {number(round(everything.seconds))} s, "
                     f"{everything.processes / everything.seconds:.1f} a second.")

    def sentence(head: str, parts: Sequence[str], separator: str = "; ") -> None:
        if parts:
            lines.append(f"{head}: {separator.join(parts)}.")

    sentence("Checks", [f"{count} × `{label}`" for label, count in sorted(everything.labels.items())], ", ")
    sentence("Worst suspects", [f"{tally.name} {tally.worst_suspect_steps} in `{tally.worst_label}`"
                                for tally in ran if tally.worst_suspect_steps > 1], ", ")
    sentence("Neither consistent nor a finding", [f"{tally.name}: {tally.answers()}" for tally in ran if tally.unusual])
    sentence("Found rightly, K01 confirmed by `--freeze`, K03 with smaps consistent beside it",
             [f"{tally.name}: " + ", ".join(f"{count} × {defect}" for defect, count in sorted(tally.known.items()))
              for tally in ran if tally.known])
    sentence("Skipped", [f"{tally.name}: {tally.skipped}" for tally in tallies if tally.skipped])
    return lines


def failures(tallies: Sequence[Tally]) -> list[str]:
    found = [text for tally in tallies for text in tally.failures()]
    controlled = any(tally.name == CONTROL_ADVERSARY for tally in tallies)
    if controlled and not any(tally.control_suspects for tally in tallies):
        found.append("negative control: the screen alone suspects nothing, so these adversaries test nothing")
    return found
