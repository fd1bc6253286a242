#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""smaps-auditd on this machine: what it finds, keeps, shows and survives. Root; real processes; a proc mount that lies.

    service_test.py --smaps-auditd FILE --smaps-audit FILE --workload FILE [--kills N] [NAME…]

Exit: 0, 1 (something does not hold), 77 (no root). Python 3.11, standard library only.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from auditd import SOCKETS_OF_SYSTEMD, DeadFileSystem, NotifySocket, Sleeper, wait_for  # noqa: E402
from service_bench import Bench, options_of, run  # noqa: E402
from web_harness import get  # noqa: E402


def alive(pid: int) -> bool:
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def a_lie_is_found_kept_shown_and_resolved(bench: Bench) -> None:
    with Sleeper() as liar, Sleeper() as honest:
        bench.proc.show(honest.pid)
        bench.proc.lie_about(liar.pid)
        with bench.service() as service:
            opened = wait_for("the finding in the log", lambda: service.events('"stored":"yes"'))[0]
            assert opened["pid"] == str(liar.pid), opened
            wait_for("the metric", lambda: service.metric('smaps_audit_findings{defect="unknown"}') or
                     service.metric('smaps_audit_findings{defect="K01"}'))
            rows = [row for row in service.rows() if row["pid"] == liar.pid and row["field"] == "Rss"]
            assert rows and rows[0]["error_bytes"] == 8192 * 1024, rows
            assert all(row["pid"] == liar.pid for row in service.rows())
            status = service.status()
            assert {finding["pid"] for finding in status["findings"]} == {liar.pid}, status["findings"]
            assert status["totals"]["rss_deficit_bytes"] == 8192 * 1024, status["totals"]
            captures = list((service.store / "captures").glob("*.cap"))
            assert captures, service.log()[-3000:]
            replay = subprocess.run([bench.audit, "replay", captures[0], "--format", "json"], capture_output=True, text=True)
            assert replay.returncode == 1, replay.stderr
            fields = {finding["field"] for finding in json.loads(replay.stdout)["processes"][0]["findings"]}
            assert fields == {row["field"] for row in service.rows()}, fields
            bench.proc.hide(liar.pid)
            wait_for("the finding's end", lambda: service.events("the process ended"))
            assert all(row["resolved_ns"] is not None for row in service.rows()), service.rows()
            wait_for("the metric's end", lambda: service.status()["totals"]["rss_deficit_bytes"] == 0)


def over_tcp_nobody_learns_pids_comms_addresses_or_files(bench: Bench) -> None:
    with Sleeper() as liar:
        bench.proc.lie_about(liar.pid)
        with bench.service() as service:
            wait_for("the finding", lambda: service.status()["findings"])
            smaps = pathlib.Path(f"/proc/{liar.pid}/smaps").read_text()
            comm = pathlib.Path(f"/proc/{liar.pid}/comm").read_text().strip()
            addresses = set(re.findall(r"(?m)^([0-9a-f]+)-", smaps))
            names = {name for name in re.findall(r"(?m)^[0-9a-f]+-\S+ .* (/\S+)$", smaps)}
            service.write_config("{")  # whose refusal names a file
            service.process.send_signal(signal.SIGHUP)
            wait_for("the refusal", lambda: service.status()["state"]["config_error"])
            assert str(service.config) in service.status()["state"]["config_error"]
            names |= {str(bench.directory), os.path.basename(Sleeper.workload)}
            for path in ("/metrics", "/", "/page.css", "/page.js", "/api/v1/status", "/-/healthy", "/-/ready", "/nothing"):
                status, body = service.get_by_tcp(path)
                assert status == (404 if path == "/nothing" else 200), (path, status)
                for secret in addresses | names | {f'"{comm}"', '"pid"'}:
                    assert secret not in body, (path, secret)
                assert not re.search(rf"\b{liar.pid}\b", body), (path, liar.pid)
            assert "pid" in service.get("/api/v1/status")[1], "the unix socket shows all"


def the_status_page_is_served_with_all_that_it_needs(bench: Bench) -> None:
    with Sleeper() as liar:
        bench.proc.lie_about(liar.pid)
        with bench.service() as service:
            wait_for("the finding", lambda: service.status()["findings"])
            status, headers, page = get(service.port, "/")
            assert status == 200 and headers["Content-Type"].startswith("text/html"), (status, headers)
            assert "default-src 'none'" in headers["Content-Security-Policy"], headers
            assert "unsafe" not in headers["Content-Security-Policy"], headers
            assert "this kernel misreports memory" in page and str(8192 * 1024) in page, "it says so without JavaScript too"
            needed = re.findall(r'(?:href|src)="(/[^"]+)"', page)
            assert {"/page.css", "/page.js"} <= set(needed), needed
            for path in needed:
                status, headers, body = get(service.port, path)
                assert status == 200 and body and headers["X-Content-Type-Options"] == "nosniff", (path, status, headers)


def a_healthy_host_is_silent_once(bench: Bench) -> None:
    with Sleeper() as honest:
        bench.proc.show(honest.pid)
        service = bench.service("--once", "--no-web").start(ready=False)
        assert service.process.wait(timeout=60) == 0, service.log()
        assert not service.rows()
        bench.proc.lie_about(honest.pid)
        service.start(ready=False)
        assert service.process.wait(timeout=60) == 1, service.log()


def the_worker_does_without_what_it_is_told(bench: Bench) -> None:
    capability = 'smaps_audit_capability{capability="%s"}'
    with bench.service(worker={"without": ["wchan", "procmap-query"]}) as service:
        assert service.metric(capability % "wchan") == 0 == service.metric(capability % "procmap_query")
        assert service.metric(capability % "pagemap") == 1
        service.settings["worker"]["without"] = []
        service.write_config()
        service.process.send_signal(signal.SIGHUP)
        wait_for("the word on the restart", lambda: service.events("a change that takes a restart"))
        assert service.events("a change that takes a restart")[0]["key"] == "worker.without"


def a_broken_configuration_keeps_the_old_one(bench: Bench) -> None:
    with bench.service() as service:
        service.write_config('{"audit": {"intervall": "1s"}}')
        service.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", lambda: service.metric("smaps_audit_config_last_reload_successful") == 0)
        assert service.metric("smaps_audit_interval_seconds") == 1
        assert "did you mean" in service.log()
        service.settings["audit"]["interval"] = "2s"
        service.write_config()
        service.process.send_signal(signal.SIGHUP)
        wait_for("the new one", lambda: service.metric("smaps_audit_interval_seconds") == 2)
        assert service.metric("smaps_audit_config_last_reload_successful") == 1
    service.write_config("{")
    service.start(ready=False)
    assert service.process.wait(timeout=30) == 78
    web = service.directory / "web.yml"
    service.settings["web"]["config_file"] = str(web)
    service.write_config()
    for text in ("tls_server_config: [", "unknown_key: 1\n"):
        web.write_text(text)
        service.start(ready=False)
        assert service.process.wait(timeout=30) == 78, (text, service.log())
    web.unlink()
    service.start(ready=False)
    assert service.process.wait(timeout=30) == 77, service.log()


def a_file_stops_all_reading(bench: Bench) -> None:
    with Sleeper() as honest, bench.service() as service:
        service.off_file.touch()
        wait_for("the metric", lambda: service.metric("smaps_audit_reading") == 0, 90)
        before = service.metric("smaps_audit_screenings_total")
        bench.proc.show(honest.pid)
        time.sleep(3)
        assert service.metric("smaps_audit_screenings_total") == before
        service.off_file.unlink()
        wait_for("reading again", lambda: service.metric("smaps_audit_screenings_total") > before, 90)


def a_read_that_never_returns_costs_one_worker_and_nobody_else(bench: Bench) -> None:
    with Sleeper() as stuck, Sleeper() as honest:
        bench.proc.show(honest.pid)
        bench.proc.forge(stuck.pid, "smaps_rollup", None)
        with bench.service(audit={"read_deadline": "1s", "process_deadline": "2s"}) as service:
            restarts = 'smaps_audit_worker_restarts_total{cause="deadline"}'
            wait_for("the killed worker", lambda: service.metric(restarts), 90)
            wait_for("the quarantine", lambda: service.metric('smaps_audit_processes_left_out{reason="quarantined"}') == 1, 90)
            before = service.metric("smaps_audit_screenings_total")
            wait_for("others, screened on", lambda: service.metric("smaps_audit_screenings_total") > before + 3, 90)
            assert service.metric(restarts) == 1, "left alone from then on"


def a_list_that_gets_stuck_costs_the_one_it_got_stuck_over(bench: Bench) -> None:
    with Sleeper() as stuck, Sleeper() as honest:
        bench.proc.show(honest.pid)
        bench.proc.forge(stuck.pid, "cgroup", None)
        with bench.service(audit={"read_deadline": "1s", "process_deadline": "2s"}) as service:
            wait_for("the quarantine", lambda: service.metric('smaps_audit_processes_left_out{reason="quarantined"}') == 1, 90)
            quarantined = wait_for("the log", lambda: service.events("left alone"), 90)
            assert [event["pid"] for event in quarantined] == [str(stuck.pid)], quarantined
            before = service.metric("smaps_audit_sweeps_total")
            wait_for("sweeps", lambda: service.metric("smaps_audit_sweeps_total") > before + 2, 90)
            assert service.metric("smaps_audit_screenings_total") > 0, "the other is screened"
            assert service.metric('smaps_audit_worker_restarts_total{cause="deadline"}') == 1, "left alone from then on"


def let_go(fifo: pathlib.Path) -> bool:
    """Whoever waits in an open of it goes on, and the next finds a file; False: nobody waits."""
    try:
        end = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # ENXIO
        return False
    fifo.unlink()
    fifo.write_text("0::/slow\n")
    os.close(end)
    return True


def slow_reads_that_go_on_are_no_stuck_one(bench: Bench) -> None:
    pids = range(4_000_000, 4_000_006)
    with Sleeper() as model, NotifySocket(bench.directory / "notify", watchdog_seconds=3600) as notify:
        for pid in pids:
            (bench.proc.root / str(pid)).mkdir()
            (bench.proc.root / str(pid) / "stat").symlink_to(f"/proc/{model.pid}/stat")
            os.mkfifo(bench.proc.root / str(pid) / "cgroup")
        service = bench.service(audit={"read_deadline": "2s", "process_deadline": "1m"})
        service.environment = notify.environment
        with service.start(ready=False):
            notify.take()
            waiting = {bench.proc.root / str(pid) / "cgroup" for pid in pids}
            for _ in pids:  # the list waits 0.6 s for us at each: at none longer than the deadline, at all of them together
                waiting.remove(wait_for("the list", lambda: next(filter(let_go, waiting), None)))
                time.sleep(0.6)
            assert notify.take().count("WATCHDOG=1") > 1, "its heartbeat is progress"
            wait_for("the sweep", lambda: service.get("/-/ready")[0] == 200)
            assert service.metric('smaps_audit_worker_restarts_total{cause="deadline"}') == 0


def a_worker_that_not_even_a_kill_ends_is_replaced(bench: Bench) -> None:
    with Sleeper() as honest, DeadFileSystem(bench.proc.root / "4000000"):
        bench.proc.show(honest.pid)
        with bench.service(audit={"read_deadline": "1s", "process_deadline": "2s"}) as service:
            wait_for("others, screened", lambda: service.metric("smaps_audit_screenings_total"), 90)
            event = wait_for("the log", lambda: service.events("left alone"), 90)[0]
            assert event["pid"] == "4000000" and event["detail"] == "killed, and does not end", event
            assert len(service.children(service.spawner)) == 2, "the one that waits, and the one that works"
            assert service.metric("smaps_audit_worker_up") == 1


def a_worker_that_dies_or_stops_is_replaced(bench: Bench) -> None:
    with Sleeper() as honest:
        bench.proc.show(honest.pid)
        with bench.service(audit={"read_deadline": "1s", "process_deadline": "2s"}) as service:
            for number in range(1, 4):
                worker = service.worker()
                os.kill(worker, signal.SIGKILL)
                wait_for("another worker", lambda worker=worker: service.children(service.spawner) not in ([], [worker]), 90)
                wait_for("the count", lambda number=number:
                         service.metric('smaps_audit_worker_restarts_total{cause="crashed"}') +
                         service.metric('smaps_audit_worker_restarts_total{cause="start_failed"}') >= number, 90)
            wait_for("it works", lambda: service.metric("smaps_audit_worker_up") == 1, 90)
            worker = service.worker()
            os.kill(worker, signal.SIGSTOP)
            wait_for("the stopped one's end", lambda: not alive(worker), 120)
            before = service.metric("smaps_audit_sweeps_total")
            wait_for("sweeps", lambda: service.metric("smaps_audit_sweeps_total") > before, 120)


def parent_and_spawner_take_everything_with_them(bench: Bench) -> None:
    service = bench.service().start()
    spawner, worker = service.spawner, service.worker()
    os.kill(spawner, signal.SIGKILL)
    assert service.process.wait(timeout=60) == 70, service.log()
    wait_for("the worker's end", lambda: not alive(worker))
    service.start()
    spawner, worker = service.spawner, service.worker()
    service.process.kill()
    service.process.wait()
    wait_for("both ends", lambda: not alive(spawner) and not alive(worker))
    service.start()
    spawner, worker = service.spawner, service.worker()
    service.process.terminate()
    assert service.process.wait(timeout=60) == 0, service.log()
    assert not alive(spawner) and not alive(worker), "systemd would have to kill what is left"


def nobody_holds_more_than_the_design_says(bench: Bench) -> None:
    with bench.service() as service:
        def capabilities(pid: int) -> int:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            return int(re.search(r"(?m)^CapEff:\s+([0-9a-f]+)$", status)[1], 16)
        reading = 1 << 19 | 1 << 2 | 1 << 21
        assert capabilities(service.process.pid) == 0
        assert capabilities(service.spawner) & ~reading == 0
        worker = service.worker()
        assert capabilities(worker) & ~reading == 0
        assert "Seccomp:\t2" in pathlib.Path(f"/proc/{worker}/status").read_text()
        names = [os.readlink(f"/proc/{worker}/fd/{fd}") for fd in os.listdir(f"/proc/{worker}/fd")]
        assert not [name for name in names if name.startswith("socket:")], names


def worker_and_spawner_inherit_no_socket_of_systemd(bench: Bench) -> None:
    service = bench.service()
    service.launcher = [sys.executable, "-I", "-c", SOCKETS_OF_SYSTEMD, "8"]
    with service.start(ready=False):
        worker = wait_for("a worker", lambda: service.process.poll() is None and service.children() and service.worker())
        wait_for("its first order", lambda: "Seccomp:\t2" in pathlib.Path(f"/proc/{worker}/status").read_text())
        assert len(service.events('"listening"')) == 8, service.log()
        for pid, most in ((worker, 0), (service.spawner, 1)):  # the spawner's way to the parent
            names = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            assert len([name for name in names if name.startswith("socket:")]) == most, names


def the_help_names_what_the_page_names_in_80_columns(bench: Bench) -> None:
    text = subprocess.run([bench.auditd, "--help"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in text.splitlines() if len(line) > 80], text
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "service.md").read_text()
    documented = set(re.findall(r"(?m)^\| `(--[a-z.-]+)", page))
    offered = set(re.findall(r"(?m)^ +(?:-\w,)?(--[a-z.-]+)", text)) - {"--help", "--version"}
    assert offered == documented, offered ^ documented


def what_was_announced_survives_kill_9(bench: Bench) -> None:
    sleepers = [Sleeper().__enter__() for _ in range(6)]
    try:
        for sleeper in sleepers:
            bench.proc.lie_about(sleeper.pid)
        dice = random.Random(1)
        for _ in range(bench.kills):
            service = bench.service(audit={"cpu_budget_percent": 100})
            service.start(ready=False)
            time.sleep(1.5 + 3 * dice.random())
            try:
                victim = dice.choice([service.process.pid, service.spawner, service.worker()])
                os.kill(victim, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError, IndexError, AssertionError):
                pass
            time.sleep(0.2)
            service.process.kill()
            service.process.wait()
            announced = {(int(event["pid"]), event["field"]) for event in service.events('"stored":"yes"')}
            if not (service.store / "findings.db").exists():
                assert not announced
                continue
            kept = {(row["pid"], row["field"]) for row in service.rows()}
            assert announced <= kept, (announced - kept)
            assert service.integrity() == "ok"
        assert announced, "nothing was ever announced: the test is blind"
        with bench.service() as service:  # what a kill left half made is gone after a start
            for capture in (service.store / "captures").iterdir():
                done = subprocess.run([bench.audit, "replay", capture], capture_output=True, text=True)
                assert done.returncode == 1, (capture, done.stderr)
    finally:
        for sleeper in sleepers:
            sleeper.__exit__()


CASES = (
    a_lie_is_found_kept_shown_and_resolved,
    over_tcp_nobody_learns_pids_comms_addresses_or_files,
    the_status_page_is_served_with_all_that_it_needs,
    a_healthy_host_is_silent_once,
    the_worker_does_without_what_it_is_told,
    a_broken_configuration_keeps_the_old_one,
    a_file_stops_all_reading,
    a_read_that_never_returns_costs_one_worker_and_nobody_else,
    a_list_that_gets_stuck_costs_the_one_it_got_stuck_over,
    slow_reads_that_go_on_are_no_stuck_one,
    a_worker_that_not_even_a_kill_ends_is_replaced,
    a_worker_that_dies_or_stops_is_replaced,
    parent_and_spawner_take_everything_with_them,
    nobody_holds_more_than_the_design_says,
    worker_and_spawner_inherit_no_socket_of_systemd,
    the_help_names_what_the_page_names_in_80_columns,
    what_was_announced_survives_kill_9,
)


if __name__ == "__main__":
    sys.exit(run(CASES, options_of(__doc__)))
