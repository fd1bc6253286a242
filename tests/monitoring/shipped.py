# SPDX-License-Identifier: Apache-2.0
"""What monitoring/ ships, as tests need it: files, expressions, the names and labels in them. Python 3.11, standard library."""

from __future__ import annotations

import html
import json
import pathlib
import re
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MONITORING = ROOT / "monitoring"
RULES = sorted(MONITORING.glob("rules/*.yml"))
CONSOLE_FOLDERS = (MONITORING / "consoles", MONITORING / "console_libraries")
CONSOLES = sorted(MONITORING.glob("consoles/*.html"))
DASHBOARDS = sorted(MONITORING.glob("dashboards/*.json"))
ALERTMANAGER = MONITORING / "examples" / "alertmanager.yml"
PROMETHEUS = MONITORING / "examples" / "prometheus.yml"

# All waiting of rules and of Alertmanager; whoever shortens it says so.
WAITING = re.compile(r"(?m)^( *(?:for|group_wait):) .*$")
WAITING_AS_SED = r"s/^( *(for|group_wait):) .*/\1 1s/"
# What Prometheus and the rules themselves add to the table's labels.
LABELS_OF_SCRAPES = {"job", "instance"}
LABELS_OF_RULES = {"kernel_release", "budget", "alertname", "severity"}
NOT_OURS = {"up"}


def shortened(text: str) -> str:
    """With every for: and group_wait: at a second; prints the substitution, as sed -E takes it."""
    print(f"shortened by: sed -E '{WAITING_AS_SED}'")
    return WAITING.sub(r"\1 1s", text)


def table_of_metrics() -> dict[str, set[str]]:
    """Name → labels, of docs/metrics.md, which a unit test holds to the table in daemon/metric_rows.cpp."""
    rows = re.findall(r"(?m)^\| `(\w+)` \| \w+ \| ([^|]*) \|", (ROOT / "docs" / "metrics.md").read_text())
    return {name: {label.strip() for label in labels.split(",") if label.strip()} for name, labels in rows}


def alerts() -> list[str]:
    return [name for path in RULES for name in re.findall(r"(?m)^ *- alert: (\w+)$", path.read_text())]


def recorded() -> list[str]:
    return [name for path in RULES for name in re.findall(r"(?m)^ *- record: (\S+)$", path.read_text())]


def rule_expressions(path: pathlib.Path) -> list[str]:
    """Of a rules file, in its order: on the line of `expr:`, or all lines below that are indented deeper."""
    found = []
    for match in re.finditer(r"(?m)^( *)expr: (.*)\n((?:(?:\1 +.*)?\n)*)", path.read_text()):
        found.append(" ".join(match[3].split()) if match[2].startswith("|") else match[2])
    return found


def annotation_expressions(path: pathlib.Path) -> list[str]:
    """What the templates of a rules file query."""
    return [re.sub("%q", '"X"', text) for text in re.findall(r'query \(printf "((?:[^"\\]|\\.)*)"', path.read_text())]


def console_queries(path: pathlib.Path) -> Iterator[str]:
    """What a console's template asks itself, %q being any string."""
    text = path.read_text()
    for plain in re.findall(r'query "((?:[^"\\]|\\.)*)"', text):
        yield plain
    for formed in re.findall(r'query \(printf "((?:[^"\\]|\\.)*)"', text):
        yield formed.replace('\\"', '"')


# data-expr="…" as it is, or data-expr="{{ printf "…" … }}".
PANEL_QUERY = re.compile(r"""data-expr\d*="(?:\{\{ printf "((?:[^"\\]|\\.)*)"[^}]*\}\}|([^"]*))\"""")


def console_panels(path: pathlib.Path, instance: str) -> list[list[str]]:
    """The queries of each chart of a console, as its page has them for that instance."""
    panels = []
    for tag in re.findall(r"<figure [^\n]*>", path.read_text()):
        panels.append([formed.replace('\\"', '"').replace("%q", json.dumps(instance)) if formed else html.unescape(literal)
                       for formed, literal in PANEL_QUERY.findall(tag)])
    return panels


def dashboard_panels(path: pathlib.Path, instance: str) -> list[list[str]]:
    """The queries of each panel of a dashboard, for that instance, without Grafana's own variables."""
    return [[target["expr"].replace("$instance", instance).replace("$__rate_interval", "5m") for target in panel["targets"]]
            for panel in json.loads(path.read_text())["panels"] if panel.get("targets")]


STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\s*\{([^}]*)\}")
WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right"}


def names_in(expression: str) -> tuple[dict[str, set[str]], set[str]]:
    """Each metric with the labels that its selectors match, and the labels that aggregations and joins name."""
    text = STRING.sub('""', expression)
    joined = {label.strip() for found in LABEL_LIST.findall(text) for label in found.split(",") if label.strip()}
    text = LABEL_LIST.sub(" ", text)
    metrics: dict[str, set[str]] = {}
    for name, matchers in SELECTOR.findall(text):
        metrics.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    text = re.sub(r"\[[^\]]*\]", " ", SELECTOR.sub(" ", text))
    for name in re.findall(r"(?<![\w.:])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", text):
        if name not in WORDS:
            metrics.setdefault(name, set())
    return metrics, joined


def needed_by_rules() -> set[str]:
    """The metrics of the table that some rule or alert asks for."""
    expressions = [text for path in RULES for text in (*rule_expressions(path), *annotation_expressions(path))]
    return {name for text in expressions for name in names_in(text)[0]} & set(table_of_metrics())


def complaints_about(expression: str) -> list[str]:
    """What in it no host exports and no rule records."""
    table, rules = table_of_metrics(), set(recorded())
    known = LABELS_OF_SCRAPES | LABELS_OF_RULES | {label for labels in table.values() for label in labels}
    metrics, joined = names_in(expression)
    found = [f"no label {label}" for label in sorted(joined - known)]
    for name, matched in metrics.items():
        if name in table:
            found += [f"{name} has no label {label}" for label in sorted(matched - table[name] - LABELS_OF_SCRAPES)]
        elif name in rules:
            found += [f"no label {label}" for label in sorted(matched - known)]
        elif name not in NOT_OURS:
            found.append(f"no metric {name}")
    return found
