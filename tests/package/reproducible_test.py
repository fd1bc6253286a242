#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two builds of the package in two folders, with other surroundings, give one hash. Nightly: it compiles twice.

    reproducible_test.py

Exit: 0, 1. Python 3.11, standard library only.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build(folder: pathlib.Path, umask: int, **surroundings: str) -> dict[str, str]:
    """The hash of each package. Not from ccache, which would give the second build what the first one made."""
    folder.mkdir(parents=True)
    subprocess.run([ROOT / "scripts/package", "--into", folder], check=True, stdin=subprocess.DEVNULL, umask=umask,
                   env={**os.environ, "CCACHE_DISABLE": "1", **surroundings})
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.deb"))}


def main() -> int:
    with tempfile.TemporaryDirectory() as work:
        one = build(pathlib.Path(work, "one"), 0o022)
        other = build(pathlib.Path(work, "another/and/deeper"), 0o002, TZ="Asia/Tokyo", LC_ALL="C.UTF-8", DEB_BUILD_OPTIONS="parallel=1")
    for name in sorted(one.keys() | other.keys()):
        print(f"{name}\n  {one.get(name)}\n  {other.get(name)}")
    return 0 if one == other and one else 1


if __name__ == "__main__":
    sys.exit(main())
