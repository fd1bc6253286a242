# SPDX-License-Identifier: Apache-2.0
"""The scenarios of audit_test.py on this machine, and a crowd of processes to audit at once."""

from __future__ import annotations

import argparse
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

import audit_expectations as expect
import audit_scenarios as scenarios
import host

CannotRun = host.CannotRun
CROWD = 2000
CROWD_SECONDS = 120
# No hints are asked of a machine with one node, where the kernel makes none.
NODES = pathlib.Path("/sys/devices/system/node")


def run(options: argparse.Namespace) -> expect.Results:
    """As root only: capabilities are given away, kernel.numa_balancing is set."""
    if os.geteuid() != 0:
        raise CannotRun("the host's part needs root: it sets kernel.numa_balancing and drops capabilities")
    chosen = scenarios.COMMON_CAPTURES + scenarios.HINTED_CAPTURES + scenarios.SCAN_CAPTURES
    with tempfile.TemporaryDirectory(prefix="smaps-audit-host-") as name:
        directory = pathlib.Path(name)
        programs, results = directory / "bin", directory / "results"
        for made in (programs, results):
            made.mkdir()
        copied = [pathlib.Path(shutil.copy2(program, programs)) for program in (options.smaps_audit, options.workload)]
        for path in (directory, programs):
            path.chmod(0o755)
        results.chmod(0o1777)
        seconds = 3000 if options.nightly else 600
        with host.numa_balancing(1):
            host.run_script(scenarios.with_balancing(chosen, 60 if options.nightly else 20), copied, results, seconds)
        with host.numa_balancing(0):
            script = scenarios.without_balancing(chosen, 100 if options.nightly else 3, options.deadline)
            host.run_script(script, copied, results, seconds)
        return expect.Results({path.name: path.read_bytes() for path in results.iterdir()})


def _audit_on_terminal(smaps_audit: pathlib.Path) -> tuple[int, str, str, float]:
    """check --all as a person sees it: stderr is a terminal. Exit code, stdout, progress, seconds."""
    terminal, child_side = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out:
        with subprocess.Popen([smaps_audit, "check", "--all"], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=child_side, env=environment) as auditor:
            os.close(child_side)
            progress = b""
            while auditor.poll() is None or select.select([terminal], [], [], 0)[0]:
                if not select.select([terminal], [], [], 0.1)[0]:
                    continue
                try:
                    said = os.read(terminal, 1 << 16)
                except OSError:  # the other side was closed
                    break
                if not said:
                    break
                progress += said
            code = auditor.wait(timeout=CROWD_SECONDS)
        os.close(terminal)
        out.seek(0)
        return code, out.read().decode(), progress.decode(), time.monotonic() - begun


def wrong_crowd(smaps_audit: pathlib.Path) -> tuple[list[str], str]:
    spawn = f'i=0; while [ $i -lt {CROWD} ]; do sleep {2 * CROWD_SECONDS} & i=$((i+1)); done; echo all; wait'
    with subprocess.Popen(["sh", "-c", spawn], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          start_new_session=True) as crowd:
        try:
            assert crowd.stdout is not None
            crowd.stdout.readline()
            code, table, progress, seconds = _audit_on_terminal(smaps_audit)
        finally:
            os.killpg(crowd.pid, signal.SIGKILL)
    shown = re.findall(r"(\d+) of (\d+) processes", progress)
    lines = table.splitlines()
    wrong = []
    if code not in (0, 1):
        wrong.append(f"exit {code}")
    if len(shown) < 3 or int(shown[-1][1]) < CROWD or [int(n) for n, _ in shown] != sorted(int(n) for n, _ in shown):
        wrong.append(f"progress: {shown[:5]}")
    if not progress.rstrip().endswith("\x1b[K"):
        wrong.append(f"the progress line stays behind: {progress[-80:]!r}")
    if not 0 < len(lines) <= 60 or max(map(len, lines)) > 80:
        wrong.append(f"a table of {len(lines)} lines, the longest of {max(map(len, lines), default=0)}")
    audited = re.search(r"(\d+) audited", table)
    if not audited or int(audited[1]) < CROWD:
        wrong.append(f"no summary of {CROWD} processes: {lines[-3:]}")
    if seconds > CROWD_SECONDS:
        wrong.append(f"it took {seconds:.0f} s")
    return wrong, f"{seconds:.1f} s, {len(shown)} progress lines, table of {len(lines)} lines"
