#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fleet in miniature: two Debian 12 hosts boot from disk images, one on stock 6.1 and one on 6.12, with the package
installed and nothing but the listen address configured. The same workload runs on both. A Prometheus outside scrapes them
under the shipped rules, an Alertmanager tells a webhook. What is told of 6.1 and when, and that nothing is told of 6.12;
what the consoles show of it; and the way without the service, by node_exporter's textfile collector.

    fleet_test.py --image FILE --screenshots DIR      the image is fleet_image.py's

Exit: 0, 1 (something does not hold), 77 (no such guests here). Root. Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel"), str(HERE.parent / "service"), str(HERE.parent / "monitoring")]
import consoles  # noqa: E402
import fetch_browser  # noqa: E402
import shipped  # noqa: E402
from auditd import wait_for  # noqa: E402
from fleet_image import GROUP, PATIENCE_SECONDS, Host, booted, or_skip, play  # noqa: E402
from prometheus import Alertmanager, Prometheus, Webhook, job  # noqa: E402

DEFICIT, KERNEL = "SmapsAuditTargetDeficit", "SmapsAuditKernelDefect"
JOB = "smaps-audit"
SWEEPS = 2
KERNELS = ("6.1", "6.12")


def for_webhook(config: str, url: str) -> str:
    """The example, with our receiver in place of its own."""
    config, count = re.subn(r"(?m)^( *- url:) .*$", rf"\1 {url}", config)
    assert count == 1, config
    print(f"the receiver: - url: {url}")
    return config


class Fleet:
    """Both hosts, and what watches them."""

    def __init__(self, affected: Host, healthy: Host, directory: pathlib.Path, screenshots: pathlib.Path,
                 webhook: Webhook) -> None:
        self.affected, self.healthy, self.directory, self.webhook = affected, healthy, directory, webhook
        self.screenshots, self.chromium = screenshots, fetch_browser.chromium()

    def watch(self, end: contextlib.ExitStack) -> None:
        config = for_webhook(shipped.shortened(shipped.ALERTMANAGER.read_text()), self.webhook.url)
        self.alertmanager = end.enter_context(Alertmanager(self.directory / "alertmanager", config))
        rules = []
        for path in shipped.RULES:
            print(path.name, end=" ")
            rules.append(self.directory / path.name)
            rules[-1].write_text(shipped.shortened(path.read_text()))
        targets = [{"targets": [host.metrics_address], "labels": {"instance": host.name}}
                   for host in (self.affected, self.healthy)]
        # An emulated host is slow to answer while the machine is busy.
        scrape = {"job_name": JOB, "static_configs": targets, "scrape_interval": "3s", "scrape_timeout": "3s"}
        self.prometheus = end.enter_context(Prometheus(
            self.directory / "prometheus", [scrape], rules=rules, alertmanagers=[f"127.0.0.1:{self.alertmanager.port}"],
            consoles=(shipped.MONITORING / "consoles", shipped.MONITORING / "console_libraries")))
        for server in (self.alertmanager, self.prometheus):
            server.wait_until_ready()

    def told_of(self, host: Host) -> list[dict]:
        """Every alert that names the host, or its kernel."""
        return [alert for alert in list(self.webhook.alerts)
                if host.name == alert["labels"].get("instance") or host.kernel_release == alert["labels"].get("kernel_release")]


def both_hosts_work(fleet: Fleet, end: contextlib.ExitStack) -> None:
    hosts = (fleet.affected, fleet.healthy)
    for host in hosts:
        host.guest.wait_for_driver()
    for host in hosts:
        host.until("the service", "systemctl is-active -q smaps-auditd")
        declared = host.wait_for_workload()
        host.kernel_release = host.run("uname -r").strip()
        print(f"  {host.name}: {host.kernel_release}, workload {declared['pid']}")
    fleet.watch(end)
    # The timer would start it within an hour or so of the boot.
    for host in hosts:
        host.run("systemctl start --no-block smaps-audit-probe.service")


def the_deficit_arrives_with_defect_kernel_and_group(fleet: Fleet, _: contextlib.ExitStack) -> None:
    labels = {"instance": fleet.affected.name, "defect": "K01", "kernel_release": fleet.affected.kernel_release, "target": GROUP}
    told = wait_for(f"the deficit: {labels}", lambda: fleet.webhook.told(DEFICIT, "firing", **labels), PATIENCE_SECONDS)
    said = told[0]["annotations"]["description"]
    assert all(word in said for word in ("K01", fleet.affected.kernel_release, GROUP)), said
    print(f"  {said}")
    # Others suffer as well: journald's heap is of huge pages, and balancing hints it like any other.
    del labels["target"]
    others = [alert for alert in fleet.webhook.told(DEFICIT, "firing") if not labels.items() <= alert["labels"].items()]
    assert not others, others


def the_kernels_alert_arrives(fleet: Fleet, _: contextlib.ExitStack) -> None:
    for host in (fleet.affected, fleet.healthy):
        host.until("the end of the probes", "[ \"$(systemctl show --property ActiveState --value smaps-audit-probe)\" = inactive ]"
                                            " && ls /var/lib/smaps-audit/*")
    wait_for("the kernel's alert", lambda: fleet.webhook.told(KERNEL, "firing", kernel_release=fleet.affected.kernel_release),
             PATIENCE_SECONDS)
    wait_for("the probes' verdicts", lambda: len(fleet.prometheus.query(
        'smaps_audit_kernel_defect{class="finding",state!="unknown"} == 1')) >= 2, PATIENCE_SECONDS)
    print(f"  {fleet.webhook.told(KERNEL, 'firing')[0]['annotations']['description']}")


def the_healthy_host_is_silent(fleet: Fleet, _: contextlib.ExitStack) -> None:
    name = fleet.healthy.name
    wait_for(f"an audit of its workload and {SWEEPS} sweeps", lambda: fleet.prometheus.query(
        f'smaps_audit_target_true_rss_bytes{{instance="{name}",target="{GROUP}",bound="low"}} > 64 * 2^20 '
        f'and on (instance) smaps_audit_sweeps_total >= {SWEEPS}'), PATIENCE_SECONDS)
    assert not fleet.told_of(fleet.healthy), fleet.told_of(fleet.healthy)
    pending = fleet.prometheus.query(f'ALERTS{{instance="{name}"}}')
    assert not pending, pending
    assert not fleet.healthy.findings()
    fleet.healthy.guest.power_off()


def the_consoles_show_it(fleet: Fleet, _: contextlib.ExitStack) -> None:
    consoles.show(fleet.chromium, fleet.prometheus, fleet.affected.name, fleet.affected.kernel_release, PATIENCE_SECONDS, fleet.screenshots)


def the_deficit_resolves_when_the_workload_stops(fleet: Fleet, _: contextlib.ExitStack) -> None:
    fleet.affected.run(f"systemctl disable --now {GROUP}")
    wait_for("the deficit's end", lambda: fleet.webhook.told(DEFICIT, "resolved", instance=fleet.affected.name, target=GROUP),
             PATIENCE_SECONDS)


def the_kernels_alert_came_once_and_stays(fleet: Fleet, _: contextlib.ExitStack) -> None:
    told = [alert for alert in list(fleet.webhook.alerts) if alert["labels"]["alertname"] == KERNEL]
    assert len(told) == 1 and told[0]["status"] == "firing", told
    _, text = fleet.alertmanager.get("/api/v2/alerts")
    active = [alert["labels"]["kernel_release"] for alert in json.loads(text)
              if alert["labels"]["alertname"] == KERNEL and alert["status"]["state"] == "active"]
    assert active == [fleet.affected.kernel_release], active


def the_textfile_way(fleet: Fleet, end: contextlib.ExitStack) -> None:
    """smaps-audit-textfile.timer as it is shipped; only its waiting is shortened."""
    host = fleet.affected
    host.run("mkdir -p /run/systemd/system/smaps-audit-textfile.timer.d && "
             "printf '[Timer]\\nOnBootSec=1s\\nRandomizedDelaySec=0\\n' > /run/systemd/system/smaps-audit-textfile.timer.d/soon.conf && "
             "systemctl daemon-reload && systemctl start node-exporter smaps-audit-textfile.timer")
    prometheus = end.enter_context(Prometheus(
        fleet.directory / "textfile", [job("node", host.node_exporter_address, scrape_interval="3s", scrape_timeout="3s")]))
    wait_for("the deficit by way of a textfile", lambda: prometheus.query(
        f'smaps_audit_target_rss_deficit_bytes{{target="{GROUP}"}} >= 64 * 2^20'), PATIENCE_SECONDS)
    assert prometheus.query("time() - node_textfile_mtime_seconds >= 0")
    assert not prometheus.query("node_textfile_scrape_error != 0")


def nothing_was_told_of_the_healthy_host_but_that_it_is_off(fleet: Fleet, _: contextlib.ExitStack) -> None:
    told = fleet.told_of(fleet.healthy)
    assert {alert["labels"]["alertname"] for alert in told} <= {"SmapsAuditDown"}, told


STEPS = (
    both_hosts_work,
    the_deficit_arrives_with_defect_kernel_and_group,
    the_kernels_alert_arrives,
    the_healthy_host_is_silent,
    the_textfile_way,
    the_consoles_show_it,
    the_deficit_resolves_when_the_workload_stops,
    the_kernels_alert_came_once_and_stays,
    nothing_was_told_of_the_healthy_host_but_that_it_is_off,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True, type=pathlib.Path)
    parser.add_argument("--screenshots", required=True, type=pathlib.Path)
    options = parser.parse_args()

    def watched() -> int:
        with contextlib.ExitStack() as end:
            directory = pathlib.Path(end.enter_context(tempfile.TemporaryDirectory(prefix="smaps-audit-fleet-")))
            webhook = end.enter_context(Webhook())
            hosts = [end.enter_context(booted(kernel, f"host-{kernel.replace('.', '-')}", options.image)) for kernel in KERNELS]
            fleet = Fleet(*hosts, directory, options.screenshots, webhook)
            code = play(STEPS, hosts, fleet, end)
            if code != 0:
                print("--- told\n" + "\n".join(f"{alert['status']} {alert['labels']}" for alert in webhook.alerts))
            return code

    return or_skip(watched)


if __name__ == "__main__":
    sys.exit(main())
