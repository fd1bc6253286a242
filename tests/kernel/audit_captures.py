# SPDX-License-Identifier: Apache-2.0
"""Captures that came back from a scenario: replayed here they give the recorded report; a lie in them is named."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess

import audit_expectations as expect

TOOL_TIMEOUT = 60


@dataclasses.dataclass(frozen=True)
class Tools:
    smaps_audit: pathlib.Path
    capture_edit: pathlib.Path

    def replay(self, capture: pathlib.Path) -> expect.Outcome:
        done = subprocess.run([self.smaps_audit, "replay", "--format", "json", capture], capture_output=True,
                              check=False, timeout=TOOL_TIMEOUT)
        return expect.Outcome(done.returncode, 0, done.stdout, done.stderr)

    def show(self, capture: pathlib.Path, file: str) -> str:
        """What the last reading of that file says in the capture."""
        return subprocess.run([self.capture_edit, capture, "--show", file], check=True, capture_output=True, text=True,
                              timeout=TOOL_TIMEOUT).stdout

    def edit(self, capture: pathlib.Path, edited: pathlib.Path, *words: str) -> None:
        subprocess.run([self.capture_edit, capture, edited, *words], check=True, capture_output=True,
                       timeout=TOOL_TIMEOUT)


@dataclasses.dataclass(frozen=True)
class Lie:
    """An edit of every read of one file, and the one (interface, field) to blame."""
    name: str
    words: tuple[str, ...]
    interface: str
    field: str
    error_bytes: int


def lies_of(truth: dict, scanned: bool) -> list[Lie]:
    """Pages of `plain` that are gone: its first region has 4 KiB pages, its second huge ones. Fields: general.py."""
    region, huge = truth["regions"][0]["start"], truth["regions"][1]["start"]
    huge_page = f"{int(huge, 16) + 5 * expect.PAGE:x}"
    pages = "pagemap_scan" if scanned else "pagemap"
    def page(address: str) -> Lie:
        return Lie(f"{pages} page {address} gone", ("--file", pages, "--page", address, "--clear-present"),
                   pages, "PRESENT", expect.PAGE)

    return [page(region), page(huge_page)]


def wrong_replay(tools: Tools, recorded: expect.Outcome, capture: pathlib.Path) -> list[str]:
    replayed = tools.replay(capture)
    wrong = []
    if replayed.exit_code != recorded.exit_code:
        wrong.append(f"exit {replayed.exit_code} instead of {recorded.exit_code}: {replayed.err.decode().strip()}")
    if replayed.out != recorded.out:
        pairs = zip(recorded.out.splitlines(), replayed.out.splitlines())
        differs = next((f"{a!r} became {b!r}" for a, b in pairs if a != b), "another length")
        wrong.append(f"another report: {differs}")
    return wrong


def wrong_lie(tools: Tools, capture: pathlib.Path, edited: pathlib.Path, lie: Lie) -> list[str]:
    tools.edit(capture, edited, *lie.words)
    replayed = tools.replay(edited)
    if replayed.exit_code != 1:
        return [f"{lie.name}: exit {replayed.exit_code} {replayed.err.decode().strip()}"]
    wrong = [f"{lie.name}: {what}" for what in expect.unbelievable(replayed)]
    process = replayed.process
    if expect.blamed(process) != {(lie.interface, lie.field)}:
        wrong.append(f"{lie.name}: blames {sorted(expect.blamed(process))}")
    elif process["findings"][0]["error_bytes"] != lie.error_bytes:
        wrong.append(f"{lie.name}: error {process['findings'][0]['error_bytes']} instead of {lie.error_bytes}")
    return wrong


def wrong_broken(tools: Tools, capture: pathlib.Path, broken: pathlib.Path) -> list[str]:
    """Truncated anywhere, a byte flipped anywhere, something behind it: 65, with file and offset."""
    whole = capture.read_bytes()
    middle = len(whole) // 2
    variants = {"empty": b"", "header only": whole[:16], "half a header": whole[:9], "half": whole[:middle],
                "one byte short": whole[:-1], "no capture": b"SMAPSCAT" + whole[8:],
                "a byte behind it": whole + b"\0"}
    for at in (12, 30, middle, len(whole) - 3):
        variants[f"byte {at} flipped"] = whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1:]
    wrong = []
    for name, content in variants.items():
        broken.write_bytes(content)
        replayed = tools.replay(broken)
        said = replayed.err.decode()
        if replayed.exit_code != 65 or str(broken) not in said or "byte " not in said or replayed.out:
            wrong.append(f"{name}: exit {replayed.exit_code}, {said.strip()}")
    return wrong
