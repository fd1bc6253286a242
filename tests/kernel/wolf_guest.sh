# SPDX-License-Identifier: Apache-2.0
# never_wolf.py's loop in a guest (busybox ash). Before it come guest.sh and the functions that never_wolf.py
# makes: run_variant INDEX REPORT PIDS (sets $LABEL), run_control REPORT PIDS, VARIANTS, and seconds.
#
#   attack NAME FIRST_VARIANT   leaves $RESULTS/NAME/N.json and a line in checks for each check:
#                               report|kind|label|exit status|begin|end|still stopped|pid=kB …
#   insist NAME SECONDS         the negative control alone, if none has suspected anything yet, until one does

now() { read -r NOW _ < /proc/uptime; }
sizes() {
  SIZES=''
  for _pid in $PIDS; do
    _kb=0
    while read -r _key _value _; do
      [ "$_key" = VmSize: ] && _kb=$_value && break
    done < "/proc/$_pid/status"
    SIZES="$SIZES $_pid=$_kb"
  done 2> /dev/null
}
stopped() {
  STOPPED=0
  for _try in 1 2 3 4 5 6 7 8 9 10; do
    STOPPED=0
    for _pid in $PIDS; do
      case $(grep ^State: "/proc/$_pid/status" 2> /dev/null) in *[tT]\ *) STOPPED=1 ;; esac
    done
    [ "$STOPPED" = 0 ] && return
    usleep 100000
  done
}
# one NAME KIND COMMAND…
one() {
  _dir=$1 _kind=$2
  shift 2
  sizes
  now; _begin=$NOW
  "$@" "$_dir/$COUNT.json" $PIDS
  _status=$?
  now
  [ "$_kind" = control ] && [ "$_status" = 1 ] && FOUND=1
  STOPPED=0
  case $LABEL in *freeze*) stopped ;; esac
  echo "$COUNT.json|$_kind|$LABEL|$_status|$_begin|$NOW|$STOPPED|$SIZES" >> "$_dir/checks"
  COUNT=$((COUNT + 1))
}
FOUND=0
whole() { echo "${1%.*}${1#*.}"; }  # centiseconds of a line of uptime
begin() {
  start_adversary "$1" || { echo "$1 did not start"; return 1; }
  PIDS=$(echo "$ADVERSARY_JSON" | sed 's/.*"pids":\[\([0-9,]*\)\].*/\1/; s/,/ /g')
}
attack() {
  _name=$1 _variant=$2
  begin "$_name" || return
  mkdir "$RESULTS/$_name"
  COUNT=0
  now; _start=$(whole "$NOW")
  while now && [ $(($(whole "$NOW") - _start)) -lt "$ATTACK_CENTISECONDS" ]; do
    one "$RESULTS/$_name" check run_variant $((_variant % VARIANTS))
    _variant=$((_variant + 1))
  done
  now; _start=$(whole "$NOW")
  while now && [ $(($(whole "$NOW") - _start)) -lt "$CONTROL_CENTISECONDS" ]; do
    one "$RESULTS/$_name" control run_control
  done
  kill -0 "$ADVERSARY_JOB" 2> /dev/null || echo "$_name ended by itself"
  stop_adversary
}
insist() {
  [ "$FOUND" = 0 ] && begin "$1" || return 0
  COUNT=100000
  now; _start=$(whole "$NOW")
  while now && [ "$FOUND" = 0 ] && [ $(($(whole "$NOW") - _start)) -lt $(($2 * 100)) ]; do
    one "$RESULTS/$1" control run_control
  done
  stop_adversary
}
