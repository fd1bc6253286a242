# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Of nspawn_test.py: runs as root in the booted container. Each function below "cases" is one; its exit code decides, and
# what it prints is shown where it fails. They build on one another, in this order.
URL=http://127.0.0.1:19755
SOCKET=/run/smaps-auditd/web.sock
series() { curl --silent --fail "$@" | grep -c '^smaps_audit_'; }
state() { systemctl show smaps-auditd --property "$1" --value; }
until_true() {
  for _ in $(seq 150); do "$@" && return; sleep 0.1; done
  echo "not in 15 s: $*"
  return 1
}
serves() { [ "$(series $URL/metrics)" -gt 50 ]; }
reads_not() { curl --silent $URL/metrics | grep -qx 'smaps_audit_reading 0'; }
knows_the_card() { curl --silent $URL/metrics | grep -q '^smaps_audit_probe_card_timestamp_seconds '; }
restarted_from() { [ "$(state SubState)" = running ] && [ "$(state MainPID)" != "$1" ]; }
child_of() { cut -d' ' -f1 < "/proc/$1/task/$1/children"; }
as_member() { setpriv --reuid=member --regid=member --init-groups "$@"; }

# cases
installed_it_serves_and_nothing_failed() {
  until_true serves && [ "$(state SubState)" = running ] && [ -z "$(systemctl --failed --plain --no-legend)" ]
}
members_of_the_group_may_ask_and_others_not() {
  useradd --groups smaps-audit member && useradd other &&
    as_member curl --silent --fail --unix-socket $SOCKET http://x/api/v1/status | grep -q '"schema"' &&
    as_member smaps-audit findings list &&
    ! setpriv --reuid=other --regid=other --clear-groups curl --silent --unix-socket $SOCKET http://x/metrics &&
    ! setpriv --reuid=other --regid=other --clear-groups cat /var/lib/smaps-auditd/findings.db
}
the_probe_leaves_a_card_that_the_service_takes_up() {
  systemctl start smaps-audit-probe.service && [ -s /var/lib/smaps-audit/card.json ] &&
    [ "$(stat -c %U:%a /var/lib/smaps-audit/card.json)" = smaps-audit:644 ] &&
    journalctl -u smaps-audit-probe -o cat --no-pager | grep '^smaps-audit gate' &&
    systemctl restart smaps-auditd && until_true knows_the_card
}
the_timers_next_run_is_within_a_day_and_its_delay() {
  [ "$(systemctl show smaps-audit-probe.timer --property RandomizedDelayUSec --value)" = 1h ] &&
    systemctl list-timers smaps-audit-probe.timer --no-legend | grep -q smaps-audit-probe
}
the_off_switch_outlives_a_restart() {
  touch /run/smaps-auditd/off && systemctl restart smaps-auditd && until_true reads_not && rm /run/smaps-auditd/off
}
the_journal_explains_what_it_said() {
  journalctl --catalog -u smaps-auditd --no-pager | grep 'Subject: Reading was stopped, or goes on'
}
a_wrong_configuration_is_not_tried_again() {
  cp /etc/smaps-auditd/smaps-auditd.json /root/right && echo '{"nonsense": 1}' > /etc/smaps-auditd/smaps-auditd.json
  systemctl restart smaps-auditd
  local wrong  # "auto-restart" if it were to be tried again
  wrong="$(state ExecMainStatus) $(state SubState) $(state NRestarts)"
  cp /root/right /etc/smaps-auditd/smaps-auditd.json
  systemctl reset-failed smaps-auditd
  systemctl start smaps-auditd
  echo "$wrong"
  [ "$wrong" = "78 failed 0" ] && until_true serves
}
without_its_spawner_it_is_started_anew() {
  local main
  main=$(state MainPID)
  kill -9 "$(child_of "$main")"
  until_true restarted_from "$main" && until_true serves
}
the_drop_in_for_page_frames_grants_them() {
  mkdir -p /etc/systemd/system/smaps-auditd.service.d
  cp /root/page-frames.conf /etc/systemd/system/smaps-auditd.service.d/
  systemctl daemon-reload && systemctl restart smaps-auditd && until_true serves
  local main spawner with
  main=$(state MainPID)
  spawner=$(child_of "$main")
  with="$(grep CapEff "/proc/$spawner/status") $(grep CapEff "/proc/$main/status")"
  rm -r /etc/systemd/system/smaps-auditd.service.d
  systemctl daemon-reload && systemctl restart smaps-auditd
  echo "$with"
  # SYS_ADMIN 21, SYS_PTRACE 19, DAC_READ_SEARCH 2; the parent has none.
  [[ $with =~ 0000000000280004.*0000000000000000 ]]
}
systemd_listens_in_its_place() {
  systemctl stop smaps-auditd && systemctl enable --quiet --now smaps-auditd.socket && systemctl start smaps-auditd &&
    until_true serves && [ "$(series --unix-socket $SOCKET http://x/metrics)" -gt 50 ] &&
    [ "$(stat -c '%U %G %a' $SOCKET)" = "root smaps-audit 660" ] &&
    as_member curl --silent --fail --unix-socket $SOCKET http://x/api/v1/status | grep -q '"schema"' &&
    systemctl stop --quiet smaps-auditd && until_true serves
}
an_upgrade_leaves_the_socket_open() {
  dpkg --install /root/package.deb && [ "$(systemctl is-active smaps-auditd.socket smaps-auditd.service | uniq)" = active ] && until_true serves &&
    systemctl disable --quiet --now smaps-auditd.socket && systemctl restart smaps-auditd && until_true serves
}
the_line_of_the_readme_opens_every_address() {
  sh -ec "$(cat /root/listen)" && until_true serves && [ "$(series 'http://[::1]:19755/metrics')" -gt 50 ]
}
the_textfile_is_written_where_it_belongs() {
  systemctl start smaps-audit-textfile.service && [ ! -e /var/lib/prometheus ] &&
    mkdir -p /var/lib/prometheus/node-exporter && useradd prometheus && chown prometheus /var/lib/prometheus/node-exporter &&
    systemctl start smaps-audit-textfile.service && grep -q '^smaps_audit_coverage_ratio ' /var/lib/prometheus/node-exporter/smaps-audit.prom &&
    [ "$(stat -c %a /var/lib/prometheus/node-exporter/smaps-audit.prom)" = 644 ]
}
a_purge_ends_and_removes_everything() {
  dpkg --purge smaps-auditd && ! pgrep -u smaps-audit && ! ls -d /var/lib/smaps-audit* /run/smaps-audit* /etc/smaps-auditd 2>/dev/null &&
    [ ! -e /var/lib/prometheus/node-exporter/smaps-audit.prom ] && id smaps-audit
}
