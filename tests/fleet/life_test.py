#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The life of the service on a booted Debian 12 with stock 6.1, under its own unit: what systemd and dpkg do to it, and what
it keeps of its findings.

    life_test.py --image FILE      the image is fleet_image.py's

Exit: 0, 1 (something does not hold), 77 (no such guest here). Root. Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fleet_image import LATER, PATIENCE_SECONDS, Host, booted, or_skip, play  # noqa: E402

UNIT = "smaps-auditd.service"
CONFIG = "/etc/smaps-auditd/smaps-auditd.json"
# What a newer kernel shows, and what CAP_SYS_ADMIN adds; the audit does without either (docs/design.md).
NOT_NEEDED = {"pagemap-scan", "procmap-query", "huge-zero", "exact-counters", "pfn"}
# The unit with another program in it; all of its sandbox stays.
IN_THE_SANDBOX = f"""
sed -E -e 's|^ExecStart=.*|ExecStart=/usr/bin/smaps-audit doctor --format json|' -e 's|^Type=.*|Type=oneshot|' \\
  -e '/^(WatchdogSec|Restart|NotifyAccess|ExecReload)/d' -e '/^RuntimeDirectory/d' /lib/systemd/system/{UNIT} \\
  > /run/systemd/system/in-the-sandbox.service
echo 'StandardOutput=truncate:/run/doctor.json' > /run/stdout
sed -i '/^Type=/r /run/stdout' /run/systemd/system/in-the-sandbox.service
systemctl daemon-reload
systemctl start in-the-sandbox.service
cat /run/doctor.json
"""


def _main_pid(host: Host) -> int:
    return int(host.show(UNIT, "MainPID"))


def _metric(host: Host, name: str) -> float:
    page = host.run("curl -sf http://127.0.0.1:19755/metrics")
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(f"{name} "))


def _kept(host: Host) -> set[tuple]:
    return {(row["id"], row["field"], row["interface"], row["error_bytes"]) for row in host.findings()}


def _wait_for_restart(host: Host, pid: int) -> None:
    host.until("another main process", f"now=$(systemctl show --property MainPID --value {UNIT}); "
               f'[ "$now" != 0 ] && [ "$now" != {pid} ] && systemctl is-active -q {UNIT}')


def a_finding_is_there(host: Host) -> None:
    host.guest.wait_for_driver()
    host.wait_for_workload()
    host.until("a finding", "smaps-audit findings list --format json | grep -q K01")
    # Nothing new shall come while it is counted what is kept.
    host.run("systemctl disable --now workload.service")


def doctor_finds_every_read_possible_in_the_sandbox(host: Host) -> None:
    features = {each["id"]: each for each in json.loads(host.run(IN_THE_SANDBOX))["features"]}
    missing = [each for name, each in features.items() if not each["works"] and name not in NOT_NEEDED]
    assert "foreign-pagemap" in features and not missing, missing


def reload_takes_a_configuration_or_keeps_the_old_one(host: Host) -> None:
    pid, name = _main_pid(host), "smaps_audit_config_last_reload_successful"
    host.run(f"cp {CONFIG} /root/config && sed -i 's/\"level\": \"info\"/\"level\": \"debug\"/' {CONFIG} && systemctl reload {UNIT}")
    host.until("the reload", f"journalctl -u {UNIT} --no-pager | grep -qi 'configuration.*reloaded\\|reloaded'")
    assert _metric(host, name) == 1
    host.run(f"echo '{{' > {CONFIG} && systemctl reload {UNIT}")
    host.until("the refusal", f"curl -sf http://127.0.0.1:19755/metrics | grep -qx '{name} 0'")
    host.run(f"cp /root/config {CONFIG} && systemctl reload {UNIT}")
    host.until("the old configuration", f"curl -sf http://127.0.0.1:19755/metrics | grep -qx '{name} 1'")
    assert _main_pid(host) == pid, "a reload started another process"


def stop_needs_no_sigkill(host: Host) -> None:
    host.run(f"systemctl stop {UNIT}")
    assert host.show(UNIT, "Result") == "success"
    said = host.run("journalctl -b --no-pager _PID=1")
    assert "Stopped smaps-auditd" in said and "SIGKILL" not in said and "timed out" not in said, said[-2000:]
    assert host.ask("pgrep -u smaps-audit")[0] == 1, "processes are left"
    host.run(f"systemctl start {UNIT}")


def kill_9_is_followed_by_a_restart(host: Host) -> None:
    pid = _main_pid(host)
    host.run(f"kill -9 {pid}")
    _wait_for_restart(host, pid)
    assert host.show(UNIT, "NRestarts") == "1"


def a_wedged_service_is_restarted_by_the_watchdog(host: Host) -> None:
    """Nothing that reads can go on, and nobody can replace it: the parent lives, and does not say so."""
    host.run(f"mkdir -p /run/systemd/system/{UNIT}.d && printf '[Service]\\nWatchdogSec=20s\\n' > "
             f"/run/systemd/system/{UNIT}.d/short.conf && systemctl daemon-reload && systemctl restart {UNIT}")
    host.until("a worker", "pgrep -u smaps-audit -f -- --worker")
    pid = _main_pid(host)
    host.run(f"for pid in $(pgrep -u smaps-audit); do [ $pid = {pid} ] || kill -STOP $pid; done")
    _wait_for_restart(host, pid)
    said = host.run(f"journalctl -b --no-pager _PID=1 UNIT={UNIT}")
    assert "Watchdog timeout" in said, said[-2000:]
    host.run(f"rm -r /run/systemd/system/{UNIT}.d && systemctl daemon-reload && systemctl restart {UNIT}")


def a_reboot_keeps_the_findings(host: Host) -> None:
    before, boot_id = _kept(host), host.run("cat /proc/sys/kernel/random/boot_id")
    assert before, "there is nothing to keep"
    host.guest.reboot()
    host.wait_for_service()
    assert host.run("cat /proc/sys/kernel/random/boot_id") != boot_id
    assert before <= _kept(host), (before, _kept(host))


def an_upgrade_keeps_findings_and_configuration(host: Host) -> None:
    before, pid = _kept(host), _main_pid(host)
    config = host.run(f"cat {CONFIG}")
    host.run(f"DEBIAN_FRONTEND=noninteractive dpkg --install {LATER}", PATIENCE_SECONDS)
    assert host.run("dpkg-query --show --showformat '${Version}' smaps-auditd").endswith("+later")
    _wait_for_restart(host, pid)
    assert before <= _kept(host), (before, _kept(host))
    assert host.run(f"cat {CONFIG}") == config


def purge_leaves_the_user_and_nothing_else(host: Host) -> None:
    host.run("dpkg --purge smaps-auditd", PATIENCE_SECONDS)
    assert host.ask("pgrep -u smaps-audit")[0] == 1, "processes are left"
    left = host.run("find / -xdev -iname '*smaps-audit*' -not -path '/usr/local/*' -not -path '/var/lib/dpkg/*' "
                    "-not -path '/var/log/*' -not -path '/root/*' -not -path '/tmp/*' -not -path '/run/systemd/*' ; find /run -xdev -name '*smaps-audit*'"
                    " -not -path '*/systemd/*'")
    assert left == "", left
    assert host.run("getent passwd smaps-audit"), "the user is gone"
    assert host.show(UNIT, "LoadState") == "not-found"


STEPS = (
    a_finding_is_there,
    doctor_finds_every_read_possible_in_the_sandbox,
    reload_takes_a_configuration_or_keeps_the_old_one,
    stop_needs_no_sigkill,
    kill_9_is_followed_by_a_restart,
    a_wedged_service_is_restarted_by_the_watchdog,
    a_reboot_keeps_the_findings,
    an_upgrade_keeps_findings_and_configuration,
    purge_leaves_the_user_and_nothing_else,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True, type=pathlib.Path)
    options = parser.parse_args()

    def lived() -> int:
        with booted("6.1", "life", options.image) as host:
            return play(STEPS, [host], host)

    return or_skip(lived)


if __name__ == "__main__":
    sys.exit(main())
