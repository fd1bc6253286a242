#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Never wolf: `smaps-audit check` in a loop against each adversary, on kernels that report correctly.

    never_wolf.py --bin DIR [--host-seconds S] [--guest-seconds S] [--kernel 6.12] [--adversary NAME]…
                  [--evidence DIR] [--docs FILE]

DIR is the build directory (or holds all programs). S is the time for each adversary; 0 leaves that machine out.
Most checks are plain; in between all fallbacks are forced, the target is frozen, every process is audited and
a capture is taken. Demanded: no finding in any report (on an affected host, which `workload protnone-self`
decides: none but K03); at least half of the audited bytes conclusive, but for memory that two processes share.
Negative control: the screen alone (--no-confirm) does produce false suspects. The report of each false finding
goes to --evidence. Exit: 0, 1, 77 (cannot run here). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import datetime
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import host  # noqa: E402
import vm  # noqa: E402
import wolf_tally  # noqa: E402
from selftest import ADVERSARIES  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
NIGHTLY = os.environ.get("SMAPS_AUDIT_NIGHTLY") == "1"
# One turn of the loop; PIDS and LAST (the adversary's last process) are filled in, FILE is a capture.
VARIANTS: tuple[tuple[str, ...], ...] = (
    ("check", "PIDS"),
    ("check", "PIDS", "--without", "pagemap-scan"),
    ("check", "LAST", "--freeze"),
    ("check", "PIDS"),
    ("check", "PIDS", "--without", "pfn"),
    ("check", "--all"),
    ("check", "PIDS", "--without", "procmap-query"),
    ("check", "PIDS"),
    ("check", "PIDS", "--without", "wchan"),
    ("check", "PIDS", "--without", "pagemap-scan,pfn"),
    ("capture", "LAST", "-o", "FILE"),
    ("check", "--comm", "adversary"),
    ("check", "PIDS", "--without", "pagemap-scan,procmap-query,wchan"),
)
VARIANT_STRIDE = 5  # how far on in the turn the next adversary begins
CONTROL = ("check", "PIDS", "--no-confirm")
CONTROL_SHARE = 0.1
# Where the negative control came to nothing in its share of the time, this adversary goes on with it.
INSIST_ON, INSIST_SECONDS = "mremap", 30
ON_CPU_0 = frozenset({"phase-locked-same-cpu"})
DEADLINE_SECONDS = 30


def label_of(variant: Sequence[str]) -> str:
    return " ".join(word for word in variant if word not in ("PIDS", "LAST", "-o", "FILE"))


def words_of(variant: Sequence[str], pids: str, last: str, file: str) -> list[str]:
    """The command line; several pids may stand in one word, as a shell variable does."""
    values = {"PIDS": pids.split(), "LAST": [last], "FILE": [file]}
    words = [word for part in variant[1:] for word in values.get(part, [part])]
    return [variant[0], "--format", "json", "--deadline", str(DEADLINE_SECONDS), *words]


def size_of(pid: int) -> int:
    """VmSize in bytes; 0 if the process is gone."""
    try:
        lines = (pathlib.Path("/proc") / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmSize:")), 0)


def state_of(pid: int) -> str:
    try:
        return (pathlib.Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "gone"


def stays_stopped(pid: int) -> bool:
    until = time.monotonic() + 2
    while state_of(pid) in ("t", "T"):
        if time.monotonic() > until:
            return True
        time.sleep(0.01)
    return False


def program(directory: pathlib.Path, name: str) -> pathlib.Path:
    folder = "cli" if name == "smaps-audit" else "tests/workloads"
    for path in (directory / folder / name, directory / name):
        if path.is_file():
            return path
    raise SystemExit(f"never_wolf: no {name} in {directory}")


class HostRun:
    """Checks on this machine."""

    def __init__(self, directory: pathlib.Path, seconds: float) -> None:
        self._audit = program(directory, "smaps-audit")
        self._adversary = program(directory, "adversary")
        self._seconds = seconds
        probe = subprocess.run([program(directory, "workload"), "protnone-self"], capture_output=True, check=False)
        self.affected = probe.returncode == 1

    def check(self, name: str, variant: Sequence[str], pids: Sequence[int], file: str) -> wolf_tally.Check:
        words = words_of(variant, " ".join(map(str, pids)), str(pids[-1]), file)
        pinned = ["taskset", "-c", "0"] if name in ON_CPU_0 else []
        sizes = {pid: size_of(pid) for pid in pids}
        begin = time.monotonic()
        done = subprocess.run([*pinned, self._audit, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, check=False)
        seconds = time.monotonic() - begin
        stopped = "--freeze" in variant and any(stays_stopped(pid) for pid in pids)
        return wolf_tally.Check(label_of(variant), done.returncode, seconds, done.stdout, sizes, stopped)

    def attack(self, name: str, turn: int) -> wolf_tally.Tally:
        tally = wolf_tally.Tally(name, self.affected)
        with tempfile.TemporaryDirectory(prefix="never-wolf-") as directory, \
                host.Adversary(self._adversary, name) as target:
            file = f"{directory}/capture"
            begin = time.monotonic()
            while time.monotonic() - begin < self._seconds:
                tally.add(self.check(name, VARIANTS[turn % len(VARIANTS)], target.pids, file))
                turn += 1
            tally.seconds = time.monotonic() - begin
            begin = time.monotonic()
            while time.monotonic() - begin < self._seconds * CONTROL_SHARE:
                tally.add_control(self.check(name, CONTROL, target.pids, file))
            if state_of(target.pid) == "gone":
                tally.problem("ended by itself")
        return tally

    def insist(self, tally: wolf_tally.Tally) -> None:
        """The negative control of `tally`'s adversary, until it suspects something."""
        with host.Adversary(self._adversary, tally.name) as target:
            until = time.monotonic() + INSIST_SECONDS
            while tally.control_suspects == 0 and time.monotonic() < until:
                tally.add_control(self.check(tally.name, CONTROL, target.pids, os.devnull))


def guest_script(names: Sequence[str], seconds: float) -> str:
    """wolf_guest.sh with the same command lines as on the host."""
    cases = [f"    {i}) LABEL={shlex.quote(label_of(variant))}; set -- {shell_words(variant)} ;;"
             for i, variant in enumerate(VARIANTS)]
    begin = "  _report=$1 _pids=$2 _last=$2\n  [ $# -ge 3 ] && _pids=\"$2 $3\" && _last=$3\n"
    run = "  $PINNED smaps-audit \"$@\" > $_report 2>> $RESULTS/errors\n}\n"
    script = ("run_variant() {\n  _index=$1; shift\n" + begin + "  case $_index in\n" + "\n".join(cases) + "\n  esac\n"
              + run + "run_control() {\n" + begin + "  LABEL=control\n  set -- " + shell_words(CONTROL) + "\n" + run)
    script += f"VARIANTS={len(VARIANTS)}\nATTACK_CENTISECONDS={int(seconds * 100)}\n"
    script += f"CONTROL_CENTISECONDS={int(seconds * 100 * CONTROL_SHARE)}\n"
    script += (HERE / "wolf_guest.sh").read_text()
    script += "workload protnone-self > /dev/null; echo $? > $RESULTS/affected\nuname -r > $RESULTS/release\n"
    for i, name in enumerate(names):
        script += f"PINNED='{'taskset 1' if name in ON_CPU_0 else ''}'\nattack {name} {i * VARIANT_STRIDE}\n"
    if INSIST_ON in names:
        script += f"insist {INSIST_ON} {INSIST_SECONDS}\n"
    return script


def shell_words(variant: Sequence[str]) -> str:
    values = {"$_pids", "$_last"}
    words = words_of(variant, "$_pids", "$_last", "/tmp/capture")
    return " ".join(word if word in values else shlex.quote(word) for word in words)


def guest_tally(name: str, files: dict[str, bytes], affected: bool) -> wolf_tally.Tally:
    tally = wolf_tally.Tally(name, affected)
    first = last = None
    for line in files.get(f"{name}/checks", b"").decode().splitlines():
        report, kind, label, status, begin, end, stopped, sizes = line.split("|")
        pids = {int(pid): int(kb) * 1024 for pid, kb in (size.split("=") for size in sizes.split())}
        check = wolf_tally.Check(label, int(status), float(end) - float(begin), files.get(f"{name}/{report}", b""),
                                 pids, stopped == "1")
        if kind == "control":
            tally.add_control(check)
            continue
        tally.add(check)
        first, last = first or float(begin), float(end)
    if first is not None and last is not None:
        tally.seconds = last - first
    return tally


def run_guest(directory: pathlib.Path, kernel: str, names: Sequence[str],
              seconds: float) -> tuple[str, list[wolf_tally.Tally]]:
    programs = [program(directory, name) for name in ("smaps-audit", "workload", "adversary")]
    result = vm.run(kernel, guest_script(names, seconds), programs=programs,
                    timeout=120 + len(names) * (1.5 * seconds + 45))
    affected = result.files["affected"].strip() == b"1"
    tallies = [guest_tally(name, result.files, affected) for name in names]
    for tally in tallies:
        for line in result.output.splitlines():
            if line.startswith(f"{tally.name} "):
                tally.problem(line)
    release = result.files["release"].decode().strip()
    return f"kernel {release} in QEMU (TCG, 2 CPUs, 2 nodes), {result.duration_seconds:.0f} s in all", tallies


def run_host(directory: pathlib.Path, names: Sequence[str], seconds: float) -> tuple[str, list[wolf_tally.Tally]]:
    run = HostRun(directory, seconds)
    begin = time.monotonic()
    tallies = [run.attack(name, i * VARIANT_STRIDE) for i, name in enumerate(names)]
    if not any(tally.control_suspects for tally in tallies):
        for tally in tallies:
            if tally.name == INSIST_ON:
                run.insist(tally)
    affected = ", affected by K01" if run.affected else ""
    return (f"this machine: kernel {platform.release()}, {os.cpu_count()} CPUs{affected}, "
            f"{time.monotonic() - begin:.0f} s in all", tallies)


def show(title: str, tallies: Sequence[wolf_tally.Tally]) -> list[str]:
    labels = wolf_tally.total(tallies).labels
    lines = [f"## {title[0].upper()}{title[1:]}", "", *wolf_tally.table(tallies), ""]
    lines.append("Checks: " + ", ".join(f"{count} × `{label}`" for label, count in sorted(labels.items())) + ".")
    lines.append("Worst suspects: " + ", ".join(f"{tally.name} {tally.worst_suspect_steps} in `{tally.worst_label}`"
                                                for tally in tallies if tally.worst_suspect_steps > 1) + ".")
    answers = [f"{tally.name}: " + ", ".join(f"{count} × {word}" for word, count in sorted(tally.unusual.items()))
               for tally in tallies if tally.unusual]
    if answers:
        lines += ["Neither consistent nor a finding: " + "; ".join(answers) + "."]
    return lines


def keep_evidence(directory: pathlib.Path | None, tallies: Sequence[wolf_tally.Tally]) -> None:
    reports = [(tally.name, report) for tally in tallies for report in tally.evidence]
    if not reports:
        return
    where = directory or pathlib.Path(tempfile.mkdtemp(prefix="never-wolf-evidence-"))
    where.mkdir(parents=True, exist_ok=True)
    for i, (name, report) in enumerate(reports):
        (where / f"{name}-{i}.json").write_bytes(report)
    print(f"{len(reports)} reports with false findings are in {where}")


DOCS_HEAD = """# Never wolf

Generated by `tests/kernel/never_wolf.py`; do not edit. Programs that change their memory as fast and as awkwardly
as they can (`tests/workloads/adversary.h`), each alone, against `smaps-audit` in a loop, on kernels that report it
correctly. Every finding would be false. The rules that keep it so: [method.md](method.md) §6.

- **conclusive**: share of the audited bytes (Size of the VMAs, of every check; all of VmSize where a check broke off)
  in which no error could hide. At least 50 % is demanded, of exec-exit and fork-storm over the processes that
  outlived their check; of the shared-mm pair nothing.
- **worst suspect**: the step at which the longest-lived false suspicion of a series broke (24 make a finding).
- **false suspects unconfirmed**: the negative control. What the screen alone (`--no-confirm`) would have said, and
  in how many checks. Without it a silent auditor would prove nothing.
"""


def write_docs(path: pathlib.Path, sections: Sequence[list[str]]) -> None:
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    words = [word for word in sys.argv[1:] if not word.startswith("--evidence")]
    ran = f"Run of {date}: `tests/kernel/never_wolf.py {shlex.join(words)}`"
    path.write_text("\n".join([DOCS_HEAD, ran, "", *("\n".join(lines) + "\n" for lines in sections)]))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="smaps-audit against adversaries: no false finding.")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="the build directory")
    parser.add_argument("--host-seconds", type=float, default=120 if NIGHTLY else 5)
    parser.add_argument("--guest-seconds", type=float, default=60 if NIGHTLY else 3)
    parser.add_argument("--kernel", default="6.12", help="of the guest")
    parser.add_argument("--adversary", action="append", choices=ADVERSARIES)
    parser.add_argument("--evidence", type=pathlib.Path, help="directory for reports with false findings")
    parser.add_argument("--docs", type=pathlib.Path, help="write the page of the tables there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    names = options.adversary or ADVERSARIES
    failures: list[str] = []
    sections: list[list[str]] = []
    try:
        if options.host_seconds > 0:
            machines = [run_host(options.bin, names, options.host_seconds)]
        else:
            machines = []
        if options.guest_seconds > 0:
            machines.append(run_guest(options.bin, options.kernel, names, options.guest_seconds))
    except (vm.VmUnavailable, host.CannotRun) as error:
        print(f"SKIP {error}")
        return 77
    except vm.VmError as error:
        print(f"FAIL {error}")
        return 1
    for title, tallies in machines:
        sections.append(show(title, tallies))
        print("\n".join(sections[-1]), flush=True)
        failures += wolf_tally.failures(tallies)
        keep_evidence(options.evidence, tallies)
    if options.docs:
        write_docs(options.docs, sections)
    print("\n".join(f"FAIL {text}" for text in failures) or "ok: no false finding")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
