# SPDX-License-Identifier: Apache-2.0
# wolf_servers.py runs it inside the chroot.
# G1 with a heap that grows and shrinks all the time: full of short-lived objects, collected without a pause.
exec /usr/lib/jvm/java-17-openjdk-amd64/bin/java -XX:+UseG1GC -Xms16m -Xmx192m -XX:MinHeapFreeRatio=5 \
  -XX:MaxHeapFreeRatio=15 -XX:G1PeriodicGCInterval=200 /job/Churn.java
