#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What smaps-auditd costs a host: memory of its three processes, CPU, the time of a sweep. Root.

    load.py --smaps-auditd FILE --smaps-audit FILE [--processes 300 2000] [--seconds 600] [--into docs/performance.md]

Prints a section of that page; --into: replaces it there.

For each size a PID namespace of its own with that many processes, the service among them: nine of ten are `sleep`, the tenth an
interpreter. The configuration is the shipped one (but for its paths), user and capabilities those of docs/service.md, and the
metrics are scraped each 15 s. 600 s are one rotation: 40 sweeps, and a full audit of each. Whatever else runs on the machine
makes the numbers worse.

Exit: 0, 1 (it does not run), 77 (no root, no namespaces). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from auditd import NOBODY, Auditd, scratch, wait_for  # noqa: E402
from soak import NAMESPACE, ROLES, look_at, metrics_of  # noqa: E402
from web_harness import get  # noqa: E402

SHIPPED = HERE.parent.parent / "config" / "smaps-auditd.json"
HEADING = "## What the service costs"
SCRAPE_SECONDS = 15
ONE_IN = 10
INTERPRETER = ("/usr/bin/python3", "-I", "-c", "import json, time; time.sleep(1e9)")
CAPABILITIES = "-all,+sys_ptrace,+dac_read_search"
GOAL_RSS_BYTES = 24 << 20
GOAL_CPU_SHARE = 0.003
GOAL_PROCESSES = 300


@dataclasses.dataclass
class Cost:
    processes: int
    seconds: float
    rss_bytes: dict[str, int]
    pss_bytes: dict[str, int]
    cpu_share: dict[str, float]
    sweeps: int
    overruns: int
    audits: int
    sweep_seconds: float
    longest_sweep_seconds: float
    quiet_sweep_cpu_seconds: float | None  # of the worker, where nothing was audited meanwhile
    findings: int
    conclusive: int


def pss_bytes(pid: int) -> int:
    return int(re.search(r"(?m)^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text())[1]) << 10


def shipped_settings(audit: pathlib.Path) -> dict:
    """Each of them as the program takes it, without the comments."""
    done = subprocess.run([audit, "config", "dump", SHIPPED], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def start_service(options: argparse.Namespace, directory: pathlib.Path) -> Auditd:
    program = shutil.copy(options.smaps_auditd, directory / "smaps-auditd")  # where nobody may execute it
    wrapper = directory / "as-service"
    wrapper.write_text(f"#!/bin/sh\nexec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --no-new-privs "
                       f"--inh-caps={CAPABILITIES} --ambient-caps={CAPABILITIES} --bounding-set={CAPABILITIES} {program} \"$@\"\n")
    wrapper.chmod(0o755)
    home = directory / "service"
    service = Auditd(wrapper, home)
    shipped = shipped_settings(options.smaps_audit)
    shipped["store"]["path"] = str(service.store)
    shipped["web"]["listen"] = service.settings["web"]["listen"]
    shipped["paths"]["off_file"] = str(service.off_file)
    shipped["probe"]["spool"] = str(home / "spool")
    shipped["log"]["format"] = "json"
    service.settings = shipped
    service.write_config()
    for path in (directory, home):
        path.chmod(0o755)
        os.chown(path, NOBODY, NOBODY)
    return service


def populate(count: int) -> list[subprocess.Popen]:
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    return [subprocess.Popen(INTERPRETER if number % ONE_IN == 0 else ("/bin/sleep", "infinity"), **quiet)
            for number in range(count)]


def measure(service: Auditd, seconds: float) -> Cost:
    pids = {"parent": service.process.pid, "spawner": service.spawner, "worker": service.worker()}
    begun = time.monotonic()
    before = {role: look_at(pid) for role, pid in pids.items()}
    pages: list[dict[str, float]] = []
    quiet: list[float] = []
    while time.monotonic() - begun < seconds:
        pages.append(metrics_of(get(service.port, "/metrics")[2]))
        if len(pages) > 1:
            last, now = pages[-2:]
            swept = now["smaps_audit_sweeps_total"] - last["smaps_audit_sweeps_total"]
            if swept == 1 and now["smaps_audit_audits_total"] == last["smaps_audit_audits_total"]:
                quiet.append(now["smaps_audit_worker_cpu_seconds_total"] - last["smaps_audit_worker_cpu_seconds_total"])
        time.sleep(max(0.0, begun + len(pages) * SCRAPE_SECONDS - time.monotonic()))
    elapsed = time.monotonic() - begun
    after = {role: look_at(pid) for role, pid in pids.items()}
    first, last = pages[0], pages[-1]
    sweeps = [page["smaps_audit_last_sweep_duration_seconds"] for page in pages]
    return Cost(
        processes=sum(name.isdigit() for name in os.listdir("/proc")), seconds=elapsed,
        rss_bytes={role: cost.rss_bytes for role, cost in after.items()},
        pss_bytes={role: pss_bytes(pid) for role, pid in pids.items()},
        cpu_share={role: (after[role].cpu_seconds - before[role].cpu_seconds) / elapsed for role in ROLES},
        sweeps=int(last["smaps_audit_sweeps_total"] - first["smaps_audit_sweeps_total"]),
        overruns=int(last["smaps_audit_sweep_overruns_total"]),
        audits=int(last["smaps_audit_audits_total"]),
        sweep_seconds=statistics.median(sweeps), longest_sweep_seconds=max(sweeps),
        quiet_sweep_cpu_seconds=statistics.median(quiet) if quiet else None,
        findings=int(sum(value for name, value in last.items() if name.startswith("smaps_audit_findings{"))),
        conclusive=int(last['smaps_audit_processes{verdict="consistent"}']))


def inside(options: argparse.Namespace) -> int:
    """As the first process of a namespace, whose end takes all others with it."""
    with scratch() as name:
        directory = pathlib.Path(name)
        service = start_service(options, directory)
        others = populate(options.processes[0] - 4)  # this one, and the service's three
        try:
            service.start(ready=False)
            wait_for("the first sweep", lambda: service.get("/-/ready")[0] == 200, 180)
            print(json.dumps(dataclasses.asdict(measure(service, options.seconds))))
            service.__exit__()
        finally:
            for other in others:
                other.kill()
                other.wait()
    return 0


def in_a_namespace(options: argparse.Namespace, processes: int) -> Cost | None:
    command = [*NAMESPACE, sys.executable, __file__, "--inside", "--smaps-auditd", options.smaps_auditd,
               "--smaps-audit", options.smaps_audit, "--processes", str(processes), "--seconds",
               str(options.seconds)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    return Cost(**json.loads(done.stdout)) if done.returncode == 0 else None


def mib(count: int) -> str:
    return f"{count / (1 << 20):.1f}"


def verdict(costs: list[Cost]) -> str:
    said = []
    for cost in costs:
        rss, cpu = sum(cost.rss_bytes.values()), sum(cost.cpu_share.values())
        if cost.processes != GOAL_PROCESSES:
            continue
        said.append(f"The goal at {GOAL_PROCESSES} processes is {mib(GOAL_RSS_BYTES)} MiB for the three together and "
                    f"{GOAL_CPU_SHARE:.1%} of a core. Rss is "
                    f"{'within it' if rss <= GOAL_RSS_BYTES else 'above it'} ({mib(rss)} MiB; what they share with each other and "
                    f"with all others counts in each, their Pss is {mib(sum(cost.pss_bytes.values()))} MiB), CPU "
                    f"{'within it' if cpu <= GOAL_CPU_SHARE else 'above it'} ({cpu:.2%}).")
    return "\n".join(said)


def page(costs: list[Cost]) -> str:
    model = re.search(r"(?m)^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text())
    lines = [
        HEADING, "",
        "Written by `tests/service/load.py`, whose head says what is measured and how. Rss and Pss in MiB, as parent + spawner +",
        "worker; CPU in percent of one core, user and system; a sweep's time is what the service tells of it.", "",
        f"- machine: {model[1] if model else 'unknown'}, {os.cpu_count()} CPUs, {platform.machine()}",
        f"- kernel: {platform.release()}",
        f"- date: {time.strftime('%Y-%m-%d', time.gmtime())}",
        f"- load of the machine at the end: {os.getloadavg()[1]:.1f} (5 minutes)", "",
        "| | " + " | ".join(f"{cost.processes} processes" for cost in costs) + " |",
        "|---|" + "---|" * len(costs),
    ]

    def three(of: dict[str, float], text) -> str:
        return f"{text(sum(of.values()))} = " + " + ".join(text(of[role]) for role in ROLES)
    rows = {
        "Rss": lambda c: three(c.rss_bytes, mib),
        "Pss": lambda c: three(c.pss_bytes, mib),
        "CPU": lambda c: three(c.cpu_share, lambda share: f"{share * 100:.2f}"),
        "measured for": lambda c: f"{c.seconds:.0f} s: {c.sweeps} sweeps, {c.audits} audits since the start",
        "a sweep, median (longest)": lambda c: f"{c.sweep_seconds:.2f} s ({c.longest_sweep_seconds:.2f} s)",
        "CPU of a sweep without audits": lambda c: "–" if c.quiet_sweep_cpu_seconds is None
                                                   else f"{c.quiet_sweep_cpu_seconds * 1e3:.0f} ms",
        "sweeps that were late": lambda c: str(c.overruns),
        "consistent at the end": lambda c: str(c.conclusive),
        "findings": lambda c: str(c.findings),
    }
    lines += [f"| {name} | " + " | ".join(cell(cost) for cost in costs) + " |" for name, cell in rows.items()]
    return "\n".join([*lines, "", verdict(costs)]).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--smaps-auditd", "--smaps-audit"):
        parser.add_argument(name, required=True, type=lambda word: pathlib.Path(word).resolve())
    parser.add_argument("--processes", type=int, nargs="+", default=[300, 2000])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--into", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options)
    if os.geteuid() != 0:
        print("SKIP: the service's capabilities take root")
        return 77
    if subprocess.run([*NAMESPACE, "true"], check=False).returncode != 0:
        print("SKIP: no PID namespace can be made here")
        return 77
    costs = [in_a_namespace(options, processes) for processes in options.processes]
    if None in costs:
        return 1
    text = page(costs)
    print(text, end="")
    if options.into:
        before = options.into.read_text().partition(HEADING)[0].rstrip()
        options.into.write_text(f"{before}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
