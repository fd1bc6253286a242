#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's own servers, unpacked with all that they need into a directory to chroot into; nothing is installed.

    fetch_servers.py      prints the directory

apt resolves the packages as if nothing were installed (libc included, so that nothing of this machine is mixed in),
`apt-get download` fetches them, `dpkg -x` unpacks them into ${SMAPS_AUDIT_CACHE:-~/.cache/smaps-auditd}/servers/root.
What is there is kept while apt names the same versions, or none. Python 3.11, standard library only.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fetch_kernel  # noqa: E402
import private_apt  # noqa: E402
from private_apt import AptError  # noqa: E402

SERVERS = ("openjdk-17-jdk-headless", "nodejs", "postgresql", "redis-server")
PACKAGES = (*SERVERS, "dash", "coreutils", "grep", "sed")  # and what their scripts need
PASSWD = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"
DOWNLOADED_AT_A_TIME = 20


def _closure(packages: Sequence[str]) -> list[tuple[str, str]]:
    """(package, version) of these and all they depend on; empty where apt has no lists."""
    answer = private_apt.run(["apt-get", "-q", "--simulate", "-o", "Dir::State::status=/dev/null",
                              "-o", "APT::Install-Recommends=false", "install", *packages])
    return re.findall(r"^Inst (\S+) \((\S+) ", answer.stdout, re.MULTILINE) if answer.returncode == 0 else []


def _download(closure: list[tuple[str, str]], directory: pathlib.Path) -> None:
    words = [f"{package}={version}" for package, version in closure]
    for i in range(0, len(words), DOWNLOADED_AT_A_TIME):
        answer = private_apt.run(["apt-get", "-q", "download", *words[i:i + DOWNLOADED_AT_A_TIME]], cwd=directory)
        if answer.returncode != 0:
            raise AptError(f"apt-get download: {answer.stderr.strip()}")


def _unpack(debs: pathlib.Path, root: pathlib.Path) -> None:
    for deb in sorted(debs.glob("*.deb")):
        private_apt.unpack(deb, root)
    if not (root / "bin" / "sh").exists():
        (root / "bin" / "sh").symlink_to("dash")
    (root / "etc" / "passwd").write_text(PASSWD)
    (root / "etc" / "group").write_text(GROUP)
    for name in ("proc", "dev", "data", "job", "tmp"):
        (root / name).mkdir(exist_ok=True)
    root.chmod(0o755)


def fetch(name: str = "servers", packages: Sequence[str] = PACKAGES, *, newest: bool = True) -> pathlib.Path:
    """The directory to chroot into; raises AptError. `newest`: what is there is replaced when apt knows better."""
    directory = fetch_kernel.cache_root() / name
    directory.mkdir(parents=True, exist_ok=True)
    root, facts = directory / "root", directory / "packages.json"
    with private_apt.locked(directory / ".lock"):
        there = json.loads(facts.read_text()) if facts.exists() else None
        if there is not None and not newest:
            return root
        closure = _closure(packages)
        if not closure and there is None:
            private_apt.run(["apt-get", "update", "-q"])
            closure = _closure(packages)
        if there is not None and (not closure or there == [list(entry) for entry in closure]):
            return root
        if not closure:
            raise AptError(f"apt does not know all of {', '.join(packages)}")
        debs, fresh = directory / "debs", directory / "fresh"
        for path in (debs, fresh):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        _download(closure, debs)
        _unpack(debs, fresh)
        facts.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)
        os.rename(fresh, root)
        shutil.rmtree(debs)
        facts.write_text(json.dumps(closure))
    return root


if __name__ == "__main__":
    try:
        print(fetch())
    except AptError as error:
        print(f"fetch_servers: {error}", file=sys.stderr)
        sys.exit(77)
