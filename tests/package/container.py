# SPDX-License-Identifier: Apache-2.0
"""A Debian 12 with a systemd that runs, in systemd-nspawn on this machine's kernel. Python 3.11, standard library only."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fleet"))
import base_root  # noqa: E402
from base_root import needs_of, readme  # noqa: E402, F401

UNIT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
WorkingDirectory=/root
ExecStart=/bin/sh -c '/root/script > /root/result 2>&1; journalctl --no-pager > /root/journal 2>&1; systemctl --no-block poweroff'
[Install]
WantedBy=graphical.target
"""


def boot(root: pathlib.Path, script: str, patience: float, *options: str) -> str | None:
    """Boots it, runs the script as root, powers it off: what the script said. None: it does not boot here."""
    (root / "root/script").write_text(script)
    (root / "root/script").chmod(0o755)
    (root / "etc/systemd/system/script.service").write_text(UNIT)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    base_root.in_root(root, "systemctl enable script.service; systemctl set-default graphical.target")
    command = ["systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--register=no", "--keep-unit", "--capability=all",
               "--console=pipe", *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as container:
        try:
            said = container.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            container.terminate()
            said = container.communicate(timeout=30)[0] + f"\nno end after {patience} s"
    result = root / "root/result"
    if not result.exists():
        print(said[-2000:])
        return None
    return result.read_text()


def journal(root: pathlib.Path) -> str:
    path = root / "root/journal"
    return path.read_text() if path.exists() else "it did not come to its end"


def or_skip(test: Callable[[], int]) -> int:
    """77 where no such container can be had."""
    if shutil.which("systemd-nspawn") is None:
        print("SKIP: no systemd-nspawn: scripts/install-dependencies")
        return 77
    try:
        return test()
    except (base_root.NoRoot, base_root.AptError) as error:
        print(f"SKIP: {error}")
        return 77
