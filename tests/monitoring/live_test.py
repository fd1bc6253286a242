#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""monitoring/ in a real Prometheus and a real Alertmanager, on the page of a smaps-auditd that found a lie. Root.

    live_test.py --smaps-auditd FILE --smaps-audit FILE --workload FILE [NAME…]

Debian's prometheus and prometheus-alertmanager come into the cache by name; nothing is installed. Exit: 0, 1, 77 (no root,
no packages). Python 3.11 with python3-jsonschema (Debian's own interpreter has it).
"""

from __future__ import annotations

import contextlib
import dataclasses
import html
import http.client
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "service"), str(HERE.parent / "kernel")]
import shipped  # noqa: E402
from auditd import PATIENCE_SECONDS, wait_for  # noqa: E402
from fetch_kernel import FetchError  # noqa: E402
from private_apt import AptError  # noqa: E402
from prometheus import Alertmanager, Prometheus, job, program  # noqa: E402
from prometheus_test import LIE_BYTES, a_service_lied_to_by_proc_itself, has_mount_namespaces, listening  # noqa: E402
from service_test import Bench, options_of, run  # noqa: E402


def spool_of_a_kernel_with(bench: Bench, defect: str) -> pathlib.Path:
    """A behaviour card of this boot, as a probe leaves it, but for the state of one defect."""
    spool = bench.directory / "spool"
    spool.mkdir()
    subprocess.run([bench.audit, "probe", "control", "--spool", spool], capture_output=True, check=True)
    card = json.loads((spool / "card.json").read_text())
    next(row for row in card["defects"] if row["id"] == defect)["state"] = "present"
    (spool / "card.json").write_text(json.dumps(card))
    return spool


def federation(edge: Prometheus) -> dict:
    """Of two shards (the same one, twice), as docs/fleet.md has it."""
    shards = [{"targets": [f"127.0.0.1:{edge.port}"], "labels": {"shard": shard}} for shard in ("a", "b")]
    return {"job_name": "federate", "honor_labels": True, "metrics_path": "/federate",
            "params": {"match[]": ['{__name__=~"release(_defect)?:smaps_audit_.*"}']}, "static_configs": shards}


@dataclasses.dataclass
class Everything:
    edge: Prometheus  # scrapes the host, with all rules
    whole: Prometheus  # has the sums of two edges, and the rules of the fleet
    instance: str


@contextlib.contextmanager
def everything(bench: Bench) -> Iterator[Everything]:
    """A service with a finding, on a kernel with a defect, and what watches it, once both alerts fire."""
    rules = {path.stem: bench.directory / path.name for path in shipped.RULES}
    for path in shipped.RULES:
        rules[path.stem].write_text(shipped.shortened(path.read_text()))
    spool = spool_of_a_kernel_with(bench, "K01")
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(a_service_lied_to_by_proc_itself(bench, probe={"spool": str(spool)}))
        instance = listening(service, "127.0.0.1")
        edge = stack.enter_context(Prometheus(bench.directory / "edge", [job("smaps-audit", instance)], rules=[*rules.values()],
                                              consoles=shipped.CONSOLE_FOLDERS))
        whole = stack.enter_context(Prometheus(bench.directory / "whole", [federation(edge)],
                                               rules=[rules["smaps-audit-fleet.alerts"]], consoles=shipped.CONSOLE_FOLDERS))
        wait_for("the deficit's alert", lambda: edge.query(firing("SmapsAuditTargetDeficit")))
        for prometheus in (edge, whole):
            wait_for("the kernel's alert", lambda prometheus=prometheus: prometheus.query(firing("SmapsAuditKernelDefect")))
        yield Everything(edge, whole, instance)


def firing(alert: str) -> str:
    return f'ALERTS{{alertname="{alert}",alertstate="firing"}}'


def the_right_alerts_fire(prometheus: Prometheus, instance: str) -> None:
    alerts = {labels["alertname"]: labels for labels, _ in prometheus.query('ALERTS{alertstate="firing"}')}
    assert set(alerts) == {"SmapsAuditTargetDeficit", "SmapsAuditKernelDefect"}, alerts
    deficit = alerts["SmapsAuditTargetDeficit"]
    assert deficit["target"] == "liar" and deficit["instance"] == instance and deficit["severity"] == "warning", deficit
    assert deficit["defect"] and deficit["kernel_release"] == alerts["SmapsAuditKernelDefect"]["kernel_release"], alerts
    answer = json.loads(prometheus.get("/api/v1/alerts")[1])["data"]["alerts"]
    said = {alert["labels"]["alertname"]: alert["annotations"]["description"] for alert in answer}
    assert f"{LIE_BYTES // 1048576}MiB" in said["SmapsAuditTargetDeficit"], said
    assert "K01 on 1" in said["SmapsAuditKernelDefect"], said


def every_rule_is_evaluated(prometheus: Prometheus) -> None:
    """Without an error, and what is recorded has series, each with a label that the page has."""
    groups = json.loads(prometheus.get("/api/v1/rules")[1])["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert sorted(rule["name"] for rule in rules) == sorted([*shipped.alerts(), *shipped.recorded()])
    assert all(rule["health"] == "ok" for rule in rules), [rule for rule in rules if rule["health"] != "ok"]
    for path in shipped.RULES:
        for expression in (*shipped.rule_expressions(path), *shipped.annotation_expressions(path)):
            prometheus.query(expression)  # raises if it is refused
    wait_for("all that is recorded", lambda: all(prometheus.query(name) for name in shipped.recorded()))


def every_panel_shows_something(prometheus: Prometheus, panels: list[list[str]]) -> None:
    assert len(panels) > 5 and all(panels), panels
    for query in (query for panel in panels for query in panel):
        wait_for(query, lambda query=query: prometheus.query(query))


def consoles_and_dashboards_ask_the_same(instance: str) -> None:
    for console in shipped.CONSOLES:
        dashboard = shipped.MONITORING / "dashboards" / f"{console.stem}.json"

        def as_set(panels: list[list[str]]) -> set[str]:
            return {re.sub(r"\s+", " ", query) for panel in panels for query in panel}
        of_console, of_dashboard = (as_set(shipped.console_panels(console, instance)),
                                    as_set(shipped.dashboard_panels(dashboard, instance)))
        assert of_console == of_dashboard, of_console ^ of_dashboard


def a_console_is_rendered(prometheus: Prometheus, name: str, instance: str, words: list[str]) -> None:
    status, answer = prometheus.get(f"/consoles/{name}.html?{urllib.parse.urlencode({'instance': instance})}")
    page = answer.decode()
    text = html.unescape(page)
    assert status == 200 and "error executing template" not in text, (status, text)
    for word in words:
        assert word in re.sub(r"<[^>]*>", " ", text), (word, text)
    # Its charts ask what we think that they ask.
    shown = [html.unescape(query) for query in re.findall(r'data-expr\d*="([^"]*)"', page)]
    assert shown == [query for panel in shipped.console_panels(shipped.MONITORING / "consoles" / f"{name}.html", instance)
                     for query in panel], shown


def the_whole_fleet_needs_the_sums_only(whole: Prometheus) -> None:
    """One alert for the release, with all hosts; page and dashboard of the fleet need no more either."""
    assert len(whole.query(firing("SmapsAuditKernelDefect"))) == 1, whole.query(firing("SmapsAuditKernelDefect"))
    said = json.loads(whole.get("/api/v1/alerts")[1])["data"]["alerts"][0]["annotations"]["description"]
    assert ": 2." in said and "K01 on 2" in said, said
    assert not whole.query("smaps_audit_host_info"), "nothing of a single host"
    every_panel_shows_something(whole, shipped.console_panels(shipped.CONSOLE_FOLDERS[0] / "smaps-audit-fleet.html", ""))
    a_console_is_rendered(whole, "smaps-audit-fleet", "", ["K01 (2)"])


def rules_consoles_and_dashboards_on_a_real_page(bench: Bench) -> None:
    if not has_mount_namespaces():
        return
    with everything(bench) as all_of_it:
        edge, instance = all_of_it.edge, all_of_it.instance
        the_right_alerts_fire(edge, instance)
        every_rule_is_evaluated(edge)
        for console in shipped.CONSOLES:
            every_panel_shows_something(edge, shipped.console_panels(console, instance))
        for dashboard in shipped.DASHBOARDS:
            every_panel_shows_something(edge, shipped.dashboard_panels(dashboard, instance))
        consoles_and_dashboards_ask_the_same(instance)
        release = edge.query("smaps_audit_host_info")[0][0]["kernel_release"]
        deficit = f"{LIE_BYTES // 1048576}MiB"
        a_console_is_rendered(edge, "smaps-audit-fleet", "", [release, "K01 (1)", instance, deficit])
        a_console_is_rendered(edge, "smaps-audit-host", instance, [release, "K01", "liar", deficit])
        a_console_is_rendered(edge, "smaps-audit-host", 'x"}', ["This host was not scraped.", "None now."])
        the_whole_fleet_needs_the_sums_only(all_of_it.whole)


def post(alertmanager: Alertmanager, alerts: list[dict]) -> None:
    client = http.client.HTTPConnection("127.0.0.1", alertmanager.port, timeout=PATIENCE_SECONDS)
    client.request("POST", "/api/v2/alerts", json.dumps(alerts), {"Content-Type": "application/json"})
    assert client.getresponse().status == 200
    client.close()


def states(alertmanager: Alertmanager) -> dict[tuple[str, str], str]:
    return {(alert["labels"]["alertname"], alert["labels"].get("instance", "")): alert["status"]["state"]
            for alert in json.loads(alertmanager.get("/api/v2/alerts")[1])}


def a_host_that_is_not_watched_has_no_deficit_and_a_bad_kernel_inhibits_nobody(bench: Bench) -> None:
    def alert(name: str, **labels: str) -> dict:
        return {"labels": {"alertname": name, "job": "smaps-audit", **labels}}

    if not has_mount_namespaces():  # which its templates need
        return
    config = shipped.shortened(shipped.ALERTMANAGER.read_text())
    with Alertmanager(bench.directory / "alertmanager", config) as alertmanager:
        alertmanager.wait_until_ready()
        sent = [alert("SmapsAuditTargetDeficit", instance=f"h{i}", target="redis", kernel_release="6.1") for i in (1, 2, 3)]
        sent += [alert("SmapsAuditDown", instance="h1"), alert("SmapsAuditStale", instance="h2"),
                 {"labels": {"alertname": "SmapsAuditKernelDefect", "kernel_release": "6.1"}},
                 alert("SmapsAuditPermission", instance="h4"), alert("SmapsAuditCoverageLow", instance="h4"),
                 alert("SmapsAuditCoverageLow", instance="h5")]
        post(alertmanager, sent)
        suppressed = {("SmapsAuditTargetDeficit", "h1"), ("SmapsAuditTargetDeficit", "h2"), ("SmapsAuditCoverageLow", "h4")}
        expected = {(each["labels"]["alertname"], each["labels"].get("instance", "")): "active" for each in sent}
        expected |= {each: "suppressed" for each in suppressed}
        wait_for("the states", lambda: states(alertmanager) == expected)


CASES = (
    rules_consoles_and_dashboards_on_a_real_page,
    a_host_that_is_not_watched_has_no_deficit_and_a_bad_kernel_inhibits_nobody,
)


def main() -> int:
    options = options_of(__doc__)
    try:
        for package in ("prometheus", "prometheus-alertmanager"):
            program(package)
    except (FetchError, AptError) as error:
        print(f"SKIP: {error}")
        return 77
    return run(CASES, options)


if __name__ == "__main__":
    sys.exit(main())
