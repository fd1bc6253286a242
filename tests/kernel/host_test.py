#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Targets that do not start, settings, scripts of this machine. Python 3.11, standard library only."""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import host  # noqa: E402
import never_wolf  # noqa: E402

LACKS = """echo '{"ready":false,"adversary":"x","why":"no swap"}'; exit 77"""
CRASHES = "exit 70"


def runs(pid: int) -> bool:
    try:
        stat = pathlib.Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="smaps-audit-host-test-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def program(self, name: str, script: str) -> pathlib.Path:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path


class Targets(Case):
    def start(self, script: str) -> host.Adversary:
        return host.Adversary(self.program("adversary", script), "x")

    def test_that_lack_something_say_what(self):
        with self.assertRaisesRegex(host.CannotRun, "^no swap$"):
            self.start(LACKS)
        with self.assertRaisesRegex(host.CannotRun, "exit status 77"):
            self.start("exit 77")

    def test_that_crash_are_no_reason_to_skip(self):
        for script in (CRASHES, "kill -SEGV $$", "echo '{\"ready\":false,\"why\":\"a bug\"}'; exit 1"):
            with self.assertRaises(host.Crashed):
                self.start(script)


class NeverWolf(Case):
    def run_with(self, adversary: str) -> tuple[int, str]:
        self.program("smaps-audit", "exit 2")
        self.program("workload", "exit 0")
        self.program("adversary", adversary)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = never_wolf.main(["--bin", str(self.directory), "--adversary", "swap", "--adversary", "ptrace",
                                      "--guest-seconds", "0", "--host-seconds", "0.1"])
        return status, said.getvalue()

    def test_without_any_adversary_is_a_skip_with_its_reasons(self):
        status, said = self.run_with(LACKS)
        self.assertEqual(status, 77)
        self.assertIn("Skipped: swap: no swap; ptrace: no swap.", said)

    def test_with_an_adversary_that_crashes_is_a_failure(self):
        status, said = self.run_with(CRASHES)
        self.assertEqual(status, 1)
        self.assertIn("exit status 70", said)


class Settings(Case):
    def test_are_put_back_whatever_happens(self):
        files = [self.directory / name for name in ("plain", "words")]
        files[0].write_text("0\n")
        files[1].write_text("always [madvise] never\n")
        with self.assertRaises(ZeroDivisionError), host.settings([(str(files[0]), "1"), (str(files[1]), "never")]):
            self.assertEqual([path.read_text() for path in files], ["1", "never"])
            print(1 / 0)
        self.assertEqual([path.read_text() for path in files], ["0\n", "madvise\n"])

    def test_that_are_not_there_are_a_reason_to_skip(self):
        with self.assertRaises(host.CannotRun), host.settings([(str(self.directory / "absent"), "1")]):
            self.fail("it was not set")


class Scripts(Case):
    def test_find_their_programs_and_leave_their_results(self):
        host.run_script("audited > $RESULTS/said", [self.program("audited", "echo well")], self.directory, 20)
        self.assertEqual((self.directory / "said").read_text(), "well\n")

    def test_that_hang_end_with_all_that_they_started(self):
        with self.assertRaises(subprocess.TimeoutExpired):
            # Long enough for a busy machine to get to the pid.
            host.run_script("sleep 600 & echo $! > $RESULTS/pid; wait", [], self.directory, 3)
        pid = int((self.directory / "pid").read_text())
        for _ in range(100):  # SIGKILL takes a moment
            if not runs(pid):
                return
            time.sleep(0.1)
        self.fail(f"{pid} goes on")


if __name__ == "__main__":
    unittest.main()
