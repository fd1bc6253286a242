# SPDX-License-Identifier: Apache-2.0
"""Debian's other suites (unstable, experimental, backports, the release before last), by apt lists of our own.

The machine's sources stay as they are: the lists lie in ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}/apt. Their one
mirror is that of the machine's own Debian source, as apt names it; the keyring is the archive's. A suite that the
mirror does not have is left out. Python 3.11, standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import re
import subprocess
import time
from collections.abc import Sequence

SUITES = ("unstable", "experimental", "stable-backports", "oldstable-backports", "oldoldstable")
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FRESH_SECONDS = 24 * 3600
APT_TIMEOUT_SECONDS = 300


class AptError(Exception):
    """What was wanted cannot be had; the text says why and what to do."""


def run(command: Sequence[str], cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    """An apt or dpkg command to its end, in English; raises AptError where there is none."""
    try:
        return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              timeout=APT_TIMEOUT_SECONDS, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise AptError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise AptError(f"{' '.join(command)}: no end after {APT_TIMEOUT_SECONDS} s") from error


def unpack(deb: pathlib.Path, directory: pathlib.Path) -> None:
    """The package's files below `directory`; nothing is installed."""
    answer = run(["dpkg", "-x", str(deb), str(directory)])
    if answer.returncode != 0:
        raise AptError(f"dpkg -x {deb.name}: {answer.stderr.strip()}")


@contextlib.contextmanager
def locked(path: pathlib.Path):
    """Parallel runs wait for one another."""
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _mirror() -> str | None:
    """Where the machine's own Debian comes from."""
    answer = run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"])
    found = re.search(r"^Debian Debian (\S+)$", answer.stdout, re.MULTILINE)
    return found.group(1) if found else None


class PrivateApt:
    """apt-get and apt-cache over SUITES."""

    def __init__(self, cache: pathlib.Path) -> None:
        self._root = cache / "apt"
        (self._root / "lists").mkdir(parents=True, exist_ok=True)
        self._options = [word for key, value in (
            ("Etc::sourcelist", self._root / "sources.list"), ("Etc::sourceparts", "/dev/null"),
            ("Etc::preferences", "/dev/null"), ("Etc::preferencesparts", "/dev/null"),
            ("State::lists", self._root / "lists"), ("Cache", self._root / "cache"),
        ) for word in ("-o", f"Dir::{key}={value}")]

    def command(self, program: str, *words: str) -> list[str]:
        return [program, *self._options, *words]

    def update(self, max_age_seconds: float = FRESH_SECONDS) -> None:
        """Lists of at most that age; old ones stay where no new ones can be had. Raises AptError without any."""
        stamp = self._root / "updated"
        with locked(self._root / ".lock"):
            if stamp.exists() and time.time() - stamp.stat().st_mtime < max_age_seconds:
                return
            mirror = _mirror()
            if mirror is None:
                run(["apt-get", "update", "-q"])
                mirror = _mirror()
            if mirror is None or not KEYRING.exists():
                raise AptError("no Debian source in this machine's apt" if mirror is None else f"no {KEYRING}")
            (self._root / "sources.list").write_text("".join(
                f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in SUITES))
            # It fails if a single suite is missing; what counts is whether any is there.
            answer = run(self.command("apt-get", "update", "-q"))
            if not list((self._root / "lists").glob("*_Packages*")):
                raise AptError(f"apt-get update: {answer.stderr.strip()}")
            if "Failed to fetch" not in answer.stderr:
                stamp.touch()

    def packages(self, pattern: str) -> list[tuple[str, str]]:
        """(package, version) of all whose whole name matches."""
        answer = run(self.command("apt-cache", "pkgnames"))
        names = sorted(name for name in answer.stdout.split() if re.fullmatch(pattern, name))
        if not names:
            return []
        answer = run(self.command("apt-cache", "show", "--no-all-versions", *names))
        return re.findall(r"^Package: (\S+)$.*?^Version: (\S+)$", answer.stdout, re.MULTILINE | re.DOTALL)


def newer(version: str, than: str) -> bool:
    """Debian's order of versions: a release candidate is older than its release."""
    return run(["dpkg", "--compare-versions", version, "gt", than]).returncode == 0
