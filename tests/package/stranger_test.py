#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stranger's path: on a bare Debian 12, the lines under "Install" in README.md, as they stand there, lead from nothing but
the package to a scraped metric. They are cut out of it; libraries come from the machine's own mirror.

    stranger_test.py --packages DIR [--timeout SECONDS]      with the .deb that scripts/package made

The container has this machine's network, so that apt finds its mirror: the service listens on 127.0.0.1:19755.
Exit: 0, 1, 77 (no such container can be had here, or something listens there). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import socket
import sys

from container import base_root, boot, journal, or_skip, readme

PORT = 19755


def taken() -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", PORT)) == 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages", type=pathlib.Path, required=True)
    parser.add_argument("--timeout", type=float, default=400)
    words = parser.parse_args()
    if taken():
        print(f"SKIP: something listens on port {PORT} of this machine")
        return 77
    package = next(words.packages.resolve().glob("smaps-auditd_*.deb"))
    lines = readme("install")
    print(f"as README.md has it:\n{lines}")
    with base_root.unpacked() as root:
        there = base_root.in_root(root, "command -v smaps-audit smaps-auditd || true; ls /var/lib/apt/lists | grep -v -e lock -e partial || true")
        if there.strip():
            print(f"that root is not bare: {there}")
            return 1
        shutil.copy(package, root / "root")
        said = boot(root, f"#!/bin/bash\nset -ex -o pipefail\n{lines}\necho came to its end\n", words.timeout, "--resolv-conf=copy-host")
        if said is None:
            print("SKIP: no container boots here")
            return 77
        print(said[-3000:])
        if "\ncame to its end\n" not in said or not re.search(r"^smaps_audit_build_info\{.*version=.*\} 1$", said, re.MULTILINE):
            print(journal(root)[-6000:])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(or_skip(main))
