#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The web server against real clients: TLS, passwords, limits, floods, reloads under load.

    web_test.py --server build/release/tests/service/web-server [-k NAME]

Python 3.11, standard library and openssl(1) only.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import errno
import multiprocessing
import os
import pathlib
import signal
import socket
import ssl
import stat
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from web_harness import Server, UnixConnection, ask, connection, get, make_certificate, trusting

SERVER = pathlib.Path()
# "right", by crypt(3); cost 10 takes some 60 ms.
CHEAP = "$2y$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC"
COSTLY = "$2y$10$abcdefghijklmnopqrstuu1VS0P7v3ZJmd2gzBFIzgfN7OOl6Rl52"
MOST_TIMES_SLOWER = 5
CLIENTS = 200


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


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


def raw(port: int, data: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(data)
    return client


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


class WebTest(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.config = self.directory / "web.yml"

    def serve(self, *options: str, config: str | None = None, **arguments) -> Server:
        if config is not None:
            self.config.write_text(config)
            options = (*options, "--web-config", str(self.config))
        return self.enterContext(Server(SERVER, *options, **arguments))

    def tls_config(self, name: str = "server", more: str = "") -> str:
        return f"tls_server_config:\n  cert_file: {name}.crt\n  key_file: {name}.key\n{more}"

    def users(self, **hashes: str) -> str:
        return "basic_auth_users:\n" + "".join(f"  {name}: {value}\n" for name, value in hashes.items())


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
            with subprocess.Popen(["bash", "-c", script, str(SERVER)], pass_fds=(tcp.fileno(), local.fileno()),
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
            answer = subprocess.run(["bash", "-c", script, str(SERVER)], pass_fds=(datagram.fileno(),),
                                    capture_output=True, text=True, check=False)
        self.assertEqual(answer.returncode, 78)
        self.assertIn("ListenStream=", answer.stderr)


class Tls(WebTest):
    def setUp(self) -> None:
        super().setUp()
        make_certificate(self.directory, "server")

    def trusted(self, name: str = "server", client: str | None = None) -> ssl.SSLContext:
        return trusting(self.directory / f"{name}.crt", self.directory / client if client else None)

    def test_serves_with_tls(self) -> None:
        server = self.serve(config=self.tls_config())
        status, headers, body = get(server.port, "/metrics", tls=self.trusted())
        self.assertEqual((status, len(body)), (200, 100_000))
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(get(server.port, "/who", tls=self.trusted())[2], "sums\n", "nobody said who they are")

    def test_shows_all_with_a_password_through_tls_only(self) -> None:
        server = self.serve(config=self.tls_config(more=self.users(alice=CHEAP)))
        self.assertEqual(get(server.port, "/who", tls=self.trusted())[0], 401)
        self.assertEqual(get(server.port, "/who", basic("alice", "wrong"), tls=self.trusted())[0], 401)
        self.assertEqual(get(server.port, "/who", basic("alice", "right"), tls=self.trusted())[2], "all\n")
        self.config.write_text(self.users(alice=CHEAP))
        self.assertEqual(server.reload(), "reloaded")
        self.assertEqual(get(server.port, "/who", basic("alice", "right"))[2], "sums\n")

    def test_holds_to_the_least_version(self) -> None:
        server = self.serve(config=self.tls_config(more="  min_version: TLS13\n"))
        old = self.trusted()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError):
            get(server.port, "/metrics", tls=old)
        self.assertEqual(get(server.port, "/metrics", tls=self.trusted())[0], 200)

    def test_counts_what_is_no_tls_and_goes_on(self) -> None:
        server = self.serve(config=self.tls_config())
        with raw(server.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") as client:
            with contextlib.suppress(ConnectionResetError):
                self.assertNotIn(b"200", client.recv(1000))
        with self.assertRaises(ssl.SSLError):
            get(server.port, "/metrics", tls=ssl.create_default_context())
        counts = server.counts(tls=self.trusted())
        self.assertEqual(counts["tls_failures"], 2)

    def test_wants_client_certificates_where_configured(self) -> None:
        make_certificate(self.directory, "ca")
        make_certificate(self.directory, "scraper", signed_by="ca")
        make_certificate(self.directory, "stranger")
        server = self.serve(config=self.tls_config(
            more="  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"))
        self.assertEqual(get(server.port, "/metrics", tls=self.trusted(client="scraper"))[0], 200)
        self.assertEqual(get(server.port, "/metrics", tls=self.trusted())[0], 403)
        self.assertEqual(get(server.port, "/metrics", tls=self.trusted(client="stranger"))[0], 403)

    def test_takes_a_new_certificate_without_losing_a_request(self) -> None:
        make_certificate(self.directory, "second")
        server = self.serve(config=self.tls_config())
        kept = connection(server.port, tls=self.trusted())
        self.assertEqual(ask(kept, "/metrics")[0], 200)
        self.config.write_text(self.tls_config("second"))
        self.assertEqual(server.reload(), "reloaded")
        status, headers, _ = ask(kept, "/metrics")
        self.assertEqual((status, headers["Connection"]), (200, "close"), "one more answer, then it is over")
        self.assertEqual(get(server.port, "/metrics", tls=self.trusted("second"))[0], 200)
        with self.assertRaises(ssl.SSLError):
            get(server.port, "/metrics", tls=self.trusted())

    def test_keeps_the_old_certificate_when_the_new_one_is_broken(self) -> None:
        make_certificate(self.directory, "second")
        server = self.serve(config=self.tls_config())
        (self.directory / "second.key").write_bytes((self.directory / "server.key").read_bytes())
        self.config.write_text(self.tls_config("second"))
        answer = server.reload()
        self.assertTrue(answer.startswith("kept: ") and "second.crt" in answer, answer)
        self.config.write_text("tls_server_config: {cert_file: none.crt, key_file: server.key}\n")
        self.assertIn("none.crt", server.reload())
        self.assertEqual(get(server.port, "/metrics", tls=self.trusted())[0], 200)


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


class Passwords(WebTest):
    def test_a_flood_of_guesses_does_not_hold_the_processor(self) -> None:
        server = self.serve(config=self.users(alice=COSTLY))
        good = basic("alice", "right")
        self.assertEqual(get(server.port, "/metrics", good)[0], 200)
        taken = []
        for _ in range(20):
            begun = time.perf_counter()
            get(server.port, "/metrics", good)
            taken.append(time.perf_counter() - begun)
        alone = statistics.median(taken)
        answers: dict[int, int] = {}
        beside: list[float] = []
        lock = threading.Lock()

        def guess(number: int) -> None:
            for attempt in range(20):
                status, _, _ = get(server.port, "/metrics", basic("alice", f"guess {number} {attempt}"))
                with lock:
                    answers[status] = answers.get(status, 0) + 1

        threads = [threading.Thread(target=guess, args=(number,)) for number in range(10)]
        cpu, begun = server.cpu_seconds(), time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            asked = time.perf_counter()
            self.assertEqual(get(server.port, "/metrics", good)[0], 200, "what is known stays known")
            beside.append(time.perf_counter() - asked)
        cpu, begun = server.cpu_seconds() - cpu, time.monotonic() - begun
        print(f"  answers to guesses {answers}; {cpu:.2f} s of CPU in {begun:.2f} s; the right password "
              f"{statistics.median(beside) * 1e3:.2f} ms, alone {alone * 1e3:.2f} ms")
        self.assertLessEqual(set(answers), {401, 429, 503})
        self.assertGreater(answers.get(429, 0) + answers.get(503, 0), 100)
        # Ten checks are looked at, all others are not; a thread that took each would need 200 of them.
        self.assertLess(answers.get(401, 0), 20)

    def test_many_who_know_the_password_are_let_in_at_once(self) -> None:
        server = self.serve(config=self.users(alice=COSTLY))
        statuses: list[int] = []

        def enter() -> None:
            statuses.append(get(server.port, "/metrics", basic("alice", "right"))[0])

        threads = [threading.Thread(target=enter) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 100, "the same question is asked once")

    def test_refuses_a_client_who_left_while_it_was_checked(self) -> None:
        server = self.serve(config=self.users(alice=COSTLY))
        for number in range(5):
            header = basic("alice", f"gone {number}")["Authorization"]
            raw(server.port, f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\r\n".encode()).close()
        # 429 as long as guesses of this address are in the queue.
        while (status := get(server.port, "/metrics", basic("alice", "right"))[0]) == 429:
            time.sleep(0.1)
        self.assertEqual(status, 200)


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
    global SERVER
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("-k", dest="pattern")
    options = parser.parse_args()
    SERVER = options.server.resolve()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    loader = unittest.TestLoader()
    if options.pattern:
        loader.testNamePatterns = [f"*{options.pattern}*"]
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
