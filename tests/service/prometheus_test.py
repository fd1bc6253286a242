#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What others read of smaps-auditd: Debian's Prometheus and promtool, and the JSON against its schema. Root.

    prometheus_test.py --smaps-auditd FILE --smaps-audit FILE --workload FILE [NAME…]

The package `prometheus` comes into the cache by name; nothing is installed. Exit: 0, 1 (something does not hold), 77 (no
root, no package, no jsonschema). Python 3.11 with python3-jsonschema (Debian's own interpreter has it).
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel"), str(HERE.parent / "golden")]
from auditd import PATIENCE_SECONDS, Auditd, Sleeper, wait_for  # noqa: E402
from fetch_kernel import FetchError  # noqa: E402
from private_apt import AptError  # noqa: E402
from prometheus import Prometheus, job, program  # noqa: E402
from schema_test import complaints, of_process, strict  # noqa: E402
from service_test import Bench, options_of, run  # noqa: E402
from web_harness import make_certificate  # noqa: E402
from web_case import CHEAP  # noqa: E402

SCHEMA = HERE.parent.parent / "schema" / "status-1.schema.json"
LIE_BYTES = 8192 * 1024


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def listening(service: Auditd, host: str) -> str:
    """HOST:PORT where the service listens."""
    return next(event["address"] for event in service.events('"listening"') if event["address"].startswith(f"{host}:"))


@contextlib.contextmanager
def a_service_that_found_a_lie(bench: Bench) -> Iterator[Auditd]:
    with Sleeper() as liar:
        bench.proc.lie_about(liar.pid, LIE_BYTES // 1024)
        with bench.service() as service:
            wait_for("the finding", lambda: service.status()["findings"])
            yield service


@contextlib.contextmanager
def a_service_lied_to_by_proc_itself(bench: Bench, **settings: object) -> Iterator[Auditd]:
    """The lie lies over one file of the real /proc, in a mount namespace of the service. So its truth is exact: over a proc
    mount of ours it cannot see the process that it learns the kernel's habits from, and its bounds stay apart."""
    liar = Sleeper()
    liar.workload = shutil.copy(Sleeper.workload, bench.directory / f"liar-{os.getpid()}")
    wrapper = bench.directory / "lied-to"
    with liar:
        bench.proc.lie_about(liar.pid, LIE_BYTES // 1024)
        wrapper.write_text("#!/bin/sh\nexec unshare --mount sh -c 'mount --bind \"$0\" \"$1\" && shift && exec \"$@\"' "
                           f"{bench.proc.root}/{liar.pid}/smaps /proc/{liar.pid}/smaps {bench.auditd} \"$@\"\n")
        wrapper.chmod(0o755)
        rules = {"rules": [{"comm": [liar.workload.name], "group": "liar"}], "unmatched": "exclude"}
        with Auditd(wrapper, bench.directory / "service", targets=rules, **settings) as service:
            wait_for("the finding", lambda: service.status()["findings"])
            yield service


def has_mount_namespaces() -> bool:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0:
        return True
    print("left out: this container may not make a mount namespace")
    return False


@contextlib.contextmanager
def a_service_in_its_first_sweep(bench: Bench) -> Iterator[Auditd]:
    """The sweep waits for a process whose smaps_rollup nobody ever writes."""
    with Sleeper() as stuck:
        bench.proc.forge(stuck.pid, "smaps_rollup", None)
        service = bench.service().start(ready=False)
        with contextlib.ExitStack() as end:
            end.push(service)
            wait_for("the metrics", lambda: service.get("/metrics")[0] == 200)
            yield service
            assert service.get("/-/ready")[0] == 503, "the first sweep ended"


def check_metrics(page: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), "check", "metrics", "--extended"], input=page, capture_output=True, text=True,
                          timeout=PATIENCE_SECONDS, check=False)


def assert_clean(page: str) -> None:
    done = check_metrics(page)
    assert done.returncode == 0 and done.stderr == "", (done.returncode, done.stderr, page)
    assert "smaps_audit_build_info" in done.stdout, done.stdout


def promtool_has_nothing_to_say(bench: Bench) -> None:
    assert check_metrics("# TYPE a_total gauge\na_total 1\n").returncode != 0, "promtool sees nothing"
    with a_service_that_found_a_lie(bench) as service:
        page = service.get("/metrics")[1]
        assert "smaps_audit_target_true_rss_bytes{" in page, page
        assert_clean(page)


def promtool_has_nothing_to_say_before_the_first_sweep(bench: Bench) -> None:
    with a_service_in_its_first_sweep(bench) as service:
        page = service.get("/metrics")[1]
        assert "smaps_audit_target_true_rss_bytes" not in page, page
        assert_clean(page)


def with_tls_and_passwords(directory: pathlib.Path) -> pathlib.Path:
    make_certificate(directory, "server")
    config = directory / "web.yml"
    config.write_text("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
                      f"basic_auth_users:\n  prometheus: {CHEAP}\n")
    checked = subprocess.run([program("promtool"), "check", "web-config", config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    return config


def expect_scraped(prometheus: Prometheus, ups: dict[str, int]) -> None:
    wait_for(f"up: {ups}", lambda: prometheus.by_job("up") == ups)
    lie = {name: LIE_BYTES for name, up in ups.items() if up}
    for bound in ("low", "high"):
        missing = prometheus.by_job(f'smaps_audit_target_true_rss_bytes{{target="liar",bound="{bound}"}}'
                                    ' - ignoring(bound) smaps_audit_target_reported_rss_bytes')
        assert missing == lie, (bound, missing)
    deficit = prometheus.by_job('smaps_audit_target_rss_deficit_bytes{target="liar"}')
    assert deficit == lie, deficit


def prometheus_scrapes_it_plain_and_over_ipv6(bench: Bench) -> None:
    if not has_mount_namespaces():
        return
    listen = ["127.0.0.1:0", f"unix:{bench.directory / 'service' / 'web.sock'}"]
    if ipv6 := has_ipv6():
        listen.append("[::1]:0")
    else:
        print("left out: nothing can be bound to ::1 here")
    with a_service_lied_to_by_proc_itself(bench, web={"listen": listen}) as service:
        jobs = [job("plain", listening(service, "127.0.0.1"))]
        if ipv6:
            jobs.append(job("ipv6", listening(service, "[::1]")))
        with Prometheus(bench.directory / "prometheus", jobs) as prometheus:
            expect_scraped(prometheus, {each["job_name"]: 1 for each in jobs})


def prometheus_scrapes_it_over_tls_with_a_password(bench: Bench) -> None:
    if not has_mount_namespaces():
        return
    config = with_tls_and_passwords(bench.directory)
    tls = {"scheme": "https", "tls_config": {"ca_file": str(bench.directory / "server.crt")}}
    with a_service_lied_to_by_proc_itself(bench, web={"config_file": str(config)}) as service:
        address = listening(service, "127.0.0.1")
        jobs = [job("tls", address, **tls, basic_auth={"username": "prometheus", "password": "right"}),
                job("without a password", address, **tls), job("without TLS", address)]
        with Prometheus(bench.directory / "prometheus", jobs) as prometheus:
            expect_scraped(prometheus, {"tls": 1, "without a password": 0, "without TLS": 0})


def assert_fits(service: Auditd, findings: bool) -> None:
    """Over the unix socket and over TCP; the schema allows no key that it does not name."""
    schema = strict(json.loads(SCHEMA.read_text()))
    for who, (code, text) in {"unix": service.get("/api/v1/status"), "tcp": service.get_by_tcp("/api/v1/status")}.items():
        assert code == 200, (who, code)
        document = json.loads(text)
        assert not complaints(schema, document), (who, complaints(schema, document), text)
        assert bool(document["findings"]) == findings, (who, text)
        assert all(("pid" in each) == (who == "unix") for each in document["findings"]), (who, text)
    assert complaints(schema, document | {"more": 1}), "the schema is not strict"


def the_status_fits_its_schema_with_and_without_a_finding(bench: Bench) -> None:
    with Sleeper() as honest:
        bench.proc.show(honest.pid)
        with bench.service() as service:
            wait_for("its audit", lambda: service.status()["totals"]["consistent"])
            assert_fits(service, findings=False)
        bench.proc.hide(honest.pid)
    with a_service_that_found_a_lie(bench) as service:
        assert_fits(service, findings=True)
        service.write_config("{")
        service.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", lambda: service.status()["state"]["config_error"])
        assert_fits(service, findings=True)


def stored_findings_fit_their_schema(bench: Bench) -> None:
    schema = strict(json.loads((HERE.parent.parent / "schema" / "findings-1.schema.json").read_text()))
    one = {"$ref": "#/$defs/finding", "$defs": schema["$defs"]}
    reports = of_process(strict(json.loads((HERE.parent.parent / "schema" / "report-1.schema.json").read_text())))

    def findings(*words: str) -> str:
        return subprocess.run([bench.audit, "findings", *words, "--store", service.store / "findings.db"], capture_output=True,
                              text=True, check=True).stdout

    with a_service_that_found_a_lie(bench) as service:
        for resolved in (False, True):
            document = json.loads(findings("list", "--all", "--format", "json"))
            assert document["findings"] and not complaints(schema, document), complaints(schema, document)
            assert complaints(schema, document | {"more": 1}), "the schema is not strict"
            for line in findings("list", "--all", "--format", "jsonl").splitlines():
                assert not complaints(one, json.loads(line)), complaints(one, json.loads(line))
            for line in findings("export").splitlines():
                finding = json.loads(line)
                assert not complaints(one, finding), complaints(one, finding)
                assert not complaints(reports, finding["report"]), complaints(reports, finding["report"])
                assert (finding["resolved_why"] == "process_ended") == resolved, finding
            if not resolved:
                for pid in {finding["process"]["pid"] for finding in document["findings"]}:
                    bench.proc.hide(pid)
                wait_for("their end", lambda: not service.status()["findings"])


def the_status_fits_its_schema_before_the_first_sweep(bench: Bench) -> None:
    with a_service_in_its_first_sweep(bench) as service:
        assert_fits(service, findings=False)


def textfile(bench: Bench, path: pathlib.Path | None, *words: str, code: int = 0, before: str = "") -> str:
    """`check --format prometheus` as a timer of systemd would, with the umask of a careful administrator; what it says."""
    output = [] if path is None else ["--output", path]
    command = [bench.audit, "check", *words, "--quiet", "--proc-root", bench.proc.root, "--format", "prometheus", *output]
    shell = f'umask 077; {before} exec "$0" "$@"'
    if before:
        command = ["unshare", "--mount", "sh", "-c", shell, *command]
    else:
        command = ["sh", "-c", shell, *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def a_check_writes_a_textfile_that_names_no_process(bench: Bench) -> None:
    path = bench.directory / "smaps-audit.prom"
    with Sleeper() as liar, Sleeper() as honest:
        bench.proc.show(honest.pid)
        bench.proc.lie_about(liar.pid, LIE_BYTES // 1024)
        pids = (str(liar.pid), str(honest.pid))
        assert textfile(bench, path, *pids, code=1) == ""
        page = path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o644, oct(path.stat().st_mode)
        assert sorted(os.listdir(bench.directory)) == ["proc", "smaps-audit.prom"], os.listdir(bench.directory)
        assert_clean(page)
        assert re.search(r"(?m)^smaps_audit_target_rss_deficit_bytes\{.*\} " + str(LIE_BYTES) + "$", page), page
        secrets = {*pids, Sleeper.workload.name, str(bench.directory)}
        for pid in pids:
            secrets |= set(re.findall(r"(?m)^([0-9a-f]+)-", pathlib.Path(f"/proc/{pid}/smaps").read_text()))
        labels = " ".join(re.findall(r'"([^"]*)"', page))
        assert not [secret for secret in secrets if secret in labels], labels
        assert not re.search(r"(?m)^process_", page), "node_exporter has those names itself"
        stdout = textfile(bench, None, *pids, code=1)

        def names(text: str) -> list[str]:
            return [line.rpartition(" ")[0] for line in text.splitlines()]
        assert names(stdout) == names(page)
        with bench.service() as service:
            wait_for("its finding", lambda: service.status()["findings"])
            served = names(service.get("/metrics")[1])
        assert set(names(page)) <= set(served), set(names(page)) - set(served)


def a_textfile_that_cannot_be_written_keeps_the_old_one(bench: Bench) -> None:
    folder = bench.directory / "textfiles"
    with Sleeper() as honest:
        bench.proc.show(honest.pid)
        pid = str(honest.pid)
        said = textfile(bench, folder / "smaps-audit.prom", pid, code=77)
        assert str(folder / "smaps-audit.prom") in said and "make its directory first" in said, said
        folder.mkdir()
        if not has_mount_namespaces():
            return
        # Two pages: one of the old file, one that the new one does not fit into.
        full = (f"mount -t tmpfs -o size=8k none {folder} && echo old > {folder}/smaps-audit.prom && "
                f"(\"$0\" \"$@\"; code=$?; cat {folder}/smaps-audit.prom; ls {folder}; exit $code); exit $?;")
        said = textfile(bench, folder / "smaps-audit.prom", pid, code=77, before=full)
        assert "No space left on device" in said and "free space there" in said, said
        assert said.startswith("old\nsmaps-audit.prom\n"), said
        assert str(folder / "smaps-audit.prom") in said, said


CASES = (
    a_check_writes_a_textfile_that_names_no_process,
    a_textfile_that_cannot_be_written_keeps_the_old_one,
    promtool_has_nothing_to_say,
    promtool_has_nothing_to_say_before_the_first_sweep,
    prometheus_scrapes_it_plain_and_over_ipv6,
    prometheus_scrapes_it_over_tls_with_a_password,
    the_status_fits_its_schema_with_and_without_a_finding,
    the_status_fits_its_schema_before_the_first_sweep,
    stored_findings_fit_their_schema,
)


def main() -> int:
    options = options_of(__doc__)
    try:
        program("prometheus")
    except (FetchError, AptError) as error:
        print(f"SKIP: no Prometheus: {error}")
        return 77
    return run(CASES, options)


if __name__ == "__main__":
    sys.exit(main())
