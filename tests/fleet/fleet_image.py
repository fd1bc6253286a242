#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The disk image that the hosts of tests/fleet boot, and a host: a guest as those tests see it.

    fleet_image.py --packages DIR --workload FILE --into FILE      with the .deb that scripts/package made

Exit: 0, 1, 77 (nothing that could be made here). Root. Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel"), str(HERE.parent / "service")]
import base_root  # noqa: E402
import image  # noqa: E402
import vm  # noqa: E402
import vm_disk  # noqa: E402
from private_apt import AptError  # noqa: E402
from prometheus import free_port, program  # noqa: E402

METRICS_PORT, NODE_EXPORTER_PORT = 19755, 9100
GROUP = "workload.service"
# Huge pages for who asks for them: else journald is hinted as well, and which of the two is found first is left to chance.
MACHINE = vm.Machine(memory_mib=1024, append="transparent_hugepage=madvise")
PATIENCE_SECONDS = 420  # for what takes a minute on a machine that does nothing else
LATER = "/root/later.deb"
# Stdin that stays open keeps the memory; nobody's, so that it takes the service's capabilities to look at it.
WORKLOAD = """[Unit]
Description=Memory whose huge pages NUMA balancing hints
[Service]
User=www-data
PrivateTmp=yes
ExecStart=/bin/sh -c 'rm -f /tmp/hold && mkfifo /tmp/hold && exec workload hinted-thp <> /tmp/hold'
StandardOutput=truncate:/run/workload.json
# It ends where the kernel does not hint its pages in time, as happens on a busy machine.
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
NODE_EXPORTER = f"""[Unit]
Description=node_exporter with nothing but its textfile collector
[Service]
ExecStart=/usr/local/bin/prometheus-node-exporter --collector.disable-defaults --collector.textfile \\
  --collector.textfile.directory=/var/lib/prometheus/node-exporter --web.listen-address=:{NODE_EXPORTER_PORT}
"""


def make(deb: pathlib.Path, workload: pathlib.Path, target: pathlib.Path) -> None:
    listen = base_root.readme("listen")
    print(f"as README.md has it:\n{listen}")
    with base_root.unpacked(base_root.needs_of(deb)) as root, tempfile.TemporaryDirectory() as work:
        image.install(root, deb, listen)
        image.prepare(root)
        image.add_program(root, workload)
        image.add_program(root, program("prometheus-node-exporter"))
        (root / "var/lib/prometheus/node-exporter").mkdir(parents=True)
        image.enable(root, GROUP, WORKLOAD)
        (root / "etc/systemd/system/node-exporter.service").write_text(NODE_EXPORTER)
        shutil.copy(image.newer(deb, pathlib.Path(work)), root / LATER.lstrip("/"))
        image.make(root, target)


class Host:
    """A guest, with the ports of 127.0.0.1 where it is scraped."""

    def __init__(self, guest: vm_disk.Guest, metrics_port: int, node_exporter_port: int) -> None:
        self.guest, self.kernel_release = guest, ""
        self.metrics_address = f"127.0.0.1:{metrics_port}"
        self.node_exporter_address = f"127.0.0.1:{node_exporter_port}"
        self.run, self.ask = guest.run, guest.ask

    @property
    def name(self) -> str:
        return self.guest.name

    def until(self, what: str, command: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Until a command of sh succeeds there; what it said. It is asked seldom: the host is emulated, and has work to do."""
        end = time.monotonic() + seconds
        while True:
            status, said = self.ask(command)
            if status == 0:
                return said
            if time.monotonic() > end:
                raise AssertionError(f"{self.name}: waited {seconds:.0f} s in vain for: {what}\n{said}")
            time.sleep(2)

    def show(self, unit: str, name: str) -> str:
        return self.run(f"systemctl show --property {name} --value {unit}").strip()

    def findings(self) -> list[dict]:
        return json.loads(self.run("smaps-audit findings list --all --format json"))["findings"]

    def wait_for_workload(self) -> dict:
        """What it declares of its memory, once the kernel has hinted it."""
        proven = "grep '\"kernel_state_proven\":true' /run/workload.json || { cat /run/workload.json; false; }"
        return json.loads(self.until("the workload", proven))

    def wait_for_service(self) -> None:
        self.until("the service's first sweep",
                   f"systemctl is-active -q smaps-auditd && curl -sf http://127.0.0.1:{METRICS_PORT}/-/ready")


@contextlib.contextmanager
def booted(kernel: str, name: str, disk: pathlib.Path) -> Iterator[Host]:
    ports = (free_port(), free_port())
    with vm_disk.boot(kernel, disk, name=name, machine=MACHINE,
                      forwards=dict(zip(ports, (METRICS_PORT, NODE_EXPORTER_PORT)))) as guest:
        yield Host(guest, *ports)


class Clock:
    """A line for each step, with what it took."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def say(self, outcome: str, what: str) -> None:
        now = time.monotonic()
        print(f"{outcome:6} {what.replace('_', ' ')} ({now - self._last:.1f} s)", flush=True)
        self._last = now


def play(steps: Sequence[Callable], hosts: Sequence[Host], *arguments: object) -> int:
    """Each step, in its order, with the arguments; the exit code. What comes after a failure would build on it."""
    clock = Clock()
    for step in steps:
        try:
            step(*arguments)
        except Exception:  # noqa: BLE001 (each step says for itself what is wrong)
            traceback.print_exc(file=sys.stdout)
            for host in hosts:
                print(f"--- {host.name}\n{vm.last_lines('console', host.guest.console())}")
                with contextlib.suppress(vm.VmError, OSError):
                    print(host.ask("systemctl --failed --no-pager; journalctl --no-pager -n 60", 60)[1])
            clock.say("FAILED", step.__name__)
            return 1
        clock.say("ok", step.__name__)
    return 0


def or_skip(test: Callable[[], int]) -> int:
    """The test's exit code, or 77 where it cannot run."""
    if os.geteuid() != 0:
        print("SKIP: root file systems are made as root")
        return 77
    # Leaving in an orderly way takes servers and files along; guests end with us in any case.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return test()
    except (base_root.NoRoot, vm.VmUnavailable, AptError) as error:
        print(f"SKIP: {error}")
        return 77


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", required=True, type=pathlib.Path)
    parser.add_argument("--workload", required=True, type=pathlib.Path)
    parser.add_argument("--into", required=True, type=pathlib.Path)
    options = parser.parse_args()

    def made() -> int:
        clock, deb = Clock(), next(options.packages.glob("smaps-auditd_*.deb"))
        base_root.fetch(base_root.needs_of(deb))
        clock.say("ok", "the root")
        options.into.parent.mkdir(parents=True, exist_ok=True)
        make(deb, options.workload, options.into)
        clock.say("ok", "the image")
        return 0

    return or_skip(made)


if __name__ == "__main__":
    sys.exit(main())
