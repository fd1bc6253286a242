#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Grafana's own types of a dashboard, and a TypeScript compiler, from npm; nothing is installed on the machine.

    grafana_schema.py      prints the directory of the modules

Kept in ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}/npm. Python 3.11, standard library and npm.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "kernel"))
import fetch_kernel  # noqa: E402
import private_apt  # noqa: E402
from private_apt import AptError  # noqa: E402

PACKAGES = ("@grafana/schema@13.2.3", "typescript@5.9.3", "tslib@2.8.1")
NPM_SECONDS = 180
NPM_OPTIONS = ("--silent", "--no-audit", "--no-fund", "--no-save", "--no-package-lock", "--ignore-scripts", "--prefix", ".")
COMPILER_OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "bundler", "--module", "esnext", "--target",
                    "es2022", "--pretty", "false")


def modules() -> pathlib.Path:
    """The directory that holds node_modules; raises AptError."""
    home = fetch_kernel.cache_root() / "npm"
    home.mkdir(parents=True, exist_ok=True)
    directory = home / "-".join(name.replace("/", "+") for name in PACKAGES)
    with private_apt.locked(home / ".lock"):
        if directory.is_dir():
            return directory
        with tempfile.TemporaryDirectory(dir=home) as work:
            try:
                answer = subprocess.run(["npm", "install", *NPM_OPTIONS, *PACKAGES], cwd=work, text=True, capture_output=True,
                                        check=False, timeout=NPM_SECONDS, stdin=subprocess.DEVNULL)
            except (FileNotFoundError, subprocess.TimeoutExpired) as error:
                raise AptError(f"npm install {' '.join(PACKAGES)}: {error}") from error
            if answer.returncode != 0 or not pathlib.Path(work, "node_modules").is_dir():
                raise AptError(f"npm install {' '.join(PACKAGES)}: {answer.stderr.strip()}")
            ready = pathlib.Path(work, "ready")
            ready.mkdir()
            os.rename(pathlib.Path(work, "node_modules"), ready / "node_modules")
            os.rename(ready, directory)
    return directory


def complaints(sources: dict[str, str], types: pathlib.Path) -> str:
    """What the compiler says of TypeScript files, beside the file `types`; empty: nothing. Raises AptError."""
    root = modules()
    with tempfile.TemporaryDirectory() as work:
        here = pathlib.Path(work)
        (here / "node_modules").symlink_to(root / "node_modules")
        (here / types.name).write_text(types.read_text())
        for name, text in sources.items():
            (here / name).write_text(text)
        done = subprocess.run(["node", "node_modules/typescript/bin/tsc", *COMPILER_OPTIONS, *sources], cwd=work, text=True,
                              capture_output=True, check=False, timeout=NPM_SECONDS, stdin=subprocess.DEVNULL)
        if done.returncode != 0 and not done.stdout:
            raise AptError(f"tsc: {done.stderr.strip()}")
        return done.stdout


if __name__ == "__main__":
    try:
        print(modules())
    except AptError as error:
        print(f"grafana_schema: {error}", file=sys.stderr)
        sys.exit(77)
