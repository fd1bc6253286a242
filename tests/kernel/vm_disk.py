# SPDX-License-Identifier: Apache-2.0
"""A virtual machine that boots a disk image of a Debian with systemd, and is talked to while it runs.

    with vm_disk.boot("6.1", image, name="one", forwards={port: 19755}) as guest:
        guest.run("systemctl start workload")          what it said; raises VmError where its status is not 0
        guest.reboot()

The machine is that of vm.py, with the image as an NVMe disk: what a guest writes goes to a file of its own and is gone
with it, so that one image does for several guests at a time. `forwards` maps ports of 127.0.0.1 here to ports of the
guest (QEMU's user network, a virtio-net device: the image brings the module). The guest runs driver.sh as a service on
its second serial port (`install_driver()` puts it into the image's root), which runs each command as root.
Python 3.11, standard library only.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pathlib
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping

import vm

HERE = pathlib.Path(__file__).resolve().parent
BOOT_SECONDS = 240  # 15 on a machine that does nothing else
COMMAND_SECONDS = 120
CONNECT_SECONDS = 30
GREETING = "driver ready"
UNIT = """[Unit]
Description=Runs commands of the test (tests/kernel/vm_disk.py)
DefaultDependencies=no
After=local-fs.target
Conflicts=shutdown.target
[Service]
ExecStart=/bin/sh /usr/local/lib/smaps-audit-test/driver.sh
Restart=always
[Install]
WantedBy=multi-user.target
"""


def install_driver(root: pathlib.Path) -> None:
    place = root / "usr/local/lib/smaps-audit-test"
    place.mkdir(parents=True, exist_ok=True)
    (place / "driver.sh").write_bytes((HERE / "driver.sh").read_bytes())
    unit = root / "etc/systemd/system/driver.service"
    unit.write_text(UNIT)
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(parents=True, exist_ok=True)
    (wanted / unit.name).symlink_to(f"../{unit.name}")


class Guest:
    def __init__(self, process: subprocess.Popen, work: pathlib.Path, name: str) -> None:
        self.name, self._process, self._work = name, process, work
        self._buffer = b""
        self._number = 0
        self._driver = socket.socket(socket.AF_UNIX)

    def connect(self) -> None:
        end = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                self._driver.connect(str(self._work / "driver"))
                return
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise self._error("QEMU does not start") from None
                time.sleep(0.05)

    def console(self) -> str:
        return vm.text_of(self._work / "console")

    def _error(self, what: str) -> vm.VmError:
        said = self._process.stdout.read().decode(errors="replace") if self._process.poll() is not None else ""
        return vm.VmError(f"guest {self.name}: {what}\n{said}{vm.last_lines('console', self.console())}")

    def _line(self, end: float, doing: str) -> str:
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._driver], [], [], max(0.0, min(1.0, end - time.monotonic())))
            piece = self._driver.recv(1 << 16) if ready else None
            if piece:
                self._buffer += piece
            elif piece == b"" or self._process.poll() is not None:
                raise self._error(f"ended while it was to {doing}")
            elif time.monotonic() > end:
                raise self._error(f"took too long to {doing}")
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode(errors="replace").strip("\r")

    def wait_for_driver(self, timeout: float = BOOT_SECONDS) -> None:
        end = time.monotonic() + timeout
        while GREETING not in self._line(end, "boot"):
            pass

    def _send(self, script: str) -> None:
        self._number += 1
        word = base64.b64encode(script.encode()).decode()
        self._driver.sendall(f"{self._number} {word}\n".encode())

    def ask(self, script: str, timeout: float = COMMAND_SECONDS) -> tuple[int, str]:
        """Runs a script of sh as root: its exit status, and what it said on stdout and stderr."""
        self._send(script)
        end = time.monotonic() + timeout
        doing = f"run: {script.strip()[:200]}"
        while not (line := self._line(end, doing)).startswith(f"begin {self._number} "):
            pass
        status, lines = int(line.split()[2]), []
        while (line := self._line(end, doing)) != f"end {self._number}":
            lines.append(line)
        return status, base64.b64decode("".join(lines)).decode(errors="replace")

    def run(self, script: str, timeout: float = COMMAND_SECONDS) -> str:
        status, said = self.ask(script, timeout)
        if status != 0:
            raise vm.VmError(f"guest {self.name}: status {status} of {script.strip()}\n{said}")
        return said

    def reboot(self) -> None:
        """In an orderly way, and waits until it is there again."""
        self._send("systemctl --no-block reboot")  # the answer may come, or not
        self.wait_for_driver()

    def power_off(self, timeout: float = COMMAND_SECONDS) -> None:
        """In an orderly way, and waits for its end."""
        self._send("systemctl --no-block poweroff")
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self._error("does not power off") from None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._driver.close()


def _command(vmlinuz: pathlib.Path, image: pathlib.Path, work: pathlib.Path, machine: vm.Machine, name: str,
             forwards: Mapping[int, int]) -> list[str]:
    hosts = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in forwards.items())
    return [*vm.machine_arguments(machine),
            "-serial", f"file:{work / 'console'}",
            "-chardev", f"socket,id=driver,path={work / 'driver'},server=on,wait=on", "-serial", "chardev:driver",
            "-drive", f"if=none,id=root,format=raw,snapshot=on,file={image}", "-device", "nvme,drive=root,serial=root",
            "-netdev", f"user,id=net{hosts}", "-device", "virtio-net-pci,netdev=net,romfile=",
            "-kernel", str(vmlinuz),
            "-append", f"console=ttyS0 root=/dev/nvme0n1 rw panic=-1 oops=panic quiet net.ifnames=0 systemd.hostname={name} "
                       f"systemd.machine_id={hashlib.md5(name.encode()).hexdigest()} {machine.append}".strip(),
            *machine.extra_arguments]


@contextlib.contextmanager
def boot(kernel: str | os.PathLike[str], image: pathlib.Path, *, name: str, forwards: Mapping[int, int],
         machine: vm.Machine = vm.Machine()) -> Iterator[Guest]:
    """A guest whose driver may not answer yet: wait_for_driver(). It is gone at the end, however that comes."""
    vmlinuz = vm.vmlinuz_of(kernel)
    with tempfile.TemporaryDirectory(prefix="smaps-audit-vm-") as directory:
        work = pathlib.Path(directory)
        command = _command(vmlinuz, image, work, machine, name, forwards)
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, "TMPDIR": directory})
        guest = Guest(process, work, name)
        try:
            guest.connect()
            yield guest
        finally:
            guest.close()
