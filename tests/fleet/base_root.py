#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small Debian 12 that can boot, as an archive in the cache. Needs root, mmdebstrap and a Debian mirror that apt knows.

    base_root.py [PACKAGE]…      prints the archive's path; with more packages, installed without recommended ones

Kept in ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}/base-root/HASH.tar, where HASH is that of all that is asked for: a
test needs a Debian 12, not today's. What is more than the bare system is a layer on it. Python 3.11, standard library.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "kernel"))
import private_apt  # noqa: E402
from fetch_kernel import cache_root  # noqa: E402
from private_apt import AptError  # noqa: E402

RELEASE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "kmod", "procps", "iproute2", "curl", "ca-certificates")
# Nobody reads these there, and they are half of the files.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/zoneinfo/*")
PATIENCE_SECONDS = 600


class RootError(Exception):
    """A command on a root failed; the text says which, and what it said."""


class NoRoot(RootError):
    """No such root can be had here: a reason to skip."""


def run(*command: str | os.PathLike[str]) -> str:
    try:
        done = subprocess.run(command, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              timeout=PATIENCE_SECONDS, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise NoRoot(f"{command[0]} is not installed: scripts/install-dependencies") from error
    except subprocess.TimeoutExpired as error:
        raise RootError(f"{' '.join(map(str, command))}: no end after {PATIENCE_SECONDS} s") from error
    if done.returncode != 0:
        raise RootError(f"{' '.join(map(str, command))}: {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _sources() -> str:
    """Where this machine's own apt has its Debian 12 from, a line each, as it wrote them down."""
    answer = private_apt.run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(COMPONENT)",
                              "Created-By: Packages"])
    lines = []
    for line in answer.stdout.splitlines():
        origin, codename, uri, component = line.split("|")
        if origin == "Debian" and codename.split("-")[0] == RELEASE:
            lines.append(f"deb [signed-by={private_apt.KEYRING}] {uri} {codename} {component}\n")
    return "".join(dict.fromkeys(lines))


def sources() -> str:
    if not (found := _sources()):
        private_apt.run(["apt-get", "update", "-q"])
        found = _sources()
    if not found:
        raise NoRoot(f"this machine's apt knows no Debian {RELEASE}")
    return found


def needs_of(package: pathlib.Path) -> list[str]:
    """The packages that a .deb depends on, by name."""
    return sorted(re.findall(r"(?:^|, )([a-z0-9.+-]+)", run("dpkg-deb", "--field", package, "Depends")))


def readme(name: str) -> str:
    """The lines of README.md between its marks of that name."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
    found = re.search(rf"<!-- {name} begins -->\n(.*?)<!-- {name} ends -->", text, re.DOTALL)
    if found is None:
        raise RootError(f"README.md has no lines marked {name!r}")
    return found[1]


def unpack(archive: pathlib.Path, directory: pathlib.Path) -> None:
    run("tar", "--extract", "--numeric-owner", "--xattrs", "--file", archive, "--directory", directory)


def pack(directory: pathlib.Path, archive: pathlib.Path) -> None:
    run("tar", "--create", "--numeric-owner", "--xattrs", "--one-file-system", "--file", archive, "--directory", directory, ".")


def in_root(directory: pathlib.Path, script: str) -> str:
    """Runs a script in it, in namespaces of its own: nothing that it mounts or starts stays. What it said."""
    # With a pid 1 of our own systemctl does not see that it is in a chroot.
    script = f"export SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive\n{script}"
    mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/run" && exec chroot "$0" sh -ec "$1"'
    return run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-ec", mounts, directory, script)


def install(directory: pathlib.Path, packages: Sequence[str]) -> None:
    """From the machine's own mirror, by apt in that root."""
    resolver, was = directory / "etc/resolv.conf", None
    if resolver.exists():
        was = resolver.read_bytes()
    resolver.write_bytes(pathlib.Path("/etc/resolv.conf").read_bytes())
    in_root(directory, "apt-get -q update && apt-get -q -y --no-install-recommends install "
            f"{' '.join(packages)} && apt-get clean && rm -rf /var/lib/apt/lists/*")
    resolver.unlink()
    if was is not None:
        resolver.write_bytes(was)


def _build(archive: pathlib.Path, work: pathlib.Path, more: Sequence[str]) -> None:
    fresh = work / "root.tar"
    if more:
        root = work / "root"
        root.mkdir(mode=0o755)
        unpack(fetch(), root)
        install(root, more)
        pack(root, fresh)
    else:
        sources_list = work / "sources.list"
        sources_list.write_text(sources())
        excludes = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}", *excludes,
             '--aptopt=Acquire::Languages "none"', RELEASE, fresh, sources_list)
    os.replace(fresh, archive)


def fetch(more: Sequence[str] = ()) -> pathlib.Path:
    """The archive, from the cache or made now; raises NoRoot."""
    if os.geteuid() != 0:
        raise NoRoot("a root file system is made as root")
    home = cache_root() / "base-root"
    home.mkdir(parents=True, exist_ok=True)
    wanted = repr((RELEASE, PACKAGES, LEFT_OUT, sorted(more)))
    archive = home / f"{hashlib.sha256(wanted.encode()).hexdigest()[:16]}.tar"
    with private_apt.locked(archive.with_suffix(".lock")):
        if not archive.exists():
            with tempfile.TemporaryDirectory(dir=home, prefix=".new-") as work:
                try:
                    _build(archive, pathlib.Path(work), more)
                except RootError as error:
                    raise NoRoot(str(error)) from error
    return archive


@contextlib.contextmanager
def unpacked(more: Sequence[str] = ()) -> Iterator[pathlib.Path]:
    """A copy of one's own, gone at the end."""
    archive = fetch(more)
    with tempfile.TemporaryDirectory(prefix="smaps-audit-root-") as name:
        root = pathlib.Path(name) / "root"
        root.mkdir(mode=0o755)
        unpack(archive, root)
        yield root


if __name__ == "__main__":
    try:
        print(fetch(sys.argv[1:]))
    except (NoRoot, AptError) as error:
        print(f"base_root: {error}", file=sys.stderr)
        sys.exit(77)
