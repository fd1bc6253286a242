#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's stock cloud kernels, fetched by package name and cached outside the checkout.

    fetch_kernel.py 6.1|6.12|X.Y|newest ...      prints the path of each vmlinuz
    fetch_kernel.py --list                       what X.Y can be, and the version of each

`linux-image-cloud-amd64` (6.1) and `linux-image-6.12-cloud-amd64` (6.12) depend on the kernel of the
day: no version stands here. Any other X.Y, and `newest` of all, comes from Debian's other suites
(private_apt.py). The cache is ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}/kernels/<series>/:
vmlinuz, package.deb and package.json (which version it is); up to 6.18 package.deb holds the modules
as well. A cached kernel is kept while apt names no newer one, or names none at all (no package lists:
offline). Parallel runs are serialised by a lock file. Python 3.11, standard library only.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import private_apt  # noqa: E402
from private_apt import AptError as FetchError  # noqa: E402
from private_apt import locked as _locked  # noqa: E402
from private_apt import run as _run  # noqa: E402

META_PACKAGES = {
    "6.1": "linux-image-cloud-amd64",
    "6.12": "linux-image-6.12-cloud-amd64",
}
NEWEST = "newest"
# From 6.19 on the image is in linux-binary-*, and linux-image-* depends on it.
ARCHIVE_PACKAGE = r"linux-(image|binary)-(\d+\.\d+)([.+-][^-]*|-\d+)*-cloud-amd64"


@dataclasses.dataclass(frozen=True)
class Kernel:
    series: str  # "6.1", "7.0", "newest"
    vmlinuz: pathlib.Path
    package: str | None = None
    version: str | None = None
    deb: pathlib.Path | None = None


def cache_root() -> pathlib.Path:
    named = os.environ.get("SMAPS_AUDIT_CACHE")
    return pathlib.Path(named) if named else pathlib.Path.home() / ".cache" / "smaps-auditd"


def is_series(word: str) -> bool:
    """Is it a name that fetch() may know, and no path?"""
    return word == NEWEST or re.fullmatch(r"\d+\.\d+", word) is not None


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


def _download(package: str, directory: pathlib.Path, apt: private_apt.PrivateApt | None = None) -> pathlib.Path:
    words = ["apt-get", "download", "-q", package]
    for attempt in (1, 2):
        answer = _run(apt.command(*words) if apt else words, cwd=directory)
        debs = sorted(directory.glob("*.deb"))
        if answer.returncode == 0 and debs:
            return debs[0]
        if attempt == 1:  # the lists may name a version that the mirror has dropped since
            apt.update(max_age_seconds=0) if apt else _apt_update()
    raise FetchError(f"apt-get download {package}: {answer.stderr.strip()}")


def _install(series: str, package: str, version: str, directory: pathlib.Path,
             apt: private_apt.PrivateApt | None = None) -> Kernel:
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{series}-") as name:
        work = pathlib.Path(name)
        deb = _download(package, work, apt)
        root = work / "root"
        private_apt.unpack(deb, root)
        images = [*root.glob("boot/vmlinuz-*"), *root.glob("usr/lib/modules/*/vmlinuz")]
        if not images:
            raise FetchError(f"{deb.name} holds no vmlinuz")
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


def _of_meta_package(series: str) -> tuple[str, str] | None:
    """(package, version) of the image that the machine's own apt offers."""
    package = _image_package(META_PACKAGES[series])
    version = _candidate_version(package) if package else None
    return (package, version) if package and version else None


def archive_kernels(apt: private_apt.PrivateApt) -> dict[str, tuple[str, str]]:
    """By X.Y: (package, version) of the newest image in Debian's other suites."""
    newest: dict[str, tuple[str, str]] = {}
    # "binary" sorts before "image": of two packages of the same version that with the image in it is kept.
    for package, version in sorted(apt.packages(ARCHIVE_PACKAGE)):
        series = re.fullmatch(ARCHIVE_PACKAGE, package)[2]
        if series not in newest or private_apt.newer(version, newest[series][1]):
            newest[series] = (package, version)
    return newest


def _of_archive(series: str, apt: private_apt.PrivateApt) -> tuple[str, str]:
    apt.update()
    kernels = archive_kernels(apt)
    if not kernels:
        raise FetchError("Debian's other suites name no kernel")
    wanted = max(kernels, key=_in_order) if series == NEWEST else series
    if wanted not in kernels:
        raise FetchError(f"no kernel {series}; there are {', '.join(sorted(kernels, key=_in_order))}")
    return kernels[wanted]


def _in_order(series: str) -> tuple[int, ...]:
    return tuple(map(int, series.split(".")))


def _fetch_locked(series: str, root: pathlib.Path) -> Kernel:
    cached = _cached(root / series, series)
    apt = None
    if series in META_PACKAGES:
        named = _of_meta_package(series)
        if named is None and cached is None:
            _apt_update()
            named = _of_meta_package(series)
    else:
        apt = private_apt.PrivateApt(cache_root())
        try:
            named = _of_archive(series, apt)
        except FetchError:
            if cached is None:
                raise
            named = None
    if cached and (named is None or (cached.package, cached.version) == named):
        return cached
    if named is None:
        raise FetchError(f"apt knows no {META_PACKAGES[series]}, and none is cached in {root}")
    try:
        return _install(series, *named, root / series, apt)
    except FetchError as error:
        if cached is None:
            raise
        print(f"fetch_kernel: keeping {cached.version}: {error}", file=sys.stderr)
        return cached


def fetch(series: str) -> Kernel:
    """The newest kernel of a series that can be had; raises FetchError."""
    if not is_series(series):
        raise FetchError(f"no kernel series {series!r}: X.Y or {NEWEST}")
    root = cache_root() / "kernels"
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f".{series}.lock"):
        return _fetch_locked(series, root)


def available() -> dict[str, tuple[str, str]]:
    """By X.Y, in order: (package, version) of what fetch() would bring; raises FetchError."""
    apt = private_apt.PrivateApt(cache_root())
    apt.update()
    own = {series: _of_meta_package(series) for series in META_PACKAGES}
    kernels = archive_kernels(apt) | {series: named for series, named in own.items() if named}
    return dict(sorted(kernels.items(), key=lambda kernel: _in_order(kernel[0])))


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 64
    try:
        if arguments == ["--list"]:
            for series, named in available().items():
                print(f"{series:5} {' '.join(named)}")
            return 0
        for series in arguments:
            print(fetch(series).vmlinuz)
    except FetchError as error:
        print(f"fetch_kernel: {error}", file=sys.stderr)
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
