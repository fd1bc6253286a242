# SPDX-License-Identifier: Apache-2.0
"""The test server as a context, certificates for it, and clients. Python 3.11, standard library only."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import select
import signal
import socket
import ssl
import subprocess
from collections.abc import Sequence

PATIENCE_SECONDS = 60


class Server:
    """web-server with these options; `with Server(...) as server:`."""

    def __init__(self, binary: pathlib.Path, *options: str, listen: Sequence[str] = ("127.0.0.1:0",)) -> None:
        words = [word for address in listen for word in ("--listen", address)]
        self._process = subprocess.Popen([str(binary), *words, *options], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, text=True)
        self.addresses: list[str] = []

    def __enter__(self) -> Server:
        self.addresses = json.loads(self.line())["addresses"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        code = self._process.wait(timeout=PATIENCE_SECONDS)
        self._process.stdout.close()
        if code != 0:
            raise AssertionError(f"the server ended with {code}")

    def line(self) -> str:
        """The next line it prints."""
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_SECONDS)
        if not ready:
            raise AssertionError("the server says nothing")
        return self._process.stdout.readline().strip()

    def reload(self) -> str:
        self._process.send_signal(signal.SIGHUP)
        return self.line()

    @property
    def port(self) -> int:
        return int(self.addresses[0].rsplit(":", 1)[1])

    def cpu_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def counts(self, **options: object) -> dict:
        status, _, body = get(self.port, "/counts", **options)
        assert status == 200, status
        return json.loads(body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def connection(port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    if tls is not None:
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE_SECONDS, context=tls)
    return http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)


def ask(client: http.client.HTTPConnection, path: str, headers: dict[str, str] | None = None,
        method: str = "GET") -> tuple[int, http.client.HTTPMessage, str]:
    client.request(method, path, headers=headers or {})
    answer = client.getresponse()
    return answer.status, answer.headers, answer.read().decode()


def get(port: int, path: str, headers: dict[str, str] | None = None, **options) -> tuple[int, http.client.HTTPMessage, str]:
    client = connection(port, **options)
    try:
        return ask(client, path, headers)
    finally:
        client.close()


def make_certificate(directory: pathlib.Path, name: str, *, signed_by: str | None = None) -> None:
    """NAME.crt and NAME.key for 127.0.0.1; self-signed (then fit to sign others), or by NAME.crt of another."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
               "-keyout", f"{name}.key", "-out", f"{name}.crt"]
    if signed_by is not None:
        command += ["-CA", f"{signed_by}.crt", "-CAkey", f"{signed_by}.key", "-addext", "basicConstraints=CA:FALSE"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


def trusting(certificate: pathlib.Path, client: pathlib.Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    if client is not None:
        context.load_cert_chain(client.with_suffix(".crt"), client.with_suffix(".key"))
    return context
