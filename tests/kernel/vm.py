#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The one runner for virtual machines: a kernel, programs and files in; a script run; results out.

    import vm
    result = vm.run(kernel="6.1", programs=["build/release/cli/smaps-audit"], files={"/job/in.json": b"{}"},
                    script="smaps-audit check --all --format json > $RESULTS/all.json", timeout=120)
    result.exit_status, result.output, result.files["all.json"]

The guest is that of docs/kernel.md §7: QEMU without KVM, two CPUs, two NUMA nodes. The script runs as root
under busybox sh, with guest.sh sourced (start_workload, as_service, …); its stdout and stderr come back as
`output`, all of /results ($RESULTS) as `files`, through a raw disk. A guest that panics, runs into the timeout
or ends without a result is a VmError that shows its last lines. Nothing of the host is changed.

    vm.py --kernel 6.1 [--program P]… [--file GUEST=HOST]… [--results DIR] [--timeout S] -- SCRIPT-FILE | -c SCRIPT

exits with the script's status; 77 where no kernel or no QEMU can be had, 70 if the guest failed.
Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fetch_kernel  # noqa: E402
import initramfs  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
QEMU = "qemu-system-x86_64"
RESULT_DISK_BYTES = 512 << 20  # sparse: only what the guest writes takes room
CONSOLE_LINES_SHOWN = 25
SCRIPT_BEGINS = "the script begins"  # init.sh writes it to the console
BOOTS = 3


class VmError(Exception):
    """The guest did not bring its script to an end."""


class VmUnavailable(VmError):
    """No guest can be started on this machine (no QEMU, no kernel): a reason to skip."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """What of the machine may be chosen; the default is docs/kernel.md §7."""
    memory_mib: int = 1536
    nodes: int = 2
    cpus: int = 2
    append: str = ""
    extra_arguments: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Result:
    exit_status: int
    output: str
    files: dict[str, bytes]
    console: str
    boot_seconds: float
    duration_seconds: float


def run(kernel: str | os.PathLike[str], script: str, *,
        programs: Sequence[str | os.PathLike[str]] = (),
        files: Mapping[str, bytes | str | os.PathLike[str]] | None = None,
        timeout: float = 120, machine: Machine = Machine()) -> Result:
    """Boots `kernel` (what fetch_kernel.py knows, or the path of a vmlinuz) and runs `script` in it.

    `programs` come with their shared libraries and stand on the PATH. `files` maps paths in the guest to
    bytes, or to a file or directory of this machine. Raises VmError (VmUnavailable to skip).
    """
    if shutil.which(QEMU) is None:
        raise VmUnavailable(f"no {QEMU} here: apt-get install qemu-system-x86")
    vmlinuz = vmlinuz_of(kernel)
    try:
        initrd = _initrd(script, programs, files or {})
    except initramfs.InitramfsError as error:
        raise VmUnavailable(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="smaps-audit-vm-") as name:
        work = pathlib.Path(name)
        (work / "initrd").write_bytes(initrd)
        for attempt in range(1, BOOTS + 1):
            with open(work / "results", "wb") as disk:
                disk.truncate(RESULT_DISK_BYTES)
            started = time.monotonic()
            status = _boot(_command(vmlinuz, work, machine), timeout)
            # TCG with two threads now and then trips over code that the booting kernel patches (an invalid
            # opcode in enqueue_timer, 1.4 s after power-on). Once the script ran, nothing is tried again.
            died_booting = status == 0 and SCRIPT_BEGINS not in text_of(work / "console")
            if not died_booting or attempt == BOOTS:
                return _collect(work, status, time.monotonic() - started, timeout)
            print(f"vm: the guest died while it booted, boot {attempt} of {BOOTS}", file=sys.stderr)
        raise AssertionError("unreachable")


def vmlinuz_of(kernel: str | os.PathLike[str]) -> pathlib.Path:
    """Of a series, or a path; raises VmUnavailable."""
    if not fetch_kernel.is_series(str(kernel)):
        path = pathlib.Path(kernel)
        if not path.is_file():
            raise VmUnavailable(f"no kernel {path}")
        return path
    try:
        return fetch_kernel.fetch(str(kernel)).vmlinuz
    except fetch_kernel.FetchError as error:
        raise VmUnavailable(str(error)) from error


def _initrd(script: str, programs: Sequence[str | os.PathLike[str]],
            files: Mapping[str, bytes | str | os.PathLike[str]]) -> bytes:
    archive = initramfs.base_archive()
    archive.add("init", (HERE / "init.sh").read_bytes(), 0o755)
    archive.add("job/guest.sh", (HERE / "guest.sh").read_bytes())
    archive.add("job/script", f". /job/guest.sh\n{script}\n".encode())
    for program in programs:
        initramfs.add_program(archive, pathlib.Path(program))
    for path, content in files.items():
        if isinstance(content, bytes):
            archive.add(path, content, 0o755 if content.startswith(b"#!") else 0o644)
        else:
            archive.add_host_file(path, pathlib.Path(content))
    return archive.bytes()


def machine_arguments(machine: Machine) -> list[str]:
    """QEMU, its processors and its memory, without anything attached."""
    command = [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(machine.cpus),
               "-m", str(machine.memory_mib)]
    for node in range(machine.nodes):
        size = machine.memory_mib // machine.nodes
        cpus = [cpu for cpu in range(machine.cpus) if cpu % machine.nodes == node]
        command += ["-object", f"memory-backend-ram,id=m{node},size={size}M", "-numa",
                    ",".join([f"node,nodeid={node}", *(f"cpus={cpu}" for cpu in cpus), f"memdev=m{node}"])]
    return [*command, "-display", "none", "-monitor", "none"]


def _command(vmlinuz: pathlib.Path, work: pathlib.Path, machine: Machine) -> list[str]:
    command = machine_arguments(machine)
    command += ["-nic", "none", "-no-reboot",
                "-serial", f"file:{work / 'console'}", "-serial", f"file:{work / 'output'}",
                "-drive", f"if=none,id=results,format=raw,file={work / 'results'}",
                "-device", "nvme,drive=results,serial=results",
                "-kernel", str(vmlinuz), "-initrd", str(work / "initrd"),
                "-append", f"console=ttyS0 panic=-1 oops=panic quiet {machine.append}".strip()]
    return command + list(machine.extra_arguments)


def _boot(command: Sequence[str], timeout: float) -> int:
    """Runs QEMU to its end, or to the timeout. It dies with this process, however that ends."""
    guarded = ["setpriv", "--pdeathsig", "KILL", *command]
    with subprocess.Popen(guarded, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as guest:
        try:
            said, _ = guest.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            guest.kill()
            said, _ = guest.communicate()
        except BaseException:
            guest.kill()
            raise
    if guest.returncode not in (0, -signal.SIGKILL):
        raise VmError(f"{QEMU} ended with {guest.returncode}: {said.decode(errors='replace').strip()}")
    return guest.returncode


def text_of(path: pathlib.Path) -> str:
    return path.read_bytes().decode(errors="replace").replace("\r\n", "\n") if path.exists() else ""


def last_lines(title: str, text: str) -> str:
    lines = text.rstrip("\n").split("\n")[-CONSOLE_LINES_SHOWN:]
    return f"--- {title}, last lines ---\n" + "\n".join(lines)


def _collect(work: pathlib.Path, status: int, duration_seconds: float, timeout: float) -> Result:
    console, output = text_of(work / "console"), text_of(work / "output")
    files = _untar(work / "results")
    try:
        exit_status = int(files.pop("exit_status"))
        boot_seconds = float(files.pop("boot_seconds"))
    except (KeyError, ValueError):
        what = f"no end after {timeout:g} s" if status != 0 else "the guest ended without a result"
        raise VmError("\n".join([what, last_lines("output", output),
                                 last_lines("console", console)])) from None
    return Result(exit_status, output, files, console, boot_seconds, duration_seconds)


def _untar(disk: pathlib.Path) -> dict[str, bytes]:
    """The files of the archive on the disk; a torn archive gives those before the tear."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(disk, mode="r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    files[os.path.normpath(member.name)] = content.read()
    except (tarfile.TarError, EOFError, OSError):
        pass
    return files


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs a script in a virtual machine.")
    parser.add_argument("--kernel", default="6.1", help="what fetch_kernel.py knows (6.1, newest …), or a vmlinuz")
    parser.add_argument("--program", action="append", default=[], help="a program for the PATH")
    parser.add_argument("--file", action="append", default=[], metavar="GUEST=HOST")
    parser.add_argument("--results", type=pathlib.Path, help="directory for what the guest left in /results")
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--memory", type=int, default=1536, help="MiB")
    parser.add_argument("--append", default="", help="more words for the kernel command line")
    parser.add_argument("--show-console", action="store_true")
    parser.add_argument("-c", dest="command", help="the script itself")
    parser.add_argument("script", nargs="?", type=pathlib.Path)
    options = parser.parse_args(arguments)
    if (options.command is None) == (options.script is None):
        parser.error("one script, please: a file or -c TEXT")
    return options


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    script = options.command if options.command is not None else options.script.read_text()
    files = dict(entry.split("=", 1) for entry in options.file)
    try:
        result = run(options.kernel, script, programs=options.program, files=files,
                     timeout=options.timeout,
                     machine=Machine(memory_mib=options.memory, append=options.append))
    except VmUnavailable as error:
        print(f"vm: {error}", file=sys.stderr)
        return 77
    except VmError as error:
        print(f"vm: {error}", file=sys.stderr)
        return 70
    sys.stdout.write(result.output)
    if options.show_console:
        sys.stderr.write(result.console)
    for name, content in result.files.items() if options.results else ():
        path = options.results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(f"vm: booted in {result.boot_seconds:.1f} s, {result.duration_seconds:.1f} s in all, "
          f"exit status {result.exit_status}", file=sys.stderr)
    return result.exit_status


if __name__ == "__main__":
    # So that an ending runner takes its guest along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
