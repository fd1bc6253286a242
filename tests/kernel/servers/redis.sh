# SPDX-License-Identifier: Apache-2.0
# On a unix socket. A snapshot is a fork: parent and child share all pages, and the benchmark has the parent copy them.
redis-server --port 0 --unixsocket /data/socket --dir /data --save '' --enable-debug-command yes > /data/log 2>&1 &
ask() { redis-cli -s /data/socket "$@"; }
until [ "$(ask ping)" = PONG ]; do sleep 0.2; done
ask debug populate 200000 key 400 > /dev/null
while true; do
  redis-benchmark -q -s /data/socket -t set,get,lpush,lpop -n 200000 -r 300000 -d 400 -P 8 -c 8 > /data/benchmark 2>&1
done &
saves=0
while true; do
  ask bgsave > /dev/null
  while ask info persistence | grep -q '^rdb_bgsave_in_progress:1'; do sleep 0.1; done
  saves=$((saves + 1))
  echo $saves > /data/done
  # From time to time all is given back.
  [ $((saves % 20)) -ne 0 ] || ask flushall async > /dev/null
done
