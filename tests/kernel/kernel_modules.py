# SPDX-License-Identifier: Apache-2.0
"""Modules of a stock kernel, from the package that fetch_kernel.py keeps, in the order in which they are loaded.

    kernel_modules.load("6.1", ["zram", "fuse"]) -> [("zsmalloc.ko", b"…"), ("zram.ko", b"…"), …]

What is built into that kernel, or not in the package, is left out. Python 3.11, standard library only.
"""

from __future__ import annotations

import lzma
import pathlib
import re
import tempfile
from collections.abc import Sequence

import fetch_kernel
import private_apt


def load(series: str, names: Sequence[str]) -> list[tuple[str, bytes]]:
    """Nothing where the kernel came as a file, without its package. Raises AptError."""
    if not fetch_kernel.is_series(series):
        return []
    deb = fetch_kernel.fetch(series).deb
    if deb is None or not deb.is_file():
        return []
    with tempfile.TemporaryDirectory(prefix="kernel-modules-") as name:
        private_apt.unpack(deb, pathlib.Path(name))
        found = {path.name.split(".ko")[0].replace("-", "_"): path for path in pathlib.Path(name).rglob("*.ko*")}
        loaded: dict[str, bytes] = {}
        for module in names:
            _add(module.replace("-", "_"), found, loaded)
    return [(f"{module}.ko", content) for module, content in loaded.items()]


def _add(module: str, found: dict[str, pathlib.Path], loaded: dict[str, bytes]) -> None:
    path = found.get(module)
    if module in loaded or path is None:
        return
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    depends = re.search(rb"\0depends=([^\0]*)\0", content)
    for needed in (depends.group(1).decode().split(",") if depends else []):
        _add(needed.replace("-", "_"), found, loaded)
    loaded[module] = content
