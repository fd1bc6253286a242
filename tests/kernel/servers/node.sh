# SPDX-License-Identifier: Apache-2.0
# wolf_servers.py runs it inside the chroot.
# V8 in three threads; `node` is Debian's.
exec /usr/bin/node --max-old-space-size=192 /job/churn.js
