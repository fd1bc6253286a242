# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# Shell functions for scripts that run in a guest (busybox ash), sourced as /job/guest.sh; they work on
# a host as well, where `workload` and `adversary` are on the PATH. Write results to $RESULTS.
#
#   start_workload MODE [options]   returns once the ready line is there: $WORKLOAD_JSON, $WORKLOAD_PID.
#                                   Its status is 77 if the kernel could not be brought into the state.
#   stop_workload                   asks it to stop, waits; its status is the workload's exit status
#   start_adversary NAME [options]  $ADVERSARY_JSON, $ADVERSARY_PID, likewise; stop_adversary kills it
#   as_service CMD…                 with the service's default capabilities and no others (uid 990)
#   as_service_admin CMD…           the same and CAP_SYS_ADMIN
#   as_nobody CMD…                  without any capability (uid 65534)
#   set_balancing 0|1               kernel.numa_balancing (the old value: restore_balancing)
# AS=as_nobody start_workload … starts the workload as that user.

RESULTS=${RESULTS:-/results}
SERVICE_CAPS=+sys_ptrace,+dac_read_search
# setpriv by its path: busybox would take its own, which cannot do this.

as_service() { _with_caps 990 "$SERVICE_CAPS" "$@"; }
as_service_admin() { _with_caps 990 "$SERVICE_CAPS,+sys_admin" "$@"; }
as_nobody() {
  /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --ambient-caps=-all \
    --bounding-set=-all --no-new-privs "$@"
}
_with_caps() {
  _uid=$1 _caps=$2
  shift 2
  /usr/bin/setpriv --reuid="$_uid" --regid="$_uid" --clear-groups --inh-caps="-all,$_caps" \
    --ambient-caps="-all,$_caps" --bounding-set="-all,$_caps" --no-new-privs "$@"
}

_json_pid() { printf '%s\n' "$1" | sed -n 's/.*"pid":\([0-9][0-9]*\).*/\1/p'; }

start_workload() {
  _dir=$(mktemp -d) && mkfifo "$_dir/in" "$_dir/out" || return 70
  ${AS:-} workload "$@" < "$_dir/in" > "$_dir/out" &
  WORKLOAD_JOB=$!
  exec 8> "$_dir/in" 9< "$_dir/out"
  WORKLOAD_JSON='' WORKLOAD_PID=''
  read -r WORKLOAD_JSON <&9
  rm -r "$_dir"
  # shellcheck disable=SC2034
  case $WORKLOAD_JSON in
    *'"kernel_state_proven":true'*) WORKLOAD_PID=$(_json_pid "$WORKLOAD_JSON") ;;
    *) stop_workload ;;
  esac
}
stop_workload() {
  exec 8>&- 9<&-
  wait "$WORKLOAD_JOB"
}

start_adversary() {
  _dir=$(mktemp -d) && mkfifo "$_dir/out" || return 70
  ${AS:-} adversary "$@" < /dev/null > "$_dir/out" &
  ADVERSARY_JOB=$!
  exec 7< "$_dir/out"
  ADVERSARY_JSON='' ADVERSARY_PID=''
  read -r ADVERSARY_JSON <&7
  rm -r "$_dir"
  ADVERSARY_PID=$(_json_pid "$ADVERSARY_JSON")
  [ -n "$ADVERSARY_PID" ]
}
stop_adversary() {
  kill -KILL "$ADVERSARY_JOB" 2>/dev/null
  wait "$ADVERSARY_JOB" 2>/dev/null
  exec 7<&-
  true
}

set_balancing() {
  SAVED_BALANCING=${SAVED_BALANCING:-$(cat /proc/sys/kernel/numa_balancing)}
  echo "$1" > /proc/sys/kernel/numa_balancing
}
restore_balancing() {
  [ -z "${SAVED_BALANCING:-}" ] || echo "$SAVED_BALANCING" > /proc/sys/kernel/numa_balancing
}
