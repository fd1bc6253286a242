# SPDX-License-Identifier: Apache-2.0
"""What audit_test.py runs beside a kernel: one shell script, the same in a guest and on this machine.

`run NAME CMD…` keeps stdout as NAME.out, stderr as NAME.err, and a line "NAME exit-code seconds" in `exits`.
What a target is, it declares itself (NAME.truth); its files are also read by cat(1), so that the
auditor's numbers have something to be compared with that the auditor never touched.
"""

from __future__ import annotations

import dataclasses

HINTED = ("hinted-thp", "hinted-thp-partial", "hinted-thp-shared", "hinted-base")  # the states that the kernel's own balancing makes
UNHINTED = ("plain", "protnone-thp", "protnone-shmem", "partly-shared-thp", "many-faulters", "rollup-contention")
MODES = HINTED + UNHINTED
GUEST_ONLY = ("device-copy", "poisoned", "stuck-in-execve")  # they want memory of the machine, or spoil it
FALLBACKS = {name: name for name in ("pagemap-scan", "procmap-query", "pfn", "kpageflags", "kpagecount", "numa-maps",
                                     "wchan")}
FALLBACKS["all"] = ",".join(FALLBACKS)
FALLBACK_MODES = ("plain", "protnone-thp")


@dataclasses.dataclass(frozen=True)
class Capture:
    """One capture of a mode: by whom, with which fallbacks, and whether it is one to put lies into."""
    mode: str
    user: str = ""  # as_service, or root
    without: str = ""

    @property
    def name(self) -> str:
        parts = [self.mode, self.user.removeprefix("as_") or "root", self.without and f"without-{self.without}"]
        return ".".join(part for part in parts if part) + ".capture"


COMMON_CAPTURES = (Capture("plain"), Capture("plain", without="pfn"), Capture("protnone-thp"),
                   Capture("protnone-thp", "as_service"), Capture("rollup-contention"))
HINTED_CAPTURES = (Capture("hinted-thp"), Capture("hinted-thp-partial", "as_service"),
                   Capture("hinted-base", without="pfn"))
GUEST_CAPTURES = (Capture("device-copy"),)
SCAN_CAPTURES = (Capture("plain", without="pagemap-scan"),)

PRELUDE = r"""
run() {
  _name=$1; shift
  _begun=$(cut -d ' ' -f 1 /proc/uptime)
  "$@" > "$RESULTS/$_name.out" 2> "$RESULTS/$_name.err" < /dev/null
  echo "$_name $? $_begun $(cut -d ' ' -f 1 /proc/uptime)" >> "$RESULTS/exits"
}
begin() { # NAME MODE [options]: false where the kernel could not be brought into the state, three times
  _target=$1; shift
  for _attempt in 1 2 3; do
    start_workload "$@"
    [ -z "$WORKLOAD_PID" ] || break
  done
  echo "$WORKLOAD_JSON" > "$RESULTS/$_target.truth"
  [ -n "$WORKLOAD_PID" ]
}
witness() { for _file in status statm numa_maps smaps smaps_rollup; do cat "/proc/$WORKLOAD_PID/$_file" > "$RESULTS/$1.$_file"; done; }
"""
QUIET = r"""
quiet() {
  if begin "$1" "$1"; then
    witness "$1"
    run "$1.root" smaps-audit check --format json "$WORKLOAD_PID"
    run "$1.service" as_service smaps-audit check --format json "$WORKLOAD_PID"
    run "$1.text" smaps-audit check "$WORKLOAD_PID"
    EXTRAS
    stop_workload
  fi
}
"""

# The auditor dies while it holds its target; what counts is that the target then runs on.
FREEZE = r"""
state_of() { sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status"; }
switches_of() { cat /proc/$1/task/*/status | grep -c '^State:.[tT]'; }
if begin freeze rollup-contention 40; then
  run freeze.root smaps-audit check --freeze --format json "$WORKLOAD_PID"
  smaps-audit capture --freeze "$WORKLOAD_PID" -o "$RESULTS/killed.capture" > /dev/null 2>&1 &
  _auditor=$!
  _seen=no
  for _ in $(seq 400); do
    if [ "$(state_of "$WORKLOAD_PID")" = t ]; then _seen=yes; break; fi
    sleep 0.01
  done
  kill -KILL "$_auditor"
  wait "$_auditor" 2> /dev/null
  sleep 0.3
  _before=$(cut -d ' ' -f 14,15 "/proc/$WORKLOAD_PID/stat")
  sleep 1
  echo "$_seen $(switches_of "$WORKLOAD_PID") $(sed -n 's/^TracerPid:\t//p' "/proc/$WORKLOAD_PID/status")" \
    "$_before $(cut -d ' ' -f 14,15 "/proc/$WORKLOAD_PID/stat")" > "$RESULTS/freeze.after"
  stop_workload
  echo $? > "$RESULTS/freeze.stopped"
  rm -f "$RESULTS"/killed.capture*
fi
"""

# 64 MiB that no process shows on a kernel with K01: what the counters of the host and of a cgroup make of it.
HOST_NOTES = r"""
mkdir /sys/fs/cgroup/notes && echo +memory > /sys/fs/cgroup/cgroup.subtree_control
echo $$ > /sys/fs/cgroup/notes/cgroup.procs
if begin notes protnone-thp; then
  run notes.all smaps-audit check --all --format json
  run notes.cgroup smaps-audit check --cgroup /notes --format json
  run notes.text smaps-audit check --all
  stop_workload
fi
echo $$ > /sys/fs/cgroup/cgroup.procs
"""

UNPRIVILEGED = r"""
if AS=as_nobody begin nobody protnone-thp; then
  run nobody.own as_nobody smaps-audit check --format json "$WORKLOAD_PID"
  run nobody.foreign as_nobody smaps-audit check --format json 1
  run nobody.foreign-text as_nobody smaps-audit check 1
  run nobody.mixed as_nobody smaps-audit check --format json 1 "$WORKLOAD_PID"
  run nobody.all as_nobody smaps-audit check --all --format json
  run nobody.doctor as_nobody smaps-audit doctor
  run nobody.doctor-json as_nobody smaps-audit doctor --format json
  stop_workload
fi
"""

MERCILESS = r"""
if begin merciless merciless; then
  for _i in $(seq RUNS); do
    run merciless.$_i smaps-audit check --deadline DEADLINE --format json "$WORKLOAD_PID"
  done
  run merciless.frozen smaps-audit check --freeze --format json "$WORKLOAD_PID"
  stop_workload
fi
"""

LIUBO = r"""
if begin liubo liubo; then
  witness liubo
  _end=$(($(cut -d . -f 1 /proc/uptime) + SECONDS_IN_ALL))
  _i=0
  while [ "$(cut -d . -f 1 /proc/uptime)" -lt "$_end" ]; do
    _i=$((_i + 1))
    run liubo.$_i smaps-audit check --format json "$WORKLOAD_PID"
  done
  stop_workload
fi
"""


def quiet_script(mode: str, captures: tuple[Capture, ...]) -> str:
    extras = [f"run {capture.name} {capture.user} smaps-audit capture --format json "
              f"{'--without ' + capture.without if capture.without else ''} "
              f'"$WORKLOAD_PID" -o "$RESULTS/{capture.name}"'
              for capture in captures if capture.mode == mode]
    if mode in FALLBACK_MODES:
        extras += [f'run {mode}.without-{name} smaps-audit check --without {words} --format json "$WORKLOAD_PID"'
                   for name, words in FALLBACKS.items()]
    return QUIET.replace("EXTRAS", "\n    ".join(extras) or ":") + f"quiet {mode}\n"


def with_balancing(captures: tuple[Capture, ...], liubo_seconds: int, hinted: bool = True) -> str:
    """What wants kernel.numa_balancing to be 1."""
    script = PRELUDE
    if hinted:
        script += "".join(quiet_script(mode, captures) for mode in HINTED)
        script += LIUBO.replace("SECONDS_IN_ALL", str(liubo_seconds))
    return script


def in_guests(captures: tuple[Capture, ...]) -> str:
    """What a guest has to offer, and no machine of somebody's own."""
    return PRELUDE + "".join(quiet_script(mode, captures) for mode in GUEST_ONLY)


def without_balancing(captures: tuple[Capture, ...], merciless_runs: int, deadline_seconds: int) -> str:
    """What wants kernel.numa_balancing to be 0, so that nothing but mprotect takes rights away."""
    script = PRELUDE + "workload protnone-self > $RESULTS/protnone-self; echo $? > $RESULTS/affected\n"
    script += "".join(quiet_script(mode, captures) for mode in UNHINTED)
    script += FREEZE + UNPRIVILEGED
    script += MERCILESS.replace("RUNS", str(merciless_runs)).replace("DEADLINE", str(deadline_seconds))
    return script
