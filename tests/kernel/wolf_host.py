# SPDX-License-Identifier: Apache-2.0
"""never_wolf.py's loop on this machine.

Python 3.11, standard library only.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import signal
import subprocess
import tempfile
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


class HostRun:
    """Checks on this machine; of each adversary `copies` run at once."""

    def __init__(self, directory: pathlib.Path, seconds: float, copies: int) -> None:
        self._audit = program(directory, "smaps-audit")
        self._adversary = program(directory, "adversary")
        self._seconds = seconds
        self._copies = copies
        probe = subprocess.run([program(directory, "workload"), "protnone-self"], capture_output=True, check=False)
        self.affected = probe.returncode == 1

    def check(self, adversary: Adversary, variant: Sequence[str], pids: Sequence[int], file: str) -> wolf_tally.Check:
        words = words_of(variant, " ".join(map(str, pids)), str(pids[-1]), file)
        pinned = ["taskset", "-c", "0"] if adversary.on_cpu_0 else []
        sizes = {pid: size_of(pid) for pid in pids}
        begin = time.monotonic()
        try:
            done = subprocess.run([*pinned, self._audit, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  stdin=subprocess.DEVNULL, check=False, timeout=NO_END_SECONDS)
        except subprocess.TimeoutExpired:
            return wolf_tally.Check(label_of(variant), -signal.SIGKILL, NO_END_SECONDS, b"", sizes)
        seconds = time.monotonic() - begin
        stopped = "--freeze" in variant and any(stays_stopped(pid) for pid in pids)
        return wolf_tally.Check(label_of(variant), done.returncode, seconds, done.stdout, sizes, stopped)

    def tree(self, pid: int) -> list[int]:
        done = subprocess.run([self._adversary, "tree", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
        return [int(word) for word in done.stdout.split()]

    def pids(self, adversary: Adversary, targets: Sequence[host.Adversary]) -> list[int]:
        if not adversary.workers:
            return [pid for target in targets for pid in target.pids]
        workers = [pid for target in targets for pid in self.tree(target.pid)]
        return workers[:MOST_WORKERS] or [target.pid for target in targets]

    def attack(self, adversary: Adversary, turn: int) -> wolf_tally.Tally:
        tally = wolf_tally.Tally(adversary.name, self.affected, adversary)
        if adversary.here is None:
            tally.skipped = "other processes of this machine would feel what it sets: guests only"
            return tally
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
                self._loop(tally, targets, turn, f"{name}/capture")
        except (host.CannotRun, fetch_packages.FetchError) as error:
            tally.skipped = str(error)
        except host.Crashed as error:
            tally.problem(str(error))
        return tally

    def _loop(self, tally: wolf_tally.Tally, targets: Sequence[host.Adversary], turn: int, file: str) -> None:
        adversary = tally.adversary
        begin = time.monotonic()
        while time.monotonic() - begin < self._seconds:
            pids = self.pids(adversary, targets)
            check = self.check(adversary, VARIANTS[turn % len(VARIANTS)], pids, file)
            again = self._again(adversary, check, file) if self.affected else []
            tally.add(check, again)
            turn += 1
        tally.seconds = time.monotonic() - begin
        begin = time.monotonic()
        while time.monotonic() - begin < self._seconds * CONTROL_SHARE:
            tally.add_control(self.check(adversary, CONTROL, self.pids(adversary, targets), file))
        if any(state_of(target.pid) == "gone" for target in targets):
            tally.problem("ended by itself")

    def _again(self, adversary: Adversary, check: wolf_tally.Check, file: str) -> list[wolf_tally.Check]:
        """Each process that a finding is about once more, frozen, until it shows there as well."""
        done: list[wolf_tally.Check] = []
        for pid in [row["pid"] for row in check.rows() or [] if row["findings"]]:
            for _ in range(CONFIRM_TRIES):
                done.append(self.check(adversary, CONFIRM, [pid], file))
                if done[-1].exit_status == wolf_tally.EXIT_FINDING:
                    break
        return done

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


def run(directory: pathlib.Path, adversaries: Sequence[Adversary], seconds: float,
        copies: int) -> tuple[str, list[wolf_tally.Tally]]:
    loop = HostRun(directory, seconds, copies)
    begin = time.monotonic()
    tallies = [loop.attack(adversary, i * VARIANT_STRIDE) for i, adversary in enumerate(adversaries)]
    if not any(tally.control_suspects for tally in tallies):
        for tally in tallies:
            if tally.name == wolf_tally.CONTROL_ADVERSARY:
                loop.insist(tally)
    affected = ", affected by K01" if loop.affected else ""
    return (f"this machine: kernel {platform.release()}, {os.cpu_count()} CPUs{affected}, "
            f"{time.monotonic() - begin:.0f} s in all", tallies)
