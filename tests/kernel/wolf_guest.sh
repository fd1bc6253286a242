# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# never_wolf.py's loop in a guest (busybox ash). Before it come guest.sh and the functions that wolf_in_guest.py
# makes: run_variant INDEX REPORT PIDS… (sets $LABEL), run_control and run_confirm REPORT PIDS…, VARIANTS, and seconds.
#
#   put FILE VALUE; put_back    a setting for the time of one adversary, where the file is there
#   attack NAME FIRST_VARIANT   leaves $RESULTS/NAME/N.json and a line in checks for each check:
#                               report|kind|label|exit status|begin|end|still stopped|pid=kB …
#                               or $RESULTS/NAME/skipped. WORKERS=1: the descendants are audited; SWAP=1, DISK=1:
#                               with swap, with files on a disk
#   insist NAME SECONDS         the negative control alone, if none has suspected anything yet, until one does

workload protnone-self > /dev/null
AFFECTED=$?
echo $AFFECTED > "$RESULTS/affected"
uname -r > "$RESULTS/release"
export STRESS_NG=/stress/run

# What is compressed in memory is a disk all the same: one for swap, one for files that can be reclaimed.
for _module in /job/modules/*.ko; do
  case $_module in
    *zram.ko) insmod "$_module" num_devices=2 ;;
    *) insmod "$_module" ;;
  esac || echo "no module $_module"
done 2>&1
if [ -b /dev/zram0 ] && [ -b /dev/zram1 ]; then
  echo "${SWAP_MIB}M" > /sys/block/zram0/disksize
  echo "${FILE_SYSTEM_MIB}M" > /sys/block/zram1/disksize
  mkswap /dev/zram0 > /dev/null
  mke2fs -b 4096 /dev/zram1 > /dev/null && mkdir -p /mnt/disk && mount -t ext4 /dev/zram1 /mnt/disk
fi 2>&1

RESTORE=''
put() {
  [ -w "$1" ] || return 0
  _old=$(cat "$1")
  case $_old in *\[*\]*) _old=${_old#*\[} && _old=${_old%%\]*} ;; esac
  RESTORE="$1=$_old $RESTORE"
  echo "$2" > "$1"
}
put_back() {
  for _setting in $RESTORE; do
    echo "${_setting#*=}" > "${_setting%%=*}"
  done
  RESTORE=''
}

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
pids() {
  PIDS=$ANNOUNCED
  [ "$WORKERS" = 1 ] || return 0
  _tree=$(adversary tree "$ADVERSARY_PID" | cut -d ' ' -f "1-$MOST_WORKERS")
  PIDS=${_tree:-$ANNOUNCED}
}
# one NAME KIND COMMAND…
one() {
  _dir=$1 _kind=$2
  shift 2
  sizes
  now; _begin=$NOW
  # One word for each pid.
  # shellcheck disable=SC2086
  "$@" "$_dir/$COUNT.json" $PIDS
  STATUS=$?
  now
  [ "$_kind" = control ] && [ "$STATUS" = 1 ] && FOUND=1
  STOPPED=0
  case $LABEL in *freeze*) stopped ;; esac
  echo "$COUNT.json|$_kind|$LABEL|$STATUS|$_begin|$NOW|$STOPPED|$SIZES" >> "$_dir/checks"
  COUNT=$((COUNT + 1))
}
FOUND=0
whole() { echo "${1%.*}${1#*.}"; }  # centiseconds of a line of uptime
begin() {
  TMPDIR=/tmp
  [ "$DISK" = 1 ] && [ -d /mnt/disk ] && TMPDIR=/mnt/disk
  export TMPDIR
  if ! start_adversary "$1"; then
    echo "$ADVERSARY_JSON" > "$RESULTS/$1/skipped"
    stop_adversary
    return 1
  fi
  ANNOUNCED=$(echo "$ADVERSARY_JSON" | sed 's/.*"pids":\[\([0-9,]*\)\].*/\1/; s/,/ /g')
  pids
}
# On a kernel with K01: each process that a finding is about once more, frozen, until it shows there as well.
confirm() {
  # shellcheck disable=SC2013
  for PIDS in $(awk '/"pid":/ { pid = $2 + 0 } /"verdict": "finding"/ { print pid }' "$1/$((COUNT - 1)).json"); do
    for _confirmation in $(seq "$CONFIRM_TRIES"); do
      one "$1" confirm run_confirm
      [ "$STATUS" = 1 ] && break
    done
  done
}
attack() {
  _name=$1 _variant=$2
  mkdir "$RESULTS/$_name"
  [ "$SWAP" = 1 ] && [ -b /dev/zram0 ] && swapon /dev/zram0
  begin "$_name" && attack_target
  [ "$SWAP" = 1 ] && [ -b /dev/zram0 ] && swapoff /dev/zram0
}
attack_target() {
  COUNT=0
  now; _start=$(whole "$NOW")
  while now && [ $(($(whole "$NOW") - _start)) -lt "$ATTACK_CENTISECONDS" ]; do
    pids
    one "$RESULTS/$_name" check run_variant $((_variant % VARIANTS))
    [ "$AFFECTED$STATUS" = 11 ] && confirm "$RESULTS/$_name"
    _variant=$((_variant + 1))
  done
  now; _start=$(whole "$NOW")
  while now && [ $(($(whole "$NOW") - _start)) -lt "$CONTROL_CENTISECONDS" ]; do
    pids
    one "$RESULTS/$_name" control run_control
  done
  kill -0 "$ADVERSARY_JOB" 2> /dev/null || echo "$_name ended by itself"
  stop_adversary
}
insist() {
  WORKERS=0 DISK=0
  [ "$FOUND" = 0 ] && begin "$1" || return 0
  COUNT=100000
  now; _start=$(whole "$NOW")
  while now && [ "$FOUND" = 0 ] && [ $(($(whole "$NOW") - _start)) -lt $(($2 * 100)) ]; do
    one "$RESULTS/$1" control run_control
  done
  stop_adversary
}
