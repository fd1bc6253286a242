#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Never wolf, with real servers at work: `smaps-audit check` in a loop against all processes of each.

    wolf_servers.py --bin DIR [--seconds S] [--server NAME]… [--evidence DIR] [--docs FILE]

A JVM and node that allocate flat out, PostgreSQL under pgbench, Redis that forks for snapshots under redis-benchmark:
Debian's packages, unpacked and never installed (fetch_servers.py), each in a chroot with namespaces of its own, as
nobody, on unix sockets, its data in a temporary directory. Command lines and demands are those of never_wolf.py; a
check counts only if the load ran when it began and when it ended. A false finding leaves its report and a capture in
--evidence. --docs writes the section of docs/never-wolf.md. Root only. Exit: 0, 1, 77 (cannot run here).
Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import pathlib
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fetch_servers  # noqa: E402
import never_wolf  # noqa: E402
import wolf_checks  # noqa: E402
import wolf_host  # noqa: E402
import wolf_tally  # noqa: E402
from wolf_adversaries import Adversary  # noqa: E402

JOBS = pathlib.Path(__file__).resolve().parent / "servers"
START_SECONDS = 120
END_SECONDS = 30
# The shell stays as the first process of its PID namespace: its death, which is that of unshare, ends them all.
ENTER = """
{ mount --make-rprivate / && mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" &&
  mount --bind "$2" "$1/data" && mount --bind "$3" "$1/job" && cd / &&
  exec chroot --userspec=65534:65534 "$1" /bin/sh "/job/$4.sh"; } &
wait $!
"""


class CannotRun(Exception):
    """A reason to skip."""


@dataclasses.dataclass(frozen=True)
class Server:
    """`comm` is that of the processes to audit, `load` of those that drive them ("" where they need no driver)."""
    name: str
    comm: str
    load: str
    unit: str  # what the script counts in /data/done


SERVERS = (
    Server("java", "java", "", "garbage collections"),
    Server("node", "node", "", "rounds of allocations"),
    Server("postgresql", "postgres", "pgbench", "transactions"),
    Server("redis", "redis-server|redis-rdb-bgsav", "redis-benchmark", "snapshots"),
)


def processes() -> dict[int, tuple[int, str]]:
    """By pid: parent and comm."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            head, _, tail = (entry / "stat").read_text(errors="replace").rpartition(")")
        except OSError:
            continue
        found[int(entry.name)] = int(tail.split()[1]), head.partition("(")[2]
    return found


class Running:
    """A server and its load, from `with` to its end."""

    def __init__(self, server: Server, root: pathlib.Path) -> None:
        self._server = server
        self._data = pathlib.Path(tempfile.mkdtemp(prefix="wolf-servers-"))
        self._data.chmod(0o1777)
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
             "sh", "-c", ENTER, "enter", root, self._data, JOBS, server.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def __enter__(self) -> Running:
        until = time.monotonic() + START_SECONDS
        while self.done() == 0 or not self.loaded():
            if self._process.poll() is not None or time.monotonic() > until:
                why = self._last_words()
                self._end()
                raise CannotRun(f"{self._server.name} did not start: {why}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_) -> None:
        self._end()

    def _last_words(self) -> str:
        self._process.kill()
        said = self._process.communicate()[1].decode(errors="replace").split("\n")
        log = self._data / "log"
        said += log.read_text(errors="replace").split("\n") if log.exists() else []
        return " / ".join([line for line in said if line][-5:])

    def _end(self) -> None:
        family = self._family()
        self._process.kill()
        self._process.wait()
        until = time.monotonic() + END_SECONDS
        while any(pid in processes() for pid in family) and time.monotonic() < until:
            time.sleep(0.05)
        shutil.rmtree(self._data, ignore_errors=True)

    def _family(self) -> dict[int, str]:
        """comm of every process below ours, by pid."""
        everyone = processes()
        family: dict[int, str] = {}
        generation = {self._process.pid}
        while generation:
            generation = {pid for pid, (parent, _) in everyone.items() if parent in generation}
            family |= {pid: everyone[pid][1] for pid in generation}
        return family

    def pids(self) -> list[int]:
        """The server's processes, the largest last."""
        found = [pid for pid, comm in self._family().items() if re.fullmatch(self._server.comm, comm)]
        return sorted(found, key=wolf_host.size_of)

    def loaded(self) -> bool:
        names = self._family().values()
        return any(re.fullmatch(self._server.load or self._server.comm, comm) for comm in names)

    def done(self) -> int:
        """What the load has done so far."""
        try:
            return sum(map(int, (self._data / "done").read_text().split()))
        except (OSError, ValueError):
            return 0


class Loop:
    def __init__(self, directory: pathlib.Path, seconds: float, evidence: pathlib.Path | None) -> None:
        self._audit = wolf_checks.program(directory, "smaps-audit")
        self._checker = wolf_host.Checker(directory)
        self._seconds = seconds
        self._evidence = evidence
        self.left_out = 0

    @property
    def affected(self) -> bool:
        return self._checker.affected

    def check(self, server: Server, variant: Sequence[str], pids: Sequence[int], file: str) -> wolf_tally.Check:
        check = self._checker.check(variant, pids, file, comm=server.comm.partition("|")[0])
        if check.exit_status == wolf_tally.EXIT_FINDING:
            self._keep(server, pids)
        return check

    def _keep(self, server: Server, pids: Sequence[int]) -> None:
        if self._evidence is None:
            return
        self._evidence.mkdir(parents=True, exist_ok=True)
        for pid in pids:
            file = self._evidence / f"{server.name}-{pid}-{time.time():.0f}.capture"
            subprocess.run([self._audit, "capture", str(pid), "-o", file], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)

    def attack(self, server: Server, root: pathlib.Path, turn: int) -> tuple[wolf_tally.Tally, str]:
        # Backends and snapshot children come and go: only what outlived its check counts.
        tally = wolf_tally.Tally(server.name, self.affected, Adversary(server.name, short_lived=True, ends=True))
        with tempfile.TemporaryDirectory(prefix="wolf-servers-") as directory, Running(server, root) as running:
            file = f"{directory}/capture"
            done = running.done()
            begin = time.monotonic()
            while time.monotonic() - begin < self._seconds:
                pids, loaded = running.pids(), running.loaded()
                if not loaded or not pids:
                    time.sleep(0.05)
                    continue
                check = self.check(server, wolf_checks.VARIANTS[turn % len(wolf_checks.VARIANTS)], pids, file)
                turn += 1
                if not check.report and wolf_host.size_of(pids[-1]) == 0:
                    self.left_out += 1  # the target of `capture` has ended
                    continue
                # A finding is false whether the load ran or not.
                if running.loaded() or check.exit_status == wolf_tally.EXIT_FINDING:
                    tally.add(check, self._checker.again(check, file))
                else:
                    self.left_out += 1
            tally.seconds = time.monotonic() - begin
            done = running.done() - done
            begin = time.monotonic()
            while time.monotonic() - begin < self._seconds * wolf_checks.CONTROL_SHARE:
                pids = running.pids()
                if pids:
                    tally.add_control(self.check(server, wolf_checks.CONTROL, pids, file))
            if done <= 0:
                tally.problem("its load did nothing")
        return tally, f"{server.name} {wolf_tally.number(done)} {server.unit}"


def section(tallies: Sequence[wolf_tally.Tally], work: Sequence[str], left_out: int, affected: bool) -> list[str]:
    title, *rest = wolf_tally.section("real servers at work", tallies)
    return [title, "",
            "Debian's packages (" + ", ".join(fetch_servers.SERVERS) + ") in a chroot, each alone under a load that "
            "never rests,", "against `smaps-audit` in a loop over all of its processes: `tests/kernel/wolf_servers.py`, "
            "a part of `make nightly`.", "A check counts only if the load ran when it began and when it ended, a "
            "process only if it outlived its check.", "",
            f"Run of {datetime.datetime.now(datetime.timezone.utc).date().isoformat()}, kernel {platform.release()}"
            f"{', affected by K01' if affected else ''}, {os.cpu_count()} CPUs: "
            f"`tests/kernel/wolf_servers.py {shlex.join(sys.argv[1:])}`", *rest,
            f"Done meanwhile: {', '.join(work)}. Checks left out: {left_out}."]


def write_docs(path: pathlib.Path, lines: Sequence[str]) -> None:
    """Replaces what stands behind the mark."""
    before = path.read_text().partition(never_wolf.SERVERS_MARK)[0].rstrip("\n") if path.exists() else ""
    path.write_text(f"{before}\n\n{never_wolf.SERVERS_MARK}\n\n" + "\n".join(lines) + "\n")


def main(arguments: Sequence[str]) -> int:
    names = [server.name for server in SERVERS]
    parser = argparse.ArgumentParser(description="smaps-audit against real servers at work: no false finding.")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="the build directory")
    parser.add_argument("--seconds", type=float, default=60, help="for each server (60)")
    parser.add_argument("--server", action="append", choices=names)
    parser.add_argument("--evidence", type=pathlib.Path, help="directory for false findings")
    parser.add_argument("--docs", type=pathlib.Path, help="write the section of that page")
    options = parser.parse_args(arguments)
    if os.geteuid() != 0:
        print("SKIP chroot and namespaces want root")
        return 77
    loop = Loop(options.bin, options.seconds, options.evidence)
    tallies: list[wolf_tally.Tally] = []
    work: list[str] = []
    try:
        root = fetch_servers.fetch()
        for i, server in enumerate(SERVERS):
            if not options.server or server.name in options.server:
                tally, done = loop.attack(server, root, i * wolf_checks.VARIANT_STRIDE)
                tallies.append(tally)
                work.append(done)
    except fetch_servers.AptError as error:
        print(f"SKIP {error}")
        return 77
    except CannotRun as error:
        print(f"FAIL {error}")
        return 1
    lines = section(tallies, work, loop.left_out, loop.affected)
    print("\n".join(lines), flush=True)
    failures = [text for tally in tallies for text in tally.failures()]
    never_wolf.keep_evidence(options.evidence, tallies)
    if options.docs:
        write_docs(options.docs, lines)
    print("\n".join(f"FAIL {text}" for text in failures) or "ok: no false finding")
    return 1 if failures else 0


if __name__ == "__main__":
    # So that whoever ends this program ends its servers as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
