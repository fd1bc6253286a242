# SPDX-License-Identifier: Apache-2.0
"""What the auditor must have said of each scenario; every function returns what is wrong, in words.

The expected bytes come from the workload's own declaration (what it made and touched) and from files that cat(1)
read beside the auditor; never from another number of the auditor.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator

PAGE = 4096
EVENTS_PER_THREAD = 66  # docs/kernel.md §2: VmRSS of a kernel ≤ 6.1 lacks up to that many faults a thread,
FAULT_AROUND_PAGES = 17  # … each of up to so many file pages, and never more than there are
NOTED = {"partly-shared-thp": "K09", "many-faulters": "K05"}  # by root, on 6.1; K09 from 6.15 on again
# Variants that don't see how often a page is mapped.
HIDDEN_COUNTS = ("service", "service.capture", "without-pfn", "without-pfn.capture", "without-kpagecount")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One run of smaps-audit."""
    exit_code: int
    seconds: float
    out: bytes
    err: bytes

    @property
    def report(self) -> dict:
        return json.loads(self.out)

    @property
    def process(self) -> dict:
        processes = self.report["processes"]
        assert len(processes) == 1, f"{len(processes)} processes instead of one"
        return processes[0]


class Results:
    """What a script of audit_scenarios left behind."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.outcomes: dict[str, Outcome] = {}
        for line in files.get("exits", b"").decode().splitlines():
            name, code, begun, ended = line.split()
            self.outcomes[name] = Outcome(int(code), float(ended) - float(begun),
                                          files[f"{name}.out"], files[f"{name}.err"])

    def update(self, other: Results) -> None:
        self.files.update(other.files)
        self.outcomes.update(other.outcomes)

    @property
    def affected(self) -> bool:
        """Does this kernel lose THP under PROT_NONE? By making one, never by its version."""
        return self.files["affected"].strip() == b"1"

    def truth(self, name: str) -> dict:
        return json.loads(self.files[f"{name}.truth"].strip() or b"{}")

    def matching(self, pattern: str) -> list[tuple[str, Outcome]]:
        return [(name, outcome) for name, outcome in self.outcomes.items() if re.fullmatch(pattern, name)]


def status_bytes(text: bytes, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB$", text.decode(), re.MULTILINE)
    assert found, f"no {key}"
    return int(found[1]) * 1024


def numa_maps_bytes(text: bytes) -> int:
    """Sum over all nodes; this process has no hugetlb pages."""
    return sum(int(n) for n in re.findall(r" N\d+=(\d+)", text.decode())) * PAGE


def smaps_rss_bytes(text: bytes, low: int, high: int) -> tuple[int, int]:
    """Rss inside [low, high) and outside."""
    inside_bytes = outside_bytes = 0
    inside = False
    for line in text.decode(errors="replace").splitlines():
        header = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if header:
            inside = low <= int(header[1], 16) and int(header[2], 16) <= high
        elif line.startswith("Rss:"):
            rss = int(line.split()[1]) * 1024
            inside_bytes += rss * inside
            outside_bytes += rss * (not inside)
    return inside_bytes, outside_bytes


def numbers_of(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from numbers_of(child, f"{path}.{key}" if path else key)
    elif not isinstance(value, list):
        yield path, value


def unbelievable_finding(finding: dict) -> Iterator[str]:
    what = f"{finding['interface']} {finding['field']}"
    low, high = finding["expected_low_bytes"], finding["expected_high_bytes"]
    reported, error = finding["reported_bytes"], finding["error_bytes"]
    if not low <= high or error <= 0:
        yield f"{what}: expected {low}…{high}, error {error}"
    plain = low - reported if finding["direction"] == "deficit" else reported - high
    if error > plain:
        yield f"{what}: an error of {error} where {reported} was reported and {low}…{high} expected"
    if finding["exact"] and low != high:
        yield f"{what}: exact, and yet {low}…{high}"
    vmas = finding["vmas"]
    if len(vmas) != min(finding["vmas_total"], 64) or vmas != sorted(vmas, key=lambda vma: -vma["error_bytes"]):
        yield f"{what}: {len(vmas)} VMAs of {finding['vmas_total']} or not in order"
    if finding["interface"] == "smaps" and finding["field"] == "Rss" and finding["basis"] != "same_record":
        listed = sum(vma["error_bytes"] for vma in vmas)
        if finding["vmas_total"] <= 64 and listed != error:
            yield f"{what}: the VMAs' errors sum to {listed}, not to {error}"
    for vma in vmas:
        if not 0 < vma["error_bytes"] <= int(vma["end"], 16) - int(vma["start"], 16):
            yield f"{what}: an error of {vma['error_bytes']} in {vma['start']}-{vma['end']}"


def unbelievable_process(process: dict, restless: bool) -> Iterator[str]:
    reported, verdict = process["reported"], process["verdict"]
    truth = process["truth"] or {}
    low, high = truth.get("rss_low_bytes"), truth.get("rss_high_bytes")
    if verdict in ("denied", "skipped", "vanished") or process["kernel_thread"]:
        yield from (f"{path} is {value} of a process that is {verdict}"
                    for path, value in numbers_of({"reported": reported, "truth": truth}) if value is not None)
    elif low is None or high is None:
        if verdict != "inconclusive" or low is not None or high is not None:
            yield f"truth {low}…{high} of a process that is {verdict}"
    elif low > high:
        yield f"truth {low}…{high}"
    # A suspicion that breaks at its first step leaves 0 steps, too: with threads that give no peace that is no sign of none.
    elif verdict == "consistent" and process["worst_suspect_steps"] == 0 and not restless:
        if reported["rss_bytes"] is not None and not low <= reported["rss_bytes"] <= high:
            yield f"consistent, but {reported['rss_bytes']} lies outside of {low}…{high}"
    for path, value in numbers_of(reported):
        if value is not None and (value < 0 or value % 1024 != 0):
            yield f"reported.{path} {value}"
    if (verdict == "finding") != bool(process["findings"]):
        yield f"{verdict} with {len(process['findings'])} findings"
    if verdict not in ("consistent", "finding") and not process["reason"]:
        yield f"{verdict} without a reason"
    for finding in process["findings"] + process["notes"]:
        yield from unbelievable_finding(finding)


def unbelievable(outcome: Outcome, restless: bool = False) -> list[str]:
    """What cannot be in any report, whatever was audited. `restless`: its threads never pause."""
    try:
        report = outcome.report
    except ValueError as error:
        return [f"no JSON: {error}; {outcome.err.decode(errors='replace').strip()}"]
    wrong = []
    summary, processes = report["summary"], report["processes"]
    for verdict in ("consistent", "finding", "inconclusive", "denied", "vanished", "skipped"):
        counted = sum(p["verdict"] == verdict and not p["kernel_thread"] for p in processes)
        if summary[verdict] != counted:
            wrong.append(f"summary.{verdict} {summary[verdict]}, but {counted} processes")
    conclusive = summary["consistent"] + summary["finding"]
    if summary["audited"] < conclusive or not 0 <= summary["coverage"] <= 1:
        wrong.append(f"summary {summary}")
    host = report["host"]
    if host["page_size"] != PAGE or host["pmd_size"] != 512 * PAGE or not report["duration_seconds"] > 0:
        wrong.append(f"host {host}, duration {report['duration_seconds']}")
    for process in processes:
        wrong += [f"pid {process['pid']}: {what}" for what in unbelievable_process(process, restless)]
    return wrong


def blamed(process: dict) -> set[tuple[str, str]]:
    return {(finding["interface"], finding["field"]) for finding in process["findings"]}


def wrong_k01_of_two(process: dict, truth: dict) -> Iterator[str]:
    """Without numa_maps nobody sides with pagemap VMA by VMA: the same numbers, but no defect is named."""
    if blamed(process) != {("smaps", "Rss"), ("smaps_rollup", "Rss")}:
        yield f"blamed {sorted(blamed(process))}"
    for finding in process["findings"]:
        if (finding["error_bytes"], finding["exact"]) != (truth["expected_deficit_bytes"], True):
            yield f"{finding['interface']}: error {finding['error_bytes']}, exact {finding['exact']}"
        if finding["interface"] == "smaps" and finding["against"] != "pagemap":
            yield f"smaps: against {finding['against']}"


def wrong_k01(process: dict, truth: dict, pss_known: bool) -> Iterator[str]:
    """(a)–(e): both say too little of Rss, and of every field that counts the same pages, by what was declared, where
    it was declared. Of Pss as much as the share; without page frame numbers at least something of it, or nothing."""
    declared = truth["expected_deficit_bytes"]
    region = truth["regions"][0]
    cause = "mprotect" if "---" in region["perms"] else "numa_hint"
    fields = {"Rss", region["huge_field"]} | ({"Anonymous"} if region["huge_field"] == "AnonHugePages" else set())
    expected_blame = {(interface, field) for interface in ("smaps", "smaps_rollup") for field in fields}
    pss_blame = {("smaps", "Pss"), ("smaps_rollup", "Pss")}
    if not expected_blame <= blamed(process) <= expected_blame | pss_blame:
        yield f"blamed {sorted(blamed(process))}"
    if pss_known and ("smaps", "Pss") not in blamed(process):
        yield "nothing said of Pss"
    pss_deficit = declared * region["pss_bytes"] // region["touched_bytes"]
    for finding in process["findings"]:
        what = f"{finding['interface']} {finding['field']}"
        is_pss = finding["field"] == "Pss"
        said = {key: finding[key] for key in ("direction", "defect", "cause", "vmas_total")}
        if said != {"direction": "deficit", "defect": "K01", "cause": cause, "vmas_total": 1}:
            yield f"{what}: {said}, declared {declared} by {cause}"
        amount = pss_deficit if is_pss else declared
        if is_pss and not pss_known:
            if finding["error_bytes"] > amount or finding["exact"]:
                yield f"{what}: {finding['error_bytes']}, exact {finding['exact']}; it is {amount}"
            continue
        if finding["error_bytes"] != amount or (not finding["exact"] and finding["interface"] == "smaps"):
            yield f"{what}: {finding['error_bytes']}, exact {finding['exact']}; it is {amount}"
        named = [{key: vma[key] for key in ("start", "end", "error_bytes")} for vma in finding["vmas"]]
        if named != [{"start": region["start"], "end": region["end"], "error_bytes": amount}]:
            yield f"{what}: names {named}, not {region['start']}-{region['end']}"
        if what in ("smaps Rss", "smaps Pss"):
            expected = (finding["expected_low_bytes"], finding["expected_high_bytes"])
            if expected != (region["pss_bytes" if is_pss else "touched_bytes"],) * 2:
                yield f"{what}: expected {expected} in a VMA of which {region['touched_bytes']} were touched"


def wrong_pair(process: dict, truth: dict) -> Iterator[str]:
    """(d) without page frame numbers: the walk can't tell shared pages from zero pages, so that smaps and numa_maps
    are two witnesses and nothing decides between them (docs/method.md §7)."""
    region = truth["regions"][0]
    said = [(f["check"], f["interface"], f["against"], f["field"], f["error_bytes"], f["defect"])
            for f in process["findings"]]
    if said != [("I6", "smaps", "numa_maps", "Rss", truth["expected_deficit_bytes"], None)]:
        yield f"findings {said}"
    if [(vma["start"], vma["end"]) for f in process["findings"] for vma in f["vmas"]] != [
            (region["start"], region["end"])]:
        yield f"names {[f['vmas'] for f in process['findings']]}"


def wrong_pss(process: dict, results: Results, mode: str, exact: bool) -> Iterator[str]:
    """What was declared, and between none and all of what is mapped beside it."""
    low, high = process["truth"]["pss_low_bytes"], process["truth"]["pss_high_bytes"]
    regions = results.truth(mode)["regions"]
    declared = sum(region["pss_bytes"] for region in regions)
    everything = smaps_rss_bytes(results.files[f"{mode}.smaps"], 0, 1 << 64)[0]
    beside = everything - sum(smaps_rss_bytes(results.files[f"{mode}.smaps"], int(region["start"], 16),
                                              int(region["end"], 16))[0] for region in regions)
    if not low <= high or low > declared + beside or high < declared:
        yield f"true Pss {low}…{high}, {declared} were declared beside {beside}"
    if exact and not declared <= low <= high <= declared + beside:
        yield f"true Pss {low}…{high}, exactly {declared} were declared beside {beside}"


def wrong_k03(process: dict) -> Iterator[str]:
    said = [(f["interface"], f["field"], f["direction"], f["defect"]) for f in process["findings"]]
    if said != [("smaps_rollup", "Rss", "deficit", "K03")]:
        yield f"findings {said}"


def wrong_truth(process: dict, results: Results, mode: str, exact: bool) -> Iterator[str]:
    """Does the interval hold what cat(1) and the declaration say?"""
    low, high = process["truth"]["rss_low_bytes"], process["truth"]["rss_high_bytes"]
    numa = numa_maps_bytes(results.files[f"{mode}.numa_maps"])
    vm_rss = status_bytes(results.files[f"{mode}.status"], "VmRSS")
    touched = results.truth(mode)["touched_bytes"]
    # numa_maps leaves out the vdso (up to two pages), and nothing else of these processes.
    if not (low <= numa + 2 * PAGE and high >= numa):
        yield f"truth {low}…{high}, numa_maps {numa}"
    if exact and low != high:
        yield f"truth {low}…{high} of a sleeping process"
    if high < touched or (exact and low < touched):
        yield f"truth {low}…{high}, and {touched} were touched"
    threads = int(re.search(r"^Threads:\s+(\d+)", results.files[f"{mode}.status"].decode(), re.MULTILINE)[1])
    lacking = EVENTS_PER_THREAD * (1 + 2 * FAULT_AROUND_PAGES) * PAGE * threads if results.affected else 0
    if not low - lacking <= vm_rss <= high:
        yield f"truth {low}…{high}, VmRSS {vm_rss}"


def wrong_quiet(results: Results, mode: str, variant: str) -> list[str]:
    """One check of one quiet process against what it declared."""
    outcome, truth = results.outcomes[f"{mode}.{variant}"], results.truth(mode)
    wrong = unbelievable(outcome)
    if wrong:
        return wrong
    process = outcome.process
    contended = mode == "rollup-contention"
    declared = truth["expected_deficit_bytes"] if results.affected else 0
    finds = results.affected and (declared or contended)
    if outcome.exit_code != (1 if finds else 0):
        wrong.append(f"exit {outcome.exit_code}, {process['verdict']} {process['reason'] or ''}")
    if not finds:
        wrong += [f"blames {sorted(blamed(process))}"] if process["findings"] else []
    elif contended:
        wrong += wrong_k03(process)
    else:
        if variant in ("without-numa-maps", "without-all"):
            wrong += wrong_k01_of_two(process, truth)
        elif mode == "hinted-thp-shared" and variant == "service":
            wrong += wrong_pair(process, truth)
        else:
            wrong += wrong_k01(process, truth, variant not in HIDDEN_COUNTS)
    exact = not contended and variant in ("root", "root.capture")
    wrong += wrong_truth(process, results, mode, exact)
    if variant == "root" and mode in NOTED:
        noted = {note["defect"] for note in process["notes"]}
        if not noted <= {NOTED[mode]} or (results.affected and not noted):
            wrong.append(f"notes {sorted(map(str, noted))}")
    if not contended:
        wrong += wrong_pss(process, results, mode, exact)
    return wrong


def anonymous_bytes(text: bytes) -> int:
    return sum(int(kib) for kib in re.findall(r"^Anonymous:\s+(\d+) kB$", text.decode(), re.MULTILINE)) * 1024


def wrong_device_copy(results: Results, mode: str, variant: str) -> list[str]:
    """K07: what cat(1) does not find in smaps of what was copied is missing, and all three walks leave it out. RssAnon
    may lack 66 pages of a thread (docs/soundness.md, I4), so that so much less may be proved; nothing else may."""
    outcome, truth = results.outcomes[f"{mode}.{variant}"], results.truth(mode)
    wrong = unbelievable(outcome)
    if wrong:
        return wrong
    process, region = outcome.process, truth["regions"][0]
    bounds = int(region["start"], 16), int(region["end"], 16)
    missing = region["device_copy_bytes"] - smaps_rss_bytes(results.files[f"{mode}.smaps"], *bounds)[0]
    everything = smaps_rss_bytes(results.files[f"{mode}.smaps"], 0, 1 << 64)[0] + missing
    low, high = process["truth"]["rss_low_bytes"], process["truth"]["rss_high_bytes"]
    if not low <= everything <= high:
        wrong.append(f"truth {low}…{high}, it is {everything}")
    if outcome.exit_code != (1 if missing else 0):
        wrong.append(f"exit {outcome.exit_code}, {process['verdict']}; {missing} bytes are missing")
    walks = {("smaps", "Rss"), ("smaps", "Anonymous"), ("smaps_rollup", "Rss"), ("smaps_rollup", "Anonymous"),
             ("numa_maps", "anon")}
    if blamed(process) != (walks if missing else set()):
        wrong.append(f"blames {sorted(blamed(process))}")
    least = min(missing, status_bytes(results.files[f"{mode}.status"], "RssAnon")
                - anonymous_bytes(results.files[f"{mode}.smaps"]))
    if missing and least < missing - EVENTS_PER_THREAD * PAGE:
        wrong.append(f"RssAnon shows {least} of {missing} bytes")
    for finding in process["findings"]:
        what = f"{finding['interface']} {finding['field']}"
        said = {key: finding[key] for key in ("check", "direction", "defect", "basis", "brackets")}
        if said != {"check": "I4.anon", "direction": "deficit", "defect": "K07", "basis": "asleep", "brackets": 24}:
            wrong.append(f"{what}: {said}")
        if finding["error_bytes"] != least:
            wrong.append(f"{what}: {finding['error_bytes']}; the counter shows {least} of {missing}")
        if not finding["expected_low_bytes"] <= finding["reported_bytes"] + missing <= finding["expected_high_bytes"]:
            wrong.append(f"{what}: {finding['reported_bytes']} instead of "
                         f"{finding['expected_low_bytes']}…{finding['expected_high_bytes']}; {missing} are missing")
        named = [(vma["start"], vma["end"], vma["name"]) for vma in finding["vmas"]]
        if named != ([(region["start"], region["end"], "/dev/mem")] if finding["interface"] == "smaps" else []):
            wrong.append(f"{what}: names {named}")
    return wrong


def wrong_poisoned(results: Results, mode: str, variant: str) -> list[str]:
    """K08: what cat(1) finds in smaps beyond what is left is too much."""
    outcome, truth = results.outcomes[f"{mode}.{variant}"], results.truth(mode)
    wrong = unbelievable(outcome)
    if wrong:
        return wrong
    process, region = outcome.process, truth["regions"][0]
    shown = smaps_rss_bytes(results.files[f"{mode}.smaps"], int(region["start"], 16), int(region["end"], 16))[0]
    excess = shown - region["touched_bytes"]
    if outcome.exit_code != (1 if excess else 0):
        wrong.append(f"exit {outcome.exit_code}, {process['verdict']}; {excess} bytes are too much")
    expected = {("smaps", "Rss"), ("smaps_rollup", "Rss")} if excess else set()
    if blamed(process) != expected:
        wrong.append(f"blames {sorted(blamed(process))}")
    for finding in process["findings"]:
        said = {key: finding[key] for key in ("direction", "defect", "error_bytes", "basis")}
        if said != {"direction": "excess", "defect": "K08", "error_bytes": excess, "basis": "asleep"}:
            wrong.append(f"{finding['interface']}: {said}, {excess} are too much")
    return wrong


def wrong_stuck(results: Results, mode: str, variant: str) -> list[str]:
    """RssAnon has the arguments of a program to come, which are in no mapping yet: right, and no finding."""
    outcome = results.outcomes[f"{mode}.{variant}"]
    wrong = unbelievable(outcome)
    beyond = (status_bytes(results.files[f"{mode}.status"], "RssAnon")
              - anonymous_bytes(results.files[f"{mode}.smaps"]))
    if beyond <= 0:
        wrong.append(f"RssAnon is {beyond} bytes beyond Anonymous: nothing was charged")
    if outcome.exit_code != 0 or outcome.process["findings"] or outcome.process["notes"]:
        wrong.append(f"exit {outcome.exit_code}, {outcome.process['verdict']}, blames {sorted(blamed(outcome.process))}")
    return wrong


def wrong_text(outcome: Outcome, process: dict) -> list[str]:
    """At most 24 lines of 80 columns; the first says verdict, process, wrong interface, reported, true."""
    lines = outcome.out.decode().splitlines()
    wrong = []
    if not 0 < len(lines) <= 24 or max(map(len, lines)) > 80:
        wrong.append(f"{len(lines)} lines, the longest of {max(map(len, lines), default=0)}")
    first = lines[0] if lines else ""
    wanted = [process["verdict"].upper(), f"pid {process['pid']}", "true ", "MiB"]  # the name gives way to numbers
    wanted += [process["findings"][0]["interface"] + " says Rss "] if process["findings"] else ["Rss is right"]
    wrong += [f"first line lacks {word!r}: {first}" for word in wanted if word not in first]
    return wrong


def wrong_notes(results: Results) -> tuple[list[str], str]:
    """I13 and I14: the 64 MiB that no process shows are missing beside the counters; a right kernel gives no note."""
    hidden = results.truth("notes")["expected_deficit_bytes"]
    wanted = {"notes.all": {("I13", "AnonPages", "deficit"), ("I13", "AnonHugePages", "deficit")},
              "notes.cgroup": {("I14", "anon", "deficit")}}
    wrong = []
    seen = []
    for name, expected in wanted.items():
        outcome = results.outcomes[name]
        notes = json.loads(outcome.out)["notes"]
        said = {(note["check"], note["field"], note["direction"]) for note in notes}
        seen += [f"{note['check']} {note['field']} {note['error_bytes'] >> 20} MiB" for note in notes]
        if said != (expected if results.affected else set()):
            wrong.append(f"{name}: {sorted(said)}")
        wrong += [f"{name}: {note['error_bytes']} bytes, {hidden} are hidden" for note in notes
                  if note["error_bytes"] > hidden]
        if not results.affected and outcome.exit_code == 1:
            wrong.append(f"{name}: exit 1")
    text = results.outcomes["notes.text"].out.decode()
    if ("(explain I13)" in text) != results.affected or max(map(len, text.splitlines())) > 80:
        wrong.append(f"text: {text}")
    return wrong, ", ".join(seen) or "none"


def wrong_merciless(results: Results, at_least: float) -> tuple[list[str], str]:
    """(c) in a process whose other threads give no peace: found, and nothing but (c)."""
    truth = results.truth("merciless")
    region = truth["regions"][0]
    runs = results.matching(r"merciless\.\d+")
    wrong: list[str] = []
    found = 0
    for name, outcome in runs:
        odd = [f"{name}: {what}" for what in unbelievable(outcome, restless=True)]
        wrong += odd
        if odd:
            continue
        process = outcome.process
        smaps = [finding for finding in process["findings"]
                 if (finding["interface"], finding["field"]) == ("smaps", "Rss")]
        found += bool(smaps) and outcome.exit_code == 1
        if not results.affected and outcome.exit_code == 1:
            wrong.append(f"{name}: exit 1, blames {sorted(blamed(process))}")
        for finding in smaps:
            named = [(vma["start"], vma["end"], vma["error_bytes"]) for vma in finding["vmas"]]
            if named != [(region["start"], region["end"], truth["expected_deficit_bytes"])]:
                wrong.append(f"{name}: names {named}")
            if (finding["defect"], finding["cause"]) != ("K01", "mprotect"):
                wrong.append(f"{name}: {finding['defect']} by {finding['cause']}")
        strangers = {interface for interface, _ in blamed(process)} - {"smaps", "smaps_rollup"}
        if strangers:
            wrong.append(f"{name}: blames {sorted(strangers)}")
    if results.affected and found < at_least * len(runs):
        wrong.append(f"found in {found} of {len(runs)}")
    seconds = sorted(outcome.seconds for _, outcome in runs)
    exits = [outcome.exit_code for _, outcome in runs]
    return wrong, f"found in {found} of {len(runs)}, exits {exits}, {seconds[0]:.1f}–{seconds[-1]:.1f} s each"


def wrong_liubo(results: Results) -> tuple[list[str], str]:
    """The hints move all the time. `error_bytes` is a lower bound (docs/method.md §6): what every pass saw minus the
    most that smaps ever said. So VmRSS minus that most lies between it and the width of the expected interval more
    (pages under migration are not sure). `reported.rss_bytes` is another moment's and no help. VmRSS itself may lack
    66 faults a thread (docs/kernel.md §2): less than 1 MiB of a process that has 3 MiB beside its THP, where a lost
    huge page would be 2 MiB."""
    slack = 1 << 20
    truth = results.truth("liubo")
    region = truth["regions"][0]
    bounds = int(region["start"], 16), int(region["end"], 16)
    rest = smaps_rss_bytes(results.files["liubo.smaps"], *bounds)[1]
    wrong: list[str] = []
    errors = []
    runs = results.matching(r"liubo\.\d+")
    for name, outcome in runs:
        odd = [f"{name}: {what}" for what in unbelievable(outcome)]
        wrong += odd
        if odd:
            continue
        process = outcome.process
        if not results.affected and (outcome.exit_code != 0 or process["findings"]):
            wrong.append(f"{name}: exit {outcome.exit_code}, blames {sorted(blamed(process))}")
        for finding in process["findings"]:
            if finding["defect"] != "K01" or finding["cause"] != "numa_hint":
                wrong.append(f"{name}: {finding['interface']} {finding['defect']} by {finding['cause']}")
            if (finding["interface"], finding["field"]) != ("smaps", "Rss"):
                continue
            errors.append(finding["error_bytes"])
            missing = process["reported"]["status_rss_bytes"] - rest - finding["reported_bytes"]
            width = finding["expected_high_bytes"] - finding["expected_low_bytes"]
            if not finding["error_bytes"] - slack <= missing <= finding["error_bytes"] + width + slack:
                wrong.append(f"{name}: error {finding['error_bytes']}, VmRSS minus reported {missing}, width {width}")
            if [(vma["start"], vma["end"]) for vma in finding["vmas"]] != [(region["start"], region["end"])]:
                wrong.append(f"{name}: names {finding['vmas']}")
        strangers = {interface for interface, _ in blamed(process)} - {"smaps", "smaps_rollup"}
        if strangers:
            wrong.append(f"{name}: blames {sorted(strangers)}")
    if results.affected and len(errors) < 3:
        wrong.append(f"{len(errors)} findings only")
    mib = [f"{error / (1 << 20):.0f}" for error in errors]
    return wrong, f"{len(runs)} checks, {len(errors)} findings, MiB missing: {' '.join(mib) or 'none'}"


def wrong_freeze(results: Results) -> list[str]:
    """Killed while it held the target, the auditor leaves it running; frozen, the rollup has nobody to yield to."""
    wrong = unbelievable(results.outcomes["freeze.root"])
    if results.outcomes["freeze.root"].exit_code != 0:
        wrong.append(f"exit {results.outcomes['freeze.root'].exit_code} of a frozen process")
    seen, stopped_threads, tracer, *ticks = results.files["freeze.after"].decode().split()
    if seen != "yes":
        wrong.append("it was never seen stopped")
    if stopped_threads != "0" or tracer != "0":
        wrong.append(f"{stopped_threads} threads are still stopped, tracer {tracer}")
    before, after = sum(map(int, ticks[:2])), sum(map(int, ticks[2:]))
    if after <= before + 10:  # three threads flat out, for one second, at 100 ticks a second
        wrong.append(f"it does not run on: {before} ticks, a second later {after}")
    if results.files["freeze.stopped"].strip() != b"0":
        wrong.append(f"it ended with {results.files['freeze.stopped']!r}")
    return wrong


def wrong_unprivileged(results: Results) -> list[str]:
    """Without any capability: one's own is audited, all else is denied and nothing of it is a number."""
    wrong: list[str] = []
    own_exit = 1 if results.affected else 0
    for name, exit_code in (("own", own_exit), ("foreign", 2), ("mixed", own_exit or 2), ("all", own_exit or 2)):
        outcome = results.outcomes[f"nobody.{name}"]
        wrong += [f"{name}: {what}" for what in unbelievable(outcome)]
        if outcome.exit_code != exit_code:
            wrong.append(f"{name}: exit {outcome.exit_code} instead of {exit_code}")
    if wrong:
        return wrong
    own = results.outcomes["nobody.own"].process
    declared = results.truth("nobody")["expected_deficit_bytes"]
    if [f["error_bytes"] for f in own["findings"] if f["field"] == "Rss"] != (
            [declared] * 2 if results.affected else []):
        wrong.append(f"own: {[(f['interface'], f['error_bytes']) for f in own['findings']]}, declared {declared}")
    foreign = results.outcomes["nobody.foreign"].process
    if foreign["verdict"] != "denied":
        wrong.append(f"foreign: {foreign['verdict']} {foreign['reason']}")
    everyone = results.outcomes["nobody.all"].report
    audited = {p["pid"] for p in everyone["processes"] if p["verdict"] in ("consistent", "finding")}
    if own["pid"] not in audited or 1 in audited or everyone["summary"]["denied"] == 0:
        wrong.append(f"all: {sorted(audited)} audited, {everyone['summary']['denied']} denied")
    text = results.outcomes["nobody.foreign-text"].out.decode()
    if not text.startswith("DENIED") or re.search(r"\b0 B\b|\b0 bytes\b|\b0\.0 MiB", text):
        wrong.append(f"foreign text: {text}")
    doctor = results.outcomes["nobody.doctor"].out.decode()
    wrong += [f"doctor does not name {name}" for name in ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN")
              if name not in doctor]
    json.loads(results.outcomes["nobody.doctor-json"].out)
    return wrong
