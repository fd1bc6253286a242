# SPDX-License-Identifier: Apache-2.0
"""smaps-auditd as a context, on real processes, and a proc mount of which chosen files lie. Python 3.11, standard library."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from web_harness import UnixConnection  # noqa: E402

PATIENCE_SECONDS = 60
NOBODY = 65534
STRANGERS_PYTHON = "/usr/bin/python3"  # ours may lie where nobody else can read
STRANGER = f"""
import http.client, json, sys
client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout={PATIENCE_SECONDS})
client.request("GET", sys.argv[2])
answer = client.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""


def wait_for(what: str, holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> object:
    """Until `holds()` is true; a test that waits in vain says for what."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := holds():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")


class Sleeper:
    """A process that sleeps, with 32 MiB of base pages and as much of huge ones, and few mappings: its smaps has to fit into
    one read, for a file of ours does not end a read where a record ends, as the kernel's does."""

    workload = pathlib.Path("workload")  # set by who runs the tests

    def __enter__(self) -> Sleeper:
        self.process = subprocess.Popen([self.workload, "plain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    @property
    def pid(self) -> int:
        return self.process.pid


class ProcMount:
    """A directory that shows the given processes and what the host says, each by a link into /proc."""

    SHARED = ("sys", "self", "thread-self", "stat", "version", "meminfo", "vmstat", "cpuinfo", "filesystems", "kpageflags",
              "kpagecount", "uptime", "mounts", "cmdline")

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        root.mkdir()
        for name in self.SHARED:
            if os.path.lexists(f"/proc/{name}"):
                (root / name).symlink_to(f"/proc/{name}")

    def show(self, pid: int) -> None:
        (self.root / str(pid)).symlink_to(f"/proc/{pid}")

    def forge(self, pid: int, name: str, text: str | None) -> None:
        """Shows the process with one file of our own: a text, or (None) a FIFO that nobody ever writes to."""
        folder = self.root / str(pid)
        if folder.is_symlink():
            folder.unlink()
        if not folder.exists():
            folder.mkdir()
            for entry in os.listdir(f"/proc/{pid}"):
                (folder / entry).symlink_to(f"/proc/{pid}/{entry}")
        (folder / name).unlink(missing_ok=True)
        if text is None:
            os.mkfifo(folder / name)
        else:
            (folder / name).write_text(text)

    def lie_about(self, pid: int, missing_kb: int = 8192) -> None:
        """smaps leaves `missing_kb` out of the largest mapping, in every field that counts its pages."""
        records = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", pathlib.Path(f"/proc/{pid}/smaps").read_text())
        largest = max(range(len(records)), key=lambda i: _field(records[i], "Private_Dirty"))
        for field in ("Rss", "Pss", "Pss_Dirty", "Private_Dirty", "Referenced", "Anonymous"):
            records[largest] = re.sub(rf"(?m)^{field}: +(\d+) kB$",
                                      lambda m, f=field: f"{f}: {max(0, int(m[1]) - missing_kb):>20} kB", records[largest])
        self.forge(pid, "smaps", "".join(records))

    def hide(self, pid: int) -> None:
        folder = self.root / str(pid)
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _field(record: str, name: str) -> int:
    found = re.search(rf"(?m)^{name}: +(\d+) kB$", record)
    return int(found[1]) if found else -1


class DeadFileSystem:
    """A FUSE file system that takes one request and never answers: whoever made it waits, and not even SIGKILL ends that."""

    INIT = 26
    OUT_HEADER = struct.Struct("<IiQ")
    INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        directory.mkdir()

    def __enter__(self) -> DeadFileSystem:
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        self.libc = ctypes.CDLL(None, use_errno=True)
        if self.libc.mount(b"dead", os.fsencode(self.directory), b"fuse", 6, options) != 0:  # nosuid, nodev
            os.close(self.device)
            raise OSError(ctypes.get_errno(), "cannot mount FUSE here")
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError:
                return  # unmounted before anybody came
            _, opcode, unique = struct.unpack_from("<IIQ", request)
            if opcode != self.INIT:
                return
            body = self.INIT_OUT.pack(7, 31, 0, 0, 1, 1, 4096, 1, 1, 0, 0)
            os.write(self.device, self.OUT_HEADER.pack(self.OUT_HEADER.size + len(body), 0, unique) + body)

    def __exit__(self, *_: object) -> None:
        self.libc.umount2(os.fsencode(self.directory), 2)  # lazily
        self.thread.join()
        os.close(self.device)  # ends the connection, and with it whoever waits


SOCKETS_OF_SYSTEMD = """
import os, socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
for end in sockets:
    os.set_inheritable(end.fileno(), True)
assert [end.fileno() for end in sockets] == list(range(3, 3 + len(sockets)))
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[1]}
os.execv(sys.argv[2], sys.argv[2:])
"""


class NotifySocket:
    """What the service tells its manager, which asks for a sign of life (sd_notify)."""

    def __init__(self, path: pathlib.Path, watchdog_seconds: float) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(watchdog_seconds * 1e6))}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(str(path))

    def take(self) -> list[str]:
        """The messages since the last call."""
        messages = []
        try:
            while True:
                messages += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return messages

    def __enter__(self) -> NotifySocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


class Auditd:
    """The service in a directory of its own, on a unix socket and a TCP port of 127.0.0.1."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path, *options: str, **settings: object) -> None:
        self.binary, self.directory, self.options = binary, directory, options
        directory.mkdir(exist_ok=True)
        self.environment: dict[str, str] = {}
        self.launcher: list[str] = []
        self.config = directory / "smaps-auditd.json"
        self.log_path = directory / "log"
        self.store = directory / "store"
        self.socket = directory / "web.sock"
        self.off_file = directory / "off"
        self.settings: dict = {
            "audit": {"interval": "1s", "cpu_budget_percent": 50},
            "store": {"path": str(self.store)},
            "web": {"listen": ["127.0.0.1:0", f"unix:{self.socket}"]},
            "paths": {"off_file": str(self.off_file)},
            "log": {"format": "json"},
        }
        for key, value in settings.items():
            self.settings.setdefault(key, {}).update(value)
        self.write_config()
        self.process: subprocess.Popen | None = None

    def write_config(self, text: str | None = None) -> None:
        self.config.write_text(json.dumps(self.settings) if text is None else text)

    def start(self, ready: bool = True) -> Auditd:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([*self.launcher, self.binary, "--config.file", self.config, *self.options],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=os.environ | self.environment)
        if ready:
            wait_for("the first sweep", lambda: self.get("/-/ready")[0] == 200)
        return self

    def __enter__(self) -> Auditd:
        return self.start() if self.process is None else self

    def __exit__(self, *_: object) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        if code != 0:
            raise AssertionError(f"smaps-auditd ended with {code}: {self.log()[-2000:]}")

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def events(self, word: str) -> list[dict]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and word in line]

    def get(self, path: str) -> tuple[int, str]:
        """Over the unix socket; status 0 while nothing listens."""
        client = UnixConnection(str(self.socket))
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            client.close()

    @property
    def port(self) -> int:
        return int(self.events("127.0.0.1:")[-1]["address"].rsplit(":", 1)[1])

    def get_by_tcp(self, path: str) -> tuple[int, str]:
        """As a user who may read nothing of the processes watched."""
        done = subprocess.run([STRANGERS_PYTHON, "-I", "-c", STRANGER, str(self.port), path], user=NOBODY, group=NOBODY,
                              extra_groups=[], cwd="/", env={}, capture_output=True, text=True, check=True)
        status, body = json.loads(done.stdout)
        return status, body

    def metric(self, series: str) -> float | None:
        for line in self.get("/metrics")[1].splitlines():
            name, _, value = line.rpartition(" ")
            if name == series:
                return float(value)
        return None

    def status(self) -> dict:
        return json.loads(self.get("/api/v1/status")[1])

    def children(self, pid: int | None = None) -> list[int]:
        pid = self.process.pid if pid is None else pid
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]

    @property
    def spawner(self) -> int:
        return self.children()[0]

    def worker(self) -> int:
        return wait_for("a worker", lambda: self.children(self.spawner))[0]

    def rows(self) -> list[dict]:
        with sqlite3.connect(f"file:{self.store / 'findings.db'}?mode=ro", uri=True) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM finding")]

    def integrity(self) -> str:
        with sqlite3.connect(self.store / "findings.db") as database:
            return database.execute("PRAGMA integrity_check").fetchone()[0]


def scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="smaps-auditd-test-")
