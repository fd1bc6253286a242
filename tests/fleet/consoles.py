# SPDX-License-Identifier: Apache-2.0
"""The shipped consoles in headless Chromium, over a Prometheus that watches real hosts."""

from __future__ import annotations

import json
import pathlib
import sys
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "service"))
from auditd import wait_for  # noqa: E402
from browser import Browser  # noqa: E402
from prometheus import Prometheus  # noqa: E402

# Of each chart: its caption, its queries, and what the page says of it.
FIGURES = """[...document.querySelectorAll("figure")].map((figure) => ({
  caption: figure.querySelector("figcaption").firstChild.textContent.trim(),
  queries: Object.keys(figure.dataset).filter((key) => /^expr\\d*$/.test(key)).map((key) => figure.dataset[key]),
  series: Number(figure.dataset.series), paths: figure.querySelectorAll("path").length}))"""
WIDTH = 1280


def of_host(labels: dict[str, str], instance: str, kernel_release: str) -> bool:
    """Is it a series of that host, or of the kernel that none but it runs?"""
    return instance in labels.values() or kernel_release in labels.values()


def empty_panels(prometheus: Prometheus, figures: list[dict], instance: str, kernel_release: str) -> list[str]:
    """What of a page does not show anything of that host but 0: query by query."""
    found = []
    for figure in figures:
        for query in figure["queries"]:
            named = f'instance="{instance}"' in query
            if not any(value != 0 and (named or of_host(labels, instance, kernel_release))
                       for labels, value in prometheus.query(query)):
                found.append(f"{figure['caption']}: {query}")
    return found


def look(browser: Browser, prometheus: Prometheus, page: str, instance: str, kernel_release: str, patience_seconds: float,
         screenshot: pathlib.Path) -> None:
    """Opens a console until all of it shows that host, and keeps a picture of it."""
    address = f"http://127.0.0.1:{prometheus.port}/consoles/{page}"
    browser.look(width=WIDTH)
    browser.open(address)
    figures = json.loads(browser.evaluate(f"JSON.stringify({FIGURES})"))
    assert figures and all(figure["queries"] for figure in figures), figures
    try:
        wait_for("every panel", lambda: not empty_panels(prometheus, figures, instance, kernel_release), patience_seconds)
    except AssertionError as error:
        raise AssertionError(empty_panels(prometheus, figures, instance, kernel_release)) from error
    browser.open(address)
    browser.wait_for('document.body.dataset.drawn === "yes"')
    for figure in json.loads(browser.evaluate(f"JSON.stringify({FIGURES})")):
        assert figure["series"] > 0 and figure["paths"] > 0, figure
    shown = browser.evaluate("document.body.innerText")
    assert instance in shown and kernel_release in shown and "K01" in shown, shown
    assert not browser.complaints(), browser.complaints()
    browser.look(width=WIDTH, height=int(browser.evaluate("document.documentElement.scrollHeight")))
    browser.screenshot(screenshot)
    print(f"  {page}: {len(figures)} panels, {screenshot}")


def show(chromium: pathlib.Path, prometheus: Prometheus, instance: str, kernel_release: str, patience_seconds: float,
         screenshots: pathlib.Path) -> None:
    """Both consoles."""
    with Browser(chromium) as browser:
        for page, parameters in (("smaps-audit-fleet.html", {}), ("smaps-audit-host.html", {"instance": instance})):
            query = urllib.parse.urlencode({"range": "5m", **parameters})
            look(browser, prometheus, f"{page}?{query}", instance, kernel_release, patience_seconds,
                 screenshots / f"{pathlib.PurePath(page).stem}.png")
