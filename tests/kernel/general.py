# SPDX-License-Identifier: Apache-2.0
"""General, not tuned: every field that a check covers is lied about, and general_table says what must be blamed."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

import audit_captures as captures
import audit_expectations as expect
import general_table as table

KIB = 1024
PAGE_KB = expect.PAGE // KIB
PLACES = {"base": 0, "huge": 1, "file": 2, "shmem": 5}  # regions of `workload plain`
TEXTS = ("smaps", "smaps_rollup", "numa_maps", "status", "statm")
STATM = ("size", "resident", "shared", "text", "lib", "data", "dt")
CHANGES = {"-8": ("--add", -8), "+8": ("--add", 8), "-2048": ("--add", -2048), "+2048": ("--add", 2048),
           "x2": ("--times", 2), "x1/2": ("--divide", 2), "=0": ("--times", 0)}


@dataclasses.dataclass(frozen=True)
class Subject:
    """A capture of `workload plain`, and the texts in it: what cat(1) reads beside it may differ, because who else maps
    the pages of a program may have changed."""
    capture: pathlib.Path
    truth: dict
    texts: dict[str, str]

    @classmethod
    def of(cls, tools: captures.Tools, capture: pathlib.Path, truth: dict) -> Subject:
        return cls(capture, truth, {text: tools.show(capture, text) for text in TEXTS})

    def start(self, place: str) -> str:
        return self.truth["regions"][PLACES[place]]["start"]

    def record(self, interface: str, place: str) -> dict[str, int]:
        """kB by field; of numa_maps pages as kB too."""
        if interface == "statm":
            return {name: int(pages) * PAGE_KB for name, pages in zip(STATM, self.texts["statm"].split())}
        if interface == "numa_maps":
            line = next(line for line in self.texts["numa_maps"].splitlines() if line.startswith(self.start(place)))
            counts = {key: int(value) * PAGE_KB for key, value in re.findall(r" (\w+)=(\d+)(?= |$)", line)}
            nodes = [key for key in counts if re.fullmatch(r"N\d+", key)]
            return counts | {"dirty": counts.get("dirty", 0), "N*": counts[nodes[0]]}
        text = self.texts[interface]
        if interface == "smaps":
            text = text[text.index(f"{self.start(place)}-"):]
            text = text[:text.index("VmFlags")]
        return {key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}

    def node(self, place: str) -> str:
        line = next(line for line in self.texts["numa_maps"].splitlines() if line.startswith(self.start(place)))
        return re.findall(r" (N\d+)=", line)[0]


@dataclasses.dataclass(frozen=True)
class Lie:
    row: table.Row
    edit: str
    words: tuple[str, ...]
    change_kb: int
    expected: tuple[table.Expectation, ...]

    @property
    def name(self) -> str:
        place = f" of {self.row.place}" if self.row.place else ""
        return f"{self.row.interface} {self.row.field}{place} {self.edit}"


def counter_slack_kb(doctor: dict, cpus: int) -> int:
    """How far the counters of a process with one thread may be off: docs/kernel.md §2, the wider of the two rows."""
    if next(f["works"] for f in doctor["features"] if f["id"] == "exact-counters"):
        return 0
    per_thread = expect.EVENTS_PER_THREAD * (1 + 2 * expect.FAULT_AROUND_PAGES)
    per_cpu = 3 * cpus * (max(32, 2 * cpus) - 1)
    return max(per_thread, per_cpu) * PAGE_KB


def changed(value_kb: int, option: str, number: int, unit_kb: int) -> int:
    """kB; the division is of the number that the text holds."""
    if option == "--add":
        return value_kb + number
    return value_kb * number if option == "--times" else value_kb // unit_kb // number * unit_kb


def lies_of(subject: Subject, slack_kb: int) -> Iterator[Lie]:
    """Rows whose field this kernel has, edits that change the number and leave it a number."""
    for row in table.rows():
        record = subject.record(row.interface, row.place)
        if row.field not in record:
            continue
        facts = table.Facts(record, slack_kb)
        before = record[row.field]
        edits = {edit: CHANGES[edit] for edit in table.EDITS}
        if row.field == "VmSwap" and slack_kb:
            edits["bound + 8"] = ("--add", slack_kb + 8)
        for edit, (option, number) in edits.items():
            unit_kb = PAGE_KB if row.interface in ("numa_maps", "statm") else 1
            after = changed(before, option, number, unit_kb)
            if after < 0 or after == before:
                continue
            if option == "--add":
                number //= unit_kb
            field = subject.node(row.place) if row.field == "N*" else row.field
            words = ["--file", row.interface, "--field", field, option, str(number)]
            if row.place:
                words += ["--vma", subject.start(row.place)]
            yield Lie(row, edit, tuple(words), abs(after - before), row.rule(edit, before, after, facts))


def said_of(process: dict) -> str:
    findings = [f"{f['interface']}{'/' + f['against'] if f['against'] else ''} {f['field']} ({f['check']}, "
                f"{f['error_bytes'] // KIB} kB)" for f in process["findings"]]
    return f"{process['verdict']} {'; '.join(findings)}".strip()


def meets(process: dict, expected: table.Expectation, change_kb: int, exact_change: bool) -> bool:
    findings = process["findings"]
    if expected.kind == "silent":
        return process["verdict"] == "consistent"
    if len(findings) != 1:
        return False
    finding = findings[0]
    # A factor is of each reading, which may differ from the last.
    if not 0 < finding["error_bytes"] <= (change_kb * KIB if exact_change else finding["error_bytes"]):
        return False
    if expected.kind == "blame":
        return (finding["interface"], finding["field"], finding["against"]) == (expected.interface, expected.field, None)
    if expected.kind == "pair":
        return finding["field"] == expected.field and {finding["interface"], finding["against"]} == {
            expected.interface, expected.against}
    return finding["interface"] == finding["against"] == expected.interface and finding["check"] == expected.check


def wrong_lie(tools: captures.Tools, subject: Subject, lie: Lie, directory: pathlib.Path) -> list[str]:
    with tempfile.NamedTemporaryFile(dir=directory) as edited:
        path = pathlib.Path(edited.name)
        tools.edit(subject.capture, path, *lie.words)
        replayed = tools.replay(path)
    silent = lie.expected[0].kind == "silent"
    if replayed.exit_code not in ((0, 1) if silent else (1,)):
        return [f"{lie.name}: exit {replayed.exit_code}, {replayed.err.decode().strip()}"]
    process = replayed.process
    wrong = [f"{lie.name}: {what}" for what in expect.unbelievable(replayed)]
    if not any(meets(process, expected, lie.change_kb, CHANGES.get(lie.edit, ("--add",))[0] == "--add") for expected in lie.expected):
        wanted = " or ".join(f"{e.kind} {e.interface} {e.field}{e.against}{e.check}".strip() for e in lie.expected)
        wrong.append(f"{lie.name}: {said_of(process)}, and not {wanted}")
    return wrong


def unlisted_fields(subject: Subject) -> list[str]:
    """Fields of the texts that are neither in the table nor among those that nothing covers."""
    covered = {(row.interface, row.field) for row in table.rows()}
    found = [("smaps", key) for key in re.findall(r"^(\w+):", subject.texts["smaps"], re.MULTILINE)]
    found += [("smaps_rollup", key) for key in re.findall(r"^(\w+):", subject.texts["smaps_rollup"], re.MULTILINE)]
    found += [("numa_maps", key) for key in re.findall(r" ([a-zA-Z]\w*)=\d", subject.texts["numa_maps"])]
    found += [("status", key) for key in re.findall(r"^(\w+):.* kB$", subject.texts["status"], re.MULTILINE)]
    found += [("statm", name) for name in STATM]
    return sorted({f"{interface} {field}" for interface, field in found
                   if (interface, re.sub(r"^N\d+$", "N*", field)) not in covered
                   and field not in table.UNCOVERED[interface]})


def wrong_general(tools: captures.Tools, subject: Subject, slack_kb: int,
                  directory: pathlib.Path) -> tuple[list[str], str]:
    lies = list(lies_of(subject, slack_kb))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = list(pool.map(lambda lie: wrong_lie(tools, subject, lie, directory), lies))
    wrong = [what for each in judged for what in each]
    wrong += [f"{field}: neither in the table nor explained" for field in unlisted_fields(subject)]
    kinds = [lie.expected[0].kind for lie in lies]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("blame", "pair", "relation", "silent"))
    return wrong, f"{len(lies)} lies about {len({(x.row.interface, x.row.field) for x in lies})} fields: {counts}"
