#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`smaps-audit probe` on kernels whose behaviour is written down (issue 4, "It must show").

    probe_test.py --kernel 6.1|6.12|host --smaps-audit PROGRAM [--repeat N] [--keep FILE]

Runs every probe with --all --allow-sysctl, in a guest with two nodes or on this machine, and compares outcomes,
defects, card and GUP era with probe_expectations.py, whose rows are older than the first run. Then each sabotage:
`inconclusive` with its reason in bounded time, nothing left behind, and the same probe unhurt passes (or fails as
this kernel should). With --repeat the answers must be the same every time: a wrong one never, an inconclusive
one in under 2 % of the rows that expect pass or fail. Exit 0, 1 (what was wrong), 77 (this machine can start no guest).
Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import host  # noqa: E402
import probe_expectations as expect  # noqa: E402
import vm  # noqa: E402

MACHINE = vm.Machine(append="hugepages=4 secretmem.enable=1")
# For guests: the disk that takes the results once the script is over is free until then. Nowhere else is it ours.
SWAP_ON = "[ -e /job/script ] && mkswap /dev/nvme0n1 65536 > /dev/null && swapon /dev/nvme0n1\n"
SWAP_OFF = "swapoff /dev/nvme0n1\n"
MOST_INCONCLUSIVE = 0.02  # of the rows that expect pass or fail
SECONDS_ON_HOST = 240
SECONDS_IN_GUEST = 200

# Sabotage → (probe, words that the reason must hold, seconds that --deadline gives).
SABOTAGE = {
    "lies": ("protnone-base", "no interface confirms", 60),
    "dies": ("protnone-base", "SIGKILL", 60),
    "stuck": ("protnone-base", "did not answer within 2 s", 2),
    "touch-hint": ("numa-hinted-base", "were left after the measurement", 60),
    "balancing-off": ("numa-hinted-base", "kernel.numa_balancing is 0", 60),
    "migrate": ("numa-hinted-base", "were left after the measurement", 60),
}
NEEDS_TWO_NODES = {"migrate"}

# Run by sh; $R is where results go. before/after: what a run must leave as it was.
SCRIPT = r"""
program=$(readlink -f "$(command -v smaps-audit)")
left_over() {
  find /sys/fs/cgroup -name 'smaps-audit-probe-*'
  # Others may run a smaps-audit of theirs.
  ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n "s|.* /proc/\([0-9]*\)/exe -> $program\$|\1|p" |
    while read -r pid; do echo "process $(cat "/proc/$pid/comm")"; done
}
state() {
  cat /proc/sys/kernel/numa_balancing
  left_over
}
state > $R/before
for turn in $(seq "$REPEAT"); do
  smaps-audit probe --all --allow-sysctl --format json --spool $R/spool --output $R/probe.$turn.json
  echo $? > $R/exit.$turn
done
smaps-audit doctor --kernel --spool $R/spool --format json > $R/card.json
smaps-audit probe --gate --spool $R/spool protnone-thp rollup-contention > $R/gate.out
echo $? > $R/gate.exit
state > $R/between
while read -r name probe seconds; do
  smaps-audit probe "$probe" --allow-sysctl --sabotage "$name" --deadline "$seconds" --format json \
    > $R/sabotage.$name.json
  echo $? > $R/sabotage.$name.exit
  # balancing-off stands for somebody else who turns it off: nobody but us puts that back.
  head -n 1 $R/before > /proc/sys/kernel/numa_balancing
done < $R/sabotages
smaps-audit probe protnone-base numa-hinted-base --allow-sysctl --format json --spool $R/spool > $R/unhurt.json
state > $R/after
"""
# killed NAME PROBE SWITCH: a run is killed while it has turned the switch on; its guardians clean up.
KILLED = r"""
killed() {
  echo 0 > "$3"
  smaps-audit probe "$2" --allow-sysctl --sabotage stuck --deadline 60 --spool $R/spool &
  victim=$!
  for attempt in $(seq 100); do
    [ "$(cat "$3")" = 1 ] && left_over | grep -q probe-child && break
    sleep 0.1
  done
  { cat "$3"; left_over; } > $R/killed."$1".on
  kill -KILL $victim
  wait $victim
  for attempt in $(seq 100); do
    [ "$(cat "$3"; left_over)" = 0 ] && break
    sleep 0.1
  done
  { cat "$3"; left_over; } > $R/killed."$1".off
}
killed balancing numa-hinted-base /proc/sys/kernel/numa_balancing
"""
# By name only, and in guests only: KSM would run for all that asked for it.
MERGING = r"""
cat /sys/kernel/mm/ksm/run > $R/merging.before
smaps-audit probe ksm-unmerge --format json > $R/merging.denied.json
smaps-audit probe ksm-unmerge --allow-sysctl --format json > $R/merging.json
cat /sys/kernel/mm/ksm/run > $R/merging.after
killed merging ksm-unmerge /sys/kernel/mm/ksm/run
"""


def sabotage_lines(kernel: str) -> str:
    chosen = {name: row for name, row in SABOTAGE.items() if kernel != "host" or name not in NEEDS_TWO_NODES}
    return "".join(f"{name} {probe} {seconds}\n" for name, (probe, _, seconds) in chosen.items())


def run_in_guest(kernel: str, program: pathlib.Path, repeat: int) -> dict[str, bytes]:
    script = f"export R=$RESULTS REPEAT={repeat}\n{SWAP_ON}{SCRIPT}\n{KILLED}\n{MERGING}\n{SWAP_OFF}true"
    result = vm.run(kernel, script, programs=[program],
                    files={"results/sabotages": sabotage_lines(kernel).encode()},
                    timeout=SECONDS_IN_GUEST * (1 + repeat) / 2, machine=MACHINE)
    return result.files


def run_here(program: pathlib.Path, repeat: int) -> dict[str, bytes]:
    with contextlib.ExitStack() as stack:
        # One at a time with all else that turns the switch.
        lock = stack.enter_context(open(host.LOCK, "w", encoding="ascii"))
        host.fcntl.flock(lock, host.fcntl.LOCK_EX)
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smaps-audit-probe-")))
        (work / "sabotages").write_text(sabotage_lines("host"))
        script = f"export R=$RESULTS REPEAT={repeat}\n{SCRIPT}"
        script += KILLED if host.BALANCING.read_text().strip() == "0" else ""
        host.run_script(script, [program], work, SECONDS_ON_HOST * (1 + repeat) / 2)
        return {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}


def wrong_probes(kernel: str, report: dict, rows: expect.Rows) -> tuple[list[str], list[str]]:
    """What was answered wrongly, and what was left open where pass or fail is expected."""
    wrong, undecided = [], []
    expected = expect.expected_probes(kernel, rows)
    seen = {probe["probe"]: (probe["outcome"], *probe["defects"]) for probe in report["probes"]}
    for name in sorted(expected.keys() | seen.keys()):
        want, got = expected.get(name), seen.get(name)
        difference = expect.DIFFERENCES.get((kernel, name))
        if got == want or (difference and got and got[0] == difference[0]):
            continue
        probe = next((p for p in report["probes"] if p["probe"] == name), {})
        open_question = got == ("inconclusive",) and want is not None and want[0] in (expect.PASS, expect.FAIL)
        (undecided if open_question else wrong).append(
            f"{name}: {got} instead of {want}: {probe.get('reason')}; expected {probe.get('expected')}; "
            f"observed {probe.get('observed')}")
    return wrong, undecided


def wrong_card(kernel: str, card: dict, undecided: bool = False) -> list[str]:
    wrong = []
    for row in card["defects"]:
        want = expect.CARD[kernel].get(row["id"], "unknown")
        difference = expect.DIFFERENCES.get((kernel, row["id"]))
        left_open = undecided and row["state"] == "unknown"
        if row["state"] != (difference[0] if difference else want) and not left_open:
            wrong.append(f"card: {row['id']} is {row['state']} instead of {want}: {row['reason']}")
        if not row["reason"]:
            wrong.append(f"card: {row['id']} is {row['state']} without a reason")
    if card["gup_era"] != expect.ERA[kernel] and not (undecided and card["gup_era"] is None):
        wrong.append(f"card: GUP era {card['gup_era']} instead of {expect.ERA[kernel]}")
    return wrong


def wrong_sabotage(kernel: str, files: dict[str, bytes]) -> list[str]:
    wrong = []
    for line in sabotage_lines(kernel).splitlines():
        name, _, seconds = line.split()
        _, words, _ = SABOTAGE[name]
        probe = json.loads(files[f"sabotage.{name}.json"])["probes"][0]
        if probe["outcome"] != "inconclusive" or words not in probe["reason"]:
            wrong.append(f"sabotage {name}: {probe['outcome']}: {probe['reason']}")
        if probe["duration_seconds"] > int(seconds) + 10:
            wrong.append(f"sabotage {name}: {probe['duration_seconds']:.1f} s")
        if files[f"sabotage.{name}.exit"].strip() != b"2":
            wrong.append(f"sabotage {name}: exit {files[f'sabotage.{name}.exit']!r}")
    for probe in json.loads(files["unhurt.json"])["probes"]:
        if probe["outcome"] != "pass":
            wrong.append(f"unhurt {probe['probe']}: {probe['outcome']}: {probe['reason']}")
    for moment in ("between", "after"):
        if files[moment] != files["before"]:
            wrong.append(f"left {moment}: {files[moment]!r} instead of {files['before']!r}")
    for name in ("balancing", "merging"):
        if f"killed.{name}.on" not in files:
            continue
        on, off = files[f"killed.{name}.on"], files[f"killed.{name}.off"]
        if not on.startswith(b"1\n") or b"process probe-child" not in on or off != b"0\n":
            wrong.append(f"killed {name}: {on!r}, then {off!r}")
    return wrong


def wrong_merging(kernel: str, files: dict[str, bytes]) -> list[str]:
    if "merging.json" not in files:
        return []
    denied = json.loads(files["merging.denied.json"])["probes"][0]
    wrong = [] if denied["outcome"] == "skipped" else [f"ksm-unmerge without leave: {denied['outcome']}"]
    if files["merging.before"] != files["merging.after"]:
        wrong.append(f"KSM: {files['merging.before']!r} became {files['merging.after']!r}")
    return wrong + sum(wrong_probes(kernel, json.loads(files["merging.json"]), expect.BY_NAME), [])


def wrong_gate(kernel: str, files: dict[str, bytes]) -> list[str]:
    affected = expect.CARD[kernel]["K01"] == "present"
    said, code = files["gate.out"].decode(), files["gate.exit"].strip()
    wrong = []
    if code != (b"1" if affected else b"0") or said.count("\n") != 1:
        wrong.append(f"gate: exit {code!r}: {said}")
    if not said.startswith(f"smaps-audit gate {'FAIL' if affected else 'PASS'}: Linux "):
        wrong.append(f"gate: {said}")
    return wrong


def wrong_repeats(kernel: str, files: dict[str, bytes], repeat: int) -> list[str]:
    wrong, undecided = [], []
    for turn in range(1, repeat + 1):
        report = json.loads(files[f"probe.{turn}.json"])
        mistaken, left_open = wrong_probes(kernel, report, expect.PROBES)
        mistaken += wrong_card(kernel, report["behaviour_card"], bool(left_open))
        wrong += [f"run {turn}: {what}" for what in mistaken]
        undecided += [f"run {turn}: {what}" for what in left_open]
        outcomes = {probe["outcome"] for probe in report["probes"]}
        code = b"1" if "fail" in outcomes else b"2" if "inconclusive" in outcomes else b"0"
        if files[f"exit.{turn}"].strip() != code:
            wrong.append(f"run {turn}: exit {files[f'exit.{turn}']!r}")
    rows = repeat * sum(want[0] in (expect.PASS, expect.FAIL)
                        for want in expect.expected_probes(kernel, expect.PROBES).values())
    print(f"{kernel}: {rows} rows that expect pass or fail, {len(undecided)} inconclusive")
    for what in undecided:
        print(f"{kernel}: {what}")
    return wrong if len(undecided) < MOST_INCONCLUSIVE * rows else wrong + undecided


def check(kernel: str, files: dict[str, bytes], repeat: int) -> list[str]:
    wrong = wrong_repeats(kernel, files, repeat)
    wrong += wrong_card(kernel, json.loads(files["card.json"]))
    return wrong + wrong_gate(kernel, files) + wrong_sabotage(kernel, files) + wrong_merging(kernel, files)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", choices=expect.KERNELS, required=True)
    parser.add_argument("--smaps-audit", type=pathlib.Path, required=True)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="the first report goes there")
    options = parser.parse_args()
    program = options.smaps_audit.resolve()
    if options.kernel == "host" and not os.access(host.BALANCING, os.W_OK):
        print(f"probe_test: {host.BALANCING} may not be written here", file=sys.stderr)
        return 77
    try:
        files = (run_here(program, options.repeat) if options.kernel == "host"
                 else run_in_guest(options.kernel, program, options.repeat))
    except vm.VmUnavailable as error:
        print(f"probe_test: {error}", file=sys.stderr)
        return 77
    if options.keep:
        options.keep.write_bytes(files["probe.1.json"])
    wrong = check(options.kernel, files, options.repeat)
    for what in wrong:
        print(f"probe_test {options.kernel}: {what}", file=sys.stderr)
    report = json.loads(files["probe.1.json"])
    print(f"{options.kernel}: {report['host']['kernel_release']}: {len(report['probes'])} probes in "
          f"{report['duration_seconds']:.0f} s, GUP era {report['behaviour_card']['gup_era']}, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
