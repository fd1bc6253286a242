# SPDX-License-Identifier: Apache-2.0
"""What the cases of web_test.py share. Python 3.11, standard library only."""

from __future__ import annotations

import base64
import pathlib
import socket
import tempfile
import unittest

from web_harness import Server

# "right", by crypt(3); cost 10 takes some 60 ms.
CHEAP = "$2y$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC"
COSTLY = "$2y$10$abcdefghijklmnopqrstuu1VS0P7v3ZJmd2gzBFIzgfN7OOl6Rl52"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def raw(port: int, data: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(data)
    return client


class WebTest(unittest.TestCase):
    binary = pathlib.Path()

    def setUp(self) -> None:
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.config = self.directory / "web.yml"

    def serve(self, *options: str, config: str | None = None, **arguments) -> Server:
        if config is not None:
            self.config.write_text(config)
            options = (*options, "--web-config", str(self.config))
        return self.enterContext(Server(self.binary, *options, **arguments))

    def tls_config(self, name: str = "server", more: str = "") -> str:
        return f"tls_server_config:\n  cert_file: {name}.crt\n  key_file: {name}.key\n{more}"

    def users(self, **hashes: str) -> str:
        return "basic_auth_users:\n" + "".join(f"  {name}: {value}\n" for name, value in hashes.items())
