#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Behaviour cards of Debian's stock kernels, and the page that shows them side by side (`make kernels`).

    kernel_cards.py --smaps-audit PROGRAM [--page docs/kernels.md] [--cards DIR] [--boot-none] [X.Y ...]

Boots each kernel (without names: every one from 6.1 on that fetch_kernel.py knows) with two nodes, runs every
probe in it, keeps the report as DIR/X.Y.json (the cache, unless told otherwise) and writes the page from all
that are there. A kernel that cannot be had or dies is told, and the others go on: exit 1.
Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fetch_kernel  # noqa: E402
import probe_test  # noqa: E402
import vm  # noqa: E402

OLDEST = (6, 1)
# ksm-unmerge is run by name only; it adds to what K02 is known by.
SCRIPT = """
smaps-audit probe --all --allow-sysctl --format json --spool $RESULTS/spool > $RESULTS/all.json
smaps-audit probe ksm-unmerge --allow-sysctl --format json --spool $RESULTS/spool > $RESULTS/named.json
smaps-audit doctor --kernel --format json --spool $RESULTS/spool > $RESULTS/card.json
"""
COMMANDS = ("smaps-audit probe --all --allow-sysctl", "smaps-audit probe ksm-unmerge --allow-sysctl")
CELLS = {"present": "**present**", "absent": "absent", "unknown": "?",
         "pass": "pass", "fail": "**fail**", "inconclusive": "inconclusive", "skipped": "–"}
HEAD = """# Kernels: what each was seen to do

Written by `make kernels`, not by hand: {count} stock Debian kernels, each booted in QEMU (TCG, two NUMA nodes, no KVM)
and asked by
{commands}.
A kernel that Debian patches differently tomorrow, or yours, may say something else: ask it (docs/probes.md).
"""


def series_of(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


def ask(kernel: str, program: pathlib.Path) -> dict:
    """Boots the kernel; the card after all probes, and what each of them said."""
    result = vm.run(kernel, probe_test.SWAP_ON + SCRIPT + probe_test.SWAP_OFF, programs=[program], timeout=400,
                    machine=probe_test.MACHINE)
    reports = [json.loads(result.files[name]) for name in ("all.json", "named.json")]
    return {"card": json.loads(result.files["card.json"]),
            "probes": [probe for report in reports for probe in report["probes"]]}


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def kernel_rows(kernels: dict[str, dict]) -> str:
    rows = []
    for name, kernel in kernels.items():
        card = kernel["card"]
        seconds = sum(probe["duration_seconds"] for probe in kernel["probes"])
        rows.append([name, f"`{card['kernel_release']}`", card["taken"][:10], card["gup_era"] or "?",
                     f"{seconds:.0f} s"])
    return table(["", "release", "asked on", "GUP era (docs/kernel.md §4)", "probes took"], rows)


def defect_rows(kernels: dict[str, dict]) -> str:
    rows = []
    for row in next(iter(kernels.values()))["card"]["defects"]:
        states = [defect["state"] for kernel in kernels.values() for defect in kernel["card"]["defects"]
                  if defect["id"] == row["id"]]
        mark = " *" if row["class"] == "finding" else ""
        rows.append([row["id"] + mark, row["title"], *(CELLS[state] for state in states)])
    return table(["", "defect", *kernels], rows)


def reason_rows(kernels: dict[str, dict]) -> str:
    """Why something is unknown: once where it is the same reason everywhere."""
    lines = []
    for row in next(iter(kernels.values()))["card"]["defects"]:
        reasons: dict[str, list[str]] = {}
        for name, kernel in kernels.items():
            defect = next(one for one in kernel["card"]["defects"] if one["id"] == row["id"])
            if defect["state"] == "unknown":
                reasons.setdefault(defect["reason"], []).append(name)
        for reason, names in reasons.items():
            where = "" if len(names) == len(kernels) else f" ({', '.join(names)})"
            lines.append(f"- {row['id']}{where}: {reason}\n")
    return "".join(lines)


def probe_rows(kernels: dict[str, dict]) -> str:
    rows = []
    for probe in next(iter(kernels.values()))["probes"]:
        cells = []
        for kernel in kernels.values():
            said = next((one for one in kernel["probes"] if one["probe"] == probe["probe"]), None)
            cells.append("?" if said is None else " ".join([CELLS[said["outcome"]], *said["defects"]]))
        rows.append([f"`{probe['probe']}`", *cells])
    return table(["", *kernels], rows)


def cost_rows(kernels: dict[str, dict]) -> str:
    rows = []
    for probe in next(iter(kernels.values()))["probes"]:
        runs = [one for kernel in kernels.values() for one in kernel["probes"]
                if one["probe"] == probe["probe"] and one["outcome"] != "skipped"]
        if runs:
            wall, cpu = (max(run[key] for run in runs) for key in ("duration_seconds", "cpu_seconds"))
            peak = max(run["peak_rss_bytes"] for run in runs) / (1 << 20)
            rows.append([f"`{probe['probe']}`", f"{wall:.1f} s", f"{cpu:.1f} s", f"{peak:.0f} MiB"])
    return table(["", "wall time", "CPU of the child", "peak RSS of the child"], rows)


def nameless_rows(kernels: dict[str, dict]) -> str:
    """What did not pass and has no defect's name: the reason stands nowhere else."""
    lines = []
    for name, kernel in kernels.items():
        for probe in kernel["probes"]:
            if probe["outcome"] == "inconclusive" or (probe["outcome"] == "fail" and not probe["defects"]):
                lines.append(f"- {name}, `{probe['probe']}`, {probe['outcome']}: {probe['reason']} "
                             f"(expected {probe['expected']}; observed {probe['observed']})\n")
    return "".join(lines) or "None.\n"


def page(kernels: dict[str, dict]) -> str:
    return "\n".join([
        HEAD.format(count=len(kernels), commands=" and ".join(f"`{command}`" for command in COMMANDS)),
        kernel_rows(kernels),
        "## Known defects\n\nWith `*`: a number that users read is wrong (class finding). `?`: unknown, see below.\n",
        defect_rows(kernels),
        "### Why unknown\n",
        reason_rows(kernels),
        "## What each probe said\n\n`–`: skipped (this kernel or this machine lacks what it takes).\n",
        probe_rows(kernels),
        "### Neither passed nor named\n",
        nameless_rows(kernels),
        "## What each probe cost\n\nThe most of all these kernels, under emulation: on hardware it is less.\n",
        cost_rows(kernels)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smaps-audit", type=pathlib.Path, required=True)
    parser.add_argument("--page", type=pathlib.Path)
    parser.add_argument("--cards", type=pathlib.Path, default=fetch_kernel.cache_root() / "cards")
    parser.add_argument("--boot-none", action="store_true", help="only write the page anew")
    parser.add_argument("kernels", nargs="*", metavar="X.Y")
    options = parser.parse_args()
    names = options.kernels or [name for name in fetch_kernel.available() if series_of(name) >= OLDEST]
    if options.boot_none:
        names = []
    options.cards.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in names:
        try:
            answer = ask(name, options.smaps_audit.resolve())
        except vm.VmError as error:
            print(f"kernel_cards: {name}: {error}", file=sys.stderr)
            failed += 1
            continue
        (options.cards / f"{name}.json").write_text(json.dumps(answer, indent=1) + "\n")
        print(f"{name}: {answer['card']['kernel_release']}", flush=True)
    cards = sorted(options.cards.glob("*.json"), key=lambda path: series_of(path.stem))
    if options.page and cards:
        options.page.write_text(page({path.stem: json.loads(path.read_text()) for path in cards}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
