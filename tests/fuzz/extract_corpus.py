#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes seeds for the fuzzers from real captures.

    extract_corpus.py CAPTURE… [--corpus tests/fuzz/corpus] [--most-bytes 4096] [--most 3]

Of each file that the capture read, the first few answers that differ in shape (their text with all digits taken as
one) become corpus/PARSER/KERNEL-N, KERNEL being the release that the capture names. Decodes docs/capture-format.md;
needs the zstd program. Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import struct
import subprocess
import sys
from collections.abc import Iterator

HEADER_BYTES = 16
METADATA, END = 0xF0, 0xFF
OPEN, OPEN_DIRECTORY, OPEN_AT, OPEN_DIRECTORY_AT, READ, PREAD, SCAN = 1, 2, 3, 4, 5, 6, 8
# The parser for a file of that name.
PARSERS = {"smaps": "smaps", "smaps_rollup": "smaps_rollup", "numa_maps": "numa_maps", "maps": "maps",
           "status": "proc_status", "statm": "proc_statm", "stat": "proc_stat", "vmstat": "vmstat",
           "pagemap": "pagemap"}


class Bytes:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> bytes:
        return self.take(self.varint())

    def words(self) -> bytes:
        """The 64-bit words of a pagemap, from their runs."""
        left, made = self.varint() // 8, []
        while left > 0:
            head = self.varint()
            count, kind = head >> 2, head & 3
            left -= count
            if kind == 2:
                made.append(self.take(8 * count))
                continue
            first = struct.unpack("<Q", self.take(8))[0]
            for index in range(min(count, 4096)):
                made.append(struct.pack("<Q", (first + (index if kind == 1 else 0)) % 2**64))
        return b"".join(made)


def bodies(capture: pathlib.Path) -> Iterator[bytes]:
    packed = capture.read_bytes()[HEADER_BYTES:]
    stream = Bytes(subprocess.run(["zstd", "-dc", "--memory=64MB"], input=packed, capture_output=True, check=True).stdout)
    while stream.at < len(stream.data):
        yield stream.take(stream.varint())


def answers(capture: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """(file name, what one read of it gave); the metadata comes first, as ("", JSON)."""
    names: dict[int, str] = {}
    for body in bodies(capture):
        event = Bytes(body)
        operation = event.take(1)[0]
        if operation == METADATA:
            yield "", body[1:]
        elif operation in (OPEN, OPEN_DIRECTORY, OPEN_AT, OPEN_DIRECTORY_AT):
            event.varint()
            path = event.text().decode("utf-8", "replace")
            event.varint(), event.varint()
            if event.take(1) == b"\0":
                names[event.varint()] = path  # of the target and the host: what is below is another task's
        elif operation in (READ, PREAD):
            name = names.get(event.varint(), "")
            event.varint()
            if operation == PREAD:
                event.varint()
            event.varint(), event.varint()
            if event.take(1) == b"\0" and name in PARSERS:
                yield name, event.text() if event.take(1) == b"\0" else event.words()
        elif operation == SCAN:
            for _ in range(6):
                event.varint()
            event.varint(), event.varint()
            if event.take(1) == b"\0":
                event.varint()
                yield "pagemap", regions(event)


def regions(event: Bytes) -> bytes:
    made, end = b"", 0
    for _ in range(event.varint()):
        start = (end + event.varint()) % 2**64
        end = (start + event.varint()) % 2**64
        made += struct.pack("<QQQ", start, end, event.varint())
    return made


def cut(name: str, data: bytes, most: int) -> bytes:
    """Whole records or lines of it, `most` bytes at most."""
    if len(data) <= most:
        return data
    if name == "pagemap":
        return data[:most // 24 * 24]
    head = data[:most]
    if name == "smaps":
        starts = [match.start() for match in re.finditer(rb"(?m)^[0-9a-f]+-[0-9a-f]+ ", head)]
        return head[:starts[-1]] if len(starts) > 1 else b""
    return head[:head.rfind(b"\n") + 1]


def write_events(capture: pathlib.Path, folder: pathlib.Path, kernel: str, most_bytes: int) -> int:
    """The first event of each operation, as fuzz_capture.cpp takes them: behind a byte 2."""
    seen: set[int] = set()
    for body in bodies(capture):
        if body[0] not in seen and body[0] < METADATA and len(body) <= most_bytes:
            seen.add(body[0])
            (folder / f"{kernel}-operation-{body[0]}").write_bytes(b"\2" + body)
    return len(seen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="+", type=pathlib.Path)
    parser.add_argument("--corpus", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent / "corpus")
    parser.add_argument("--most-bytes", type=int, default=4096)
    parser.add_argument("--most", type=int, default=3)
    options = parser.parse_args()
    for capture in options.captures:
        kernel, shapes, made = "", {}, 0
        for name, data in answers(capture):
            if not name:
                kernel = json.loads(data)["host"]["kernel_release"]
                continue
            data = cut(name, data, options.most_bytes)
            seen = shapes.setdefault(name, set())
            shape = re.sub(rb"[0-9a-f]+", b"0", data)
            if not data or shape in seen or len(seen) == options.most:
                continue
            seen.add(shape)
            folder = options.corpus / PARSERS[name]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{kernel}-{len(seen)}").write_bytes(data)
            made += 1
            if name == "smaps":
                flags = re.search(rb"(?m)^VmFlags:(.*)\n", data)
                if flags:
                    (options.corpus / "vm_flags" / f"{kernel}-{len(seen)}").write_bytes(flags[1])
        made += write_events(capture, options.corpus / "capture", kernel, options.most_bytes)
        print(f"{capture}: {made} seeds of {kernel}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
