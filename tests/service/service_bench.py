# SPDX-License-Identifier: Apache-2.0
"""What tests of the running service share: a bench for each case, and the loop over the cases. Python 3.11, standard library only."""

from __future__ import annotations

import argparse
import os
import pathlib
import time
import traceback
from collections.abc import Callable, Sequence

from auditd import Auditd, ProcMount, Sleeper, scratch


class Bench:
    """Where a case finds its programs, a directory and a proc mount."""

    def __init__(self, options: argparse.Namespace, directory: pathlib.Path) -> None:
        self.auditd: pathlib.Path = options.smaps_auditd
        self.audit: pathlib.Path = options.smaps_audit
        self.kills: int = options.kills
        self.directory = directory
        self.proc = ProcMount(directory / "proc")

    def service(self, *options: str, **settings: object) -> Auditd:
        paths = {"proc_root": str(self.proc.root), **settings.pop("paths", {})}
        return Auditd(self.auditd, self.directory / "service", *options, paths=paths, **settings)


def options_of(doc: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smaps-auditd", required=True, type=lambda name: pathlib.Path(name).resolve())
    parser.add_argument("--smaps-audit", required=True, type=lambda name: pathlib.Path(name).resolve())
    parser.add_argument("--workload", required=True, type=lambda name: pathlib.Path(name).resolve())
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("names", nargs="*")
    return parser.parse_args()


def run(cases: Sequence[Callable[[Bench], None]], options: argparse.Namespace) -> int:
    """Each case with a bench of its own; the exit code."""
    if os.geteuid() != 0:
        print("SKIP: the service's capabilities take root")
        return 77
    Sleeper.workload = options.workload
    failed = 0
    for case in cases:
        if options.names and case.__name__ not in options.names:
            continue
        begun = time.monotonic()
        with scratch() as directory:
            try:
                case(Bench(options, pathlib.Path(directory)))
                outcome = "ok"
            except Exception:  # noqa: BLE001 (each case says for itself what is wrong)
                traceback.print_exc()
                log = pathlib.Path(directory) / "service" / "log"
                print(log.read_text(errors="replace")[-3000:] if log.exists() else "no log")
                outcome = "FAILED"
                failed += 1
        print(f"{outcome:6} {case.__name__.replace('_', ' ')} ({time.monotonic() - begun:.1f} s)", flush=True)
    return 1 if failed else 0
