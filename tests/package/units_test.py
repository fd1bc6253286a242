#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The units and the package's sources as they are written: what systemd says of the units without running them, what
docs/platform.md 3 found out, and what has to be said in two places.

    units_test.py

Exit: 0, 1. Python 3.11, standard library only.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"
SERVICES = {path.name: path for path in sorted(UNITS.glob("*.service"))}
# Tenths, as systemd-analyze counts them: docs/platform.md 3.3.
LARGEST_EXPOSURE = 20
# systemd 252 does not know these, or they harm what is watched (docs/platform.md 3).
REFUSED = {
    "PrivateUsers": "takes away all that there is to audit", "CPUQuota": "a throttled reader keeps its target's mmap_lock",
    "MemoryHigh": "a process hangs where it should be killed", "CPUWeight": "a slowed reader keeps its target's mmap_lock",
    "ReloadSignal": "not in systemd 252", "OpenFile": "not in systemd 252", "RestartSteps": "not in systemd 252",
    "MemoryPressureWatch": "not in systemd 252", "RestartMode": "not in systemd 252", "PrivatePIDs": "not in systemd 252",
}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL)


def settings(path: pathlib.Path) -> list[tuple[str, str]]:
    return re.findall(r"^([A-Za-z]+)=(.*)$", path.read_text(), re.MULTILINE)


class Units(unittest.TestCase):
    def test_no_service_is_more_exposed_than_the_threshold(self):
        for name, path in SERVICES.items():
            with self.subTest(name):
                said = run("systemd-analyze", "security", "--offline=yes", f"--threshold={LARGEST_EXPOSURE}", str(path))
                self.assertEqual(said.returncode, 0, said.stdout[-300:] + said.stderr)

    def test_the_threshold_would_notice_a_bare_service(self):
        with tempfile.TemporaryDirectory() as work:
            bare = pathlib.Path(work, "bare.service")
            bare.write_text("[Service]\nExecStart=/bin/true\n")
            said = run("systemd-analyze", "security", "--offline=yes", f"--threshold={LARGEST_EXPOSURE}", str(bare))
            self.assertEqual(said.returncode, 1, said.stdout[-300:])

    def test_nothing_is_set_that_harms_or_that_systemd_252_lacks(self):
        for path in [*UNITS.glob("*.service"), *UNITS.glob("*.socket"), *UNITS.glob("*.timer"), *UNITS.glob("examples/*")]:
            for key, value in settings(path):
                self.assertNotIn(key, REFUSED, f"{path.name}: {REFUSED.get(key)}")
                self.assertFalse(key == "ProcSubset" and value == "pid", f"{path.name} hides what is of the host")
                self.assertFalse(key == "Type" and value == "notify-reload", f"{path.name}: not in systemd 252")

    def test_the_service_can_be_reached_by_prometheus(self):
        keys = [key for key, _ in settings(SERVICES["smaps-auditd.service"])]
        self.assertFalse([key for key in keys if key.startswith("IPAddress")])
        self.assertIn("#IPAddressDeny=any", (UNITS / "examples/only-from.conf").read_text())

    def test_the_watchdog_is_slower_than_a_read_may_be(self):
        unit = dict(settings(SERVICES["smaps-auditd.service"]))
        deadline = re.search(r'"read_deadline": "(\d+)s"', (ROOT / "config/smaps-auditd.json").read_text())
        self.assertEqual(unit["WatchdogSec"], "1min")
        self.assertLess(int(deadline.group(1)), 60)

    def test_the_memory_limit_leaves_room_for_what_the_worker_may_have(self):
        """Its address space, the capture in the making, and the parent (docs/performance.md: 16 MiB at 2 000 processes)."""
        unit = dict(settings(SERVICES["smaps-auditd.service"]))
        worker = re.search(r'"memory_limit": "(\d+)MiB"', (ROOT / "config/smaps-auditd.json").read_text())
        self.assertGreaterEqual(int(unit["MemoryMax"].removesuffix("M")), int(worker.group(1)) + 64 + 32)

    def test_each_directive_of_the_services_sandbox_is_explained(self):
        text = SERVICES["smaps-auditd.service"].read_text()
        for paragraph in text.split("[Service]")[1].split("[Install]")[0].strip().split("\n\n"):
            self.assertTrue(paragraph.startswith("# "), paragraph)


class Sources(unittest.TestCase):
    def test_the_package_has_the_version_of_the_programs(self):
        said = re.match(r"smaps-auditd \(([^)]*)\)", (ROOT / "packaging/debian/changelog").read_text()).group(1)
        self.assertRegex((ROOT / "CMakeLists.txt").read_text(), rf"project\(smaps-auditd VERSION {re.escape(said)} ")

    def test_what_the_package_needs_is_installed_by_the_script(self):
        needed = re.search(r"^Build-Depends:\n(.*?)^\S", (ROOT / "packaging/debian/control").read_text(), re.MULTILINE | re.DOTALL).group(1)
        names = set(re.findall(r"^ ([a-z0-9.+-]+)", needed, re.MULTILINE)) - {"debhelper-compat"} | {"debhelper", "build-essential"}
        script = (ROOT / "scripts/install-dependencies").read_text()
        installed = re.search(r"^packages=\((.*?)^\)", script, re.MULTILINE | re.DOTALL).group(1).split()
        self.assertEqual(names - set(installed), set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
