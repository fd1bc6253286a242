#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian packages that only a test needs: fetched by name, unpacked in the cache, never installed.

    fetch_packages.py stress-ng [NAME]…      prints the directory of each

Each stands unpacked in ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}/packages/NAME/root and is kept: a test
needs the program, not its newest version. Python 3.11, standard library only.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import private_apt  # noqa: E402
from fetch_kernel import FetchError, _download, _locked, cache_root  # noqa: E402

# The program and what it is linked against beyond the C library; of what is installed already, nothing is taken.
STRESS_NG = ("stress-ng", "libapparmor1", "libbsd0", "libmd0", "libegl1", "libgbm1", "libgles2", "libglvnd0",
             "libdrm2", "libwayland-server0", "libffi8", "libexpat1", "libipsec-mb1", "libjudydebian1",
             "libjpeg62-turbo", "libkmod2", "libsctp1", "libxxhash0")


def fetch(name: str) -> pathlib.Path:
    """The root that the package is unpacked in; raises FetchError."""
    home = cache_root() / "packages"
    home.mkdir(parents=True, exist_ok=True)
    root = home / name / "root"
    with _locked(home / f".{name}.lock"):
        if root.is_dir():
            return root
        with tempfile.TemporaryDirectory(dir=home, prefix=f".{name}-") as work:
            deb = _download(name, pathlib.Path(work))
            pathlib.Path(work, "ready").mkdir()
            private_apt.unpack(deb, pathlib.Path(work, "ready", "root"))
            os.replace(f"{work}/ready", home / name)
    return root


def stress_ng() -> tuple[pathlib.Path, list[pathlib.Path]]:
    """The program, and those of its libraries that this machine lacks."""
    roots = [fetch(name) for name in STRESS_NG]
    program = roots[0] / "usr/bin/stress-ng"
    if not program.is_file():
        raise FetchError("the package stress-ng holds no usr/bin/stress-ng")
    directories = [str(path.parent) for root in roots for path in root.rglob("*.so.*")]
    environment = {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(dict.fromkeys(directories))}
    answer = subprocess.run(["ldd", str(program)], text=True, capture_output=True, check=False, env=environment)
    lacking = [line.split()[0] for line in answer.stdout.splitlines() if "not found" in line]
    if lacking:
        raise FetchError(f"stress-ng: nothing brings {', '.join(lacking)}")
    paths = [pathlib.Path(line.split()[2]) for line in answer.stdout.splitlines() if " => /" in line]
    return program, [path for path in paths if str(cache_root()) in str(path)]


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 64
    try:
        for name in arguments:
            print(fetch(name))
    except FetchError as error:
        print(f"fetch_packages: {error}", file=sys.stderr)
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
