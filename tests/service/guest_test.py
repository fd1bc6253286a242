#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""smaps-auditd in a guest with two nodes, under the shipped configuration and default capabilities, beside a process whose
huge pages get NUMA-hinted. On 6.1 it is reported within two rotations (metric, log, store, a capture that replays to the
same verdict, its true Rss beside the reported one), and resolved after it ended; on 6.12 the same run is silent.

    guest_test.py --kernel 6.1|6.12 --smaps-auditd FILE --smaps-audit FILE --workload FILE

Exit: 0, 1, 77 (no guest can be had). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "kernel"))
import vm  # noqa: E402

TIMEOUT_SECONDS = 300
HINTED_BYTES = 64 << 20
PATIENCE_ROUNDS = 60  # of 2 s: two sweeps of the shipped 15 s take 30

# Waits for a line of the log or a line of the metrics, at most PATIENCE_ROUNDS.
SCRIPT = """
ip link set lo up
set_balancing 1
mkdir -p /run/smaps-auditd /var/lib/smaps-auditd
chown 990:990 /run/smaps-auditd /var/lib/smaps-auditd
as_service smaps-auditd --config.file /job/smaps-auditd.json > $RESULTS/log 2>&1 &
AUDITD=$!
start_workload hinted-thp
# busybox' wget looks names up, for which it lacks libraries here.
scrape() { printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 19755 > "$1"; }
until_log() {
  _round=0
  until grep -q "$1" $RESULTS/log; do
    _round=$((_round + 1)); [ $_round -le ROUNDS ] || return 1; sleep 2
  done
}
sweeps() { scrape /tmp/now; sed -n 's/^smaps_audit_sweeps_total \\([0-9]*\\)$/\\1/p' /tmp/now; }
until_sweeps() {
  _round=0
  until [ "$(sweeps)" -ge "$1" ] 2>/dev/null; do
    _round=$((_round + 1)); [ $_round -le ROUNDS ] || return 1; sleep 2
  done
}
if [ EXPECTED = found ]; then until_log 'stored=yes'; sleep 2; else until_sweeps 3; fi
scrape $RESULTS/during
cp -r /var/lib/smaps-auditd/captures $RESULTS/captures
smaps-audit findings list --all --format json --store /var/lib/smaps-auditd/findings.db > $RESULTS/findings.json
for capture in /var/lib/smaps-auditd/captures/*.cap; do
  [ -e "$capture" ] && smaps-audit replay "$capture" --format json > $RESULTS/replay.json
done
echo "$WORKLOAD_PID" > $RESULTS/pid
stop_workload
if [ EXPECTED = found ]; then until_log 'the process ended'; fi
sleep 4
scrape $RESULTS/after
smaps-audit findings list --all --format json --store /var/lib/smaps-auditd/findings.db > $RESULTS/findings-after.json
restore_balancing
kill $AUDITD
wait $AUDITD
true
"""


def metric(page: str, series: str) -> float | None:
    found = re.search(rf"(?m)^{re.escape(series)} (\S+)$", page)
    return float(found[1]) if found else None


def sums(page: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"(?m)^{name}\S* (\S+)$", page))


def wrong_where_found(files: dict[str, bytes]) -> list[str]:
    during, after = files["during"].decode(), files["after"].decode()
    pid = int(files["pid"])
    wrong = []
    if (metric(during, 'smaps_audit_findings{defect="K01"}') or 0) < 1:
        wrong.append("the metric names no K01")
    if sums(during, "smaps_audit_target_rss_deficit_bytes") != HINTED_BYTES:
        wrong.append(f"the deficit is not 64 MiB: {sums(during, 'smaps_audit_target_rss_deficit_bytes')}")
    rows = json.loads(files["findings.json"])["findings"]
    rss = [row for row in rows if row["field"] == "Rss" and row["interface"] == "smaps"]
    if not rss or rss[0]["process"]["pid"] != pid or rss[0]["defect"] != "K01" or rss[0]["error_bytes"] != HINTED_BYTES:
        wrong.append(f"the store does not hold it: {rss or rows}")
    if any(row["process"]["pid"] != pid for row in rows):
        wrong.append("the store blames another process")
    if "replay.json" not in files:
        wrong.append("there is no capture")
    else:
        replayed = json.loads(files["replay.json"])["processes"][0]
        kept = {(row["check"], row["interface"], row["field"]) for row in rows}
        said = {(finding["check"], finding["interface"], finding["field"]) for finding in replayed["findings"]}
        if replayed["verdict"] != "finding" or not said <= kept:
            wrong.append(f"the capture does not replay to the same verdict: {said} {kept}")
        if not replayed["truth"]["rss_low_bytes"] >= HINTED_BYTES > replayed["reported"]["rss_bytes"]:
            wrong.append(f"true beside reported: {replayed['truth']} {replayed['reported']}")
    if any(row["resolved"] is None for row in json.loads(files["findings-after.json"])["findings"]):
        wrong.append("not resolved after the process ended")
    if sums(after, "smaps_audit_target_rss_deficit_bytes") != 0:
        wrong.append("the metric stays after the process ended")
    return wrong


def wrong_where_silent(files: dict[str, bytes]) -> list[str]:
    wrong = []
    for name in ("during", "after"):
        page = files[name].decode()
        if (metric(page, "smaps_audit_sweeps_total") or 0) < 3:
            wrong.append(f"{name}: it did not sweep")
        if sums(page, "smaps_audit_findings") != 0:
            wrong.append(f"{name}: a finding on a kernel that is right")
    if json.loads(files["findings.json"])["findings"]:
        wrong.append("the store holds a finding")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True, choices=("6.1", "6.12"))
    for name in ("--smaps-auditd", "--smaps-audit", "--workload"):
        parser.add_argument(name, required=True, type=pathlib.Path)
    options = parser.parse_args()
    expected = "found" if options.kernel == "6.1" else "silent"
    script = SCRIPT.replace("EXPECTED", expected).replace("ROUNDS", str(PATIENCE_ROUNDS))
    config = (ROOT / "config" / "smaps-auditd.json").read_bytes()
    try:
        result = vm.run(kernel=options.kernel, script=script, timeout=TIMEOUT_SECONDS,
                        programs=[options.smaps_auditd, options.smaps_audit, options.workload],
                        files={"/job/smaps-auditd.json": config})
    except vm.VmUnavailable as error:
        print(f"SKIP: {error}")
        return 77
    files = {pathlib.PurePath(name).name: content for name, content in result.files.items()}
    log = files.get("log", b"").decode(errors="replace")
    if "pid" not in files or not files["pid"].strip():
        print(f"the workload's state was not reached\n{result.output[-2000:]}\n{log[-2000:]}")
        return 1
    wrong = wrong_where_found(files) if expected == "found" else wrong_where_silent(files)
    for line in wrong:
        print(f"FAILED {line}")
    if wrong:
        print(f"{result.output[-1500:]}\n{log[-3000:]}")
    else:
        print(f"ok: {options.kernel}: {expected}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
