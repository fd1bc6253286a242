#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the runner, the workloads and the adversaries do what they say, on both stock kernels?

    selftest.py --bin DIR [--kernel 6.1|6.12|host]… [--adversaries SECONDS]

DIR holds `workload` and `adversary`. Boots the kernels side by side, runs each mode of `workload` (the THP under
PROT_NONE with balancing off), and prints what it declares beside what the kernel's files say of it. On a kernel
that loses PROT_NONE THP (`workload protnone-self` decides, not the version) every declared deficit must show
in smaps to the byte, elsewhere none. `host` is this machine: its kernel.numa_balancing is 1 meanwhile. Exit: 0, 1 (something differs), 77 (no guest can be started here).
Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import host  # noqa: E402
import vm  # noqa: E402
import wolf_adversaries  # noqa: E402

MODES = ("hinted-thp", "hinted-thp-partial", "hinted-base", "plain", "rollup-contention", "merciless",
         "liubo", "protnone-thp", "many-vmas 4000", "big-4k 256")
ADVERSARIES = tuple(adversary.name for adversary in wolf_adversaries.FIRST_PART)
LIUBO_SAMPLES = 12

GUEST_SCRIPT = """
workload protnone-self > $RESULTS/protnone-self; echo $? > $RESULTS/affected
sample() {
  grep -E '^Vm(RSS|Size):' /proc/$WORKLOAD_PID/status > $RESULTS/$1.status
  cat /proc/$WORKLOAD_PID/smaps > $RESULTS/$1.smaps
  for i in 1 2 3 4 5 6 7 8; do grep ^Rss: /proc/$WORKLOAD_PID/smaps_rollup; done > $RESULTS/$1.rollup
}
audit() {
  name=$1
  [ $name = protnone-thp ] && set_balancing 0
  start_workload $@
  echo "$WORKLOAD_JSON" > $RESULTS/$name.json
  if [ -n "$WORKLOAD_PID" ]; then
    if [ $name = liubo ]; then
      for i in $(seq SAMPLES); do sleep 1; cat /proc/$WORKLOAD_PID/smaps; done > $RESULTS/$name.samples
    fi
    sample $name
    stop_workload
  fi
  echo "$name $? $(cut -d ' ' -f 1 /proc/uptime)"
}
"""
ADVERSARY_SCRIPT = """
attack() {
  if start_adversary $1; then
    echo "$ADVERSARY_JSON" > $RESULTS/$1.adversary
    sleep SECONDS
    for pid in $(echo "$ADVERSARY_JSON" | sed 's/.*"pids":\\[\\([0-9,]*\\)\\].*/\\1/; s/,/ /g'); do
      echo pid $pid $(grep ^VmRSS /proc/$pid/status) $(cut -d ' ' -f 10,14,15 /proc/$pid/stat)
    done > $RESULTS/$1.alive
    stop_adversary
  fi
}
"""


def kilobytes(text: str, key: str) -> int:
    """Sum of all "key: n kB" lines, in kB."""
    return sum(int(n) for n in re.findall(rf"^{key}:\s+(\d+) kB$", text, re.MULTILINE))


def rss_kb_of_region(smaps: str, region: dict) -> int:
    low, high = int(region["start"], 16), int(region["end"], 16)
    total, inside = 0, False
    for line in smaps.splitlines():
        header = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if header:
            inside = low <= int(header[1], 16) and int(header[2], 16) <= high
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


class Report:
    def __init__(self, kernel: str) -> None:
        self.kernel = kernel
        self.lines: list[str] = []
        self.failures = 0

    def say(self, ok: bool, text: str) -> None:
        self.failures += not ok
        self.lines.append(f"{'ok  ' if ok else 'FAIL'} {self.kernel:5} {text}")


def judge_mode(report: Report, name: str, files: dict[str, bytes], affected: bool) -> None:
    truth = json.loads(files[f"{name}.json"].strip() or b"{}")
    if not truth.get("kernel_state_proven"):
        report.say(False, f"{name}: {truth.get('why', 'said nothing')}")
        return
    smaps = files[f"{name}.smaps"].decode()
    status_kb = kilobytes(files[f"{name}.status"].decode(), "VmRSS")
    rollups = [int(n) for n in re.findall(r"(\d+) kB", files[f"{name}.rollup"].decode())]
    touched_kb = truth["touched_bytes"] // 1024
    region_kb = sum(rss_kb_of_region(smaps, region) for region in truth["regions"])
    deficit_kb = touched_kb - region_kb
    declared = truth["expected_deficit_bytes"]
    expected_kb = 0 if not affected else None if declared is None else declared // 1024
    ok = deficit_kb == expected_kb if expected_kb is not None else True
    smaps_kb = kilobytes(smaps, "Rss")
    if name == "rollup-contention":
        ok = ok and (min(rollups) < smaps_kb * 0.9) == affected
    report.say(ok, f"{name:19} touched {touched_kb:7} declared deficit "
                   f"{'varies' if declared is None else declared // 1024:>6} | region deficit {deficit_kb:6} "
                   f"| VmRSS {status_kb:7} smaps {smaps_kb:7} rollup {min(rollups):7}…{max(rollups)} kB")


def judge_liubo(report: Report, files: dict[str, bytes], affected: bool) -> None:
    truth = json.loads(files["liubo.json"])
    samples = re.split(r"(?<=\n)(?=[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ +\S*/workload\n)",
                       files["liubo.samples"].decode())
    deficits = [truth["touched_bytes"] // 1024 - rss_kb_of_region(sample, truth["regions"][0])
                for sample in samples if truth["regions"][0]["start"] in sample]
    seen = sum(deficit > 0 for deficit in deficits)
    report.say(seen >= 3 if affected else seen == 0, f"liubo: deficits of a second's distance, kB: {deficits}")


def judge_adversary(report: Report, name: str, files: dict[str, bytes]) -> None:
    going = files.get(f"{name}.adversary", b"").decode().strip()
    alive = files.get(f"{name}.alive", b"").decode().split("\n")[:-1]
    report.say("pids" in going and any("VmRSS" in line for line in alive),
               f"{name:22} {going} {alive}")


def test_kernel(kernel: str, binaries: pathlib.Path, adversary_seconds: int) -> Report:
    if kernel == "host":
        return test_host(binaries, adversary_seconds)
    report = Report(kernel)
    script = GUEST_SCRIPT.replace("SAMPLES", str(LIUBO_SAMPLES))
    script += "".join(f"audit {mode}\n" for mode in MODES)
    programs = [binaries / "workload"]
    if adversary_seconds:
        programs.append(binaries / "adversary")
        script += ADVERSARY_SCRIPT.replace("SECONDS", str(adversary_seconds))
        script += "".join(f"attack {name}\n" for name in ADVERSARIES)
    result = vm.run(kernel, script, programs=programs,
                    timeout=240 + 20 * adversary_seconds * bool(adversary_seconds))
    affected = result.files["affected"].strip() == b"1"
    report.say(result.files["affected"].strip() in (b"0", b"1"),
               f"booted in {result.boot_seconds:.1f} s, {result.duration_seconds:.0f} s in all; "
               f"loses THP under PROT_NONE: {'yes' if affected else 'no'}")
    for mode in MODES:
        judge_mode(report, mode.split()[0], result.files, affected)
    judge_liubo(report, result.files, affected)
    for name in ADVERSARIES if adversary_seconds else ():
        judge_adversary(report, name, result.files)
    report.lines += [f"     {kernel:5} guest: {line}" for line in result.output.splitlines()]
    return report


def files_of_target(name: str, pid: int) -> dict[str, bytes]:
    """What the guest script samples, from this machine."""
    proc = pathlib.Path("/proc") / str(pid)
    return {f"{name}.status": (proc / "status").read_bytes(), f"{name}.smaps": (proc / "smaps").read_bytes(),
            f"{name}.rollup": b"".join((proc / "smaps_rollup").read_bytes().split(b"\n")[1] + b"\n"
                                       for _ in range(8))}


def test_host(binaries: pathlib.Path, adversary_seconds: int) -> Report:
    report = Report("host")
    probe = subprocess.run([binaries / "workload", "protnone-self"], capture_output=True, check=False)
    affected = probe.returncode == 1
    report.say(probe.returncode in (0, 1), f"loses THP under PROT_NONE: {'yes' if affected else 'no'}")
    for mode in MODES:
        name = mode.split()[0]
        try:
            with host.numa_balancing(0 if name == "protnone-thp" else 1):
                with host.Workload(binaries / "workload", *mode.split()) as target:
                    files = files_of_target(name, target.pid)
                    files[f"{name}.json"] = json.dumps(target.truth).encode()
            judge_mode(report, name, files, affected)
        except host.CannotRun as error:
            report.say(False, f"{name}: {error}")
    for name in ADVERSARIES if adversary_seconds else ():
        with host.Adversary(binaries / "adversary", name) as target:
            time.sleep(adversary_seconds)
            alive = [f"pid {pid} VmRSS {(pathlib.Path('/proc') / str(pid) / 'comm').read_text().strip()}"
                     for pid in target.pids if (pathlib.Path("/proc") / str(pid)).exists()]
            files = {f"{name}.adversary": json.dumps(target.declared).encode(),
                     f"{name}.alive": "\n".join([*alive, ""]).encode()}
        judge_adversary(report, name, files)
    return report


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Self-test of the runner, the workloads, the adversaries.")
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", action="append")
    parser.add_argument("--adversaries", type=int, default=0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    kernels = options.kernel or ["6.1", "6.12"]
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(len(kernels)) as pool:
        runs = [pool.submit(test_kernel, kernel, options.bin, options.adversaries) for kernel in kernels]
        for run in runs:
            try:
                report = run.result()
            except vm.VmUnavailable as error:
                print(f"SKIP {error}")
                return 77
            except vm.VmError as error:
                print(f"FAIL {error}")
                failures += 1
            else:
                print("\n".join(report.lines))
                failures += report.failures
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
