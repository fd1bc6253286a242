#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The status page in headless Chromium, judged by axe-core (WCAG 2.1 A and AA) in both themes.

    page_test.py --server build/release/tests/service/web-server --screenshots build/release/screenshots [-k NAME]

Chromium and axe-core come by package name into the cache (fetch_browser.py); skipped (77) where they are not to be
had, or without root. Python 3.11 with python3-jsonschema (Debian's own interpreter has it).
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import pathlib
import sys
import tempfile
import unittest

import fetch_browser
from browser import Browser
from private_apt import AptError
from web_harness import Server

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "schema" / "status-1.schema.json"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
SETTINGS: argparse.Namespace


def sample(name: str) -> dict:
    return json.loads((HERE / "samples" / f"{name}.json").read_text())


def with_findings(status: dict) -> dict:
    """The same host, lied to in groups of the sample that lies."""
    lying = sample("lying")
    status = copy.deepcopy(status)
    status["kernel"]["defects"], status["findings"], status["card"] = lying["kernel"]["defects"], lying["findings"], lying["card"]
    wrong = {finding["group"] for finding in lying["findings"]}
    status["groups"] = [group for group in lying["groups"] if group["name"] in wrong][:len(status["groups"])] + status["groups"][3:]
    for key in ("finding", "processes_with_finding", "rss_deficit_bytes"):
        status["totals"][key] = lying["totals"][key]
    return status


STATUSES = {
    "0-groups": lambda: sample("starting"),
    "0-groups-with-findings": lambda: with_findings(sample("starting")),
    "9-groups-with-findings": lambda: sample("lying"),
    "300-groups": lambda: sample("many"),
    "300-groups-with-findings": lambda: with_findings(sample("many")),
}


class Samples(unittest.TestCase):
    def test_fit_the_schema(self) -> None:
        try:
            import jsonschema  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.skipTest("this Python has no jsonschema")
        schema = json.loads(SCHEMA.read_text())
        for name, make in STATUSES.items():
            with self.subTest(name):
                jsonschema.validate(make(), schema)
        broken = sample("lying")
        broken["groups"][0]["reported_rss_bytes"] = -1
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


class Page(unittest.TestCase):
    browser: Browser

    @classmethod
    def setUpClass(cls) -> None:
        cls.browser = cls.enterClassContext(Browser(SETTINGS.chromium))

    def setUp(self) -> None:
        self.status_file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "status.json"
        self.browser.look()

    def write(self, status: dict) -> None:
        fresh = self.status_file.with_suffix(".new")
        fresh.write_text(json.dumps(status))
        fresh.rename(self.status_file)

    def serve(self, status: dict, **options) -> Server:
        self.write(status)
        return self.enterContext(Server(SETTINGS.server, "--status", str(self.status_file), **options))

    def open(self, server: Server) -> str:
        origin = f"http://127.0.0.1:{server.port}"
        self.browser.open(f"{origin}/")
        self.browser.wait_for("!document.getElementById('verdict').hidden")
        return origin

    def text(self, selector: str) -> str:
        return str(self.browser.evaluate(f"document.querySelector({selector!r}).innerText"))

    def violations(self) -> list[str]:
        if not self.browser.evaluate("typeof axe === 'object'"):
            self.browser.evaluate(SETTINGS.axe.read_text() + "; true")
        found = self.browser.evaluate(
            f"axe.run(document, {{runOnly: {RULES}, resultTypes: ['violations']}}).then(result => result.violations.map("
            "rule => rule.id + ': ' + rule.nodes.map(node => node.target + ' ' + node.failureSummary).join('; ')))")
        return list(found)

    def check(self, name: str, dark: bool) -> None:
        status = STATUSES[name]()
        server = self.serve(status)
        self.browser.look(dark=dark)
        origin = self.open(server)
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#group-rows tr').length"), len(status["groups"]))
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#finding-rows tr').length"),
                         len(status["findings"]))
        self.assertEqual(self.browser.evaluate("getComputedStyle(document.body).color"),
                         "rgb(231, 234, 238)" if dark else "rgb(27, 32, 39)")
        self.assertEqual(self.violations(), [])
        self.browser.screenshot(SETTINGS.screenshots / f"{name}-{'dark' if dark else 'light'}.png")
        self.assertEqual(self.browser.complaints(), [])
        self.assertTrue(all(url.startswith(origin) or url.startswith("data:") for url in self.browser.requested()),
                        self.browser.requested())
        self.assertIn(f"{origin}/api/v1/status", self.browser.requested())

    def test_is_accessible_in_both_themes_with_few_and_many_groups(self) -> None:
        for name in STATUSES:
            for dark in (False, True):
                with self.subTest(name, dark=dark):
                    self.check(name, dark)

    def test_says_whether_the_kernel_lies_to_whom_and_how_much(self) -> None:
        server = self.serve(sample("lying"))
        self.open(server)
        self.assertEqual(self.text("#headline"), "Yes: this kernel misreports memory")
        self.assertEqual(self.text("#explanation"), "8.3 GiB are missing from the Rss of 45 processes in 3 groups.")
        self.assertIn("K01: smaps leaves out huge pages", self.text("#reasons"))
        first = self.text("#group-rows tr")
        for words in ("postgresql", "14.3 GiB", "20.0 GiB", "5.7 GiB missing"):
            self.assertIn(words, first)
        self.assertTrue(self.browser.evaluate("!!document.querySelector('#group-rows tr rect.missing')"))
        self.write(sample("many"))
        self.open(server)
        self.assertEqual(self.text("#headline"), "No lie found")
        self.assertFalse(self.browser.evaluate("!!document.querySelector('#group-rows rect.missing')"))

    def test_tells_unknown_from_zero(self) -> None:
        self.open(self.serve(sample("starting")))
        self.assertEqual(self.text("#headline"), "Not known yet")
        self.assertIn("No space left on device", self.text("#notices"))
        self.assertIn("Nothing is read at the moment", self.text("#notices"))
        self.assertIn("unknown", self.text("#figures"))
        self.assertIn("No probe has run", self.text("#card"))

    def test_follows_the_service_without_being_loaded_again(self) -> None:
        status = {**sample("many"), "refresh_seconds": 0.2}
        self.serve_and_mark(status)
        self.write({**sample("lying"), "refresh_seconds": 0.2})
        self.browser.wait_for("document.getElementById('headline').textContent.startsWith('Yes')")
        self.assertEqual(self.browser.evaluate("window.mark"), "same document")
        self.assertIn("Yes", self.text("#announcement"), "told to screen readers")
        self.browser.evaluate("document.getElementById('pause').click()")
        self.write(status)
        self.assertEqual(self.browser.evaluate("new Promise(done => setTimeout(() => done(document.title), 1000))"),
                         "Yes: this kernel misreports memory – smaps-auditd", "paused")
        self.browser.evaluate("document.getElementById('pause').click()")
        self.browser.wait_for("document.title.startsWith('No lie')")

    def serve_and_mark(self, status: dict) -> Server:
        server = self.serve(status)
        self.open(server)
        self.browser.evaluate("window.mark = 'same document'")
        return server

    def test_says_when_the_service_is_gone_and_finds_it_again(self) -> None:
        self.write({**sample("lying"), "refresh_seconds": 0.2})
        options = ("--status", str(self.status_file))
        with Server(SETTINGS.server, *options) as server:
            address = server.addresses[0]
            self.open(server)
        self.browser.wait_for("!document.getElementById('connection').hidden")
        self.assertIn("does not answer", self.text("#connection"))
        self.assertEqual(self.violations(), [])
        self.enterContext(Server(SETTINGS.server, *options, listen=(address,)))
        self.browser.wait_for("document.getElementById('connection').hidden")

    def test_filters_and_sorts_groups(self) -> None:
        self.open(self.serve(sample("many")))
        self.browser.evaluate("document.getElementById('filter').value = 'WEB-'; "
                              "document.getElementById('filter').dispatchEvent(new Event('input'))")
        wanted = sum("web-" in group["name"] for group in sample("many")["groups"])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#group-rows tr').length"), wanted)
        self.assertEqual(self.text("#shown"), f"{wanted} of 300 groups")
        self.browser.evaluate("document.getElementById('order').value = 'name'; "
                              "document.getElementById('order').dispatchEvent(new Event('change'))")
        names = self.browser.evaluate("[...document.querySelectorAll('#group-rows th')].map(cell => cell.textContent)")
        self.assertEqual(names, sorted(names))

    def test_takes_names_for_text(self) -> None:
        status = sample("lying")
        status["groups"][0]["name"] = status["findings"][0]["group"] = "<img src=x onerror=alert(1)>"
        self.open(self.serve(status))
        self.assertIn("<img src=x", self.text("#group-rows"))
        self.assertFalse(self.browser.evaluate("!!document.querySelector('main img')"))
        self.assertEqual(self.browser.complaints(), [])

    def test_fits_a_narrow_screen(self) -> None:
        self.browser.look(width=320)
        self.open(self.serve(sample("lying")))
        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), 320)
        self.assertEqual(self.violations(), [])
        self.browser.screenshot(SETTINGS.screenshots / "narrow.png")

    def test_is_readable_without_javascript(self) -> None:
        server = self.serve(sample("lying"))
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.browser.open(f"http://127.0.0.1:{server.port}/")
            html = self.browser.html()
            self.browser.screenshot(SETTINGS.screenshots / "without-javascript.png")
        finally:
            self.browser.call("Emulation.setScriptExecutionDisabled", value=False)
        noscript = html[html.index("<noscript>"):html.index("</noscript>")]
        self.assertIn("<h2>Yes: this kernel misreports memory</h2>", noscript)
        self.assertIn("<td>postgresql</td>", noscript)


def main() -> int:
    global SETTINGS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--screenshots", type=pathlib.Path, required=True)
    parser.add_argument("-k", dest="pattern")
    SETTINGS = parser.parse_args()
    SETTINGS.server = SETTINGS.server.resolve()
    if os.geteuid() != 0:
        print("SKIP Chromium in a chroot wants root")
        return 77
    try:
        SETTINGS.chromium, SETTINGS.axe = fetch_browser.chromium(), fetch_browser.axe()
    except AptError as error:
        print(f"SKIP no browser to be had: {error}")
        return 77
    loader = unittest.TestLoader()
    if SETTINGS.pattern:
        loader.testNamePatterns = [f"*{SETTINGS.pattern}*"]
    result = unittest.TextTestRunner(verbosity=2).run(loader.loadTestsFromModule(sys.modules["__main__"]))
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
