#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium in a directory to chroot into, and axe-core from npm; nothing is installed.

    fetch_browser.py      prints both paths

Kept in ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}: a test needs a browser, not its newest version.
Python 3.11, standard library and npm.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "kernel"))
import fetch_kernel  # noqa: E402
import fetch_servers  # noqa: E402
import private_apt  # noqa: E402
from private_apt import AptError  # noqa: E402

PACKAGES = ("chromium", "fonts-dejavu-core", "dash", "coreutils", "grep", "sed")
AXE = "axe-core@4.10.3"
NPM_SECONDS = 120


def chromium() -> pathlib.Path:
    """The directory to chroot into; raises AptError."""
    return fetch_servers.fetch("browser", PACKAGES, newest=False)


def axe() -> pathlib.Path:
    """axe.min.js; raises AptError."""
    directory = fetch_kernel.cache_root() / "npm"
    directory.mkdir(parents=True, exist_ok=True)
    script = directory / AXE / "axe.min.js"
    with private_apt.locked(directory / ".lock"):
        if script.exists():
            return script
        with tempfile.TemporaryDirectory(dir=directory) as work:
            try:
                answer = subprocess.run(["npm", "pack", "--silent", AXE], cwd=work, text=True, capture_output=True,
                                        check=False, timeout=NPM_SECONDS, stdin=subprocess.DEVNULL)
            except (FileNotFoundError, subprocess.TimeoutExpired) as error:
                raise AptError(f"npm pack {AXE}: {error}") from error
            packed = next(pathlib.Path(work).glob("*.tgz"), None)
            if answer.returncode != 0 or packed is None:
                raise AptError(f"npm pack {AXE}: {answer.stderr.strip()}")
            with tarfile.open(packed) as archive:
                source = archive.extractfile("package/axe.min.js")
                if source is None:
                    raise AptError(f"{AXE} holds no axe.min.js")
                fresh = pathlib.Path(work, "axe.min.js")
                fresh.write_bytes(source.read())
            script.parent.mkdir(exist_ok=True)
            os.replace(fresh, script)
    return script


if __name__ == "__main__":
    try:
        print(chromium())
        print(axe())
    except AptError as error:
        print(f"fetch_browser: {error}", file=sys.stderr)
        sys.exit(77)
