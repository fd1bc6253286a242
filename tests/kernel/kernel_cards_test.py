#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of kernel_cards.py from cards that are written here."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kernel_cards  # noqa: E402


def probe(name: str, outcome: str, defects: list[str], peak: int = 1 << 20) -> dict:
    return {"probe": name, "outcome": outcome, "reason": "because", "expected": "this", "observed": "that",
            "defects": defects, "duration_seconds": 2.0, "cpu_seconds": 1.0, "peak_rss_bytes": peak}


def kernel(release: str, state: str, probes: list[dict]) -> dict:
    defects = [{"id": "K01", "title": "left out", "class": "finding", "state": state, "reason": "seen"},
               {"id": "K07", "title": "a device", "class": "note", "state": "unknown", "reason": "no probe asks"}]
    return {"card": {"kernel_release": release, "taken": "2026-11-23T06:00:00Z", "gup_era": None, "defects": defects},
            "probes": probes}


class Page(unittest.TestCase):
    def setUp(self):
        self.page = kernel_cards.page({
            "6.1": kernel("6.1.0-56", "present", [probe("a", "fail", ["K01"]), probe("b", "skipped", [])]),
            "6.12": kernel("6.12.1", "unknown", [probe("a", "inconclusive", [], 9 << 20), probe("b", "fail", [])])})

    def test_has_a_row_a_defect_and_a_column_a_kernel(self):
        self.assertIn("|  | defect | 6.1 | 6.12 |", self.page)
        self.assertIn("| K01 * | left out | **present** | ? |", self.page)
        self.assertIn("| K07 | a device | ? | ? |", self.page)

    def test_says_once_why_something_is_unknown_everywhere(self):
        self.assertIn("- K01 (6.12): seen\n- K07: no probe asks\n", self.page)

    def test_tells_what_each_probe_said(self):
        self.assertIn("| `a` | **fail** K01 | inconclusive |", self.page)
        self.assertIn("| `b` | – | **fail** |", self.page)

    def test_explains_what_has_no_name(self):
        self.assertIn("- 6.12, `a`, inconclusive: because (expected this; observed that)", self.page)
        self.assertIn("- 6.12, `b`, fail: because", self.page)
        self.assertNotIn("- 6.1, `a`", self.page)

    def test_tells_the_dearest_run(self):
        self.assertIn("| `a` | 2.0 s | 1.0 s | 9 MiB |", self.page)

    def test_names_date_release_and_command(self):
        for part in ("`6.1.0-56`", "2026-11-23", "`smaps-audit probe --all --allow-sysctl`"):
            self.assertIn(part, self.page)


if __name__ == "__main__":
    unittest.main()
