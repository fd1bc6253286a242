#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The web server against real clients: TLS, passwords, limits, floods, reloads under load.

    web_test.py --server build/release/tests/service/web-server [-k NAME]

Python 3.11, standard library and openssl(1) only.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import multiprocessing
import os
import pathlib
import signal
import socket
import stat
import statistics
import struct
import subprocess
import sys
import threading
import time
import unittest

from web_case import WebTest, raw
from web_harness import UnixConnection, ask, connection, get, make_certificate, trusting
from web_tls import Passwords, Tls  # noqa: F401 (cases)

MOST_TIMES_SLOWER = 5
CLIENTS = 200


def median_seconds(port: int, count: int) -> float:
    """Of a scrape on a connection of its own, connecting included."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        status, _, _ = get(port, "/metrics")
        taken.append(time.perf_counter() - begun)
        assert status == 200, status
    return statistics.median(taken)


def scrape_steadily(port: int, clients: int, seconds: float, interval: float, results) -> None:
    """`clients` connections, each scrapes once an interval, spread over it; puts (answered, failed)."""
    answered = failed = 0
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def one(number: int) -> None:
        nonlocal answered, failed
        time.sleep(interval * number / clients)
        client = connection(port)
        while time.monotonic() < end:
            begun = time.monotonic()
            try:
                good = ask(client, "/metrics")[0] == 200
            except OSError:
                good = False
            with lock:
                answered += good
                failed += not good
            time.sleep(max(0.0, begun + interval - time.monotonic()))
        client.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((answered, failed))


def connect_as_nobody(path: pathlib.Path) -> int:
    """The errno that connecting ends with; 0: none."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as client:
            os._exit(client.connect_ex(str(path)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Addresses(WebTest):
    def test_serves_ipv6(self) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"this machine has no ::1: {error}")
        server = self.serve(listen=("[::1]:0", "127.0.0.1:0"))
        self.assertEqual(get(server.port, "/metrics", host="::1")[0], 200)
        self.assertTrue(server.addresses[0].startswith("[::1]:"))
        self.assertEqual(get(int(server.addresses[1].rsplit(":", 1)[1]), "/metrics")[0], 200)

    def test_lets_only_the_group_use_the_unix_socket(self) -> None:
        path = self.directory / "http.sock"
        server = self.serve(listen=(f"unix:{path}",))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)
        self.assertEqual(ask(UnixConnection(str(path)), "/who")[2], "all\n")
        if os.geteuid() != 0:
            self.skipTest("only root can try it as somebody else")
        self.directory.chmod(0o755)
        self.assertEqual(connect_as_nobody(path), errno.EACCES)
        self.assertEqual(ask(UnixConnection(str(path)), "/-/healthy")[0], 200)
        self.assertEqual(server.addresses, [f"unix:{path}"])

    def test_takes_sockets_of_systemd(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
            path = self.directory / "activated.sock"
            local.bind(str(path))
            local.listen()
            script = (f"exec 3<&{tcp.fileno()} 4<&{local.fileno()}; "
                      "LISTEN_FDS=2 LISTEN_PID=$$ exec \"$0\" --systemd")
            with subprocess.Popen(["bash", "-c", script, str(WebTest.binary)], pass_fds=(tcp.fileno(), local.fileno()),
                                  stdout=subprocess.PIPE, text=True) as process:
                process.stdout.readline()
                self.assertEqual(get(tcp.getsockname()[1], "/who")[2], "sums\n")
                self.assertEqual(ask(UnixConnection(str(path)), "/who")[2], "all\n")
                process.terminate()
            self.assertEqual(process.returncode, 0)
            self.assertTrue(path.exists(), "systemd's socket is not ours to remove")

    def test_refuses_a_datagram_socket_of_systemd(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            script = f"exec 3<&{datagram.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --systemd"
            answer = subprocess.run(["bash", "-c", script, str(WebTest.binary)], pass_fds=(datagram.fileno(),),
                                    capture_output=True, text=True, check=False)
        self.assertEqual(answer.returncode, 78)
        self.assertIn("ListenStream=", answer.stderr)


class Limits(WebTest):
    def test_answers_fast_beside_stalled_garbage_and_many(self) -> None:
        server = self.serve()
        alone = median_seconds(server.port, 200)
        stalled = [raw(server.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n") for _ in range(10)]
        results = multiprocessing.Queue()
        seconds = 6.0
        load = multiprocessing.Process(target=scrape_steadily, args=(server.port, CLIENTS, seconds, 2.0, results))
        load.start()
        begun = time.monotonic()
        stop = threading.Event()

        def send_garbage() -> None:
            while not stop.wait(0.02):
                with contextlib.suppress(OSError), raw(server.port, os.urandom(2000)):
                    pass

        garbage = threading.Thread(target=send_garbage)
        garbage.start()
        time.sleep(max(0.0, begun + 2.5 - time.monotonic()))  # by now all have connected
        beside = median_seconds(server.port, 200)
        stop.set()
        garbage.join()
        answered, failed = results.get()
        load.join()
        print(f"  median alone {alone * 1e3:.2f} ms, beside {CLIENTS} scrapers, 10 stalled, garbage "
              f"{beside * 1e3:.2f} ms ({beside / alone:.1f} times); {answered} answered")
        self.assertEqual(failed, 0)
        self.assertGreaterEqual(answered, 2 * CLIENTS)
        self.assertLessEqual(beside, MOST_TIMES_SLOWER * alone)
        for client in stalled:
            client.close()

    def test_answers_two_hundred_that_ask_at_once(self) -> None:
        server = self.serve()
        clients = [raw(server.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                   for _ in range(CLIENTS)]
        for client in clients:
            with client, client.makefile("rb") as stream:
                answer = stream.read()
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))
            self.assertTrue(answer.endswith(b"#" * 100_000))
        self.assertEqual(server.counts()["requests"]["metrics 200"], CLIENTS)

    def test_holds_one_address_to_its_share(self) -> None:
        server = self.serve("--per-address", "5")
        clients = [raw(server.port, b"") for _ in range(5)]
        with self.assertRaises(OSError):
            get(server.port, "/metrics")
        clients.pop().close()
        for attempt in range(100):
            with contextlib.suppress(OSError):
                self.assertEqual(get(server.port, "/metrics")[0], 200)
                break
            time.sleep(0.01)
        else:
            self.fail("no place became free")
        for client in clients:
            client.close()

    def test_stalled_clients_never_fill_the_house(self) -> None:
        server = self.serve("--connections", "20", "--per-address", "1000")
        stalled = [raw(server.port, b"GET /metrics HTTP/1.1\r\nX: ") for _ in range(20)]
        time.sleep(1.1)
        kept = [connection(server.port) for _ in range(10)]
        for client in kept:
            self.assertEqual(ask(client, "/metrics")[0], 200)
        self.assertGreaterEqual(server.counts()["evicted"], 10)
        for client in (*stalled, *kept):
            client.close()

    def test_ends_one_who_sends_a_byte_now_and_then(self) -> None:
        server = self.serve("--request-seconds", "1")
        client = raw(server.port, b"GET /metrics HTTP/1.1\r\nX: ")
        with self.assertRaises(OSError):
            for _ in range(200):
                client.sendall(b"x")
                time.sleep(0.1)
        self.assertEqual(server.counts()["expired"], 1)

    def test_survives_resets_in_the_middle(self) -> None:
        server = self.serve()
        for _ in range(200):
            client = raw(server.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        self.assertEqual(get(server.port, "/metrics")[0], 200)
        for _ in range(100):
            if server.counts()["open_connections"] == 1:
                break
            time.sleep(0.05)
        self.assertEqual(server.counts()["open_connections"], 1)


class Reload(WebTest):
    def test_loses_no_request_under_load(self) -> None:
        make_certificate(self.directory, "server")
        plain, with_header = "", "http_server_config: {headers: {X-Frame-Options: deny}}\n"
        server = self.serve(config=plain)
        failures: list[str] = []
        answered = [0]
        stop = threading.Event()

        def scrape() -> None:
            while not stop.is_set():
                try:
                    status, _, body = get(server.port, "/metrics")
                    if status != 200 or len(body) != 100_000:
                        failures.append(f"{status}, {len(body)} bytes")
                except OSError as error:
                    failures.append(repr(error))
                answered[0] += 1

        threads = [threading.Thread(target=scrape) for _ in range(8)]
        for thread in threads:
            thread.start()
        for number in range(20):
            self.config.write_text(with_header if number % 2 == 0 else plain)
            self.assertEqual(server.reload(), "reloaded")
            self.config.write_text("nonsense: 1\n")
            self.assertIn("unknown key nonsense", server.reload())
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(answered[0], 100)

    def test_loses_no_request_while_certificates_change(self) -> None:
        for name in ("ca", "first", "second"):
            make_certificate(self.directory, name, signed_by=None if name == "ca" else "ca")
        tls = trusting(self.directory / "ca.crt")
        server = self.serve(config=self.tls_config("first"))
        failures: list[str] = []
        answered = [0]
        stop = threading.Event()

        def scrape() -> None:
            client = connection(server.port, tls=tls)
            while not stop.is_set():
                try:
                    # http.client connects anew after "Connection: close".
                    if ask(client, "/metrics")[0] != 200:
                        failures.append("not 200")
                except OSError as error:
                    failures.append(repr(error))
                    client.close()
                answered[0] += 1
            client.close()

        threads = [threading.Thread(target=scrape) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(10):
            self.config.write_text(self.tls_config("second" if number % 2 == 0 else "first"))
            self.assertEqual(server.reload(), "reloaded")
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(answered[0], 50)

    def test_finishes_a_scrape_that_is_being_read(self) -> None:
        make_certificate(self.directory, "server")
        size = 20_000_000
        server = self.serve("--metrics-bytes", str(size), config="")
        client = raw(server.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = len(client.recv(1000))
        self.config.write_text(self.tls_config())
        self.assertEqual(server.reload(), "reloaded")
        while piece := client.recv(1 << 20):
            received += len(piece)
        client.close()
        self.assertGreater(received, size)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("-k", dest="pattern")
    options = parser.parse_args()
    WebTest.binary = options.server.resolve()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    loader = unittest.TestLoader()
    if options.pattern:
        loader.testNamePatterns = [f"*{options.pattern}*"]
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
