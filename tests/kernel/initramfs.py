# SPDX-License-Identifier: Apache-2.0
"""Packs an initramfs: busybox, programs with the libraries that ldd lists, files, device nodes.

The archive is written here (cpio "newc", uncompressed: under TCG unpacking costs more than loading), so
neither root nor the cpio tool is needed. A program keeps its path of the host, and /bin/NAME links to it:
RUNPATH, $ORIGIN included, means in the guest what it means here. Python 3.11, standard library only.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import stat
import subprocess

BUSYBOX_PATHS = ("/bin/busybox", "/usr/bin/busybox")
# The host's own, not busybox's: these know ambient capabilities.
HOST_TOOLS = ("setpriv",)


class InitramfsError(Exception):
    """Something that the guest needs is missing on this machine."""


class Archive:
    """A cpio archive in the making; directories above an entry are made by themselves."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bytes, tuple[int, int]]] = {}

    def add(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self._put(path, stat.S_IFREG | mode, content)

    def add_link(self, path: str, target: str) -> None:
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def add_directory(self, path: str, mode: int = 0o755) -> None:
        self._put(path, stat.S_IFDIR | mode, b"")

    def add_character_device(self, path: str, major: int, minor: int) -> None:
        self._put(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def add_host_file(self, path: str, source: pathlib.Path) -> None:
        """A file as it is on the host, or a directory with all that is in it."""
        if source.is_dir():
            for entry in sorted(source.rglob("*")):
                if entry.is_file():
                    self.add_host_file(f"{path}/{entry.relative_to(source)}", entry)
            return
        try:
            self.add(path, source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)
        except OSError as error:
            raise InitramfsError(f"cannot read {source}: {error.strerror}") from error

    def has(self, path: str) -> bool:
        return path.strip("/") in self._entries

    def _put(self, path: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        name = os.path.normpath(path).strip("/")
        parent = os.path.dirname(name)
        if parent and parent not in self._entries:
            self._put(parent, stat.S_IFDIR | 0o755, b"")
        # An explicit mode for a directory that was made on the way replaces it in its place.
        self._entries[name] = (mode, content, device)

    def bytes(self) -> bytes:
        parts = [self._record(i + 1, name, *entry)
                 for i, (name, entry) in enumerate(self._entries.items())]
        parts.append(self._record(0, "TRAILER!!!", 0, b"", (0, 0)))
        return b"".join(parts)

    @staticmethod
    def _record(inode: int, name: str, mode: int, content: bytes, device: tuple[int, int]) -> bytes:
        encoded = name.encode() + b"\0"
        numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % number for number in numbers) + encoded
        return header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4)


def shared_libraries(program: pathlib.Path) -> list[pathlib.Path]:
    """What ldd lists, ld.so included; nothing for a static program or a script."""
    answer = subprocess.run(["ldd", str(program)], text=True, capture_output=True, check=False,
                            env={**os.environ, "LC_ALL": "C"})
    missing = re.findall(r"^\s*(\S+) => not found", answer.stdout, re.MULTILINE)
    if missing:
        raise InitramfsError(f"{program} needs {', '.join(missing)}, which ldd does not find")
    found = re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", answer.stdout, re.MULTILINE)
    return [pathlib.Path(path) for path in found]


def add_program(archive: Archive, program: pathlib.Path, name: str | None = None) -> None:
    """The program under its path of the host and as /bin/NAME, with its libraries."""
    path = program.resolve()
    if not path.is_file():
        raise InitramfsError(f"no program {program}")
    archive.add(str(path), path.read_bytes(), 0o755)
    for library in shared_libraries(path):
        if not archive.has(str(library)):
            archive.add(str(library), library.read_bytes(), 0o755)
    link = f"bin/{name or program.name}"
    if str(path).strip("/") != link:
        archive.add_link(link, str(path))


def _add_busybox(archive: Archive) -> None:
    busybox = next((path for path in BUSYBOX_PATHS if os.path.exists(path)), None)
    if busybox is None or shared_libraries(pathlib.Path(busybox)):
        raise InitramfsError("no static busybox here: apt-get install busybox-static")
    archive.add("bin/busybox", pathlib.Path(busybox).read_bytes(), 0o755)
    applets = subprocess.run([busybox, "--list"], text=True, capture_output=True, check=True)
    for applet in applets.stdout.split():
        if applet != "busybox" and applet not in HOST_TOOLS:
            archive.add_link(f"bin/{applet}", "busybox")


def base_archive() -> Archive:
    """Directories, /dev/console, busybox with its applets, and the host's setpriv."""
    archive = Archive()
    for directory in ("bin", "dev", "etc", "proc", "run", "sys", "root", "mnt"):
        archive.add_directory(directory)
    archive.add_directory("tmp", 0o1777)
    archive.add_character_device("dev/console", 5, 1)
    archive.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                              b"smaps-audit:x:990:990::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    archive.add("etc/group", b"root:x:0:\nsmaps-audit:x:990:\nnogroup:x:65534:\n")
    _add_busybox(archive)
    for tool in HOST_TOOLS:
        path = shutil.which(tool)
        if path is None:
            raise InitramfsError(f"no {tool} here: apt-get install util-linux")
        add_program(archive, pathlib.Path(path), tool)
    return archive
