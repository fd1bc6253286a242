# SPDX-License-Identifier: Apache-2.0
"""What the programs tell of themselves, for the generators beside this file. Python 3.11, standard library only."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any


def said(program: pathlib.Path, *words: str) -> str:
    return subprocess.run([program.resolve(), *words], text=True, capture_output=True, check=True, stdin=subprocess.DEVNULL).stdout


def tree_of(program: pathlib.Path) -> dict[str, Any]:
    """Its verbs and options: cli/command_tree.h."""
    return json.loads(said(program, "--print-commands"))


def topics_of(program: pathlib.Path) -> list[dict[str, Any]]:
    """All that `smaps-audit explain` knows."""
    return json.loads(said(program, "explain", "--format", "json"))["topics"]


def probes_of(program: pathlib.Path) -> list[str]:
    return re.findall(r"^([a-z][a-z0-9-]+)(?: |$)", said(program, "probe", "--list"), re.MULTILINE)


def verbs(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Each with its words ("config", "check"); the program itself first, with none."""
    yield path, tree
    for verb in tree["commands"]:
        yield from verbs(verb, (*path, verb["name"]))
