#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What never_wolf.py calls a false finding. Python 3.11, standard library only."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import wolf_adversaries  # noqa: E402
import wolf_tally  # noqa: E402

PID = 7


def check(*findings: tuple[str, str | None], label: str = "check", verdict: str = "", status: int | None = None):
    row = {"pid": PID, "comm": "adversary", "verdict": verdict or ("finding" if findings else "consistent"),
           "reason": "maybe_pages" if verdict == "inconclusive" else None, "open_bytes": 2 << 20,
           "audited_bytes": 3 << 20, "vmas": 3, "brackets": 1, "worst_suspect_steps": 0,
           "findings": [{"interface": interface, "defect": defect} for interface, defect in findings]}
    report = json.dumps({"processes": [row]}).encode()
    return wolf_tally.Check(label, int(bool(findings)) if status is None else status, 0.1, report, {PID: 3 << 20})


def tally(affected: bool, name: str = "pulse") -> wolf_tally.Tally:
    return wolf_tally.Tally(name, affected, wolf_adversaries.ALL[name])


class Findings(unittest.TestCase):
    def found(self, affected, first, again=()):
        result = tally(affected)
        result.add(first, again)
        return result.findings

    def test_are_false_on_a_healthy_kernel_whatever_their_name(self):
        for defect in ("K01", "K03", None):
            self.assertEqual(self.found(False, check(("smaps_rollup", defect))), 1)

    def test_of_k01_are_earned_once_the_frozen_process_shows_it(self):
        k01 = check(("smaps", "K01"))
        self.assertEqual(self.found(True, k01), 1)
        self.assertEqual(self.found(True, k01, [check()]), 1)
        self.assertEqual(self.found(True, k01, [check(), check(("smaps", "K01"))]), 0)

    def test_of_k03_are_earned_beside_a_consistent_smaps_only(self):
        self.assertEqual(self.found(True, check(("smaps_rollup", "K03"))), 0)
        self.assertEqual(self.found(True, check(("smaps_rollup", "K03"), ("smaps", None))), 2)

    def test_without_a_name_are_false_on_an_affected_kernel_too(self):
        self.assertEqual(self.found(True, check(("status", None)), [check(("smaps", "K01"))]), 1)


class Kept(unittest.TestCase):
    def test_is_what_was_counted(self):
        before = tally(True)
        before.add(check(("smaps", "K01")), [check(("smaps", "K01"))])
        before.seconds = 4.0
        kept = wolf_tally.Tally.from_json(json.loads(json.dumps(before.as_json())), before.adversary)
        self.assertEqual(wolf_tally.section("here", [kept]), wolf_tally.section("here", [before]))
        self.assertIn("1 process audits in 4 s, 0.2 a second.", wolf_tally.section("here", [before]))


class Answers(unittest.TestCase):
    def test_name_the_reason_and_what_it_left_open(self):
        result = tally(False)
        result.add(check(verdict="inconclusive", status=2))
        self.assertEqual(result.answers(), "1 × inconclusive maybe_pages (2.0 MiB open)")
        self.assertIn("only 33.3%", result.failures()[0])

    def test_are_not_asked_of_memory_that_two_processes_share(self):
        result = tally(False, "shared-mm-clone")
        result.add(check(verdict="inconclusive", status=2))
        self.assertEqual(result.failures(), [])

    def test_of_a_frozen_process_are_conclusive(self):
        result = tally(False)
        result.add(check(label="check --freeze", verdict="inconclusive", status=2))
        self.assertIn("pulse: 1 × check --freeze: inconclusive maybe_pages", result.failures())

    def test_of_a_frozen_process_whose_pages_another_one_changes_need_not_be(self):
        result = tally(False, "process-madvise")
        result.add(check(label="check --freeze", verdict="inconclusive", status=2))
        self.assertEqual(result.problems, {})
        result.add(check(label="check --freeze", verdict="vanished", status=2))
        self.assertEqual(list(result.problems), ["check --freeze: vanished None"])
        result.add(check(("smaps", None), label="check --freeze"))
        self.assertEqual(result.findings, 1)


if __name__ == "__main__":
    unittest.main()
