#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a fleet costs Prometheus: pages of a real smaps-auditd, played as N hosts into one real Prometheus. Root.

    fleet.py --build DIR [--hosts 10,100,1000] [--interval 15] [--window 60] [--brief] [--write]

Two pages are captured on this machine, with as many groups as the metrics ever name: of a service that found a lie, and of
one that found none. Three hosts in four play the first one on a kernel with K01. Names of hosts and groups differ from host to
host; counters and times go on, gauges waver. --brief: with one probe instead of all. --write: puts the tables into
docs/fleet.md. Numbers are printed, never asserted.
Exit: 0, 1 (hosts are not scraped), 77 (no root, no packages). Python 3.11 with python3-jsonschema (Debian's own has it).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
sys.path[:0] = [str(TESTS / "monitoring"), str(TESTS / "service"), str(TESTS / "kernel")]
import shipped  # noqa: E402
from auditd import Auditd, ProcMount, Sleeper, scratch, wait_for  # noqa: E402
from fetch_kernel import FetchError  # noqa: E402
from private_apt import AptError  # noqa: E402
from prometheus import Prometheus, program  # noqa: E402

PAGE = shipped.ROOT / "docs" / "fleet.md"
BEGIN, END = "<!-- measured: tests/bench/fleet.py -->", "<!-- end of measured -->"
GROUPS = 22  # 20 are exported, the rest is "other"
SERVICES_OF_A_FLEET = 200
LIE_KB = 8192
BAD, GOOD = "6.1.0-56-cloud-amd64", "6.12.117+deb12-cloud-amd64"


@contextlib.contextmanager
def crowd(directory: pathlib.Path) -> Iterator[list[Sleeper]]:
    """Processes that a rule each makes a group of."""
    with contextlib.ExitStack() as stack:
        sleepers = []
        for i in range(GROUPS):
            sleeper = Sleeper()
            sleeper.workload = shutil.copy(Sleeper.workload, directory / f"app{i:02}")
            sleepers.append(stack.enter_context(sleeper))
        yield sleepers


def card_of(smaps_audit: pathlib.Path, directory: pathlib.Path, probe: str) -> dict:
    """What probes say of this kernel."""
    subprocess.run([smaps_audit, "probe", probe, "--spool", directory], capture_output=True, check=False)
    return json.loads((directory / "card.json").read_text())


def capture(build: pathlib.Path, directory: pathlib.Path, card: dict, lying: bool) -> tuple[str, str, float]:
    """Two pages of one service, and the seconds between them. The card is of a kernel with K01, if it is lying."""
    spool = directory / "spool"
    spool.mkdir(parents=True)
    next(row for row in card["defects"] if row["id"] == "K01")["state"] = "present" if lying else "absent"
    (spool / "card.json").write_text(json.dumps(card))
    proc = ProcMount(directory / "proc")
    with crowd(directory) as sleepers:
        for i, sleeper in enumerate(sleepers):
            proc.lie_about(sleeper.pid, LIE_KB) if lying and i == 0 else proc.show(sleeper.pid)
        rules = [{"comm": f"app{i:02}", "group": f"app{i:02}"} for i in range(GROUPS)]
        with Auditd(build / "daemon/smaps-auditd", directory / "service", targets={"rules": rules},
                    paths={"proc_root": str(proc.root)}, probe={"spool": str(spool)}) as service:
            wait_for("all audits", lambda: service.status()["totals"]["consistent"] >= GROUPS - lying)
            if lying:
                wait_for("the finding", lambda: service.metric("smaps_audit_target_rss_deficit_bytes{target=\"app00\"}"))
            wait_for("the card", lambda: service.metric("smaps_audit_probe_card_timestamp_seconds"))
            begun, first = time.monotonic(), service.get("/metrics")[1]
            time.sleep(2)
            return first, service.get("/metrics")[1], time.monotonic() - begun


class Play:
    """A captured page, as other hosts at other times would show it."""

    def __init__(self, first: str, last: str, seconds: float, release: str) -> None:
        values = dict(line.rsplit(" ", 1) for line in first.splitlines() if not line.startswith("#"))
        self.begun, self.lines = time.time(), []
        kind = ""
        for line in last.splitlines():
            if line.startswith("#"):
                kind = line.rsplit(" ", 1)[1] if line.startswith("# TYPE") else kind
                self.lines.append((line, None))
                continue
            series, text = line.rsplit(" ", 1)
            series = re.sub(r'kernel_release="[^"]*"', f'kernel_release="{release}"', series)
            self.lines.append((series, self._course(series, kind, float(text), float(values.get(f"{series}", text)), seconds)))

    def _course(self, series: str, kind: str, value: float, earlier: float, seconds: float) -> Callable[[int, float], float]:
        if kind == "counter":
            slope = (value - earlier) / seconds
            return lambda host, now: value + slope * (now - self.begun)
        if "_timestamp_seconds" in series:
            return lambda host, now: now - (self.begun - value)
        if "_bytes" in series and value:
            return lambda host, now: round(value * (1 + host % 7) * (1 + 0.01 * math.sin(now / 60 + host)))
        return lambda host, now: value

    def page(self, host: int) -> bytes:
        now, out = time.time(), []
        for text, course in self.lines:
            if course is not None:
                text = re.sub(r'target="app(\d+)"',
                              lambda found: f'target="service-{(host * 13 + int(found[1])) % SERVICES_OF_A_FLEET:03}"', text)
                text = f"{text} {course(host, now):.15g}"
            out.append(text)
        return ("\n".join(out) + "\n").encode()


class Hosts:
    """One server that plays them all: host N is the path /N."""

    def __init__(self, bad: Play, good: Play) -> None:
        self.bad, self.good = bad, good

    def play(self, host: int) -> Play:
        return self.good if host % 4 == 3 else self.bad

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                host = int(request.split(b" ")[1].lstrip(b"/"))
                body = self.play(host).page(host)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                             b"Content-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        writer.close()

    def __enter__(self) -> Hosts:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        start = asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.server = asyncio.run_coroutine_threadsafe(start, self.loop).result()
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def jobs(self, count: int) -> list[dict]:
        targets = [{"targets": [self.address], "labels": {"__metrics_path__": f"/{host}", "instance": f"host-{host:06}:19755"}}
                   for host in range(count)]
        return [{"job_name": "smaps-audit", "static_configs": targets}]


def own_metrics(prometheus: Prometheus) -> dict[str, float]:
    return {name: float(value) for line in prometheus.get("/metrics")[1].decode().splitlines()
            if not line.startswith("#") for name, value in [line.rsplit(" ", 1)]}


def one(prometheus: Prometheus, expression: str) -> float:
    return sum(value for _, value in prometheus.query(expression))


def measure(hosts: Hosts, count: int, interval: int, window: int, directory: pathlib.Path) -> dict[str, float]:
    with Prometheus(directory, hosts.jobs(count), rules=shipped.RULES, seconds=interval) as prometheus:
        prometheus.wait_until_ready()
        wait_for("every host", lambda: one(prometheus, "sum(up)") == count, seconds=60 + 4 * interval)
        time.sleep(2 * interval)  # rules have seen them all, and recorded what follows from what was recorded
        before, begun = own_metrics(prometheus), time.monotonic()
        time.sleep(window)
        after, lasted = own_metrics(prometheus), time.monotonic() - begun

        def per_second(name: str) -> float:
            return sum(after[each] - before.get(each, 0) for each in after if each.partition("{")[0] == name) / lasted
        groups = {name: value for name, value in after.items() if name.startswith("prometheus_rule_group_last_duration_seconds{")}
        begun = time.monotonic()
        panels = [query for path in shipped.DASHBOARDS if "fleet" in path.name
                  for panel in shipped.dashboard_panels(path, "") for query in panel]
        for query in panels:
            assert prometheus.query(query), query
        queried = (time.monotonic() - begun) / len(panels)
        return {
            "hosts": count,
            "up": one(prometheus, "sum(up)"),
            "alerts": one(prometheus, "count(ALERTS)"),
            "series": after["prometheus_tsdb_head_series"],
            "per_host": one(prometheus, "avg(scrape_samples_scraped)"),
            "recorded": one(prometheus, 'count({__name__=~".+:.+"})'),
            "global": one(prometheus, 'count({__name__=~"release(_defect)?:smaps_audit_.*"})'),
            "samples": per_second("prometheus_tsdb_head_samples_appended_total"),
            "cpu": per_second("process_cpu_seconds_total"),
            "rss": after["process_resident_memory_bytes"],
            "needed": one(prometheus, f'count({{__name__=~"{"|".join(sorted(shipped.needed_by_rules()))}"}})') / count,
            "page": len(hosts.bad.page(0)),
            "rules": max(groups.values()),
            "rules_all": sum(groups.values()),
            "query": queried,
        }


def table(rows: list[dict[str, float]], interval: int, window: int) -> str:
    columns: list[tuple[str, Callable[[dict], str]]] = [
        ("hosts", lambda r: f"{r['hosts']:.0f}"),
        ("series of a host", lambda r: f"{r['per_host']:.0f}"),
        ("of them needed by the rules", lambda r: f"{r['needed']:.0f}"),
        ("bytes of its page", lambda r: f"{r['page']:.0f}"),
        ("series in the head", lambda r: f"{r['series']:.0f}"),
        ("of them recorded", lambda r: f"{r['recorded']:.0f}"),
        ("samples / s", lambda r: f"{r['samples']:.0f}"),
        ("CPU of Prometheus", lambda r: f"{100 * r['cpu']:.1f} % of a core"),
        ("its memory", lambda r: f"{r['rss'] / 1048576:.0f} MiB"),
        ("all rules once", lambda r: f"{1000 * r['rules_all']:.1f} ms"),
        ("slowest group", lambda r: f"{1000 * r['rules']:.1f} ms"),
        ("a panel of the fleet", lambda r: f"{1000 * r['query']:.1f} ms"),
        ("`release…` series", lambda r: f"{r['global']:.0f}"),
    ]
    lines = [f"Scraped and evaluated each {interval} s, measured over {window} s after everything had been seen; {cpu_name()}, "
             f"{os.cpu_count()} CPUs, Linux {platform.release()}, {version()}, {time.strftime('%Y-%m-%d')}; load of the machine at "
             f"the end: {os.getloadavg()[1]:.1f} (5 minutes).", "",
             "| " + " | ".join(["", *(value(row) for row in rows for _, value in columns[:1])]) + " |",
             "|---" + "|---:" * len(rows) + "|"]
    lines += ["| " + " | ".join([name, *(value(row) for row in rows)]) + " |" for name, value in columns[1:]]
    return "\n".join(lines)


def extrapolated(rows: list[dict[str, float]], interval: int) -> str:
    """By the straight line through the last two measurements; all formulas are told."""
    small, large = rows[-2:]
    hosts = large["hosts"] - small["hosts"]

    def line(name: str) -> Callable[[float], float]:
        slope = (large[name] - small[name]) / hosts
        return lambda count: large[name] + slope * (count - large["hosts"])
    sizes = (1000, 5000, 20000, 100000)
    columns: list[tuple[str, Callable[[float], str]]] = [
        ("series in the head", lambda n: f"{line('series')(n) / 1e6:.2f} million"),
        ("samples / s", lambda n: f"{line('samples')(n):,.0f}".replace(",", " ")),
        ("CPU of Prometheus, cores", lambda n: f"{line('cpu')(n):.2f}"),
        ("its memory", lambda n: f"{line('rss')(n) / 2**30:.1f} GiB"),
        ("all rules once", lambda n: f"{line('rules_all')(n):.1f} s"),
        ("pages, on the wire", lambda n: f"{8 * n * large['page'] / interval / 1e6:.0f} Mbit/s"),
    ]
    lines = [f"Extrapolated by the straight line through {small['hosts']:.0f} and {large['hosts']:.0f} hosts, which is all that "
             f"it is: {interval} s, one Prometheus, the same machine.", "",
             "| hosts | " + " | ".join(f"{size:,}".replace(",", " ") for size in sizes) + " |",
             "|---" + "|---:" * len(sizes) + "|"]
    lines += ["| " + " | ".join([name, *(value(size) for size in sizes)]) + " |" for name, value in columns]
    return "\n".join(lines)


def cpu_name() -> str:
    found = re.search(r"(?m)^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.machine()


def version() -> str:
    done = subprocess.run([program("prometheus"), "--version"], capture_output=True, text=True, check=True)
    return "Prometheus " + done.stdout.split()[2]


def options_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=lambda name: pathlib.Path(name).resolve())
    parser.add_argument("--hosts", default="10,100,1000", type=lambda text: [int(word) for word in text.split(",")])
    parser.add_argument("--interval", default=15, type=int)
    parser.add_argument("--window", default=60, type=int)
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def main() -> int:
    options = options_of()
    if os.geteuid() != 0:
        print("SKIP: the service's capabilities take root")
        return 77
    try:
        program("prometheus")
    except (FetchError, AptError) as error:
        print(f"SKIP: no Prometheus: {error}")
        return 77
    Sleeper.workload = options.build / "tests/workloads/workload"
    with scratch() as name:
        directory = pathlib.Path(name)
        card = card_of(options.build / "cli/smaps-audit", directory / "card", "control" if options.brief else "--all")
        bad = Play(*capture(options.build, directory / "bad", card, lying=True), BAD)
        good = Play(*capture(options.build, directory / "good", card, lying=False), GOOD)
        with Hosts(bad, good) as hosts:
            rows = [measure(hosts, count, options.interval, options.window, directory / f"hosts-{count}")
                    for count in options.hosts]
    text = table(rows, options.interval, options.window)
    if len(rows) > 1:
        text += "\n\n" + extrapolated(rows, options.interval)
    print(text)
    if options.write:
        page = PAGE.read_text()
        begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        PAGE.write_text(f"{page[:begin]}\n{text}\n{page[end:]}")
    return 0 if all(row["up"] == row["hosts"] and row["alerts"] > 0 for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
