# SPDX-License-Identifier: Apache-2.0
"""never_wolf.py's loop on this machine.

Python 3.11, standard library only.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pathlib
import platform
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence

import fetch_packages
import host
import wolf_tally
from wolf_adversaries import Adversary
from wolf_checks import (CONFIRM, CONFIRM_TRIES, CONTROL, CONTROL_SHARE, INSIST_SECONDS, MOST_WORKERS,
                         VARIANT_STRIDE, VARIANTS, label_of, program, words_of)

NO_END_SECONDS = 600  # of one check, all processes of the machine included


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


def stress_ng_in(directory: pathlib.Path) -> dict[str, str]:
    """The environment in which `adversary` finds it; raises FetchError."""
    stress_ng, libraries = fetch_packages.stress_ng()
    wrapper = directory / "stress-ng"
    paths = ":".join(dict.fromkeys(str(path.parent) for path in libraries))
    wrapper.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={paths} exec {stress_ng} "$@"\n')
    wrapper.chmod(0o755)
    return {"STRESS_NG": str(wrapper)}


class Checker:
    """smaps-audit with the command lines of wolf_checks, against processes of this machine."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._audit = program(directory, "smaps-audit")
        probe = subprocess.run([program(directory, "workload"), "protnone-self"], capture_output=True, check=False)
        self.affected = probe.returncode == 1

    def check(self, variant: Sequence[str], pids: Sequence[int], file: str, comm: str = "adversary",
              prefix: Sequence[str] = ()) -> wolf_tally.Check:
        words = [comm if word == "adversary" else word
                 for word in words_of(variant, " ".join(map(str, pids)), str(pids[-1]), file)]
        label = label_of(variant) if comm == "adversary" else label_of(variant).replace("adversary", "NAME")
        sizes = {pid: size_of(pid) for pid in pids}
        begin = time.monotonic()
        try:
            done = subprocess.run([*prefix, self._audit, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  stdin=subprocess.DEVNULL, check=False, timeout=NO_END_SECONDS)
        except subprocess.TimeoutExpired:
            return wolf_tally.Check(label, -signal.SIGKILL, NO_END_SECONDS, b"", sizes)
        seconds = time.monotonic() - begin
        stopped = "--freeze" in variant and any(stays_stopped(pid) for pid in pids)
        return wolf_tally.Check(label, done.returncode, seconds, done.stdout, sizes, stopped)

    def again(self, check: wolf_tally.Check, file: str) -> list[wolf_tally.Check]:
        """On an affected kernel each process that a finding is about once more, frozen, until it shows there too."""
        done: list[wolf_tally.Check] = []
        for pid in [row["pid"] for row in check.rows() or [] if row["findings"]] if self.affected else []:
            for _ in range(CONFIRM_TRIES):
                done.append(self.check(CONFIRM, [pid], file))
                if done[-1].exit_status == wolf_tally.EXIT_FINDING:
                    break
        return done


class HostRun:
    """Checks on this machine; of each adversary `copies` run at once, and `checkers` loops of checks share them."""

    def __init__(self, directory: pathlib.Path, seconds: float, copies: int, checkers: int) -> None:
        self._checker = Checker(directory)
        self._adversary = program(directory, "adversary")
        self._seconds = seconds
        self._copies = copies
        self._checkers = checkers
        self._lock = threading.Lock()

    @property
    def affected(self) -> bool:
        return self._checker.affected

    def check(self, adversary: Adversary, variant: Sequence[str], pids: Sequence[int], file: str) -> wolf_tally.Check:
        return self._checker.check(variant, pids, file, prefix=["taskset", "-c", "0"] if adversary.on_cpu_0 else [])

    def tree(self, pid: int) -> list[int]:
        done = subprocess.run([self._adversary, "tree", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
        return [int(word) for word in done.stdout.split()]

    def pids(self, adversary: Adversary, targets: Sequence[host.Adversary]) -> list[int]:
        if not adversary.workers:
            return [pid for target in targets for pid in target.pids]
        workers = [pid for target in targets for pid in self.tree(target.pid)]
        return workers[:MOST_WORKERS] or [target.pid for target in targets]

    def attack(self, tally: wolf_tally.Tally, turn: int) -> None:
        """Adds what a run of its length gives."""
        adversary = tally.adversary
        if adversary.here is None:
            tally.skipped = "other processes of this machine would feel what it sets: guests only"
            return
        try:
            with tempfile.TemporaryDirectory(prefix="never-wolf-") as name, contextlib.ExitStack() as stack:
                stack.enter_context(host.settings(adversary.here))
                environment = {"TMPDIR": name}
                if adversary.workers:
                    environment |= stress_ng_in(pathlib.Path(name))
                targets = [stack.enter_context(host.Adversary(self._adversary, adversary.name, environment))
                           for _ in range(1 if adversary.workers else self._copies)]
                if adversary.workers:
                    stack.callback(self._end_workers, self.tree(os.getpid()))
                self._run(tally, targets, turn, name)
        except (host.CannotRun, fetch_packages.FetchError) as error:
            tally.skipped = str(error)
        except host.Crashed as error:
            tally.problem(str(error))

    def _run(self, tally: wolf_tally.Tally, targets: Sequence[host.Adversary], turn: int, directory: str) -> None:
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self._checkers) as pool:
            loops = [pool.submit(self._loop, tally, targets, turn + i, i, f"{directory}/capture-{i}")
                     for i in range(self._checkers)]
            for loop in loops:
                loop.result()
        tally.seconds += time.monotonic() - begin
        begin = time.monotonic()
        while time.monotonic() - begin < self._seconds * CONTROL_SHARE:
            pids = self.pids(tally.adversary, targets)
            tally.add_control(self.check(tally.adversary, CONTROL, pids, os.devnull))
        if any(state_of(target.pid) == "gone" for target in targets):
            tally.problem("ended by itself")

    def _loop(self, tally: wolf_tally.Tally, targets: Sequence[host.Adversary], turn: int, checker: int,
              file: str) -> None:
        """One of several: it takes every n-th process, or all where there are too few."""
        begin = time.monotonic()
        while time.monotonic() - begin < self._seconds:
            variant = VARIANTS[turn % len(VARIANTS)]
            pids = self.pids(tally.adversary, targets)
            if "PIDS" in variant or "LAST" in variant:
                pids = pids[checker::self._checkers] or pids
            check = self.check(tally.adversary, variant, pids, file)
            again = self._checker.again(check, file)
            with self._lock:
                tally.add(check, again)
            turn += 1

    @staticmethod
    def _end_workers(pids: Sequence[int]) -> None:
        """What outlives its parent for a moment: only processes that we have seen in our own tree."""
        for pid in pids:
            with contextlib.suppress(OSError):
                if (pathlib.Path("/proc") / str(pid) / "comm").read_text().startswith("stress-ng"):
                    os.kill(pid, signal.SIGKILL)

    def insist(self, tally: wolf_tally.Tally) -> None:
        """The negative control of `tally`'s adversary, until it suspects something."""
        with host.Adversary(self._adversary, tally.name) as target:
            until = time.monotonic() + INSIST_SECONDS
            while tally.control_suspects == 0 and time.monotonic() < until:
                tally.add_control(self.check(tally.adversary, CONTROL, target.pids, os.devnull))


def run(directory: pathlib.Path, adversaries: Sequence[Adversary], seconds: float, copies: int, checkers: int = 1,
        audits: int = 0) -> tuple[str, list[wolf_tally.Tally]]:
    """All of them, `seconds` each, and again until so many processes were audited."""
    loop = HostRun(directory, seconds, copies, checkers)
    tallies = [wolf_tally.Tally(adversary.name, loop.affected, adversary) for adversary in adversaries]
    for i, tally in enumerate(tallies):
        loop.attack(tally, i * VARIANT_STRIDE)
    able = [tally for tally in tallies if not tally.skipped]
    done = 0
    while done < (now := wolf_tally.total(able).processes) < audits:
        done = now
        for i, tally in enumerate(able):
            if wolf_tally.total(able).processes < audits:
                loop.attack(tally, done + i)
    if not any(tally.control_suspects for tally in tallies):
        for tally in tallies:
            if tally.name == wolf_tally.CONTROL_ADVERSARY:
                loop.insist(tally)
    affected = ", affected by K01" if loop.affected else ""
    return f"this machine: kernel {platform.release()}, {os.cpu_count()} CPUs{affected}", tallies
