# SPDX-License-Identifier: Apache-2.0
"""Markdown tables that can be read on a terminal as well. Python 3.11, standard library only."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], words: int = 1) -> list[str]:
    """The first row is the head; the first columns, `words` of them, hold words, the others numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [cell.ljust(width) if i < words else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * (width + 2) if i < words else "-" * (width + 1) + ":" for i, width in enumerate(widths)]
    return [line(rows[0]), "|" + "|".join(rule) + "|", *map(line, rows[1:])]
