# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus and Alertmanager on 127.0.0.1, and a webhook that keeps what it is told. The packages come into the
cache by name; nothing is installed. Python 3.11, standard library only."""

from __future__ import annotations

import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Sequence

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel")]
import fetch_packages  # noqa: E402
from auditd import PATIENCE_SECONDS, wait_for  # noqa: E402


def program(name: str) -> pathlib.Path:
    """A tool, or the program that a package is named after."""
    packages = {"amtool": "prometheus-alertmanager", "promtool": "prometheus"}
    return fetch_packages.fetch(packages.get(name, name)) / "usr/bin" / name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A program that serves on `port` until the end of the context; its log is in `directory`."""

    command: list[str | pathlib.Path]

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory, self.port = directory, free_port()
        directory.mkdir()

    def __enter__(self):
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.command], cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status 0 while it does not answer."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.command[0]} ended: {(self.directory / 'log').read_text()[-2000:]}")
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            client.close()

    def wait_until_ready(self) -> None:
        wait_for(f"{pathlib.Path(self.command[0]).name} to be ready", lambda: self.get("/-/ready")[0] == 200)


class Prometheus(Server):
    """Scrapes each second, or `seconds`, what `jobs` say. `rules`: files. `alertmanagers`: HOST:PORT. `consoles`: templates and
    libraries."""

    def __init__(self, directory: pathlib.Path, jobs: list[dict], *, rules: Sequence[pathlib.Path] = (),
                 alertmanagers: Sequence[str] = (), consoles: tuple[pathlib.Path, pathlib.Path] | None = None,
                 seconds: int = 1) -> None:
        super().__init__(directory)
        config = directory / "prometheus.yml"  # JSON is YAML
        config.write_text(json.dumps({
            "global": {what: f"{seconds}s" for what in ("scrape_interval", "scrape_timeout", "evaluation_interval")},
            "rule_files": [str(path) for path in rules], "scrape_configs": jobs,
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}] if alertmanagers else []}}))
        self.command = [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
                        f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        if consoles is not None:
            self.command += [f"--web.console.templates={consoles[0]}", f"--web.console.libraries={consoles[1]}"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Each series of the answer with its labels; none while it does not answer yet."""
        _, text = self.get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        try:
            answer = json.loads(text)
        except json.JSONDecodeError:
            return []
        if answer["status"] != "success":
            raise AssertionError(f"{expression}: {answer}")
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]

    def by_job(self, expression: str) -> dict[str, float]:
        return {labels["job"]: value for labels, value in self.query(expression)}


def job(name: str, address: str, **more: object) -> dict:
    return {"job_name": name, "static_configs": [{"targets": [address]}], **more}


# Debian's Alertmanager opens its own templates by absolute paths, and is not installed.
WITH_ITS_TEMPLATES = """
set -e
mount -t tmpfs none /usr/share
mkdir /usr/share/prometheus
cp -r "$0" /usr/share/prometheus/alertmanager
exec "$@"
"""


class Alertmanager(Server):
    """`config` is the text of its configuration."""

    def __init__(self, directory: pathlib.Path, config: str) -> None:
        super().__init__(directory)
        (directory / "alertmanager.yml").write_text(config)
        manager = program("prometheus-alertmanager")
        templates = manager.parent.parent / "share/prometheus/alertmanager"
        self.command = ["unshare", "--mount", "sh", "-c", WITH_ITS_TEMPLATES, templates, manager,
                        "--config.file=alertmanager.yml", "--cluster.listen-address=",
                        f"--storage.path={directory / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}",
                        "--log.level=warn"]


class Webhook:
    """Keeps every alert that an Alertmanager delivers, with its `status`, in the order of their coming."""

    def __init__(self) -> None:
        self.alerts: list[dict] = []
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.alerts += body["alerts"]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Webhook:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def told(self, name: str, status: str, **labels: str) -> list[dict]:
        return [alert for alert in list(self.alerts) if alert["status"] == status and alert["labels"]["alertname"] == name
                and labels.items() <= alert["labels"].items()]
