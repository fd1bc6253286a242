#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kernel kills smaps-auditd's worker for want of memory in its cgroup. In a guest, for it takes a cgroup v2 with the memory
controller that is ours to write. The parent stays healthy, the metric and the log name the loss, another worker goes on.

    oom_test.py --smaps-auditd FILE

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

TIMEOUT_SECONDS = 120
CONFIG = {"audit": {"interval": "1s"}, "store": {"path": "/tmp/store"}, "web": {"listen": ["127.0.0.1:19755"]},
          "log": {"format": "json"}}
SCRIPT = """
ip link set lo up
smaps-auditd --config.file /job/smaps-auditd.json > $RESULTS/log 2>&1 &
AUDITD=$!
# busybox' wget looks names up, for which it lacks libraries here.
scrape() { printf "GET $1 HTTP/1.0\\r\\n\\r\\n" | nc 127.0.0.1 19755 > "$2"; }
sweeps() { scrape /metrics /tmp/now; sed -n 's/^smaps_audit_sweeps_total \\([0-9]*\\)$/\\1/p' /tmp/now; }
until_sweeps() {
  _round=0
  until [ "$(sweeps)" -ge "$1" ] 2>/dev/null; do
    _round=$((_round + 1)); [ $_round -le 60 ] || return 1; sleep 1
  done
}
child_of() { cat /proc/"$1"/task/"$1"/children; }
until_sweeps 2 || exit 1
scrape /metrics $RESULTS/before
SPAWNER=$(child_of $AUDITD)
WORKER=$(child_of $SPAWNER)
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/narrow
echo 0 > /sys/fs/cgroup/narrow/memory.max
echo $WORKER > /sys/fs/cgroup/narrow/cgroup.procs
_round=0
while [ -d /proc/$WORKER ] && [ $_round -le 60 ]; do _round=$((_round + 1)); sleep 1; done
cat /sys/fs/cgroup/narrow/memory.events > $RESULTS/events
scrape /-/healthy $RESULTS/healthy
until_sweeps $(($(sweeps) + 3))
scrape /metrics $RESULTS/after
echo "$AUDITD $SPAWNER $WORKER" > $RESULTS/then
echo "$AUDITD $(child_of $AUDITD) $(child_of $SPAWNER)" > $RESULTS/now
kill $AUDITD
wait $AUDITD
echo $? > $RESULTS/code
"""


def metric(page: str, series: str) -> float:
    found = re.search(rf"(?m)^{re.escape(series)} (\S+)$", page)
    return float(found[1]) if found else -1


def wrong(files: dict[str, str]) -> list[str]:
    said = []

    def expect(holds: bool, what: str) -> None:
        if not holds:
            said.append(what)
    before, after = files["before"], files["after"]
    then, now = files["then"].split(), files["now"].split()
    expect(re.search(r"(?m)^oom_kill [1-9]", files["events"]) is not None, f"its cgroup killed nobody: {files['events']}")
    expect(" 200 " in files["healthy"].splitlines()[0], f"the parent is not healthy: {files['healthy']}")
    expect(now[:2] == then[:2], f"the parent or the spawner is another one: {then} {now}")
    expect(len(now) == 3 and now[2] != then[2], f"no other worker: {then} {now}")
    crashed = 'smaps_audit_worker_restarts_total{cause="crashed"}'
    expect(metric(before, crashed) == 0 and metric(after, crashed) == 1, f"the metric: {metric(after, crashed)}")
    expect(metric(after, "smaps_audit_worker_up") == 1, "no worker is up")
    expect(metric(after, "smaps_audit_sweeps_total") >= metric(before, "smaps_audit_sweeps_total") + 3, "it does not sweep on")
    events = [json.loads(line) for line in files["log"].splitlines() if line.startswith("{") and "crashed" in line]
    expect(any("Killed" in json.dumps(event) for event in events), f"the log: {events}")
    expect(files["code"].strip() == "0", f"it ended with {files['code']}")
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smaps-auditd", required=True, type=pathlib.Path)
    parser.add_argument("--kernel", default="6.12")
    options = parser.parse_args()
    try:
        result = vm.run(kernel=options.kernel, script=SCRIPT, timeout=TIMEOUT_SECONDS, programs=[options.smaps_auditd],
                        files={"/job/smaps-auditd.json": json.dumps(CONFIG).encode()})
    except vm.VmUnavailable as error:
        print(f"SKIP: {error}")
        return 77
    files = {pathlib.PurePath(name).name: content.decode(errors="replace") for name, content in result.files.items()}
    if "code" not in files:
        print(f"FAILED the guest did not come to its end\n{result.output[-2000:]}\n{files.get('log', '')[-2000:]}")
        return 1
    said = wrong(files)
    for line in said:
        print(f"FAILED {line}")
    print(files["log"][-3000:] if said else "ok: a worker that its cgroup kills is replaced, and counted")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
