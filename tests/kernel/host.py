# SPDX-License-Identifier: Apache-2.0
"""Workloads and adversaries on this machine, and kernel.numa_balancing for the time of a test.

    with host.numa_balancing(1), host.Workload("build/release/…/workload", "hinted-thp") as target:
        target.pid, target.truth["expected_deficit_bytes"]
    with host.Adversary("build/release/…/adversary", "pulse") as target:
        target.pids

Python 3.11, standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator

BALANCING = pathlib.Path("/proc/sys/kernel/numa_balancing")
LOCK = pathlib.Path(tempfile.gettempdir()) / "smaps-audit-numa-balancing.lock"
# Waits for its stdin to close, which the death of this process does as well, and puts the value back.
# It holds the lock until then.
GUARDIAN = 'trap "" INT TERM HUP; cat > /dev/null; echo "$1" > "$2"'


class CannotRun(Exception):
    """The kernel could not be brought into the state, or the sysctl is not ours: a reason to skip."""


@contextlib.contextmanager
def numa_balancing(value: int) -> Iterator[None]:
    """Sets kernel.numa_balancing; the old value returns whatever ends this process, SIGKILL included.

    Users of this function wait for one another. Raises CannotRun where the value cannot be written.
    """
    if not os.access(BALANCING, os.W_OK):
        raise CannotRun(f"{BALANCING} may not be written here")
    with open(LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        old = BALANCING.read_text().strip()
        if old == str(value):
            yield
            return
        guardian = subprocess.Popen(["sh", "-c", GUARDIAN, "guardian", old, str(BALANCING)],
                                    stdin=subprocess.PIPE, pass_fds=[lock.fileno()],
                                    start_new_session=True)
        try:
            BALANCING.write_text(str(value))
            yield
        finally:
            guardian.communicate()
            if BALANCING.read_text().strip() != old:
                print(f"host: {BALANCING} was {old} and is not any more", file=sys.stderr)


class _Target:
    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True)
        self.pid = self._process.pid
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.declared = json.loads(line) if line.strip() else {}
        if not self.declared.get("ready"):
            status = self.stop()
            raise CannotRun(self.declared.get("why", f"{' '.join(command)}: exit status {status}"))

    def stop(self) -> int:
        if self._process.returncode is None:
            self._process.communicate()
        return self._process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        try:
            self.stop()
        finally:
            self._process.kill()


class Workload(_Target):
    """`workload MODE`, ready and still; leaving the block tells it to stop."""

    def __init__(self, program: str | os.PathLike[str], mode: str, *options: str) -> None:
        super().__init__([str(program), mode, *options])
        self.truth = self.declared


class Adversary(_Target):
    """`adversary NAME`, going; leaving the block kills it (its children die with it)."""

    def __init__(self, program: str | os.PathLike[str], name: str) -> None:
        super().__init__([str(program), name])
        self.pids: list[int] = self.declared["pids"]

    def stop(self) -> int:
        self._process.kill()
        return super().stop()
