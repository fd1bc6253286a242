#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /init of the guest (tests/kernel/vm.py): mounts, runs /job/script, writes a tar of /results to the disk.
# ttyS0: kernel console. ttyS1: output of the script, as it comes. /dev/nvme0n1: the results.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /results /sys/fs/cgroup
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
chmod 1777 /tmp /results  # no mounts here: programs keep their host's path, which may be under /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
ln -s /proc/self/fd /dev/fd
hostname guest
stty raw -echo < /dev/ttyS1

cut -d ' ' -f 1 /proc/uptime > /run/boot_seconds
cd /root || exit
echo 'the script begins' > /dev/ttyS0
sh /job/script < /dev/null > /dev/ttyS1 2>&1
echo "$?" > /run/exit_status

cp /run/boot_seconds /run/exit_status /results/ && cd /results && tar -c -f - . > /dev/nvme0n1
sync
echo 3 > /proc/sys/kernel/printk
poweroff -f
