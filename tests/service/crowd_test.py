#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""smaps-auditd in a crowd: of clients, and of processes. Root.

    crowd_test.py --smaps-auditd FILE --smaps-audit FILE --workload FILE [NAME…]

Exit: 0, 1 (something does not hold), 77 (no root, no package). Python 3.11 with python3-jsonschema, as prometheus_test.py.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from auditd import Auditd, wait_for  # noqa: E402
from prometheus_test import AptError, FetchError, assert_clean, program  # noqa: E402
from service_test import Bench, options_of, run  # noqa: E402
from soak import metrics_of  # noqa: E402
from web_test import CLIENTS, MOST_TIMES_SLOWER, median_seconds, raw, scrape_steadily  # noqa: E402

STALLED_CLIENTS = 10
INTERVAL_SECONDS = 2
CROWDED_SECONDS = 60
SCRAPE_EVERY_SECONDS = 2
OLDEST_INTERVALS = 1.5
PROCESSES = 2000
GROUPS = 300
SERIES_BUDGET = 450  # docs/design.md


@contextlib.contextmanager
def sleepers(bench: Bench, count: int, groups: int) -> Iterator[None]:
    """`count` processes under `groups` names, shown in the bench's proc mount."""
    programs = [bench.directory / f"g{number:03}" for number in range(groups)]
    for name in programs:
        name.symlink_to("/bin/sleep")
    processes = []
    try:
        for number in range(count):
            processes.append(subprocess.Popen([programs[number % groups], "infinity"], stdin=subprocess.DEVNULL))
            bench.proc.show(processes[-1].pid)
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def ages_of_the_last_screening(service: Auditd, seconds: float) -> list[float]:
    ages = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page = metrics_of(service.get("/metrics")[1])
        ages.append(time.time() - page["smaps_audit_last_sweep_timestamp_seconds"])
        time.sleep(0.1)
    return sorted(ages)


def clients_that_stall_send_garbage_and_come_in_hundreds_delay_nobody(bench: Bench) -> None:
    audit = {"interval": f"{INTERVAL_SECONDS}s", "cpu_budget_percent": 20}
    with sleepers(bench, 50, 5), bench.service(audit=audit) as service, contextlib.ExitStack() as end:
        wait_for("two sweeps", lambda: service.metric("smaps_audit_sweeps_total") >= 2)
        port = service.port
        alone = median_seconds(port, 200)
        for _ in range(STALLED_CLIENTS):
            end.enter_context(raw(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n"))
        results = multiprocessing.Queue()
        load = multiprocessing.Process(target=scrape_steadily, args=(port, CLIENTS, CROWDED_SECONDS, SCRAPE_EVERY_SECONDS, results))
        load.start()
        stop = threading.Event()

        def send_garbage() -> None:
            while not stop.wait(0.02):
                with contextlib.suppress(OSError), raw(port, os.urandom(2000)):
                    pass
        garbage = threading.Thread(target=send_garbage)
        garbage.start()
        try:
            time.sleep(SCRAPE_EVERY_SECONDS + 0.5)  # by now all have connected
            beside = median_seconds(port, 200)
            ages = ages_of_the_last_screening(service, CROWDED_SECONDS - 10)
            answered, failed = results.get()
        finally:
            stop.set()
            garbage.join()
            load.join()
        p99 = ages[int(0.99 * len(ages))]
        print(f"  median alone {alone * 1e3:.2f} ms, beside the crowd {beside * 1e3:.2f} ms ({beside / alone:.1f} times); "
              f"{answered} answered; p99 age of the last screening {p99 / INTERVAL_SECONDS:.2f} intervals")
        assert failed == 0, failed
        assert answered >= CLIENTS * 10, answered
        assert beside <= MOST_TIMES_SLOWER * alone, (alone, beside)
        assert p99 <= OLDEST_INTERVALS * INTERVAL_SECONDS, p99
        assert service.metric("smaps_audit_sweep_overruns_total") == 0


def two_thousand_processes_in_three_hundred_groups_stay_within_the_budget_of_series(bench: Bench) -> None:
    rules = {"rules": [{"comm": [f"g{number:03}"], "group": f"g{number:03}"} for number in range(GROUPS)]}
    audit = {"interval": "60s", "cpu_budget_percent": 100, "min_pause": "0s"}
    with sleepers(bench, PROCESSES, GROUPS), bench.service(audit=audit, targets=rules) as service:
        conclusive = 'smaps_audit_processes{verdict="consistent"}'
        wait_for("an audit of each", lambda: service.metric(conclusive) == PROCESSES, 300)
        page = service.get("/metrics")[1]
        metrics = metrics_of(page)
        print(f"  {len(metrics)} series, {SERIES_BUDGET} allowed; {len(page)} bytes")
        assert metrics["smaps_audit_target_groups"] == GROUPS, metrics["smaps_audit_target_groups"]
        exported = [value for name, value in metrics.items() if name.startswith("smaps_audit_target_processes{")]
        assert len(exported) == 21 and sum(exported) == PROCESSES, exported
        assert len(metrics) <= SERIES_BUDGET, len(metrics)
        assert len(service.status()["groups"]) == GROUPS, "page and API show all"
        assert_clean(page)


CASES = (
    clients_that_stall_send_garbage_and_come_in_hundreds_delay_nobody,
    two_thousand_processes_in_three_hundred_groups_stay_within_the_budget_of_series,
)


def main() -> int:
    options = options_of(__doc__)
    try:
        program("promtool")
    except (FetchError, AptError) as error:
        print(f"SKIP: no promtool: {error}")
        return 77
    return run(CASES, options)


if __name__ == "__main__":
    sys.exit(main())
