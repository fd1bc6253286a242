#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""General, not tuned (issue 3): every field, changed in every read of a live capture of this machine.

    general_test.py --smaps-audit FILE --workload FILE --capture-edit FILE [--keep FILE]

What must be blamed stands in general_table.py. audit_test.py does the same with the captures of its guests. Exit: 0, 1, 77.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import audit_captures as captures  # noqa: E402
import general  # noqa: E402
import general_table as table  # noqa: E402
import host  # noqa: E402


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Lies about every field, in a capture of this machine.")
    parser.add_argument("--smaps-audit", type=pathlib.Path, required=True)
    parser.add_argument("--workload", type=pathlib.Path, required=True)
    parser.add_argument("--capture-edit", type=pathlib.Path, required=True)
    parser.add_argument("--keep", type=pathlib.Path, metavar="FILE", help="leave the capture there")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smaps-audit-general-") as name:
        directory = pathlib.Path(name)
        capture = options.keep or directory / "plain.capture"
        try:
            with host.Workload(options.workload, "plain", "8") as target:
                made = subprocess.run([options.smaps_audit, "capture", str(target.pid), "-o", capture],
                                      capture_output=True, check=False, timeout=60)
                truth = target.truth
        except host.CannotRun as reason:
            print(f"SKIP {reason}")
            return 77
        if made.returncode != 0:
            print(f"FAIL exit {made.returncode} of the capture itself\n{made.stdout.decode()}{made.stderr.decode()}")
            return 1
        tools = captures.Tools(options.smaps_audit, options.capture_edit)
        subject = general.Subject.of(tools, capture, truth)
        doctor = json.loads(subprocess.run([options.smaps_audit, "doctor", "--format", "json"], capture_output=True,
                                           check=True, timeout=60).stdout)
        slack_kb = general.counter_slack_kb(doctor, os.cpu_count() or 1)
        wrong, detail = general.wrong_general(tools, subject, slack_kb, directory)
    for what in wrong:
        print(f"FAIL {what}")
    for interface, fields in table.UNCOVERED.items():
        for field, why in fields.items():
            print(f"     nothing covers {interface} {field}: {why}")
    print(f"{'FAIL' if wrong else 'ok  '} {detail}; {time.monotonic() - begun:.1f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
