#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A manual page for scdoc, from its text and what the programs tell of themselves.

    manual.py TEXT.scd --smaps-audit FILE --smaps-auditd FILE --version VERSION      writes to stdout

A line that is one of these words stands for the generated part: @VERBS@, @VERB_DETAILS@ (smaps-audit), @OPTIONS@,
@FOOTER@ (smaps-auditd), @SETTINGS@, @DEFECTS@, @CHECKS@, @REASONS@ (as `smaps-audit explain` has them). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from shape import topics_of, tree_of, verbs


def plain(text: str) -> str:
    """As a text that scdoc takes for no markup."""
    text = re.sub(r"([\\*_`<>])", r"\\\1", text)
    return re.sub(r"^([#.|\[\]:-])", r"\\\1", text)


def sentence(text: str) -> str:
    return plain(text) if text.endswith((".", "?")) else plain(text) + "."


def literal(text: str) -> str:
    return f"```\n{text.strip(chr(10))}\n```\n" if text.strip() else ""


def option_words(option: dict[str, Any]) -> str:
    if option["positional"]:
        name = f"_{option['names'][0]}_"
        return f"{name}..." if option["repeated"] else name
    value = f" _{plain(option['value'])}_" if option["value"] else ""
    return ", ".join(f"*{plain(name)}*" for name in option["names"]) + value


def option_block(option: dict[str, Any]) -> str:
    again = " Again for more." if option["repeated"] and not option["positional"] and "again" not in option["meaning"] else ""
    needed = " Required." if option["required"] else ""
    return f"{option_words(option)}\n\t{sentence(option['meaning'])}{needed}{again}\n"


def synopsis(name: str, path: tuple[str, ...], verb: dict[str, Any]) -> str:
    words = [f"*{name}*", *(f"*{word}*" for word in path)]
    if verb["commands"]:
        words.append("|".join(f"*{each['name']}*" for each in verb["commands"]))
    for option in verb["options"]:
        if option["positional"]:
            words.append(option_words(option) if option["required"] else f"[{option_words(option)}]")
        elif option["required"]:
            words.append(option_words(option).split(", ")[-1])
    return " ".join([*words, "[_OPTION_...]"])


def verb_details(tree: dict[str, Any]) -> Iterator[str]:
    for path, verb in verbs(tree):
        if not path:
            continue
        yield f"## {' '.join(path)}\n"
        yield f"{synopsis(tree['name'], path, verb)}\n"
        yield f"{sentence(verb['meaning'])}\n"
        if not verb["commands"]:
            yield from (option_block(option) for option in verb["options"] if "--help" not in option["names"])
        yield literal(verb["footer"])


def topic_blocks(topics: list[dict[str, Any]], kind: str, titled: bool) -> Iterator[str]:
    for topic in topics:
        if topic["kind"] != kind:
            continue
        title = f" - {plain(topic['title'])}" if titled else ""
        yield f"*{plain(topic['id'])}*{title}"
        before = None
        for section in topic["sections"]:
            head = "" if section["label"] in (before, "Means", "Says") else f"_{section['label']}_: "
            yield f"\t{head}{plain(section['text'])}\n"
            before = section["label"]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--smaps-audit", type=pathlib.Path, required=True)
    parser.add_argument("--smaps-auditd", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    words = parser.parse_args()
    command, service = tree_of(words.smaps_audit), tree_of(words.smaps_auditd)
    topics = topics_of(words.smaps_audit)
    parts = {
        "@VERBS@": "\n".join(f"*{verb['name']}*\n\t{sentence(verb['meaning'])}\n" for verb in command["commands"]),
        "@VERB_DETAILS@": "\n".join(verb_details(command)),
        "@OPTIONS@": "\n".join(option_block(option) for option in service["options"]),
        "@COMMON@": "\n".join(option_block(option) for option in command["options"]),
        "@FOOTER@": literal(service["footer"]), "@COMMAND_FOOTER@": literal(command["footer"]),
        "@SETTINGS@": "\n".join(topic_blocks(topics, "setting", titled=False)),
        "@DEFECTS@": "\n".join(topic_blocks(topics, "defect", titled=True)),
        "@CHECKS@": "\n".join(topic_blocks(topics, "check", titled=False)),
        "@REASONS@": "\n".join(topic_blocks(topics, "reason", titled=False)),
    }
    for line in words.text.read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"@[A-Z_]+@", line):
            print(parts[line])
        elif not line.startswith("; "):
            print(line.replace("@VERSION@", words.version))
    return 0


if __name__ == "__main__":
    sys.exit(main())
