# SPDX-License-Identifier: Apache-2.0
"""The scenarios of odd_test.py that need this machine: namespaces, mounts, cgroups, terminals, processes that
exec, exit and come again while they are read."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator

import host  # tests/kernel

CannotRun = host.CannotRun
Outcome = tuple[list[str], str]
# How long the auditor is let loose on a target that comes and goes.
LOOP_SECONDS = float(os.environ.get("ODD_LOOP_SECONDS", "4"))
AUDIT_TIMEOUT = 90
NOBODY = 65534
CGROUP_V2 = pathlib.Path("/sys/fs/cgroup/unified" if pathlib.Path("/sys/fs/cgroup/unified").is_dir()
                         else "/sys/fs/cgroup")
CGROUP_V1 = pathlib.Path("/sys/fs/cgroup/freezer")


def run_script(script: str, programs: list[pathlib.Path]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="smaps-audit-odd-") as name:
        results = pathlib.Path(name)
        host.run_script(script, programs, results, 300)
        return {path.name: path.read_bytes() for path in results.iterdir()}


class Odd(contextlib.AbstractContextManager):
    """A target of odd-target, ready; told to end when the block is left."""

    def __init__(self, command: list, **popen) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
        line = self.process.stdout.readline()
        if not line.strip():
            status = self.process.wait()
            said = f"{command[1:]}: exit status {status}"
            # unshare says 1 where the namespace is refused.
            lacks = status == host.EXIT_CANNOT_RUN or (command[0], status) == ("unshare", 1)
            raise CannotRun(said) if lacks else host.Crashed(said)
        said = json.loads(line)
        self.pid, self.touched = said["pid"], said["touched_bytes"]

    def __exit__(self, *_) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def check(options: argparse.Namespace, *words, prefix: tuple = (), **popen) -> tuple[int, dict, bytes]:
    """Exit code, report, stderr. A hang is a TimeoutExpired, which fails the test."""
    done = subprocess.run([*prefix, options.smaps_audit, "check", "--format", "json", *map(str, words)],
                          capture_output=True, check=False, timeout=AUDIT_TIMEOUT, stdin=subprocess.DEVNULL, **popen)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


def one(report: dict) -> dict:
    return report["processes"][0]


def said(process: dict) -> str:
    return f"{process['verdict']}{'/' + process['reason'] if process.get('reason') else ''}"


def wrong(process: dict, *allowed: str) -> list[str]:
    """`allowed`: "consistent", "denied/hidepid" …"""
    bad = [] if said(process) in allowed else [f"{said(process)}: {process.get('explanation')}"]
    if process.get("findings") or process.get("notes"):
        bad.append(f"{process['findings']} {process['notes']}")
    return bad


def state_of(pid: int) -> str:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return " ".join(line for line in text.splitlines() if line.startswith(("State", "TracerPid", "VmRSS", "Threads")))


def simple(options: argparse.Namespace, pid: int, *words: str, **more) -> Outcome:
    """A consistent target that is afterwards what it was before."""
    until = time.monotonic() + 5
    while "(running)" in (before := state_of(pid)) and time.monotonic() < until:
        time.sleep(0.01)  # it says that it is ready, and then waits
    _, report, _ = check(options, pid, *words, **more)
    bad = wrong(one(report), "consistent")
    # One that was stopped before it was frozen runs into its stop again when it is let go.
    until = time.monotonic() + 5
    while "(running)" in state_of(pid) and time.monotonic() < until:
        time.sleep(0.01)
    if state_of(pid) != before:
        bad.append(f"{before} became {state_of(pid)}")
    return bad, said(one(report))


def kernel_thread(options: argparse.Namespace) -> Outcome:
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text() == "kthreadd\n":
                code, report, _ = check(options, comm.parent.name)
                bad = wrong(one(report), "skipped/kernel_thread")
                return bad + ([f"exit {code}"] if code != 2 else []), said(one(report))
    raise CannotRun("no kernel threads are to be seen here")


def stopped(options: argparse.Namespace) -> Outcome:
    with Odd([options.odd_target, "plain"]) as target:
        os.kill(target.pid, signal.SIGSTOP)
        time.sleep(0.05)
        plain = simple(options, target.pid)
        frozen = simple(options, target.pid, "--freeze")
        return plain[0] + frozen[0], f"{plain[1]}, frozen {frozen[1]}"


def word_size_32(options: argparse.Namespace) -> Outcome:
    if options.odd_target_32 is None:
        raise CannotRun("no 32-bit target on this architecture")
    try:
        with Odd([options.odd_target_32]) as target:
            bad, shown = simple(options, target.pid)
            _, report, _ = check(options, target.pid)
            truth = one(report)["truth"]
            if truth["rss_low_bytes"] < target.touched:
                bad.append(f"{target.touched} bytes were touched: {truth}")
            return bad, shown
    except OSError as error:
        raise CannotRun(f"32-bit programs do not run here: {error}") from error


@contextlib.contextmanager
def cgroup(parent: pathlib.Path, pid: int) -> Iterator[pathlib.Path]:
    made = parent / f"smaps-audit-odd-{os.getpid()}"
    try:
        made.mkdir()
        (made / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise CannotRun(f"no cgroup can be made below {parent}: {error}") from error
    try:
        yield made
    finally:
        (parent / "cgroup.procs").write_text(str(pid))
        made.rmdir()


def frozen_by_cgroup(options: argparse.Namespace) -> Outcome:
    bad, shown = [], []
    with Odd([options.odd_target, "plain"]) as target:
        for parent, switch, on, off in ((CGROUP_V2, "cgroup.freeze", "1", "0"),
                                        (CGROUP_V1, "freezer.state", "FROZEN", "THAWED")):
            if not (parent / "cgroup.procs").exists():
                continue
            with cgroup(parent, target.pid) as group:
                if not (group / switch).exists():
                    continue
                (group / switch).write_text(on)
                time.sleep(0.1)
                try:
                    for words in ((), ("--freeze",)):
                        found, verdict = simple(options, target.pid, *words)
                        bad += [f"{switch} {words}: {each}" for each in found]
                        shown.append(f"{switch} {verdict}")
                finally:
                    (group / switch).write_text(off)
    if not shown:
        raise CannotRun("no freezer cgroup can be had")
    return bad, ", ".join(shown)


def hidepid(options: argparse.Namespace) -> Outcome:
    """Mounts of proc in a mount namespace of our own; the auditor is nobody, and then root."""
    bad, shown = [], []
    with Odd([options.odd_target, "plain"]) as target:
        for mode, expected in (("0", "denied/permission"), ("1", "denied/permission"), ("2", "denied/hidepid"),
                               ("ptraceable", "denied/hidepid")):
            mount = f"mount -t proc -o hidepid={mode} none /proc || exit 99; exec \"$@\""
            inside = ("unshare", "--mount", "sh", "-c", mount, "sh")
            as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
            code, report, error = check(options, target.pid, prefix=(*inside, *as_nobody))
            if code == 99:
                raise CannotRun(f"hidepid={mode} cannot be mounted: {error.decode().strip()}")
            bad += [f"hidepid={mode}, nobody: {each}" for each in wrong(one(report), expected)]
            shown.append(f"{mode} {said(one(report))}")
            _, report, _ = check(options, target.pid, prefix=inside)
            bad += [f"hidepid={mode}, root: {each}" for each in wrong(one(report), "consistent")]
    return bad, ", ".join(shown)


def subset_pid(options: argparse.Namespace) -> Outcome:
    """A proc mount without anything but processes: no vmstat, no stat."""
    mount = "mount -t proc -o subset=pid none /proc || exit 99; exec \"$@\""
    with Odd([options.odd_target, "plain"]) as target:
        code, report, error = check(options, target.pid, prefix=("unshare", "--mount", "sh", "-c", mount, "sh"))
        if code == 99:
            raise CannotRun(error.decode().strip())
        if not report:
            return [f"exit {code}: {error.decode()}"] if code != 77 else [], f"exit {code}: {error.decode().strip()}"
        return wrong(one(report), "consistent"), said(one(report))


def user_namespace(options: argparse.Namespace) -> Outcome:
    """The target in one, audited from outside; then the auditor in one, where it is root of nothing."""
    with Odd(["unshare", "--user", "--map-root-user", options.odd_target, "plain"]) as target:
        bad, shown = simple(options, target.pid)
        inner, report, _ = check(options, target.pid, prefix=("unshare", "--user", "--map-root-user"))
        found = wrong(one(report), "denied/permission")
        return bad + [f"from another namespace: {each}" for each in found], f"{shown}; {said(one(report))}, exit {inner}"


def pid_namespace(options: argparse.Namespace) -> Outcome:
    """A target that is 1 in its own; then an auditor of all processes of one, its own proc mounted."""
    fork = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with Odd([*fork, options.odd_target, "plain"]) as target:
        inner = next(path.parent for path in pathlib.Path("/proc").glob("[0-9]*/comm")
                     if path.read_text() == "odd-target\n" and f"NSpid:\t{path.parent.name}\t1\n" in
                     (path.parent / "status").read_text())
        assert target.pid == 1
        target.pid = int(inner.name)
        bad, shown = simple(options, target.pid)
    done = subprocess.run([*fork, "sh", "-c", 'sleep 60 & "$0" check --all --format json; kill $!', options.smaps_audit],
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=AUDIT_TIMEOUT)
    for process in json.loads(done.stdout)["processes"]:
        bad += [f"inside: {each}" for each in wrong(process, "consistent", "skipped/self")]
    return bad, f"{shown}; inside {len(json.loads(done.stdout)['processes'])} processes"


def exec_setuid(options: argparse.Namespace) -> Outcome:
    """A process of nobody's that executes a setuid program and comes back, again and again, audited by nobody
    (who loses sight of it) and by root."""
    with tempfile.TemporaryDirectory(prefix="smaps-audit-odd-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        plain, setuid, auditor = directory / "plain", directory / "setuid", directory / "smaps-audit"
        for source, made in ((options.odd_target, plain), (options.odd_target, setuid), (options.smaps_audit, auditor)):
            shutil.copyfile(source, made)
            made.chmod(0o755)
        os.chown(setuid, 1, 1)
        setuid.chmod(0o4755)
        with Odd([plain, "exec-loop", setuid], user=NOBODY, group=NOBODY, extra_groups=[]) as target:
            allowed = ("consistent", "vanished/exec", "vanished/identity", "vanished/exited", "vanished/gone",
                       "denied/permission", "inconclusive/coverage", "inconclusive/unstable", "inconclusive/maybe_pages",
                       "inconclusive/read_error", "inconclusive/series")
            as_nobody = argparse.Namespace(smaps_audit=auditor)
            root = churn(options, target.pid, allowed)
            nobody = churn(as_nobody, target.pid, allowed, user=NOBODY, group=NOBODY, extra_groups=[])
    return root[0] + nobody[0], f"root {root[1]}; nobody {nobody[1]}"


def churn(options: argparse.Namespace, pid: int, allowed: tuple[str, ...], **popen) -> Outcome:
    """Audits for LOOP_SECONDS; what was said, how often."""
    counts: dict[str, int] = {}
    bad: list[str] = []
    until = time.monotonic() + LOOP_SECONDS
    while time.monotonic() < until:
        _, report, error = check(options, pid, **popen)
        if not report:
            bad.append(error.decode())
            break
        counts[said(one(report))] = counts.get(said(one(report)), 0) + 1
        bad += wrong(one(report), *allowed)
    return bad[:5], ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def pid_reuse(options: argparse.Namespace) -> Outcome:
    with Odd([options.odd_target, "pid-reuse"]) as target:
        return churn(options, target.pid, ("consistent", "vanished/exited", "vanished/identity", "vanished/gone",
                                           "vanished/exec", "skipped/zombie", "inconclusive/coverage"))


def on_terminal(command: list) -> bytes:
    """What a person would see: stdout and stderr are a terminal."""
    terminal, child_side = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=child_side, stderr=child_side,
                          env=os.environ | {"TERM": "xterm", "LC_ALL": "C.UTF-8"}) as process:
        os.close(child_side)
        shown = b""
        while True:
            if not select.select([terminal], [], [], AUDIT_TIMEOUT)[0]:
                process.kill()
                raise TimeoutError("nothing was printed")
            try:
                more = os.read(terminal, 1 << 16)
            except OSError:
                break
            if not more:
                break
            shown += more
    os.close(terminal)
    return shown


def terminal(options: argparse.Namespace) -> Outcome:
    """A name full of escapes, on a terminal, in every format."""
    bad = []
    name = b"\x1b]0;t\x07\x1b[8m\x9b1m"
    with Odd([options.odd_target, "comm", name.hex()]) as target:
        for words in ((), ("--verbose",), ("--format", "json"), ("--format", "jsonl")):
            shown = on_terminal([options.smaps_audit, "check", *words, str(target.pid)])
            for forbidden in (b"\x1b]", b"\x07", b"\x1b[8m", b"\x9b"):
                if forbidden in shown:
                    bad.append(f"{words}: {forbidden!r} in {shown!r}")
            if b"0;t" not in shown:
                bad.append(f"{words}: the name is not told: {shown!r}")
    return bad, ""


SCENARIOS = {
    "kernel-thread": kernel_thread,
    "stopped": stopped,
    "32-bit": word_size_32,
    "frozen-by-cgroup": frozen_by_cgroup,
    "hidepid": hidepid,
    "subset-pid": subset_pid,
    "user-namespace": user_namespace,
    "pid-namespace": pid_namespace,
    "exec-setuid": exec_setuid,
    "pid-reuse": pid_reuse,
    "terminal": terminal,
}
