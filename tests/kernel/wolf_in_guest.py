# SPDX-License-Identifier: Apache-2.0
"""never_wolf.py's loop in a guest: one boot for all adversaries.

Python 3.11, standard library only.
"""

from __future__ import annotations

import json
import pathlib
import shlex
from collections.abc import Sequence

import fetch_packages
import kernel_modules
import vm
import wolf_tally
from wolf_adversaries import Adversary
from wolf_checks import (CONFIRM, CONFIRM_TRIES, CONTROL, CONTROL_SHARE, INSIST_SECONDS, MOST_WORKERS,
                         VARIANT_STRIDE, VARIANTS, label_of, program, words_of)

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ("fuse", "lzo-rle", "zram")
SWAP_MIB = FILE_SYSTEM_MIB = 192
MACHINE = vm.Machine(memory_mib=2048, append="secretmem.enable=1")


def shell_words(variant: Sequence[str]) -> str:
    values = {"$_pids", "$_last"}
    words = words_of(variant, "$_pids", "$_last", "/tmp/capture")
    return " ".join(word if word in values else shlex.quote(word) for word in words)


def shell_function(name: str, variant: Sequence[str]) -> str:
    return f"{name}() {{\n  _report=$1; shift\n  _pids=$*\n  LABEL={shlex.quote(label_of(variant))}\n" \
           f"  $PINNED smaps-audit {shell_words(variant)} > $_report 2>> $RESULTS/errors\n}}\n"


def script_for(adversaries: Sequence[Adversary], seconds: float) -> str:
    """wolf_guest.sh with the same command lines as on the host."""
    cases = [f"    {i}) LABEL={shlex.quote(label_of(variant))}; set -- {shell_words(variant)} ;;"
             for i, variant in enumerate(VARIANTS)]
    script = "run_variant() {\n  _index=$1 _report=$2; shift 2\n  _pids=$*\n  for _last; do :; done\n" \
             "  case $_index in\n" + "\n".join(cases) + "\n  esac\n" \
             "  $PINNED smaps-audit \"$@\" > $_report 2>> $RESULTS/errors\n}\n"
    script += shell_function("run_control", CONTROL) + shell_function("run_confirm", CONFIRM)
    script += f"VARIANTS={len(VARIANTS)}\nATTACK_CENTISECONDS={int(seconds * 100)}\n"
    script += f"CONTROL_CENTISECONDS={int(seconds * 100 * CONTROL_SHARE)}\nCONFIRM_TRIES={CONFIRM_TRIES}\n"
    script += f"MOST_WORKERS={MOST_WORKERS}\nSWAP_MIB={SWAP_MIB}\nFILE_SYSTEM_MIB={FILE_SYSTEM_MIB}\n"
    script += (HERE / "wolf_guest.sh").read_text()
    for i, adversary in enumerate(adversaries):
        script += f"PINNED='{'taskset 1' if adversary.on_cpu_0 else ''}'\n"
        script += f"WORKERS={int(adversary.workers)} SWAP={int(adversary.swap)} DISK={int(adversary.file_system)}\n"
        script += "".join(f"put {path} {value}\n" for path, value in adversary.settings)
        script += f"attack {adversary.name} {i * VARIANT_STRIDE}\nput_back\n"
    if any(adversary.name == wolf_tally.CONTROL_ADVERSARY for adversary in adversaries):
        script += f"PINNED=''\ninsist {wolf_tally.CONTROL_ADVERSARY} {INSIST_SECONDS}\n"
    return script


def files_for(kernel: str, adversaries: Sequence[Adversary]) -> dict[str, bytes | pathlib.Path]:
    files: dict[str, bytes | pathlib.Path] = {}
    if any(adversary.swap or adversary.file_system or adversary.name == "fuse-hang" for adversary in adversaries):
        for i, (name, content) in enumerate(kernel_modules.load(kernel, MODULES)):
            files[f"/job/modules/{i:02}-{name}"] = content
    if any(adversary.workers for adversary in adversaries):
        try:
            stress_ng, libraries = fetch_packages.stress_ng()
        except fetch_packages.FetchError as error:
            print(f"never_wolf: {error}")
            return files
        files["/stress/run"] = b'#!/bin/sh\nLD_LIBRARY_PATH=/stress/lib exec /stress/stress-ng "$@"\n'
        files["/stress/stress-ng"] = stress_ng
        for library in libraries:
            files[f"/stress/lib/{library.name}"] = library
    return files


def parse_line(name: str, line: str, files: dict[str, bytes]) -> tuple[str, float, float, wolf_tally.Check]:
    report, kind, label, status, begin, end, stopped, sizes = line.split("|")
    pids = {int(pid): int(kb) * 1024 for pid, kb in (size.split("=") for size in sizes.split())}
    check = wolf_tally.Check(label, int(status), float(end) - float(begin), files.get(f"{name}/{report}", b""),
                             pids, stopped == "1")
    return kind, float(begin), float(end), check


def tally_of(adversary: Adversary, files: dict[str, bytes], affected: bool) -> wolf_tally.Tally:
    tally = wolf_tally.Tally(adversary.name, affected, adversary)
    skipped = files.get(f"{adversary.name}/skipped")
    if skipped is not None:
        tally.skipped = json.loads(skipped.strip() or b"{}").get("why", "")
        if not tally.skipped:
            tally.problem("did not start, and did not say why")
        return tally
    lines = [parse_line(adversary.name, line, files)
             for line in files.get(f"{adversary.name}/checks", b"").decode().splitlines()]
    checks: list[tuple[wolf_tally.Check, list[wolf_tally.Check]]] = []
    for kind, _, _, check in lines:
        if kind == "control":
            tally.add_control(check)
        elif kind == "confirm":
            checks[-1][1].append(check)
        else:
            checks.append((check, []))
    for check, again in checks:
        tally.add(check, again)
    attacks = [(begin, end) for kind, begin, end, _ in lines if kind != "control"]
    if attacks:
        tally.seconds = attacks[-1][1] - attacks[0][0]
    return tally


def run(directory: pathlib.Path, kernel: str, adversaries: Sequence[Adversary],
        seconds: float) -> tuple[str, list[wolf_tally.Tally]]:
    programs = [program(directory, name) for name in ("smaps-audit", "workload", "adversary")]
    result = vm.run(kernel, script_for(adversaries, seconds), programs=programs, files=files_for(kernel, adversaries),
                    timeout=120 + len(adversaries) * (2 * seconds + 45), machine=MACHINE)
    affected = result.files["affected"].strip() == b"1"
    tallies = [tally_of(adversary, result.files, affected) for adversary in adversaries]
    for tally in tallies:
        for line in result.output.splitlines():
            if line.startswith(f"{tally.name} "):
                tally.problem(line)
    if result.exit_status != 0 or not all(tally.checks or tally.skipped for tally in tallies):
        print(f"never_wolf: the guest {kernel} says:\n{result.output}", flush=True)
    release = result.files["release"].decode().strip()
    state = ", affected by K01" if affected else ""
    print(f"never_wolf: the guest {kernel} took {result.duration_seconds:.0f} s")
    return f"kernel {release} in QEMU (TCG, 2 CPUs, 2 nodes){state}", tallies
