# SPDX-License-Identifier: Apache-2.0
# On a unix socket. pgbench with connections that stay and, in between, with one for each transaction: a backend each.
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export PGHOST=/data PGUSER=postgres
initdb -D /data/cluster -U postgres -A trust -E UTF8 --locale=C --no-sync > /data/log 2>&1 || exit
postgres -D /data/cluster -k /data -c listen_addresses= -c shared_buffers=64MB -c work_mem=16MB -c fsync=off \
  -c autovacuum_naptime=1s -c max_wal_size=64MB >> /data/log 2>&1 &
until pg_isready -q; do sleep 0.2; done
pgbench -q -i -s 5 postgres >> /data/log 2>&1 || exit
cat > /data/sort.sql <<'SQL'
SELECT count(*) FROM (SELECT aid, abalance FROM pgbench_accounts ORDER BY filler, aid DESC LIMIT 100000) AS sorted;
SQL
while true; do
  for words in '-c 4' '-c 2 -C' "-c 2 -f /data/sort.sql@1 -b tpcb-like@9"; do
    # shellcheck disable=SC2086
    pgbench -n $words -T 5 postgres 2>> /data/log | sed -n 's/^number of transactions actually processed: //p' |
      cut -d / -f 1 >> /data/done
  done
done
