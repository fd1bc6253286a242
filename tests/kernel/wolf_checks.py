# SPDX-License-Identifier: Apache-2.0
"""The command lines that never_wolf.py turns against each adversary, the same here and in a guest.

Python 3.11, standard library only.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

# One turn of the loop; PIDS and LAST (the adversary's last process) are filled in, FILE is a capture.
VARIANTS: tuple[tuple[str, ...], ...] = (
    ("check", "PIDS"),
    ("check", "PIDS", "--without", "pagemap-scan"),
    ("check", "LAST", "--freeze"),
    ("check", "PIDS"),
    ("check", "PIDS", "--without", "pfn"),
    ("check", "--all"),
    ("check", "PIDS", "--without", "procmap-query"),
    ("check", "PIDS"),
    ("check", "PIDS", "--without", "wchan"),
    ("check", "PIDS", "--without", "pagemap-scan,pfn"),
    ("capture", "LAST", "-o", "FILE"),
    ("check", "--comm", "adversary"),
    ("check", "PIDS", "--without", "pagemap-scan,procmap-query,wchan"),
)
VARIANT_STRIDE = 5  # how far on in the turn the next adversary begins
CONTROL = ("check", "PIDS", "--no-confirm")
CONTROL_SHARE = 0.1
# On a kernel with K01 a finding is looked at again, frozen, so often at most.
CONFIRM = ("check", "PIDS", "--freeze")
CONFIRM_TRIES = 4
# Where the negative control came to nothing in its share of the time, its adversary goes on with it.
INSIST_SECONDS = 30
MOST_WORKERS = 4  # of those that an adversary has, as many are audited


def label_of(variant: Sequence[str]) -> str:
    return " ".join(word for word in variant if word not in ("PIDS", "LAST", "-o", "FILE"))


def words_of(variant: Sequence[str], pids: str, last: str, file: str) -> list[str]:
    """The command line; several pids may stand in one word, as a shell variable does."""
    values = {"PIDS": pids.split(), "LAST": [last], "FILE": [file]}
    words = [word for part in variant[1:] for word in values.get(part, [part])]
    return [variant[0], "--format", "json", "--deadline", "30", *words]


def program(directory: pathlib.Path, name: str) -> pathlib.Path:
    folder = "cli" if name == "smaps-audit" else "tests/workloads"
    for path in (directory / folder / name, directory / name):
        if path.is_file():
            return path
    raise SystemExit(f"never_wolf: no {name} in {directory}")
