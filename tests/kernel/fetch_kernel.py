#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's stock cloud kernels, fetched by package name and cached outside the checkout.

    fetch_kernel.py 6.1|6.12 ...      prints the path of each vmlinuz

`linux-image-cloud-amd64` (6.1) and `linux-image-6.12-cloud-amd64` (6.12) depend on the kernel of the
day: no version stands here. The cache is ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}/kernels/<series>/:
vmlinuz, package.deb (its modules, should a test need them) and package.json (which version it is). A
cached kernel is kept while apt names no newer one, or names none at all (no package lists: offline).
Parallel runs are serialised by a lock file. Python 3.11, standard library only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

META_PACKAGES = {
    "6.1": "linux-image-cloud-amd64",
    "6.12": "linux-image-6.12-cloud-amd64",
}
APT_TIMEOUT_SECONDS = 300


class FetchError(Exception):
    """No kernel can be had; the text says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Kernel:
    series: str  # "6.1", "6.12", or "file"
    vmlinuz: pathlib.Path
    package: str | None = None
    version: str | None = None
    deb: pathlib.Path | None = None


def cache_root() -> pathlib.Path:
    named = os.environ.get("SMAPS_AUDIT_CACHE")
    return pathlib.Path(named) if named else pathlib.Path.home() / ".cache" / "smaps-auditd"


def _run(command: list[str], cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False,
                              timeout=APT_TIMEOUT_SECONDS, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise FetchError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{' '.join(command)}: no end after {APT_TIMEOUT_SECONDS} s") from error


def _image_package(meta: str) -> str | None:
    """The kernel image that the meta package depends on, as apt sees it now."""
    answer = _run(["apt-cache", "depends", "--important", "--no-recommends", meta])
    found = re.search(r"^\s*Depends:\s*(linux-image-\d\S*)", answer.stdout, re.MULTILINE)
    return found.group(1) if found else None


def _candidate_version(package: str) -> str | None:
    answer = _run(["apt-cache", "policy", package])
    found = re.search(r"^\s*Candidate:\s*(\S+)", answer.stdout, re.MULTILINE)
    return found.group(1) if found and found.group(1) != "(none)" else None


def _apt_update() -> None:
    answer = _run(["apt-get", "update", "-q"])
    if answer.returncode != 0:
        print(f"fetch_kernel: apt-get update: {answer.stderr.strip()}", file=sys.stderr)


def _cached(directory: pathlib.Path, series: str) -> Kernel | None:
    try:
        facts = json.loads((directory / "package.json").read_text())
        kernel = Kernel(series, directory / "vmlinuz", facts["package"], facts["version"],
                        directory / "package.deb")
    except (OSError, ValueError, KeyError):
        return None
    return kernel if kernel.vmlinuz.is_file() and kernel.vmlinuz.stat().st_size > 0 else None


def _download(package: str, directory: pathlib.Path) -> pathlib.Path:
    for attempt in (1, 2):
        answer = _run(["apt-get", "download", "-q", package], cwd=directory)
        debs = sorted(directory.glob("*.deb"))
        if answer.returncode == 0 and debs:
            return debs[0]
        if attempt == 1:
            _apt_update()  # the lists may name a version that the mirror has dropped since
    raise FetchError(f"apt-get download {package}: {answer.stderr.strip()}")


def _install(series: str, package: str, version: str, directory: pathlib.Path) -> Kernel:
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{series}-") as name:
        work = pathlib.Path(name)
        deb = _download(package, work)
        unpacked = _run(["dpkg", "-x", str(deb), str(work / "root")])
        images = sorted((work / "root" / "boot").glob("vmlinuz-*"))
        if unpacked.returncode != 0 or not images:
            raise FetchError(f"{deb.name} holds no boot/vmlinuz-*: {unpacked.stderr.strip()}")
        ready = work / "ready"
        ready.mkdir()
        shutil.move(images[0], ready / "vmlinuz")
        shutil.move(deb, ready / "package.deb")
        (ready / "package.json").write_text(json.dumps({"package": package, "version": version}))
        # Files are replaced one by one, so that a boot that reads the old ones goes on; the facts last.
        directory.mkdir(exist_ok=True)
        for file in ("vmlinuz", "package.deb", "package.json"):
            os.replace(ready / file, directory / file)
    return Kernel(series, directory / "vmlinuz", package, version, directory / "package.deb")


@contextlib.contextmanager
def _locked(path: pathlib.Path):
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch(series: str) -> Kernel:
    """The newest kernel of a series that can be had; raises FetchError."""
    meta = META_PACKAGES.get(series)
    if meta is None:
        raise FetchError(f"no kernel series {series!r}; known: {', '.join(META_PACKAGES)}")
    root = cache_root() / "kernels"
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f".{series}.lock"):
        cached = _cached(root / series, series)
        package = _image_package(meta)
        if package is None and cached is None:
            _apt_update()
            package = _image_package(meta)
        version = _candidate_version(package) if package else None
        if cached and (version is None or (cached.package, cached.version) == (package, version)):
            return cached
        if package is None or version is None:
            raise FetchError(f"apt knows no {meta}, and none is cached in {root}")
        try:
            return _install(series, package, version, root / series)
        except FetchError as error:
            if cached is None:
                raise
            print(f"fetch_kernel: keeping {cached.version}: {error}", file=sys.stderr)
            return cached


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 64
    try:
        for series in arguments:
            print(fetch(series).vmlinuz)
    except FetchError as error:
        print(f"fetch_kernel: {error}", file=sys.stderr)
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
