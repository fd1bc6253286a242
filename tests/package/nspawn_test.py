#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The installed package under a systemd that runs, in a container on this machine's kernel: what its units are for beside
the service itself. (The service's own life is tests/fleet's, on kernels that have the defect.)

    nspawn_test.py --packages DIR [--timeout SECONDS]      with the .deb that scripts/package made

Exit: 0, 1, 77 (no such container can be had here). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import sys

from container import ROOT, base_root, boot, journal, needs_of, or_skip, readme

CASES = pathlib.Path(__file__).with_name("nspawn_cases.sh")
# A line each.
RUN = """
for case in {names}; do
  if said=$($case 2>&1); then echo "ok $case"; else printf 'not ok %s\\n' "$case"; sed 's/^/    /' <<<"$said"; fi
done
"""


def case_names() -> list[str]:
    return re.findall(r"^(\w+)\(\) \{", CASES.read_text().split("\n# cases\n")[1], re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages", type=pathlib.Path, required=True)
    parser.add_argument("--timeout", type=float, default=300)
    words = parser.parse_args()
    package = next(words.packages.resolve().glob("smaps-auditd_*.deb"))
    with base_root.unpacked(needs_of(package)) as root:
        shutil.copy(package, root / "root/package.deb")
        shutil.copy(ROOT / "systemd/examples/page-frames.conf", root / "root")
        (root / "root/listen").write_text(readme("listen"))
        base_root.in_root(root, "dpkg --install /root/package.deb")
        script = "#!/bin/bash\n" + CASES.read_text() + RUN.format(names=" ".join(case_names()))
        said = boot(root, script, words.timeout, "--private-network")
        if said is None:
            print("SKIP: no container boots here")
            return 77
        print(said)
        if re.findall(r"^ok (\w+)$", said, re.MULTILINE) != case_names():
            print(journal(root)[-6000:])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(or_skip(main))
