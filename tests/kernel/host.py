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
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence

BALANCING = pathlib.Path("/proc/sys/kernel/numa_balancing")
GUEST_SH = pathlib.Path(__file__).resolve().parent / "guest.sh"
LOCK = pathlib.Path(tempfile.gettempdir()) / "smaps-audit-settings.lock"
# Waits for its stdin to close, which the death of this process does as well, and puts the values back.
# It holds the lock until then.
GUARDIAN = 'trap "" INT TERM HUP; cat > /dev/null; while [ $# -gt 0 ]; do echo "$2" > "$1"; shift 2; done'
EXIT_CANNOT_RUN = 77  # of a target: this kernel or machine lacks something


class CannotRun(Exception):
    """The kernel could not be brought into the state, or the sysctl is not ours: a reason to skip."""


def _value_of(path: pathlib.Path) -> str:
    """What the file says, or which of its words stands in brackets."""
    text = path.read_text().strip()
    return text.partition("[")[2].partition("]")[0] or text


@contextlib.contextmanager
def settings(wanted: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Files of /sys and /proc hold these values meanwhile; the old ones return whatever ends this process.

    Users of this function wait for one another. Raises CannotRun where one is not there or cannot be written.
    """
    if not wanted:
        yield
        return
    for path, _ in wanted:
        if not os.access(path, os.W_OK):
            raise CannotRun(f"{path} is not there or may not be written")
    with open(LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = [(path, value) for path, value in wanted if _value_of(pathlib.Path(path)) != value]
        old = [(path, _value_of(pathlib.Path(path))) for path, _ in reversed(wanted)]
        guardian = subprocess.Popen(["sh", "-c", GUARDIAN, "guardian", *itertools.chain(*old)],
                                    stdin=subprocess.PIPE, pass_fds=[lock.fileno()], start_new_session=True)
        try:
            try:
                for path, value in wanted:
                    pathlib.Path(path).write_text(value)
            except OSError as error:
                raise CannotRun(f"{error.filename}: {error.strerror}") from error
            yield
        finally:
            guardian.communicate()
            for path, value in old:
                if _value_of(pathlib.Path(path)) != value:
                    print(f"host: {path} was {value} and is not any more", file=sys.stderr)


def numa_balancing(value: int) -> contextlib.AbstractContextManager[None]:
    """The same for kernel.numa_balancing."""
    return settings([(str(BALANCING), str(value))])


def run_script(script: str, programs: Sequence[pathlib.Path], results: pathlib.Path, seconds: float) -> None:
    """As vm.run does in a guest: the programs on the PATH, guest.sh sourced, $RESULTS; no process of it goes on."""
    path = ":".join(dict.fromkeys(str(program.resolve().parent) for program in programs))
    environment = os.environ | {"PATH": f"{path}:{os.environ['PATH']}", "RESULTS": str(results)}
    with subprocess.Popen(["bash", "-c", f". {GUEST_SH}\n{script}"], stdin=subprocess.DEVNULL, env=environment, cwd="/",
                          start_new_session=True) as shell:
        try:
            shell.wait(timeout=seconds)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)


class Crashed(Exception):
    """A target that did not start, and did not say what it lacks: a failure, never a reason to skip."""


class _Target:
    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, env={**os.environ, **(environment or {})})
        self.pid = self._process.pid
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.declared = json.loads(line) if line.strip() else {}
        if not self.declared.get("ready"):
            status = _Target.stop(self)
            why = self.declared.get("why", f"{' '.join(command)}: exit status {status}")
            raise CannotRun(why) if status == EXIT_CANNOT_RUN else Crashed(f"exit status {status}: {why}")

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

    def __init__(self, program: str | os.PathLike[str], name: str,
                 environment: Mapping[str, str] | None = None) -> None:
        super().__init__([str(program), name], environment)
        self.pids: list[int] = self.declared["pids"]

    def stop(self) -> int:
        self._process.kill()
        return super().stop()
