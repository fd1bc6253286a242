#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""monitoring/ by itself: promtool and amtool accept it, each alert has its tests and its runbook, no name is invented.

    rules_test.py [NAME…]

Debian's prometheus and prometheus-alertmanager come into the cache by name. Exit: 0, 1, 77 (no packages).
Python 3.11, standard library only.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "service"), str(HERE.parent / "kernel")]
import shipped  # noqa: E402
from fetch_kernel import FetchError  # noqa: E402
from private_apt import AptError  # noqa: E402
from prometheus import program  # noqa: E402

TESTS = sorted(HERE.glob("*.test.yml"))


def tool(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program(name), *map(str, words)], capture_output=True, text=True, timeout=120, check=False)


def promtool(*words: object) -> subprocess.CompletedProcess[str]:
    return tool("promtool", *words)


def promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *shipped.RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = sum(map(int, re.findall(r"SUCCESS: (\d+) rules", done.stdout)))
    assert counted == len(shipped.alerts()) + len(shipped.recorded()) == sum(len(shipped.rule_expressions(path))
                                                                            for path in shipped.RULES), done.stdout


def every_alert_fires_and_every_alert_holds_its_tongue() -> None:
    done = promtool("test", "rules", *TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    cases = re.findall(r"alertname: (\w+)\n +exp_alerts:(.*)", "".join(path.read_text() for path in TESTS))
    for alert in shipped.alerts():
        assert {empty.strip() == "[]" for name, empty in cases if name == alert} == {True, False}, alert
    assert {name for name, _ in cases} == set(shipped.alerts())


def a_rule_that_is_wrong_is_seen() -> None:
    """The tests test: a threshold that is moved fails them."""
    changes = {"SmapsAuditCoverageLow": (" < 0.8", " < 0.4"), "SmapsAuditDown": ('up{job="smaps-audit"} == 0', "up == 0")}
    with tempfile.TemporaryDirectory() as directory:
        copies = pathlib.Path(directory)
        for path in shipped.RULES:
            text = path.read_text()
            for old, new in changes.values():
                text = text.replace(old, new)
            (copies / path.name).write_text(text)
        test = copies / "hosts.test.yml"
        test.write_text((HERE / "hosts.test.yml").read_text().replace("../../monitoring/rules/", ""))
        done = promtool("test", "rules", test)
        assert done.returncode == 1, done.stdout
        assert set(re.findall(r"alertname: (\w+), time", done.stderr + done.stdout)) == set(changes), done.stderr


def amtool_and_promtool_accept_the_examples() -> None:
    done = tool("amtool", "check-config", shipped.ALERTMANAGER)
    assert done.returncode == 0, done.stdout + done.stderr
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory, "prometheus.yml")
        config.write_text(shipped.PROMETHEUS.read_text().replace("/etc/prometheus/rules", str(shipped.MONITORING / "rules")))
        done = promtool("check", "config", config)
        assert done.returncode == 0 and "3 rule files found" in done.stdout, done.stdout + done.stderr


def promtool_accepts_what_the_fleets_page_advises() -> None:
    blocks = re.findall(r"(?s)```yaml\n(.*?)```", (shipped.ROOT / "docs" / "fleet.md").read_text())
    assert len(blocks) > 4, blocks
    with tempfile.TemporaryDirectory() as directory:
        for i, block in enumerate(blocks):
            config = pathlib.Path(directory, f"{i}.yml")
            config.write_text(block.replace("/etc/prometheus/rules", str(shipped.MONITORING / "rules")))
            done = promtool("check", "config", config)
            assert done.returncode == 0, (block, done.stdout + done.stderr)
    kept = next(found for block in blocks for found in re.findall(r"regex: (process_\S+)", block))
    dropped = {name for name in shipped.table_of_metrics() if not re.fullmatch(kept, name)}
    assert not dropped & shipped.needed_by_rules(), dropped & shipped.needed_by_rules()
    assert len(dropped) > 20, dropped


def the_table_of_alerts_is_right() -> None:
    page = (shipped.MONITORING / "README.md").read_text()
    rows = dict(re.findall(r"(?m)^\| \[(\w+)\]\(runbooks/\1\.md\) \| (\w+ \| \d+ \w) \|", page))
    rules = "".join(path.read_text() for path in shipped.RULES)
    told = re.findall(r"(?s)- alert: (\w+)\n.*?for: (\d+)(\w)\n.*?severity: (\w+)", rules)
    assert rows == {name: f"{severity} | {number} {unit}" for name, number, unit, severity in told}, rows


def receivers_of(**labels: str) -> str:
    words = [f"{key}={value}" for key, value in labels.items()]
    done = tool("amtool", "config", "routes", "test", f"--config.file={shipped.ALERTMANAGER}", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def every_alert_has_a_receiver_and_is_known_to_the_routes() -> None:
    for alert in shipped.alerts():
        assert receivers_of(alertname=alert) == "operators", alert
    named = set(re.findall(r"SmapsAudit\w+", shipped.ALERTMANAGER.read_text()))
    for several in re.findall(r"SmapsAudit\(([\w|]+)\)", shipped.ALERTMANAGER.read_text()):
        named |= {f"SmapsAudit{word}" for word in several.split("|")}
    assert named - {"SmapsAudit"} <= set(shipped.alerts()), named - set(shipped.alerts())


def what_tests_shorten_is_all_that_waits() -> None:
    def waits(text: str) -> list[str]:
        return re.findall(r"\b(?:for|group_wait): *(\S+)", re.sub(r"(?m)#.*$", "", text))

    for path in (*shipped.RULES, shipped.ALERTMANAGER):
        text = path.read_text()
        assert len(shipped.WAITING.findall(text)) == len(waits(text)), path
        assert set(waits(shipped.shortened(text))) <= {"1s"}, path
    sed = subprocess.run(["sed", "-E", shipped.WAITING_AS_SED, shipped.ALERTMANAGER], capture_output=True, text=True, check=True)
    assert sed.stdout == shipped.shortened(shipped.ALERTMANAGER.read_text())


def every_alert_says_what_to_do() -> None:
    pages = {path.stem for path in shipped.MONITORING.glob("runbooks/*.md")}
    assert pages == set(shipped.alerts()), pages ^ set(shipped.alerts())
    for path in shipped.RULES:
        for name, body in re.findall(r"(?s)- alert: (\w+)\n(.*?)(?=\n      - |\Z)", path.read_text()):
            for word in ("severity: ", "summary: ", "description: ", f"runbook: runbooks/{name}.md"):
                assert word in body, (name, word)


def no_name_is_invented() -> None:
    expressions = [(path.name, text) for path in shipped.RULES
                   for text in (*shipped.rule_expressions(path), *shipped.annotation_expressions(path))]
    for path in shipped.CONSOLES:
        expressions += [(path.name, text) for text in shipped.console_queries(path)]
        expressions += [(path.name, text) for panel in shipped.console_panels(path, "X") for text in panel]
    for path in shipped.DASHBOARDS:
        expressions += [(path.name, text) for panel in shipped.dashboard_panels(path, "X") for text in panel]
    assert len(expressions) > 60, len(expressions)
    wrong = [(name, text, found) for name, text in expressions if (found := shipped.complaints_about(text))]
    assert not wrong, wrong
    labels = {label for path in shipped.RULES for label in re.findall(r"\$labels\.(\w+)", path.read_text())}
    known = {label for labels in shipped.table_of_metrics().values() for label in labels}
    assert labels <= known | shipped.LABELS_OF_SCRAPES | shipped.LABELS_OF_RULES, labels


def no_page_names_a_metric_that_is_not_there() -> None:
    known = set(shipped.table_of_metrics()) | set(shipped.recorded())
    pages = [*shipped.MONITORING.rglob("*.md"), *shipped.MONITORING.rglob("*.html"), *shipped.MONITORING.rglob("*.json"),
             shipped.ROOT / "docs" / "fleet.md"]
    for page in pages:
        text = page.read_text() if page.exists() else ""
        for name in re.findall(r"(?<![\w:.])(?:\w+:)?smaps_audit_\w+(?::\w+)?", text):
            assert name in known or any(each.startswith(name) for each in known if name.endswith("_")), (page.name, name)


def runbooks_name_what_is_there() -> None:
    catalog = (shipped.ROOT / "systemd" / "smaps-auditd.catalog").read_text()
    settings = (shipped.ROOT / "docs" / "configuration.md").read_text()
    for page in shipped.MONITORING.glob("runbooks/*.md"):
        text = page.read_text()
        assert text.startswith(f"# {page.stem}\n"), page
        for heading in ("**What it means.**", "**Is it urgent?**", "## Do this", "## When it ends"):
            assert heading in text, (page.name, heading)
        assert all(word in catalog for word in re.findall(r"MESSAGE_ID=(\w+)", text)), page.name
        for key in re.findall(r"`((?:audit|worker|targets|limits|web|store|probe|paths)\.[a-z_]+)`", text):
            assert f"| `{key}` |" in settings, (page.name, key)
        for alert in re.findall(r"SmapsAudit\w+", text):
            assert alert in shipped.alerts(), (page.name, alert)
        for path in re.findall(r"\b(docs/\w+\.md|[A-Z]+\.md)", text):
            assert (shipped.ROOT / path).exists(), (page.name, path)


def the_lint_sees_what_is_wrong() -> None:
    for text in ("smaps_audit_nothing > 0", 'smaps_audit_findings{target="x"}', "sum by (colour) (smaps_audit_findings)",
                 "rate(smaps_audit_nothing[5m])", 'instance:nothing:sum{defect="K01"}'):
        assert shipped.complaints_about(text), text
    for text in ('sum by (defect) (smaps_audit_findings{defect!="unknown", instance=~"a.*"} offset 1w) > bool 0',
                 "time() - up / on (job, instance) group_left (kernel_release) smaps_audit_host_info unless 2 * 3600 > 1e3"):
        assert not shipped.complaints_about(text), (text, shipped.complaints_about(text))


CASES = (
    promtool_accepts_the_rules,
    every_alert_fires_and_every_alert_holds_its_tongue,
    a_rule_that_is_wrong_is_seen,
    amtool_and_promtool_accept_the_examples,
    promtool_accepts_what_the_fleets_page_advises,
    the_table_of_alerts_is_right,
    every_alert_has_a_receiver_and_is_known_to_the_routes,
    what_tests_shorten_is_all_that_waits,
    every_alert_says_what_to_do,
    no_name_is_invented,
    no_page_names_a_metric_that_is_not_there,
    runbooks_name_what_is_there,
    the_lint_sees_what_is_wrong,
)


def main(names: list[str]) -> int:
    try:
        for package in ("prometheus", "prometheus-alertmanager"):
            program(package)
    except (FetchError, AptError) as error:
        print(f"SKIP: {error}")
        return 77
    failed = 0
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        try:
            case()
            print(f"ok    {case.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {case.__name__}\n{traceback.format_exc()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
