#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The installed package under a systemd that runs, in a container of systemd-nspawn on this machine's kernel: what its
units are for beside the service itself. (The service's own life is tests/fleet's, on kernels that have the defect.)

    nspawn_test.py --packages DIR [--timeout SECONDS]      with the .deb that scripts/package made

Exit: 0, 1, 77 (no such container can be had here). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fleet"))
import base_root  # noqa: E402

CASES = pathlib.Path(__file__).with_name("nspawn_cases.sh")
# A line each.
RUN = """
for case in {names}; do
  if said=$($case 2>&1); then echo "ok $case"; else printf 'not ok %s\\n' "$case"; sed 's/^/    /' <<<"$said"; fi
done
"""
UNIT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/root/cases > /root/result 2>&1; journalctl --no-pager > /root/journal 2>&1; systemctl --no-block poweroff'
[Install]
WantedBy=graphical.target
"""


def case_names() -> list[str]:
    return re.findall(r"^(\w+)\(\) \{", CASES.read_text().split("\n# cases\n")[1], re.MULTILINE)


def prepare(root: pathlib.Path, package: pathlib.Path) -> None:
    shutil.copy(package, root / "root/package.deb")
    shutil.copy(ROOT / "systemd/examples/page-frames.conf", root / "root")
    block = re.search(r"<!-- listen begins -->(.*?)<!-- listen ends -->", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    (root / "root/listen").write_text(block)
    cases = root / "root/cases"
    cases.write_text("#!/bin/bash\n" + CASES.read_text() + RUN.format(names=" ".join(case_names())))
    cases.chmod(0o755)
    (root / "etc/systemd/system/cases.service").write_text(UNIT)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    base_root.in_root(root, "dpkg --install /root/package.deb; systemctl enable cases.service; systemctl set-default graphical.target")


def boot(root: pathlib.Path, patience: float) -> str:
    """Until it powers itself off; what nspawn said."""
    command = ["systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--register=no", "--keep-unit", "--private-network",
               "--capability=all", "--console=pipe"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as container:
        try:
            return container.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            container.terminate()
            return container.communicate(timeout=30)[0] + f"\nno end after {patience} s"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages", type=pathlib.Path, required=True)
    parser.add_argument("--timeout", type=float, default=300)
    words = parser.parse_args()
    if shutil.which("systemd-nspawn") is None:
        print("SKIP: no systemd-nspawn: scripts/install-dependencies")
        return 77
    package = next(words.packages.resolve().glob("smaps-auditd_*.deb"))
    needs = re.findall(r"(?:^|, )([a-z0-9.+-]+)", base_root.run("dpkg-deb", "--field", package, "Depends"))
    try:
        with base_root.unpacked(sorted(needs)) as root:
            prepare(root, package)
            said = boot(root, words.timeout)
            result = root / "root/result"
            if not result.exists():
                print(f"SKIP: no container boots here:\n{said[-2000:]}")
                return 77
            print(result.read_text())
            good = re.findall(r"^ok (\w+)$", result.read_text(), re.MULTILINE)
            if good != case_names():
                journal = root / "root/journal"
                print(journal.read_text()[-6000:] if journal.exists() else said[-2000:])
                return 1
            return 0
    except (base_root.NoRoot, base_root.AptError) as error:
        print(f"SKIP: {error}")
        return 77


if __name__ == "__main__":
    sys.exit(main())
