# SPDX-License-Identifier: Apache-2.0
"""Cases of web_test.py: TLS and passwords. Python 3.11, standard library only."""

from __future__ import annotations

import contextlib
import ssl
import statistics
import threading
import time

from web_case import CHEAP, COSTLY, WebTest, basic, raw
from web_harness import ask, connection, get, make_certificate, trusting


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
