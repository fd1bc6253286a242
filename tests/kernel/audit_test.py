#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""smaps-audit against real kernels and memory whose truth is known (issue 2, "It must show").

    audit_test.py --kernel 6.1|6.12|X.Y|newest|host --smaps-audit FILE --workload FILE --capture-edit FILE [--nightly]

One line for each group of assertions. Whether the kernel must be found lying is decided by making a THP under
PROT_NONE there (`workload protnone-self`), not by its version. Exit: 0, 1 (something is wrong), 77 (no guest
can be started here). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import audit_captures as captures  # noqa: E402
import audit_expectations as expect  # noqa: E402
import audit_host  # noqa: E402
import audit_scenarios as scenarios  # noqa: E402
import general  # noqa: E402
import vm  # noqa: E402

LETTERS = {"hinted-thp": "a", "hinted-thp-partial": "b", "protnone-thp": "c", "hinted-base": "f",
           "rollup-contention": "g", "plain": "h", "hinted-thp-shared": "d", "protnone-shmem": "e",
           "partly-shared-thp": "K09", "many-faulters": "K05", "device-copy": "K07", "poisoned": "K08",
           "stuck-in-execve": "never"}
SHOWN = 6  # complaints of one group


class Report:
    def __init__(self, kernel: str) -> None:
        self.kernel = kernel
        self.failures = 0

    def group(self, name: str, judge: Callable[[], list[str] | tuple[list[str], str]], detail: str = "") -> None:
        """A judge that trips over what it was given is a failure as well."""
        try:
            said = judge()
        except Exception as error:  # pylint: disable=broad-except
            said = [f"{type(error).__name__}: {error}"]
        wrong, detail = said if isinstance(said, tuple) else (said, detail)
        self.failures += bool(wrong)
        print(f"{'FAIL' if wrong else 'ok  '} {self.kernel:5} {name}{': ' if detail else ''}{detail}")
        for what in wrong[:SHOWN]:
            print(f"       {what}")
        if len(wrong) > SHOWN:
            print(f"       … and {len(wrong) - SHOWN} more")
        sys.stdout.flush()

    def skip(self, name: str, reason: str) -> None:
        print(f"skip {self.kernel:5} {name}: {reason}", flush=True)


def captures_of(kernel: str) -> tuple[scenarios.Capture, ...]:
    chosen = scenarios.COMMON_CAPTURES + scenarios.HINTED_CAPTURES + scenarios.GUEST_CAPTURES
    return chosen if kernel == "6.1" else chosen + scenarios.SCAN_CAPTURES


def run_guest(kernel: str, options: argparse.Namespace) -> expect.Results:
    nightly = options.nightly
    runs = 100 if nightly else 10 if kernel == "6.1" else 5
    chosen = captures_of(kernel)
    script = "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled\n"
    script += "set_balancing 1\n" + scenarios.with_balancing(chosen, 60 if nightly else 20)
    script += "set_balancing 0\n" + scenarios.without_balancing(chosen, runs, options.deadline)
    script += scenarios.in_guests(chosen) + scenarios.HOST_NOTES
    result = vm.run(kernel, script, programs=[options.smaps_audit, options.workload],
                    timeout=420 + runs * (options.deadline + 5) + (60 if nightly else 20))
    print(f"     {kernel:5} booted in {result.boot_seconds:.1f} s, {result.duration_seconds:.0f} s in all")
    return expect.Results(result.files)


def judge_quiet(report: Report, results: expect.Results) -> None:
    for mode in scenarios.MODES:
        name = f"({LETTERS[mode]}) {mode}"
        truth = results.truth(mode)
        if not truth.get("kernel_state_proven"):
            reason = truth.get("why", "it said nothing")
            if report.kernel == "host":
                report.skip(name, reason)
            else:
                report.group(name, lambda reason=reason: [reason])
            continue
        for variant, user in (("root", "root"), ("service", "default capabilities")):
            outcome = results.outcomes[f"{mode}.{variant}"]
            report.group(f"{name} as {user}", lambda m=mode, v=variant: expect.wrong_quiet(results, m, v),
                         f"exit {outcome.exit_code}, declared deficit {truth['expected_deficit_bytes']}, "
                         f"{outcome.seconds:.1f} s")
        report.group(f"{name} in text", lambda m=mode: expect.wrong_text(
            results.outcomes[f"{m}.text"], results.outcomes[f"{m}.root"].process))
        if mode in scenarios.FALLBACK_MODES:
            report.group(f"{name} with each fallback forced", lambda m=mode: judge_fallbacks(results, m),
                         " ".join(scenarios.FALLBACKS))


def judge_guest_only(report: Report, results: expect.Results) -> None:
    judges = {"device-copy": expect.wrong_device_copy, "poisoned": expect.wrong_poisoned,
              "stuck-in-execve": expect.wrong_stuck}
    for mode, judge_one in judges.items():
        name = f"({LETTERS[mode]}) {mode}"
        if f"{mode}.truth" not in results.files:
            continue
        truth = results.truth(mode)
        if not truth.get("kernel_state_proven"):
            report.skip(name, truth.get("why", "it said nothing"))
            continue
        for variant, user in (("root", "root"), ("service", "default capabilities")):
            report.group(f"{name} as {user}", lambda m=mode, v=variant, j=judge_one: j(results, m, v))
        report.group(f"{name} in text", lambda m=mode: expect.wrong_text(
            results.outcomes[f"{m}.text"], results.outcomes[f"{m}.root"].process))


def judge_fallbacks(results: expect.Results, mode: str) -> list[str]:
    return [f"without {name}: {what}" for name in scenarios.FALLBACKS
            for what in expect.wrong_quiet(results, mode, f"without-{name}")]


def judge_of(mode: str) -> Callable[[expect.Results, str, str], list[str]]:
    return expect.wrong_device_copy if mode == "device-copy" else expect.wrong_quiet


def judge_captures(report: Report, results: expect.Results, tools: captures.Tools, directory: pathlib.Path) -> None:
    made = [c for c in captures_of(report.kernel) if c.name in results.outcomes]
    paths = {}
    for capture in made:
        if capture.name not in results.files:
            report.group(capture.name, lambda c=capture: [f"no capture: {results.outcomes[c.name].err.decode()}"])
            continue
        paths[capture] = directory / capture.name
        paths[capture].write_bytes(results.files[capture.name])

    def replayed() -> list[str]:
        return [f"{c.name}: {what}" for c, path in paths.items()
                for what in captures.wrong_replay(tools, results.outcomes[c.name], path)
                + judge_of(c.mode)(results, c.mode, c.name.removeprefix(f"{c.mode}."))]

    size = sum(path.stat().st_size for path in paths.values()) // 1024
    report.group(f"{len(paths)} captures give their report and exit code again", replayed, f"{size} kB")
    for capture, path in paths.items():
        if capture.mode != "plain":
            continue
        source = results.outcomes[capture.name].process["truth"]["source"]
        lies = captures.lies_of(results.truth(capture.mode), source == "pagemap_scan")
        report.group(f"pages that are gone in {capture.name} are named", lambda p=path, ls=lies: [
            what for lie in ls for what in captures.wrong_lie(tools, p, directory / "edited", lie)],
            f"{len(lies)} lies, truth by {source}")
    # On this machine general_test.py does it.
    if "plain.root.capture" in results.files and report.kernel != "host":
        report.group("lies about every field of plain.capture are named",
                     lambda: judge_general(results, tools, directory))
    if paths:
        first = next(iter(paths.values()))
        report.group("broken captures: 65, file and offset", lambda: captures.wrong_broken(
            tools, first, directory / "broken"))


def judge_schema(report: Report, results: expect.Results, directory: pathlib.Path) -> None:
    """Everything that was asked for in JSON, by Debian's own python3-jsonschema."""
    paths = []
    for name, outcome in results.outcomes.items():
        if outcome.out.startswith(b'{\n "schema": "smaps-audit.report/1"'):
            paths.append(directory / f"{name}.json")
            paths[-1].write_bytes(outcome.out)
    if not paths:
        report.group("every report fits the schema", lambda: ["no report was found"])
        return
    test = pathlib.Path(__file__).resolve().parents[1] / "golden" / "schema_test.py"
    done = subprocess.run(["/usr/bin/python3", test, *paths], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        report.skip("every report fits the schema", done.stdout.strip())
        return
    wrong = [line for line in (done.stdout + done.stderr).splitlines() if done.returncode != 0]
    report.group("every report fits the schema", lambda: wrong, f"{len(paths)} reports")


def judge_general(results: expect.Results, tools: captures.Tools, directory: pathlib.Path) -> tuple[list[str], str]:
    subject = general.Subject.of(tools, directory / "plain.root.capture", results.truth("plain"))
    doctor = json.loads(results.files["nobody.doctor-json.out"])
    return general.wrong_general(tools, subject, general.counter_slack_kb(doctor, vm.Machine().cpus), directory)


def judge(report: Report, results: expect.Results, options: argparse.Namespace) -> None:
    tools = captures.Tools(options.smaps_audit, options.capture_edit)
    print(f"     {report.kernel:5} loses THP under PROT_NONE: {'yes' if results.affected else 'no'}")
    judge_quiet(report, results)
    judge_guest_only(report, results)
    report.group("--freeze: the target outlives its auditor", lambda: expect.wrong_freeze(results))
    report.group("without privilege", lambda: expect.wrong_unprivileged(results))
    if results.truth("merciless"):
        report.group("merciless", lambda: expect.wrong_merciless(results, 0.95 if options.nightly else 0.9))
    if "liubo.truth" in results.files:
        report.group("liubo's scenario", lambda: expect.wrong_liubo(results))
    if "notes.truth" in results.files:
        report.group("notes of the host and of a cgroup", lambda: expect.wrong_notes(results))
    with tempfile.TemporaryDirectory(prefix="smaps-audit-reports-") as name:
        judge_schema(report, results, pathlib.Path(name))
    with tempfile.TemporaryDirectory(prefix="smaps-audit-captures-") as name:
        judge_captures(report, results, tools, pathlib.Path(name))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="smaps-audit against a real kernel.")
    parser.add_argument("--kernel", required=True, help="host, or what fetch_kernel.py knows: 6.1, 6.12, X.Y, newest")
    parser.add_argument("--smaps-audit", type=pathlib.Path, required=True)
    parser.add_argument("--workload", type=pathlib.Path, required=True)
    parser.add_argument("--capture-edit", type=pathlib.Path, required=True)
    parser.add_argument("--deadline", type=int, default=30, metavar="SECONDS", help="of a merciless check (30)")
    parser.add_argument("--nightly", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="leave all results there")
    options = parser.parse_args(arguments)
    report = Report(options.kernel)
    begun = time.monotonic()
    try:
        if options.kernel == "host":
            results = audit_host.run(options)
        else:
            results = run_guest(options.kernel, options)
    except (vm.VmUnavailable, audit_host.CannotRun) as error:
        print(f"SKIP {error}")
        return 77
    except vm.VmError as error:
        print(f"FAIL {error}")
        return 1
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for name, content in results.files.items():
            (options.keep / name).write_bytes(content)
    judge(report, results, options)
    if options.kernel == "host":
        report.group("2 000 processes: progress and a table", lambda: audit_host.wrong_crowd(options.smaps_audit))
    print(f"     {report.kernel:5} {report.failures} groups failed, {time.monotonic() - begun:.0f} s")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
