#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""smaps-audit against processes that are odd: issue 3, "Odd targets".

    odd_test.py --kernel host|6.1|6.12 --smaps-audit P --odd-target P [--odd-target-32 P] [--only NAME]…

Each target is a real process. For each: the verdict is one of those allowed here, with a reason; no finding and
no note; within a bounded time; no control byte of a name in the text or in the JSON; and a target that holds
still is afterwards as it was before. A guest takes the simple targets only (SIMPLE). Exit 77: cannot run here.
Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "kernel"))
import odd_host  # noqa: E402
import vm  # noqa: E402

EXIT_CANNOT_RUN = 77
# One audit, on a busy machine; the slowest target takes a tenth of it.
MOST_SECONDS = 60
COMMS = {
    "newline": b"two\nlines 0 1\n",
    "parenthesis": b"a) R 1 1 (b",
    "quotes": b"\"' \\ \\n %s",
    "escapes": b"\x1b[31mx\x1b]0;t\x07",
    "c1-escape": b"\xc2\x9b2J\x7f\xe2\x80\xae",
    "no-utf-8": b"\xff\xfe\x80",
    "blanks": b"  ",
    "header": b"7f00-7f01 rw-p",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A target, and what may be said of it: verdict → allowed reasons (a consistent one has none)."""
    name: str
    words: tuple[str, ...]
    allowed: dict[str, tuple[str, ...]]
    still: bool = True
    comm: bytes | None = None


CONSISTENT: dict[str, tuple[str, ...]] = {"consistent": ("",)}
SHARED = CONSISTENT | {"inconclusive": ("shared_mm", "maybe_pages")}
SIMPLE = [
    Case("plain", ("plain",), CONSISTENT),
    Case("zombie", ("zombie",), {"skipped": ("zombie",)}),
    Case("dead-leader", ("dead-leader",), CONSISTENT),
    Case("traced", ("traced",), CONSISTENT),
    Case("vfork-parent", ("vfork-parent",), SHARED),
    Case("shared-mm-still", ("shared-mm", "still"), SHARED),
    # What flips in step with our reads may look like anything for a while, and is let go in the series.
    Case("shared-mm", ("shared-mm",), SHARED | {"inconclusive": ("shared_mm", "maybe_pages", "series")},
         still=False),
    Case("names", ("names", "$ODD_FILES"), CONSISTENT),
    *(Case(f"comm-{name}", ("comm", comm.hex()), CONSISTENT, comm=comm) for name, comm in COMMS.items()),
    Case("all-vmas", ("all-vmas",), CONSISTENT),
]
OPTIONS = {"": "", "freeze": "--freeze", "fallbacks": "--without pagemap-scan,procmap-query,pfn,kpageflags,numa-maps,wchan"}
# Options beside the plain check, by target.
MORE = {"plain": ("freeze", "fallbacks"), "dead-leader": ("freeze", "fallbacks"), "traced": ("fallbacks",),
        "vfork-parent": ("freeze", "fallbacks"), "shared-mm-still": ("freeze",), "names": ("fallbacks",),
        "zombie": ("freeze",)}

SHELL = r"""
ODD_FILES=$(mktemp -d); ODD_PIPES=$(mktemp -d)
# What must be the same before and after: each thread's state, tracer, switches and pending signals.
state() {
  grep -hE '^(State|TracerPid|Threads|VmRSS|SigPnd|ShdPnd|voluntary_ctxt_switches)' /proc/"$1"/task/*/status
}
# odd NAME WORDS…: starts a target; its pid is $PID.
odd() {
  NAME=$1; shift
  rm -f "$ODD_PIPES/in"; mkfifo "$ODD_PIPES/in"
  odd-target "$@" < "$ODD_PIPES/in" > "$RESULTS/$NAME.said" & TARGET=$!
  exec 7> "$ODD_PIPES/in"
  tries=0
  until [ -s "$RESULTS/$NAME.said" ] || [ $tries -ge 400 ]; do tries=$((tries + 1)); sleep 0.05; done
  PID=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$RESULTS/$NAME.said")
  tries=0
  until grep -q '^State:.[^R]' "/proc/$PID/status" || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.05; done
}
# audit NAME OPTIONS…: report, text, exit code and seconds.
audit() {
  to=$RESULTS/$1; shift
  begun=$(date +%s)
  smaps-audit check --format json "$@" "$PID" > "$to.json" 2> "$to.err"; echo $? > "$to.exit"
  echo $(($(date +%s) - begun)) > "$to.seconds"
}
end_odd() { exec 7>&-; wait "$TARGET" 2>/dev/null; }
"""


def script_of(cases: list[Case]) -> str:
    script = SHELL
    for case in cases:
        words = " ".join(word if word.startswith("$") else f"'{word}'" for word in case.words)
        script += f"odd {case.name} {words}\n"
        script += f'[ -n "$PID" ] && {{\nstate "$PID" > "$RESULTS/{case.name}.before"\n'
        for option in ("", *MORE.get(case.name, ())):
            script += f"audit {case.name}.{option} {OPTIONS[option]}\n"
        script += f'smaps-audit check --no-color "$PID" > "$RESULTS/{case.name}.txt" 2>&1\n'
        script += f'state "$PID" > "$RESULTS/{case.name}.after"\n}}\nend_odd\n'
    return script + 'rm -rf "$ODD_FILES" "$ODD_PIPES"\n'


def wrong_bytes(text: bytes, what: str) -> list[str]:
    """What could steer a terminal: control bytes but the end of a line, C1 controls, and what is no UTF-8."""
    try:
        shown = text.decode()
    except UnicodeDecodeError as error:
        return [f"{what} is not UTF-8: {error}"]
    bad = re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    return [f"{what} holds {sorted(set(bad))!r}"] if bad else []


def escaped(comm: bytes) -> str:
    """As the report writes a name that may not be UTF-8."""
    return comm.decode("utf-8", "backslashreplace")


def wrong_process(process: dict, case: Case, touched: int) -> list[str]:
    wrong = []
    verdict, reason = process["verdict"], process.get("reason") or ""
    if verdict not in case.allowed or reason not in case.allowed[verdict]:
        wrong.append(f"{verdict} ({reason}): {process.get('explanation') or process.get('findings')}")
    if process.get("findings") or process.get("notes"):
        wrong.append(f"findings {process['findings']} notes {process['notes']}")
    if case.comm is not None and process["comm"] != escaped(case.comm[:15]):
        wrong.append(f"comm {process['comm']!r}, not {escaped(case.comm[:15])!r}")
    truth = process.get("truth")
    if verdict == "consistent" and truth:
        rss = process["reported"]["rss_bytes"]
        if not truth["rss_low_bytes"] <= rss <= truth["rss_high_bytes"]:
            wrong.append(f"Rss {rss} is not in its own truth {truth}")
        if not case.name.startswith(("shared", "vfork")) and truth["rss_low_bytes"] < touched:
            wrong.append(f"{touched} bytes were touched, {truth}")
    if case.name.startswith(("shared", "vfork")) and truth and truth["rss_low_bytes"] == truth["rss_high_bytes"]:
        wrong.append(f"another process changes this memory, and its truth is {truth}")
    return wrong


def wrong_case(case: Case, files: dict[str, bytes]) -> list[str]:
    said = files.get(f"{case.name}.said", b"")
    if not said.strip():
        return ["the target did not start"]
    touched = json.loads(said)["touched_bytes"]
    wrong = []
    for option in ("", *MORE.get(case.name, ())):
        base = f"{case.name}.{option}"
        text, seconds = files.get(f"{base}.json", b""), int(files.get(f"{base}.seconds", b"999"))
        try:
            process = json.loads(text)["processes"][0]
        except (ValueError, LookupError):
            wrong.append(f"{option or 'check'}: no report: {files.get(f'{base}.err', b'')[-300:]!r}")
            continue
        code = int(files[f"{base}.exit"])
        # Without wchan nobody is asleep, and the slack may be wider than what was touched.
        found = wrong_process(process, case, 0 if option == "fallbacks" else touched) + wrong_bytes(text, "the JSON")
        if code != (0 if process["verdict"] == "consistent" else 2):
            found.append(f"exit {code} for {process['verdict']}")
        if seconds > MOST_SECONDS:
            found.append(f"it took {seconds} s")
        wrong += [f"{option or 'check'}: {each}" for each in found]
    wrong += wrong_bytes(files.get(f"{case.name}.txt", b"\x00"), "the text")
    before, after = files.get(f"{case.name}.before"), files.get(f"{case.name}.after")
    # --freeze wakes a thread for a moment, which counts as a switch.
    if "freeze" in MORE.get(case.name, ()):
        before, after = (re.sub(rb"voluntary_ctxt_switches.*", b"", state or b"") for state in (before, after))
    if case.still and before != after:
        wrong.append(f"the target changed: {before!r} became {after!r}")
    return wrong


def run_simple(options: argparse.Namespace, cases: list[Case]) -> dict[str, bytes]:
    script = script_of(cases)
    if options.kernel == "host":
        return odd_host.run_script(script, [options.smaps_audit, options.odd_target])
    try:
        return dict(vm.run(options.kernel, script, programs=[options.smaps_audit, options.odd_target],
                           timeout=300).files)
    except vm.VmUnavailable as error:
        print(f"odd_test: {error}", file=sys.stderr)
        sys.exit(EXIT_CANNOT_RUN)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--smaps-audit", type=pathlib.Path, required=True)
    parser.add_argument("--odd-target", type=pathlib.Path, required=True)
    parser.add_argument("--odd-target-32", type=pathlib.Path)
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args()
    if options.kernel == "host" and os.geteuid() != 0:
        print("odd_test: it takes root to make these targets", file=sys.stderr)
        return EXIT_CANNOT_RUN
    # 65 530 mappings under TCG take minutes, and show nothing that this machine doesn't.
    chosen = [case for case in SIMPLE if (not options.only or case.name in options.only)
              and (options.kernel == "host" or case.name != "all-vmas")]
    failed = 0

    def tell(name: str, wrong: list[str], more: str = "") -> None:
        nonlocal failed
        failed += bool(wrong)
        print(f"{'FAILED' if wrong else 'ok':7} {name:22} {more}", *wrong, sep="\n        " if wrong else "",
              flush=True)

    files = run_simple(options, chosen) if chosen else {}
    for case in chosen:
        process = json.loads(files.get(f"{case.name}..json") or b"{}").get("processes", [{}])[0]
        seconds = files.get(f"{case.name}..seconds", b"?").decode().strip()
        tell(case.name, wrong_case(case, files),
             f"{process.get('verdict')} {process.get('reason') or ''} {seconds} s")
    if options.kernel == "host":
        for name, scenario in odd_host.SCENARIOS.items():
            if options.only and name not in options.only:
                continue
            begun = time.monotonic()
            try:
                wrong, more = scenario(options)
            except odd_host.CannotRun as reason:
                print(f"skipped {name:22} {reason}", flush=True)
                continue
            tell(name, wrong, f"{more} {time.monotonic() - begun:.0f} s")
    print(f"odd_test: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
