#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""smaps-auditd for a long time: nothing grows, nothing is left out, nothing is found on a kernel that is right. Root.

    soak.py --smaps-auditd FILE --workload FILE [--sweeps N | --seconds N] [--alone] [--samples FILE]

The service sweeps each second, with fifteen times the budget of the shipped interval of 15 s: as much for a sweep. It watches
all processes of this machine, and forty of ours by name; with --alone those only, in a PID namespace, which is for a machine
on which others work: more processes take more memory. Holds, once two rotations are over: Rss of parent, spawner and worker
grows by at most 256 kB; none of them gains a descriptor; the reading keeps to its CPU budget; each of our processes is audited
in full within the rotation that the service states; no worker is lost; nothing is found. Prints a table; --samples: all of
them as CSV.

Exit: 0, 1 (something does not hold), 77 (no root). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from auditd import Auditd, Sleeper, scratch  # noqa: E402

INTERVAL_SECONDS = 1
BUDGET_PERCENT = 15.0
ROTATION_SWEEPS = 40  # docs/service.md, "What is read when"
WARM_UP_SWEEPS = 2 * ROTATION_SWEEPS
SUSPECT_CREDIT_SECONDS = 2.0  # which the audit of a suspect may borrow
MOST_GROWTH_BYTES = 256 << 10
SMALL_TARGETS = 37
LARGE_TARGETS = 3
WINDOW = 15  # samples at either end that are compared
GROUP = "soak"
ROLES = ("parent", "spawner", "worker")
NAMESPACE = ("unshare", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child")


@dataclasses.dataclass
class Process:
    """What one of the three has and used."""

    rss_bytes: int
    descriptors: int
    cpu_seconds: float


@dataclasses.dataclass
class Sample:
    seconds: float
    sweeps: float
    overruns: float
    rotation_seconds: float | None
    oldest_age_seconds: float | None  # of our processes' verdicts
    cpu_seconds: float  # of all reading, as the service tells it
    processes: dict[str, Process]


def look_at(pid: int) -> Process:
    # Not VmRSS, whose counter is off by as much as is allowed here.
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return Process(rss_bytes=int(re.search(r"(?m)^Rss:\s+(\d+)", rollup)[1]) << 10,
                   descriptors=len(os.listdir(f"/proc/{pid}/fd")),
                   cpu_seconds=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


def metrics_of(page: str) -> dict[str, float]:
    return {name: float(value) for name, _, value in
            (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))}


class Soak:
    def __init__(self, service: Auditd, pids: dict[str, int]) -> None:
        self.service, self.pids = service, pids
        self.samples: list[Sample] = []
        self.wrong: list[str] = []
        self.begun = time.monotonic()

    def complain(self, what: str) -> None:
        if what not in self.wrong:
            self.wrong.append(what)
            print(f"FAILED {what}", flush=True)

    def sample(self) -> None:
        processes = {role: look_at(pid) for role, pid in self.pids.items()}
        code, page = self.service.get("/metrics")
        if code != 200:
            self.complain("/metrics did not answer")
            return
        metrics = metrics_of(page)
        if any(value for name, value in metrics.items() if name.startswith("smaps_audit_findings{")):
            self.complain(f"a finding: {[event for event in self.service.events('error_bytes')]}")
        for name, value in metrics.items():
            if name.startswith("smaps_audit_worker_restarts_total") and value:
                self.complain(f"a worker was replaced: {name}")
        oldest = metrics.get(f'smaps_audit_target_oldest_verdict_timestamp_seconds{{target="{GROUP}"}}')
        self.samples.append(Sample(
            seconds=time.monotonic() - self.begun, sweeps=metrics["smaps_audit_sweeps_total"],
            overruns=metrics["smaps_audit_sweep_overruns_total"],
            rotation_seconds=metrics.get("smaps_audit_rotation_duration_seconds"),
            oldest_age_seconds=None if oldest is None else time.time() - oldest,
            cpu_seconds=metrics["smaps_audit_worker_cpu_seconds_total"], processes=processes))

    def run(self, sweeps: int, seconds: float) -> None:
        while not self.wrong:
            time.sleep(INTERVAL_SECONDS)
            self.sample()
            if self.samples and self.samples[-1].sweeps >= sweeps:
                return
            if time.monotonic() - self.begun >= seconds:
                return

    def judge(self) -> None:
        steady = [sample for sample in self.samples if sample.sweeps > WARM_UP_SWEEPS]
        if len(steady) < 2 * WINDOW:
            self.complain(f"too short: {len(steady)} samples after the warm-up of {WARM_UP_SWEEPS} sweeps, {2 * WINDOW} wanted")
            return
        first, last = steady[:WINDOW], steady[-WINDOW:]
        elapsed = steady[-1].seconds - steady[0].seconds
        print(f"{'':10}{'Rss then':>12}{'Rss now':>12}{'grown':>10}{'most':>12}{'descriptors':>14}{'CPU':>10}")
        for role in ROLES:
            def rss(samples: list[Sample], role: str = role) -> int:
                return int(statistics.median(sample.processes[role].rss_bytes for sample in samples))

            def held(samples: list[Sample], role: str = role) -> int:
                return min(sample.processes[role].descriptors for sample in samples)
            used = steady[-1].processes[role].cpu_seconds - steady[0].processes[role].cpu_seconds
            grown = rss(last) - rss(first)
            most = max(sample.processes[role].rss_bytes for sample in steady)
            print(f"{role:10}{rss(first) >> 10:>9} kB{rss(last) >> 10:>9} kB{grown >> 10:>7} kB{most >> 10:>9} kB"
                  f"{held(first):>7} to {held(last):>3}{used / elapsed:>10.3%}")
            if grown > MOST_GROWTH_BYTES:
                self.complain(f"the {role} has grown by {grown >> 10} kB")
            if held(last) > held(first):
                self.complain(f"the {role} had {held(first)} descriptors, and has {held(last)}")
        self.judge_reading(steady, elapsed)

    def judge_reading(self, steady: list[Sample], elapsed: float) -> None:
        told = (steady[-1].cpu_seconds - steady[0].cpu_seconds) / elapsed
        seen = sum(steady[-1].processes[role].cpu_seconds - steady[0].processes[role].cpu_seconds
                   for role in ("spawner", "worker")) / elapsed
        allowed = BUDGET_PERCENT / 100 + SUSPECT_CREDIT_SECONDS / elapsed
        sweeps = steady[-1].sweeps - steady[0].sweeps
        print(f"reading takes {told:.2%} of a core as the service tells it, {seen:.2%} as the kernel does; "
              f"{BUDGET_PERCENT:.0f} % are allowed")
        print(f"{sweeps:.0f} sweeps in {elapsed:.0f} s after the warm-up, "
              f"{steady[-1].overruns - steady[0].overruns:.0f} overruns")
        if max(told, seen) > allowed:
            self.complain(f"reading takes {max(told, seen):.2%} of a core")
        if any(sample.oldest_age_seconds is None or sample.rotation_seconds is None for sample in steady):
            self.complain("after the warm-up some of ours have no verdict")
            return
        oldest = max(sample.oldest_age_seconds for sample in steady)
        stated = max(sample.rotation_seconds for sample in steady)
        # A page is as old as the last sweep, and a process may be the first of one rotation and the last of the next.
        late = [sample for sample in steady if sample.oldest_age_seconds > sample.rotation_seconds + 5 * INTERVAL_SECONDS]
        print(f"our oldest verdict was {oldest:.1f} s old; a rotation took up to {stated:.1f} s as the service states, "
              f"{ROTATION_SWEEPS * INTERVAL_SECONDS} s at least")
        if late:
            self.complain(f"{len(late)} times a verdict was older than the rotation: {late[0]}")

    def write(self, path: pathlib.Path) -> None:
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["seconds", "sweeps", "overruns", "rotation", "oldest_age", "cpu"] +
                          [f"{role}_{name}" for role in ROLES for name in ("rss", "fds", "cpu")])
            for sample in self.samples:
                rows.writerow([f"{sample.seconds:.1f}", sample.sweeps, sample.overruns, sample.rotation_seconds,
                               sample.oldest_age_seconds, sample.cpu_seconds] +
                              [value for role in ROLES for value in dataclasses.astuple(sample.processes[role])])


def soak(options: argparse.Namespace, directory: pathlib.Path) -> int:
    ours = directory / GROUP  # so that comm tells ours from others'
    ours.symlink_to("/bin/sleep")
    targets: list[subprocess.Popen] = []
    large = [Sleeper() for _ in range(LARGE_TARGETS)]
    rules = {"rules": [{"comm": [GROUP], "group": GROUP}, {"comm": [options.workload.name], "group": GROUP}]}
    entered = []
    try:
        for _ in range(SMALL_TARGETS):
            targets.append(subprocess.Popen([ours, "infinity"], stdin=subprocess.DEVNULL))
        for sleeper in large:
            entered.append(sleeper.__enter__())
        settings = {"audit": {"interval": f"{INTERVAL_SECONDS}s", "cpu_budget_percent": BUDGET_PERCENT}, "targets": rules}
        with Auditd(options.smaps_auditd, directory / "service", **settings) as service:
            pids = {"parent": service.process.pid, "spawner": service.spawner, "worker": service.worker()}
            run = Soak(service, pids)
            run.run(options.sweeps, options.seconds)
            run.judge()
            if service.rows():
                run.complain(f"the store holds findings: {service.rows()}")
        if options.samples:
            run.write(options.samples)
        if run.wrong:
            print(service.log()[-3000:])
        return 1 if run.wrong else 0
    finally:
        for sleeper in entered:
            sleeper.__exit__()
        for target in targets:
            target.kill()
            target.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--smaps-auditd", "--workload"):
        parser.add_argument(name, required=True, type=lambda word: pathlib.Path(word).resolve())
    parser.add_argument("--sweeps", type=int, help="end after this many (500)")
    parser.add_argument("--seconds", type=float, help="end after this time")
    parser.add_argument("--alone", action="store_true", help="in a PID namespace of its own")
    parser.add_argument("--samples", type=pathlib.Path)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIP: the service's capabilities take root")
        return 77
    if options.alone:
        words = [word for word in sys.argv[1:] if word != "--alone"]
        return subprocess.run([*NAMESPACE, sys.executable, __file__, *words], check=False).returncode
    if options.sweeps is None:
        options.sweeps = 500 if options.seconds is None else sys.maxsize
    if options.seconds is None:
        options.seconds = float("inf")
    Sleeper.workload = options.workload
    print(f"{platform.release()}, {os.cpu_count()} CPUs, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())}")
    with scratch() as directory:
        return soak(options, pathlib.Path(directory))


if __name__ == "__main__":
    sys.exit(main())
